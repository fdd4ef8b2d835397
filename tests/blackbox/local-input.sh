#!/bin/sh
# SPDX-License-Identifier: ISC
# What a caller can pass on the command line and in the message: never a file named by a flag, never a line of its own in the
# dialog, and exit 0 only with the message at the smarthost.
. "$(dirname "$0")/lib.sh"

letter

# sends CODE COUNT [arguments]: so it ends, and so many messages arrive
sends() {
    code=$1 count=$2
    shift 2
    send "$@"
    expect_rc "$code"
    expect_one_line
    [ ! -s "$T/out" ] || fail "something on standard output"
    if [ "$code" -ne 0 ]; then
        grep -q '^sendmail: .*: ' "$T/err" || fail "stderr is not 'sendmail: WHAT: WHY'"
        if LC_ALL=C grep -q '[[:cntrl:]]' "$T/err"; then fail "a control character on stderr"; fi
    fi
    expect_messages "$count"
    expect_manners
}

# a case with a good smarthost
with_hub() {
    begin "$1"
    hub_start - --offer -BINARYMIME
    conf UseTLS=false
}

# no command of the dialog, if there was one, says it
unsaid() {
    if cat "$HUB_DIR"/session-*.log 2>/dev/null | grep -qF -e "$1"; then fail "'$1' in the dialog"; fi
}

# message FORMAT: what printf makes of it
message() {
    # shellcheck disable=SC2059
    printf "$1" >"$MSG"
}

# repeat N TEXT
repeat() {
    awk -v n="$1" -v t="$2" 'BEGIN {for (i = 0; i < n; i++) printf "%s", t}'
}

arrived() {
    grep -qaF -e "$1" "$HUB_DIR/1.msg" || fail "no '$1' in the message"
}

not_arrived() {
    if grep -qaF -e "$1" "$HUB_DIR/1.msg"; then fail "'$1' in the message"; fi
}

longest_line() {
    awk '{if (length($0) > m) m = length($0)} END {print m + 1}' "$HUB_DIR/1.msg"
}

# ---------------------------------------------------------------- arguments

for flag in X D; do
    with_hub "arg-X: -$flag names no file, attached or apart"
    sends 0 1 -f alice@example.org -i "-$flag$T/injected-a" "-$flag" "$T/injected-b" bob@example.net
    for f in a b; do [ ! -e "$T/injected-$f" ] || fail "a file was made"; done
    expect_env 'rcpt: <bob@example.net>'
    end
done

with_hub "arg-O: -O, -o and -d name no file and no configuration"
sends 0 1 -f alice@example.org -i -OQueueDirectory="$T/injected-c" -O "LogFile=$T/injected-d" -oQ"$T/injected-e" -oA"$T/injected-f" \
    -d0-99.99 bob@example.net
for f in c d e f; do [ ! -e "$T/injected-$f" ] || fail "a file was made"; done
expect_env 'rcpt: <bob@example.net>'
end

with_hub "arg-C: a file given with -C that others can write is refused"
chmod 666 "$T/conf"
sends 78 0 -f alice@example.org bob@example.net
end

with_hub "arg-C: of two -C the last counts, and one that is no configuration is refused"
cp "$MSG" "$T/not-a-conf"
sends 78 0 -C "$T/not-a-conf" -f alice@example.org bob@example.net
end

with_hub "arg-be: no mode that expands or runs anything"
for mode in -be -bt -bh -bz -bP -bV; do
    sends 64 0 "$mode" bob@example.net
done
end

with_hub "arg-f-newline: a line break in the sender gets no command of its own"
sends 65 0 -f 'alice@example.org
RCPT TO:<eve@example.com>' bob@example.net
unsaid eve@example.com
sends 65 0 -f "$(printf 'alice@example.org>\rRCPT TO:<eve@example.com')" bob@example.net
end

