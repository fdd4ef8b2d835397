#!/bin/sh
# SPDX-License-Identifier: ISC
# Which configuration counts, who may have written it, what is said of a wrong one; `smtprelay check`.
. "$(dirname "$0")/lib.sh"

CHECK=$O/root/sbin/smtprelay
letter
umask 022
# nobody's own configuration
HOME=$T XDG_CONFIG_HOME=$T
export HOME XDG_CONFIG_HOME

# check [arguments]: sets rc; $T/out, $T/err
check() {
    timeout 60 "$CHECK" check "$@" >"$T/out" 2>"$T/err"
    rc=$?
}

# write NAME MODE TEXT...: a file in $T, each word a line
write() {
    name=$T/$1 mode=$2
    shift 2
    rm -f "$name"
    printf '%s\n' "$@" >"$name"
    chmod "$mode" "$name"
}

begin "check shows each setting with where it came from, secrets masked"
write c 600 'mailhub = "hub.example";' 'AuthUser = "u@example.org";' '' 'AuthPass = "geheim";' \
    'accounts = ( { name = "shop"; sender = "@shop.example"; mailhub = "shop.example:465"; } );'
check -C "$T/c"
expect_rc 0
expect_out "# configuration: $T/c"
expect_out "mailhub = \"hub.example\";  # $T/c line 1"
expect_out "AuthPass = \"***\";  # $T/c line 4"
expect_out 'From = "u@example.org";  # AuthUser'
expect_out 'Timeout = "5m";  # default'
expect_out "sender = \"@shop.example\";  # $T/c line 5"
if grep -q geheim "$T/out" "$T/err"; then fail "the secret is shown"; fi
end

# wrong CODE WORDS TEXT...: a file that is refused, by check and by sendmail
wrong() {
    code=$1 words=$2
    shift 2
    begin "refused with $code: $words"
    write c 600 'mailhub = "127.0.0.1:1";' "$@"
    check -C "$T/c"
    expect_rc "$code"
    expect_one_line
    expect_err "$words"
    expect_err "$T/c line "
    timeout 60 "$SENDMAIL" -C "$T/c" bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
    expect_rc "$code"
    expect_one_line
    expect_err "$words"
    end
}

wrong 78 "did you mean Timeout?" 'Timeoot = "5m";'
wrong 78 "MaxRecipients: a number is wanted" 'MaxRecipients = "many";'
wrong 78 "line 3: UseTLS: given twice" 'usetls = true;' 'UseTLS = true;'
wrong 78 "a string is not closed" 'root = "a@b.example;'
wrong 78 "AuthPassFile or AuthPassCommand is missing" 'AuthUser = "u";'
wrong 78 'provider: "gmial" is not known; did you mean "gmail"?' 'provider = "gmial";'
wrong 78 "this is a configuration of ssmtp" 'UseTLS=YES'
wrong 78 "RetryMin: it is longer than RetryMax" 'RetryMin = "2h";'
mkfifo "$T/fifo"
wrong 78 "fifo: not a regular file" '@include "fifo"'
wrong 78 "not a regular file" 'AuthUser = "u";' "AuthPassFile = \"$T/fifo\";"

begin "check wants the files a configuration names"
write c 600 'mailhub = "h";' "TLS_CA_File = \"$T/nosuch\";"
check -C "$T/c"
expect_rc 78
expect_err "$T/c line 2: TLS_CA_File"
end

begin "check and sendmail refuse a certificate file without certificate, and a key file without key"
[ -e "$CA" ] || "$HUB" --make-certs "$CERTS"
echo 'nothing of the kind' >"$T/none.pem"
sed 's/BEGIN.* PRIVATE KEY/BEGIN ENCRYPTED PRIVATE KEY/' "$CERTS/client.key" >"$T/locked.key"
letter
for setting in "TLS_CA_File=$T/none.pem" "TLSCert=$T/none.pem TLSKey=$CERTS/client.key" "TLSCert=$CERTS/client.pem TLSKey=$T/none.pem" \
    "TLSCert=$CERTS/client.pem TLSKey=$T/locked.key" "TLSCert=$CA"; do
    # shellcheck disable=SC2086 # two settings
    conf mailhub=127.0.0.1:1 $setting
    check -C "$T/conf"
    expect_rc 78
    expect_err "conf line"
    expect_err " in it (PEM is expected)"
    send bob@example.net
    expect_rc 78
    expect_one_line
