#!/bin/sh
# SPDX-License-Identifier: ISC
# `smtprelay test` at peers that do not do as they should: which step fails, in which words, with which exit code and advice.
. "$(dirname "$0")/lib.sh"
ADMIN=$O/root/sbin/smtprelay
own_file ADMIN

test_mail() { run "$ADMIN" -C "$T/conf" test "$@" </dev/null; }

# The step that failed, the exit code, words of its line or below it, words of the advice
expect_failed() {
    expect_rc "$2"
    expect_one_line
    expect_err "failed at $1:"
    [ "$(grep -c '^FAILED ' "$T/out")" -eq 1 ] || fail "not one step has failed"
    sed -n '/^FAILED /,$p' "$T/out" | grep -qiF -e "$3" || fail "it does not say '$3': $(grep -A1 '^FAILED ' "$T/out")"
    grep '^what to do: ' "$T/out" | grep -qiF -e "${4-}" || fail "the advice does not say '${4-}': $(tail -n 1 "$T/out")"
    no_secret_in_clear
}

# ---------------------------------------------------------------- one script each

# SCRIPT TLS LOGIN(yes -) CODE STEP WORDS | ADVICE
cat >"$T/table" <<'END'
refuse                  false     -   75  connection  Connection refused (127.0.0.1)          | port
blackhole               false     -   75  connection  no connection in time (127.0.0.1)       | firewall
accept-silent           false     -   75  greeting    no answer in time                       | UseTLS
accept-close            false     -   75  greeting    closed by the server                    |
greet-421               false     -   75  greeting    too busy                                |
greet-554               false     -   77  greeting    no mail service for you                 |
greet-220-nospace       false     -   76  greeting    this is no SMTP reply                   | port
greet-binary            false     -   76  greeting    this is no SMTP reply                   | port
ehlo-421                false     -   75  ehlo        going down                              |
ehlo-no-starttls        starttls  yes 77  starttls    does not offer it                       | TLS
ehlo-auth-no-mech       implicit  yes 77  login       AUTH                                    |
ehlo-auth-only-unknown  implicit  yes 77  login       not known here                          | AuthMethod
starttls-454            starttls  yes 75  starttls    not available                           |
starttls-5xx            starttls  yes 77  starttls    5                                       |
starttls-inject         starttls  yes 77  starttls    slipped in                              |
starttls-no-handshake   starttls  yes 75  tls         in time                                 |
tls-close-mid-handshake implicit  yes 75  tls         during the TLS handshake                |
tls10-only              implicit  yes 77  tls         no TLS version                          |
auth-535                starttls  yes 77  login       wrong user name or password             | password
auth-454                starttls  yes 75  login       temporary authentication failure        |
auth-534-mech           starttls  yes 77  login       too weak                                |
auth-drop               starttls  yes 75  login       closed by the server                    |
mail-421                false     -   75  mail        going down                              |
mail-530                false     -   77  mail        authentication required                 | AuthUser
mail-550                false     -   69  mail        not from you                            | From
mail-552-size           false     -   69  mail        exceeds                                 |
rcpt-421-stay-open      false     -   75  rcpt        going down                              |
data-550                false     -   69  data        no text from you                        |
dot-451                 false     -   75  message     no space just now                       |
dot-554                 false     -   69  message     looks like spam                         |
dot-drop                false     -   75  message     may have been sent                      |
END
while read -r name tls login code step rest <&3; do
    words=$(printf '%s' "${rest%%|*}" | sed 's/ *$//') advice=${rest##*|}
    begin "a test at $name fails at $step with $code"
    hub_start "$name" --tls "$([ "$tls" = false ] && echo none || echo "$tls")" \
        --auth "$([ "$login" = yes ] && echo PLAIN LOGIN)"
    # a silence is told by the time
    case $words in *'in time'*) set -- Timeout=2s ConnectTimeout=2s ;; *) set -- ;; esac
    conf_tls "$tls" "${login#-}" From=alice@example.org "$@"
    test_mail bob@example.net
    expect_failed "$step" "$code" "$words" "${advice# }"
    expect_messages 0
    end
done 3<"$T/table"