with_hub "arg-f-dash: a sender that looks like an option is a sender"
sends 0 1 -f -oQ@example.org -i bob@example.net
expect_env 'mail: <-oQ@example.org>'
end

with_hub "rcpt-newline: a line break in a recipient is refused or a blank, never a command"
send -f alice@example.org 'bob@example.net>
RCPT TO:<eve@example.com'
expect_rc 65
expect_one_line
expect_messages 0
send -f alice@example.org "$(printf 'bob@example.net\r\nDATA')"
expect_rc 65
expect_messages 0
end

with_hub "rcpt-dash: behind -- a word with a dash is a recipient"
sends 0 1 -f alice@example.org -i -- -oQ@example.net -X@example.net
expect_env 'rcpt: <-oQ@example.net>'
expect_env 'rcpt: <-X@example.net>'
end

with_hub "rcpt-10^5: too many recipients are refused at once, and nobody gets it"
{
    printf 'From: alice@example.org\nBcc: '
    awk 'BEGIN {for (i = 0; i < 100000; i++) printf "u%d@example.net,\n ", i; print "last@example.net"}'
    printf 'Subject: many\n\ntext\n'
} >"$MSG"
send -f alice@example.org -t -i
expect_rc 65,69
expect_one_line
expect_messages 0
expect_within 50
end
letter

for bad in 'a@b@c.example' '@example.net' '"open@example.net' 'bob@[127.0.0' "$(repeat 70 x)@example.net" "bob@$(repeat 64 x.)$(repeat 200 y)" \
    "$(printf 'b\001b@example.net')" "$(printf 'b\377b@example.net')" "$(repeat 100000 '(')" "" "bob@" "bob@exa mple.net"; do
    with_hub "addr: '$(printf '%.40s' "$bad" | tr -c '[:graph:]' '?')' is refused in one line"
    sends 65 0 -f alice@example.org -- "$bad"
    end
done

with_hub "addr: a route before the address goes"
sends 0 1 -f alice@example.org '<@relay.example.com:bob@example.net>'
expect_env 'rcpt: <bob@example.net>'
end

with_hub "addr: null sender and Name <address> as the sender"
sends 0 1 -f '' bob@example.net
expect_env 'mail: <>'
sends 0 2 -f 'Alice A <alice@example.org>' bob@example.net
expect_env 'mail: <alice@example.org>'
end

# ---------------------------------------------------------------- recipients in the message

with_hub "t-empty: -t without any recipient is wrong usage"
message 'From: alice@example.org\nSubject: nobody\nTo:\nCc: undisclosed-recipients:;\n\ntext\n'
sends 64 0 -t
end

with_hub "t-empty: -t with nothing at all on standard input is wrong usage"
message ''
sends 64 0 -t
end

with_hub "t-bcc-only: the hidden recipient gets it, the field goes"
message 'From: alice@example.org\nBcc: bob@example.net,\n eve@example.com\nSubject: hidden\n\ntext\n'
sends 0 1 -t -f alice@example.org
expect_env 'rcpt: <bob@example.net>'
expect_env 'rcpt: <eve@example.com>'
not_arrived example.net
not_arrived 'eve@'
arrived 'undisclosed-recipients:;'
end

with_hub "t-resent: the topmost Resent- block counts alone"
message 'Resent-From: carol@example.org\nResent-To: dave@example.net\nResent-Bcc: erin@example.net\nReceived: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\nResent-To: old@example.net\nFrom: alice@example.org\nTo: bob@example.net\nSubject: again\n\ntext\n'
sends 0 1 -t -f carol@example.org
expect_env 'rcpt: <dave@example.net>'
expect_env 'rcpt: <erin@example.net>'
if grep -q 'old@\|bob@' "$HUB_DIR/1.env"; then fail "an old recipient gets it"; fi
not_arrived erin@
end

# ---------------------------------------------------------------- the message