done
conf mailhub=127.0.0.1:1 "TLS_CA_File=$CA" "TLSCert=$CERTS/client.pem" "TLSKey=$CERTS/client.key"
check -C "$T/conf"
expect_rc 0
end

begin "check warns of a password file that is empty"
: >"$T/empty"
chmod 600 "$T/empty"
write c 600 'mailhub = "h";' 'AuthUser = "u";' "AuthPassFile = \"$T/empty\";"
check -C "$T/c"
expect_rc 0
expect_err "AuthPassFile: $T/empty: is empty; its first line has to be the password"
end

begin "check warns of opportunistic TLS at port 465, where TLS is all there is"
conf mailhub='("127.0.0.1:25", "127.0.0.1:465")' UseTLS=opportunistic
check -C "$T/conf"
expect_rc 0
expect_err 'mailhub 127.0.0.1:465 with UseTLS = "opportunistic": port 465 is TLS from its first byte'
expect_not_err 'mailhub 127.0.0.1:25'
end

begin "check warns of what a setting names and this machine has not, and it is no error"
warns() {
    conf mailhub=127.0.0.1:25 "$1"
    check -C "$T/conf"
    expect_rc 0
    if [ "$2" = nothing ]; then
        expect_not_err warning
    else
        expect_err "warning: $T/conf line"
        expect_err "$2"
    fi
}
warns 'AllowUsers=( "root", "nosuchuser", "4711" )' 'AllowUsers: nosuchuser: there is no such user'
warns 'AllowUsers=( "root", "4711" )' nothing
warns DenyUsers=nosuchuser 'DenyUsers: nosuchuser: there is no such user'
warns 'accounts=( { name = "a"; user = "nosuchuser"; } )' 'user: nosuchuser: there is no such user'
warns "aliases=$T/nosuch" "aliases: $T/nosuch: it is not there"
warns 'aliases=""' nothing
warns "TroubleCommand=$T/nosuch now" "TroubleCommand: $T/nosuch: there is no such program"
warns 'TroubleCommand=cat /dev/null' nothing
warns "MetricsFile=$T/nosuch/smtprelay.prom" 'its folder is not there'
warns "LogFile=$T/smtprelay.log" nothing
warns SourceAddress=192.0.2.77 'this machine has no such address'
warns SourceAddress=127.0.0.1 nothing
warns 'Listen=( "127.0.0.1:2525", "0.0.0.0:2526" )' nothing
warns 'Listen=( "192.0.2.77:2525" )' 'Listen: 192.0.2.77:2525: this machine has no such address'
conf mailhub=127.0.0.1:25 User=nosuchuser AuthUser=u AllowPlaintextAuth=true "AuthPassCommand=$T/nosuch a"
check -C "$T/conf"
expect_rc 0
expect_err 'User: nosuchuser: there is no such user'
expect_err "AuthPassCommand: $T/nosuch: there is no such program"
end

begin "what cannot be left empty is named with its line"
for name in QueueDir Socket User; do
    printf 'mailhub = "127.0.0.1:1"; UseTLS = false;\n%s = "";\n' "$name" >"$T/conf"
    for program in "$SENDMAIL -C $T/conf bob@example.net" "$SENDMAIL -C $T/conf -bp" "$O/smtprelay -C $T/conf check"; do
        # shellcheck disable=SC2086 # a program with arguments
        run $program </dev/null
        expect_rc 78
        expect_one_line
        expect_err "line 2: $name: \"\" will not do"
    done
done
end

begin "a FIFO or a folder as configuration is named at once"
for f in "$T/fifo" "$T"; do
    check -C "$f"
    expect_rc 78
    expect_err "not a regular file"
done
end

begin "a missing configuration is 78 and says what to read"
check -C "$T/nosuch"
expect_rc 78
expect_err "smtprelay.conf(5)"
end

begin "an included secret counts by the mode of its own file"
write part 600 'AuthUser = "u";' 'AuthPass = "geheim";'
write c 644 'mailhub = "h";' '@include "part"'
check -C "$T/c"
expect_rc 0
expect_out "AuthPass = \"***\";  # $T/part line 2"
chmod 644 "$T/part"
chmod 600 "$T/c"
check -C "$T/c"
expect_rc 78
expect_err "$T/part line 2: AuthPass: others may read this file"
end

# foreign CODE WORDS SETTING: what a file that is not root's may say to sendmail -C
foreign() {
    code=$1 words=$2
    shift 2
    write c 600 'mailhub = "127.0.0.1:1";' 'AuthUser = "u";' 'AllowPlaintextAuth = true;' 'UseTLS = false;' "$@"
    [ "$(id -u)" = 0 ] && chown 65534 "$T/c"
    as_nobody "$SENDMAIL" -C "$T/c" bob@example.net
    [ "$rc" = "$code" ] || fail "$*: exit code $rc, not $code"
    expect_err "$words"
}