# The reset may be there before connect() has been looked at: the kernel's choice, and both are said as they were seen.
begin "a test at a server that resets what it accepts says so, with 75"
hub_start rst-on-accept --tls none
conf_tls false - From=alice@example.org
test_mail bob@example.net
step=connection words='Connection reset by peer'
case $(cat "$T/err") in *'failed at greeting:'*) step=greeting words=closed ;; esac
expect_failed "$step" 75 "$words"
expect_messages 0
end

# ---------------------------------------------------------------- silence at each step

for verb in EHLO MAIL RCPT DATA; do
    begin "a server that falls silent at $verb is said to be silent there"
    script "on $verb" '    discard'
    hub_start "$T/script" --tls none --offer none
    conf UseTLS=false Timeout=3s
    test_mail bob@example.net
    expect_failed "$(echo $verb | tr A-Z a-z)" 75 "no answer in time"
    expect_messages 0
    end
done

# ---------------------------------------------------------------- names and ports

begin "a name that does not exist is a failure of names"
conf mailhub=no-such-host.invalid:25 UseTLS=false ConnectTimeout=2s
test_mail
expect_failed names 75 no-such-host.invalid
end

begin "direct delivery can be tested: the names are those of the recipient's domain"
conf mailhub=direct UseTLS= ConnectTimeout=2s
test_mail bob@no-such-host.invalid
expect_failed names 67,75 no-such-host.invalid
test_mail --account=default bob@no-such-host.invalid
expect_failed names 67,75 no-such-host.invalid
end

begin "where no way leads the system's word for it is said"
conf mailhub=224.0.0.1:25 UseTLS=false
test_mail
expect_failed connection 75 unreachable
end

begin "each address of a host is tried and shown, and one that answers is enough"
hub_start -
conf "mailhub=localhost:$HUB_PORT" UseTLS=false
test_mail
expect_rc 0
grep '^ok  *names ' "$T/out" | grep -qF '127.0.0.1' || fail "names do not show the address"
grep '^ok  *names ' "$T/out" | grep -qF '(/etc/hosts)' || fail "names do not show who knew it"
if grep '^ok  *names ' "$T/out" | grep -qF '::1'; then
    expect_out "127.0.0.1 answers after "
    expect_out "::1: Connection refused"
fi
end

begin "where the first smarthost fails the next one is tried, and both are shown"
hub_start -
conf "mailhub=( \"127.0.0.1:1\", \"127.0.0.1:$HUB_PORT\" )" UseTLS=false
test_mail bob@example.net
expect_rc 0
expect_one_line
grep -q '^FAILED *connection .*127.0.0.1:1: Connection refused' "$T/out" || fail "the first one is not shown"
expect_messages 1
end

# ---------------------------------------------------------------- certificates

# CERT STEP-WORDS ADVICE
certificate() {
    begin "a certificate that is $1 is shown for what it is, with the pin to paste"
    hub_start - --tls implicit --cert "$1"
    conf UseTLS=implicit "TLS_CA_File=$CA"
    test_mail
    expect_failed tls 77 "$2" "$3"
    expect_out "TLSFingerprint = \"$(sed -n 's/^spki //p' "$CERTS/$1.pin")\""
    conf UseTLS=implicit "TLSFingerprint=$(sed -n 's/.*TLSFingerprint = "\(.*\)"/\1/p' "$T/out")"
    test_mail
    expect_rc 0
    expect_out "as pinned"
    end
}
certificate expired "expired on " renew
certificate wronghost "not for 127.0.0.1" "another name"
certificate untrusted "unknown CA" "TLS_CA_File"
certificate selfsigned "self-signed" "TLSFingerprint"

begin "a plain text server where TLS is expected is said to be one"
hub_start - --tls none
conf UseTLS=implicit "TLS_CA_File=$CA"
test_mail
expect_failed tls 77 "does not speak TLS here" starttls
end

begin "a TLS server where a greeting is expected is said to be silent, and the advice says implicit"
hub_start - --tls implicit
conf UseTLS=starttls "TLS_CA_File=$CA" ConnectTimeout=2s Timeout=2s
test_mail
expect_failed greeting 75 "in time" implicit
end

begin "a login is not sent without TLS, and that is what the test says"
hub_start - --tls none --auth PLAIN --auth-clear
conf UseTLS=false "AuthUser=$USER_NAME" "AuthPass=$PASSWORD"
test_mail
expect_failed login 77 "not protected by TLS"
expect_no_dialog "C: AUTH"
end