with_hub "hdr-64k: a header field of 64 kB goes, folded"
{ printf 'From: alice@example.org\nSubject: '; repeat 8192 'a word, '; printf '\n\ntext\n'; } >"$MSG"
sends 0 1 -f alice@example.org bob@example.net
[ "$(longest_line)" -le 1000 ] || fail "a line of $(longest_line) octets"
end

with_hub "hdr-64k: a word of a header field that is longer than a line is cut, and the name of a field never"
{ printf 'From: alice@example.org\nReferences: <'; repeat 8192 'aword..,'; printf '@x.example>\n'; repeat 998 N; printf ': x\n\ntext\n'; } >"$MSG"
sends 0 1 -f alice@example.org bob@example.net
[ "$(longest_line)" -le 1000 ] || fail "a line of $(longest_line) octets"
arrived 'aword..,@x.example>'
end

with_hub "hdr-nul: a NUL in the header is refused"
message 'From: alice@example.org\nSubject: a\000b\n\ntext\n'
sends 65 0 -f alice@example.org bob@example.net
end

with_hub "hdr-fold-bomb: a field of a million folds is refused, in little memory"
{ printf 'From: alice@example.org\nSubject: x\n'; repeat 1000000 ' x
'; printf '\ntext\n'; } >"$MSG"
cat >"$T/bounded" <<END
#!/bin/sh
ulimit -v 200000
exec "$SENDMAIL" "\$@"
END
chmod 755 "$T/bounded"
case $(nm -D "$SENDMAIL" 2>/dev/null) in *__asan*) ;; *) SENDMAIL=$T/bounded ;; esac
sends 65 0 -f alice@example.org -t bob@example.net
{ printf 'From: alice@example.org\n'; repeat 300000 'To: '; } >"$MSG"
send -f alice@example.org -t bob@example.net
expect_rc 65
expect_messages 0
end

SENDMAIL=$O/root/sbin/sendmail

with_hub "cr-only: a bare CR never goes out"
message 'From: alice@example.org\nSubject: a\rBcc: eve@example.com\n\none\rtwo\r.\rthree\n'
sends 0 1 -f alice@example.org bob@example.net
[ "$(tr -cd '\r' <"$HUB_DIR/1.msg" | wc -c)" -eq "$(wc -l <"$HUB_DIR/1.msg")" ] || fail "a bare CR or LF"
if grep -qa '^Bcc' "$HUB_DIR/1.msg"; then fail "a field out of nothing"; fi
end

with_hub "cr-only: a dot between line ends of any kind ends nothing but with one of its own"
message 'From: alice@example.org\nSubject: x\n\none\r\n.\rQUIT\r\n.\nMAIL FROM:<eve@example.com>\n'
sends 0 1 -f alice@example.org bob@example.net
[ "$(count_messages)" -eq 1 ] || fail "smuggled"
expect_no_dialog 'C: MAIL FROM:<eve'
end

with_hub "line-1M: a line of a megabyte is broken up, in little memory"
{ printf 'From: alice@example.org\nSubject: x\n\n'; repeat 131072 '12345678'; printf '\n'; } >"$MSG"
sends 0 1 -f alice@example.org bob@example.net
[ "$(longest_line)" -le 1000 ] || fail "a line of $(longest_line) octets"
end

with_hub "line-998: a line of 998 octets goes as it is, one more is re-encoded"
line=$(repeat 998 z)
message "From: alice@example.org\nSubject: x\n\n$line\n"
sends 0 1 -f alice@example.org bob@example.net
arrived "$line"
hub_stop
hub_start - --offer -BINARYMIME
conf UseTLS=false
message "From: alice@example.org\nSubject: x\n\nz$line\n"
sends 0 1 -f alice@example.org bob@example.net
not_arrived "$line"
end

with_hub "nul-body: a NUL in the body goes as base64"
message 'From: alice@example.org\nSubject: x\n\none\000two\n'
sends 0 1 -f alice@example.org bob@example.net
arrived base64
[ "$(tr -d '\000' <"$HUB_DIR/1.msg" | wc -c)" -eq "$(wc -c <"$HUB_DIR/1.msg")" ] || fail "a NUL arrived"
end