# As an ordinary user: nobody when the tests run as root
as_nobody() {
    if [ "$(id -u)" = 0 ]; then
        set -- setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/nonexistent "$@"
    fi
    timeout 60 "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

if [ "$(id -u)" != 0 ] || as_nobody true && as_nobody test -x "$SENDMAIL" && as_nobody test -r "$T/"; then
    begin "an injected -C gains nothing"
    chmod 711 "$T"
    write secret 644 x
    for setting in "AuthPassCommand = \"/bin/echo x\";" "QueueDir = \"$T/q\";" "LogFile = \"$T/log\";" \
        "MetricsFile = \"$T/m\";" "TroubleCommand = \"/bin/true\";"; do
        foreign 78 "is not allowed in a file that is not root's" "$setting"
    done
    foreign 78 "readable by nobody else" "AuthPassFile = \"$T/secret\";"
    printf 'list: x@example.net\n' >"$T/named"
    chmod 644 "$T/named"
    foreign 75 "127.0.0.1" 'AuthPass = "x";' "aliases = \"$T/named\";"
    if [ "$(id -u)" = 0 ]; then
        # what the caller's group may read
        chgrp 65534 "$T/named"
        chmod 640 "$T/named"
        foreign 78 "readable by everybody" 'AuthPass = "x";' "aliases = \"$T/named\";"
    fi
    foreign 75 "127.0.0.1" 'AuthPass = "x";' 'LogFile = "-";'
    end
    begin "a file that others may write is not taken from sendmail -C"
    write c 666 'mailhub = "127.0.0.1:1";'
    [ "$(id -u)" = 0 ] && chown 65534 "$T/c"
    as_nobody "$SENDMAIL" -C "$T/c" bob@example.net
    expect_rc 78
    expect_err "others may write to it"
    end
    # HOME may be a folder where anybody can put a file: no command of somebody else's is run
    begin "a file of the user's own counts only if nobody else could write it"
    mkdir -p "$T/home/.config/smtprelay"
    chmod -R 755 "$T/home"
    write home/.config/smtprelay/config 644 'mailhub = "127.0.0.1:1";' 'AuthUser = "u";' \
        "AuthPassCommand = \"/bin/sh -c 'echo x; : >$T/home/ran'\";"
    if [ "$(id -u)" = 0 ]; then
        chown 64213 "$T/home/.config/smtprelay/config"
        chmod 777 "$T/home"
        as_nobody env HOME="$T/home" XDG_CONFIG_HOME= "$SENDMAIL" bob@example.net
        expect_rc 78
        expect_one_line
        expect_err "belongs to another user"
        chown 65534 "$T/home/.config/smtprelay/config"
    fi
    chmod 664 "$T/home/.config/smtprelay/config"
    as_nobody env HOME="$T/home" XDG_CONFIG_HOME= "$SENDMAIL" bob@example.net
    expect_rc 78
    expect_err "others may write to it"
    [ ! -e "$T/home/ran" ] || fail "the command was run"
    end
    if [ "$(id -u)" = 0 ]; then
        begin "a set-id bit on sendmail gives the caller nothing"
        cp "$SENDMAIL" "$T/set-id"
        chmod 6755 "$T/set-id"
        # no shell: some give the rights up themselves
        write home/.config/smtprelay/config 600 'mailhub = "127.0.0.1:1";' 'AuthUser = "u";' \
            "AuthPassCommand = \"/usr/bin/touch $T/home/ran\";"
        chown 65534 "$T/home/.config/smtprelay/config"
        as_nobody env HOME="$T/home" XDG_CONFIG_HOME= "$T/set-id" bob@example.net
        expect_rc 77
        [ "$(stat -c %u:%g "$T/home/ran")" = 65534:65534 ] || fail "the command ran as $(stat -c %u:%g "$T/home/ran")"
        end
    fi
fi

begin "a configuration that anybody can write is refused, whoever chose it"
write c 646 'mailhub = "127.0.0.1:1";'
check -C "$T/c"
expect_rc 78
expect_err "others may write to it; chmod o-w"
end

begin "settings may come from the environment alone, and beat the file"
export SMTPRELAY_MAILHUB="a.example:26, b.example" SMTPRELAY_TLSVERIFY=no SMTPRELAY_FROM=''
check
expect_rc 0
expect_out 'mailhub = ( "a.example:26", "b.example" );  # environment SMTPRELAY_MAILHUB'
expect_out 'TLSVerify = false;  # environment SMTPRELAY_TLSVERIFY'
end

begin "with -C the environment does not count"
write c 600 'mailhub = "c.example";'
check -C "$T/c"
expect_rc 0
expect_out 'mailhub = "c.example";'
end

begin "a wrong variable is named"
SMTPRELAY_TIMEOUT=soon check
expect_rc 78
expect_err "environment SMTPRELAY_TIMEOUT: Timeout"
end

begin "an unknown variable is a warning"
SMTPRELAY_MAILHBU=x check
expect_rc 0
expect_err "SMTPRELAY_MAILHBU: no such setting"
end

begin "a secret file from the environment takes the place of another way"
write secret 600 geheim
SMTPRELAY_AUTHUSER=u SMTPRELAY_AUTHPASS_FILE=$T/secret check
expect_rc 0
expect_out "AuthPassFile = \"$T/secret\";  # environment SMTPRELAY_AUTHPASS_FILE"
end
unset SMTPRELAY_MAILHUB SMTPRELAY_TLSVERIFY SMTPRELAY_FROM

begin "a message goes by the environment alone"
hub_start -
SMTPRELAY_MAILHUB=127.0.0.1:$HUB_PORT SMTPRELAY_USETLS=false SMTPRELAY_HOSTNAME=env.example.org timeout 60 "$SENDMAIL" \
    -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
if [ -e "$O/root/etc/smtprelay.conf" ]; then fail "somebody left a configuration in the test root"; fi
expect_rc 0
expect_messages 1
expect_dialog env.example.org
end

begin "newaliases and mailq need no configuration: packages call them when they are installed"
mkdir -p "$T/names"
for name in newaliases mailq; do
    ln -s "$SENDMAIL" "$T/names/$name"
    timeout 60 "$T/names/$name" >"$T/out" 2>"$T/err"
    rc=$?
    # the machine's own aliases may be wrong
    [ "$name" = newaliases ] && [ -s "$T/err" ] || expect_rc 0
    expect_not_err smtprelay.conf
done
end

begin "what check shows of a configuration no terminal obeys, and it can be read back"
printf 'mailhub = "127.0.0.1";\nUseTLS = false;\nUser = "jo\302\23331m";\nFrom = "jo\342\200\256e@example.org";\n%s' \
    "accounts = ( { name = \"a$(printf '\302\233')b\"; sender = \"x@example.org\"; } );" >"$T/conf"
chmod 600 "$T/conf"
timeout 60 "$CHECK" -C "$T/conf" check >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_out 'User = "jo\xC2\x9B31m";'
expect_out 'From = "jo\xE2\x80\xAEe@example.org";'
expect_out '# account a\xC2\x9Bb'
if grep -q "$(printf '\302\233')" "$T/out" "$T/err"; then fail "a terminal would obey it"; fi
grep -E "^(mailhub|UseTLS|User|From) =" "$T/out" | head -n 4 >"$T/again.conf"
chmod 600 "$T/again.conf"
timeout 60 "$CHECK" -C "$T/again.conf" check >"$T/again" 2>"$T/err"
rc=$?
expect_rc 0
grep -qF 'User = "jo\xC2\x9B31m";' "$T/again" || fail "what it shows means something else"
timeout 60 "$CHECK" setup "$(printf 'jo\342\200\256e@example.org')" --no-test --no-login </dev/null >"$T/out" 2>"$T/err"
rc=$?
expect_rc 64
if grep -q "$(printf '\342\200\256')" "$T/out" "$T/err"; then fail "setup shows it"; fi
end

begin "unknown commands and options are 64"
timeout 60 "$CHECK" chekc >"$T/out" 2>"$T/err"
rc=$?
expect_rc 64
check --nosuch
expect_rc 64
end

begin "TLSVerify = false is said in the log of every start, with the account it is for"
hub_start -
conf UseTLS=false LogFile=- 'accounts=( { name = "shop"; sender = "@shop.example"; TLSVerify = false; } )'
send -i -f alice@example.org bob@example.net
expect_rc 0
expect_err "account shop: TLSVerify = false"
expect_not_err "account default: TLSVerify"
conf UseTLS=false LogFile=- TLSVerify=false
send -i -f alice@example.org bob@example.net
expect_err "account default: TLSVerify = false"
end