# ---------------------------------------------------------------- configuration

begin "a wrong setting is a failure of the configuration, with file and line"
conf mailhu=127.0.0.1
test_mail
expect_failed configuration 78 "did you mean mailhub?" "smtprelay.conf(5)"
end

begin "a password command that fails is a failure of the secret"
if [ "$(id -u)" -eq 0 ]; then
    hub_start - --tls starttls --auth PLAIN
    conf_tls starttls '' "AuthUser=$USER_NAME" AuthPassCommand=/bin/false
    test_mail
    expect_failed secret 77 "the command failed with exit code 1" command
fi
end

begin "an account that is not there is wrong usage"
conf
test_mail --account nosuch
expect_rc 64
expect_err "failed at usage: nosuch: there is no account of that name; there is default"
expect_not_out 'what to do'
end

# ---------------------------------------------------------------- what reaches the terminal

begin "what a server says reaches a terminal without control characters, and JSON in ASCII"
script 'on greeting' '    send 220 \x1b[31mevil\x07 gr\xc3\xbc\xc3\x9fe \xff\xe2\x80\xae\r\n' \
    'on EHLO' '    send 250-hub\r\n250-X\x1b]0;title\x07\r\n250 AUTH \x1b[2J PLAIN\r\n' \
    'on RCPT' '    send 550 5.1.1 no\x1B[1A such user\r\n'
hub_start "$T/script" --tls none
conf UseTLS=false
test_mail
expect_failed rcpt 67 'no\x1B[1A such user'
expect_out 'grüße'
expect_out '220 \x1B[31mevil\x07'
if LC_ALL=C tr -d '\n' <"$T/out" | LC_ALL=C grep -q '[[:cntrl:]]'; then fail "a control character on stdout"; fi
if LC_ALL=C tr -d '\n' <"$T/err" | LC_ALL=C grep -q '[[:cntrl:]]'; then fail "a control character on stderr"; fi
test_mail --json
expect_rc 67
if LC_ALL=C tr -d '\n' <"$T/out" | LC_ALL=C grep -q '[^ -~]'; then fail "not ASCII"; fi
tail -n 1 "$T/out" >"$T/last"
grep -qF '"failed_step":"rcpt","exit":67' "$T/last" || fail "the last object says $(cat "$T/last")"
grep -qF '"advice":"' "$T/last" || fail "no advice in the last object"
grep -qF '"step":"rcpt","ok":false' "$T/out" || fail "no object of the step"
grep -qF '"cause":"reply","code":550,"enhanced":"5.1.1"' "$T/out" || fail "no code in the step"
end

if command -v python3 >/dev/null; then
    # on a terminal of its own: NO_COLOR or not
    on_terminal() {
        python3 -c 'import os, pty, sys
out = open(sys.argv[1], "wb")
def read(fd):
    data = os.read(fd, 65536)
    out.write(data)
    return data
sys.stdin = open(os.devnull)
os.dup2(sys.stdin.fileno(), 0)
pty.spawn(sys.argv[2:], read)' "$T/out" "$@" >/dev/null 2>&1
    }
    begin "on a terminal there are colours and a timeline, with NO_COLOR no colours, in a pipe neither"
    hub_start - --tls none
    conf UseTLS=false
    TERM=xterm on_terminal "$ADMIN" -C "$T/conf" test
    grep -qF "$(printf '\033[32mok')" "$T/out" || fail "no colour on a terminal"
    expect_out '....'
    NO_COLOR=1 TERM=xterm on_terminal "$ADMIN" -C "$T/conf" test
    grep -qF "$(printf '\033')" "$T/out" && fail "a colour in spite of NO_COLOR"
    expect_out '....'
    test_mail
    grep -qF "$(printf '\033')" "$T/out" && fail "a colour in a pipe"
    expect_not_out '....'
    expect_out ' round trips'
    end

    begin "what failed stands once on a terminal, and is the line on standard error elsewhere"
    hub_start refuse --tls none
    conf UseTLS=false
    on_terminal "$ADMIN" -C "$T/conf" test
    [ "$(grep -c 'Connection refused' "$T/out")" -eq 1 ] || fail "it stands there twice: $(cat "$T/out")"
    expect_out 'what to do: '
    test_mail
    expect_failed connection 75 'Connection refused'
    end
fi