with_hub "8bit-no-mime: 8-bit text without MIME fields gets them"
message 'From: alice@example.org\nSubject: x\n\ngr\303\274n\n'
sends 0 1 -f alice@example.org bob@example.net
arrived 'MIME-Version: 1.0'
arrived 'charset=utf-8'
hub_stop
hub_start - --offer "-8BITMIME -BINARYMIME"
conf UseTLS=false
message 'From: alice@example.org\nSubject: x\n\ngr\374n\n'
sends 0 1 -f alice@example.org bob@example.net
arrived 'charset=unknown-8bit'
if LC_ALL=C grep -qa '[^ -~[:cntrl:]]' "$HUB_DIR/1.msg"; then fail "8-bit text at a peer without 8BITMIME"; fi
end

with_hub "utf8-addr: a UTF-8 address goes by SMTPUTF8, and is refused by name without"
message 'From: alice@example.org\nSubject: x\n\ntext\n'
sends 0 1 -f alice@example.org 'jürgen@example.net'
expect_dialog SMTPUTF8
hub_stop
hub_start - --offer -SMTPUTF8
conf UseTLS=false
send -f alice@example.org 'jürgen@example.net'
expect_rc 67,69
expect_one_line
expect_err 'jürgen@example.net'
message 'From: Jürgen <jürgen@example.org>\nSubject: x\n\ntext\n'
sends 69 0 -f alice@example.org bob@example.net
expect_err 'jürgen@example.org'
message 'From: alice@example.org\nSubject: x\nCc: carol@example.net, zoë@example.com\n\ntext\n'
sends 69 0 -f alice@example.org bob@example.net
expect_err 'zoë@example.com'
end

with_hub "log-newline: control characters in names are escaped on stderr"
sends 65 0 -f "$(printf 'a\033[2Jb\nc@')" bob@example.net
sends 65 0 -f alice@example.org "$(printf 'b\033]0;x\007@@example.net')"
expect_err '\x1B'
hub_stop
printf 'on RCPT\n    reply 550 5.1.1 no\\x1b[2J such\\x07 user\\x9b\n' >"$T/escape.hub"
hub_start "$T/escape.hub"
conf UseTLS=false
sends 67 0 -f alice@example.org bob@example.net
expect_err '550 5.1.1 no\x1B'
end

with_hub "clock-1970: a clock that was never set makes a Date of 1970, not a refusal"
faketime=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
letter
if [ -n "$faketime" ]; then
    LD_PRELOAD=$faketime FAKETIME='@1970-01-01 00:00:10' TZ=UTC send -f alice@example.org bob@example.net
    expect_rc 0
    expect_messages 1
    arrived ' 1970 00:00'
    end
else
    end >/dev/null
    echo "ok (skipped, no libfaketime) $CASE"
fi

begin "a producer that never ends is not listened to behind the refusal"
hub_start - --tls none
conf UseTLS=false MaxMessageSize=3M
yes | timeout -k 1 30 "$SENDMAIL" -C "$T/conf" -i bob@example.net >"$T/out" 2>"$T/err"
# shellcheck disable=SC2034 # expect_rc reads it
rc=$?
expect_rc 69
expect_one_line
expect_err MaxMessageSize
expect_messages 0
end

begin "mailq-escape: mailq prints no control character and ends well"
ln -s "$SENDMAIL" "$T/mailq"
"$T/mailq" >"$T/out" 2>"$T/err" || fail "mailq ended with $?"
if LC_ALL=C tr -d '\n' <"$T/out" | grep -q '[[:cntrl:]]'; then fail "a control character"; fi
grep -q '^Mail queue is empty$' "$T/out" || fail "not Postfix's form"
end
exit 0
