#!/bin/sh
# SPDX-License-Identifier: ISC
# `smtprelay import`: what other programs' configurations become, and mail sent with the result.
# UPDATE=1 writes tests/import/*/expected anew.
set -u
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/blackbox/machine
. "$TESTS/blackbox/machine"

expect_line() {
    grep -qF -e "$1" "$T/new/smtprelay.conf" || fail "the configuration does not say '$1'"
}

mode_of() {
    stat -c %a "$1"
}

# ---------------------------------------------------------------- the corpus

# What was imported, with the hub in its smarthost's place: its TLS, its login and its password are what goes there
deliver_with_it() {
    new=$T/new/smtprelay.conf
    user=$(sed -n 's/^AuthUser = "\(.*\)";  #.*/\1/p' "$new")
    [ -n "$user" ] && [ -s "$T/new/smtprelay.secret" ] || return 0
    # which sendmail -C takes of root only
    if [ "$(id -u)" -ne 0 ] && grep -q AuthPassCommand "$new"; then return 0; fi
    PASSWORD=$(head -n 1 "$T/new/smtprelay.secret")
    case $(sed -n 's/^mailhub = "\(.*\)";  #.*/\1/p' "$new") in
    '') return 0 ;;
    *:465) mode=implicit ;;
    *) mode=starttls ;;
    esac
    hub_start - --tls "$mode" --auth 'PLAIN LOGIN' --require-auth --user "$user"
    sed -e '/^TLS_CA_File = /d; /^TLSFingerprint = /d; /^Proxy = /d; /^UseTLS = /d; /^Timeout = /d' \
        -e "s|^mailhub = .*|mailhub = \"127.0.0.1:$HUB_PORT\"; UseTLS = \"$mode\"; TLS_CA_File = \"$CA\"; Timeout = \"5s\";|" \
        "$new" >"$T/conf"
    chmod 600 "$T/conf"
    letter
    send -i -f alice@example.org bob@example.net
    expect_rc 0
    expect_messages 1
    expect_env "auth: PLAIN $user"
    hub_stop
}

for dir in "$TESTS"/import/*/; do
    name=$(basename "$dir")
    begin "the configuration $name becomes what is expected, and mail goes by it"
    rm -rf "$T/new"
    mkdir "$T/new"
    run "$SMTPRELAY" -C "$T/new/smtprelay.conf" import --root "$dir/root"
    expect_rc 0
    sed "s,$T/new/,/etc/,g" "$T/out" >"$T/plain"
    if grep -q S3kr1t "$T/err"; then fail "a password is on stderr"; fi
    [ -z "${UPDATE-}" ] || cp "$T/plain" "$dir/expected"
    diff "$dir/expected" "$T/plain" >"$T/diff" || fail "it is other: $(head -n 6 "$T/diff" | tr '\n' ' ')"
    run "$SMTPRELAY" -C "$T/new/smtprelay.conf" import --root "$dir/root" --write
    expect_rc 0
    run "$SMTPRELAY" -C "$T/new/smtprelay.conf" check
    expect_rc 0
    deliver_with_it
    end
done
PASSWORD='Tr0ub4dor+3x'

begin "no password of the corpus is shown, in the dry run or in the configuration"
grep -rlq S3kr1t "$TESTS/import" || fail "there is none"
grep -l S3kr1t "$TESTS"/import/*/expected >"$T/all" && fail "one is in $(tr '\n' ' ' <"$T/all")"
end

begin "links of another machine lead to its own files, and nothing of this one is read or written"
machine
mkdir -p "$T/m/etc/alternatives" "$T/m/srv/etc" "$T/m/usr/share/ssmtp"
printf 'mailhub=there.example.org\n' >"$T/m/usr/share/ssmtp/ssmtp.conf"
ln -s /usr/share/ssmtp/ssmtp.conf "$T/m/etc/alternatives/ssmtp.conf"
mkdir "$T/m/etc/ssmtp"
ln -s ../alternatives/ssmtp.conf "$T/m/etc/ssmtp/ssmtp.conf"
ln -s "../../../../../../../../../../../../$T/secret" "$T/m/etc/ssmtp/revaliases"
echo 'root:S3kr1t@example.org' >"$T/secret"
import
expect_rc 0
expect_out 'mailhub = "there.example.org:25";'
if grep -q S3kr1t "$T/out" "$T/err"; then fail "a file of this machine was read"; fi
ln -s "$T/new" "$T/m/etc/smtprelay.d"
run "$SMTPRELAY" import --root "$T/m" --write
expect_rc 0
[ -z "$(ls -A "$T/new")" ] || fail "it was written here: $(ls -A "$T/new")"
top=$O # of the system's configuration; an ordinary user's is below HOME
[ "$(id -u)" -eq 0 ] || top=$HOME
top=/$(printf %s "$top" | cut -d / -f 2)
rm -rf "${T:?}/m$top"
ln -s /smtprelay-elsewhere "$T/m$top"
run "$SMTPRELAY" import --root "$T/m" --write
expect_rc 0
[ ! -e /smtprelay-elsewhere ] || fail "it was written outside"
find "$T/m/smtprelay-elsewhere" -type f | grep -q . || fail "it was written nowhere"
ln -s b "$T/m/a"
ln -s a "$T/m/b"
run "$SMTPRELAY" import /a --root "$T/m"
expect_rc 78
expect_one_line
# below that root it leads to itself, to the kernel it leads out of it
for out in "$top" "/$(printf %s "$T" | cut -d / -f 2)"; do
    rm -rf "${T:?}/m$out"
    ln -s "$out" "$T/m$out"
done
ln -sf "$T/secret" "$T/m/etc/ssmtp/revaliases"
run "$SMTPRELAY" -C "$T/new/smtprelay.conf" import --root "$T/m"
if grep -q S3kr1t "$T/out" "$T/err"; then fail "a file of this machine was read"; fi
expect_rc 78
expect_err 'in a circle'
before=$(ls -A "$O/root/etc")
rm "$T/m/etc/ssmtp/revaliases"
run "$SMTPRELAY" import --root "$T/m" --write --force
expect_rc 78
[ "$before" = "$(ls -A "$O/root/etc")" ] || fail "it was written here"
end

# ---------------------------------------------------------------- sending with the result

# send_with AUTH...: the hub has got a letter over TLS and with the login that were imported
send_with() {
    chmod 600 "$T/new/smtprelay.conf"
    printf 'ConnectTimeout = "5s";\nTimeout = "5s";\n' >>"$T/new/smtprelay.conf"
    cp "$T/new/smtprelay.conf" "$T/conf"
    letter
    send -i -f alice@example.org bob@example.net
    expect_rc 0
    expect_one_line
    expect_messages 1
    expect_env 'rcpt: <bob@example.net>'
    expect_env "$1"
    expect_manners
}

begin "mail goes with what was imported from ssmtp, over verified TLS and with its login"
hub_start - --tls starttls --auth 'PLAIN LOGIN' --require-auth
machine
file /etc/ssmtp/ssmtp.conf <<END
mailhub=127.0.0.1:$HUB_PORT
UseTLS=YES
UseSTARTTLS=YES
TLS_CA_File=$CA
AuthUser=$USER_NAME
AuthPass=$PASSWORD
hostname=client.example.org
FromLineOverride=YES
END
mkdir -p "$T/m$CERTS" && cp "$CA" "$T/m$CERTS/"
import --write
expect_rc 0
send_with 'auth: PLAIN alice'
end

begin "mail goes with what was imported from msmtp, by implicit TLS"
hub_start - --tls implicit --auth 'SCRAM-SHA-256' --require-auth
machine
file /etc/msmtprc <<END
defaults
tls on
tls_starttls off
tls_trust_file $CA
account hub
host 127.0.0.1
port $HUB_PORT
auth on
user $USER_NAME
password "$PASSWORD"
from alice@example.org
account default : hub
END
mkdir -p "$T/m$CERTS" && cp "$CA" "$T/m$CERTS/"
import --write
expect_rc 0
send_with 'auth: SCRAM-SHA-256 alice'
end

begin "mail goes with what was imported from nullmailer"
hub_start - --tls starttls --auth 'LOGIN' --require-auth
machine
file /etc/nullmailer/remotes <<END
127.0.0.1 smtp --port=$HUB_PORT --starttls --user=$USER_NAME --pass='$PASSWORD' --x509cafile=$CA
END
mkdir -p "$T/m$CERTS" && cp "$CA" "$T/m$CERTS/"
import --write
expect_rc 0
send_with 'auth: LOGIN alice'
end

begin "mail goes with what was imported from dma, its fingerprint in place of a CA"
hub_start - --tls starttls --auth 'LOGIN' --require-auth
machine
file /etc/dma/dma.conf <<END
SMARTHOST 127.0.0.1
PORT $HUB_PORT
AUTHPATH /etc/dma/auth.conf
SECURETRANSFER
STARTTLS
FINGERPRINT $(sed -n '1s/.*\([0-9a-fA-F:]\{64,95\}\).*/\1/p' "$CERTS/valid.pin" | tr -d ':')
END
file /etc/dma/auth.conf <<END
$USER_NAME|127.0.0.1:$PASSWORD
END
import --write
expect_rc 0
send_with 'auth: LOGIN alice'
end

begin "mail goes with what was imported from Postfix"
hub_start - --tls starttls --auth 'PLAIN' --require-auth
machine
file /etc/postfix/main.cf <<END
relayhost = [127.0.0.1]:$HUB_PORT
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
smtp_tls_security_level = encrypt
smtp_tls_CAfile = $CA
END
file /etc/postfix/sasl_passwd <<END
[127.0.0.1]:$HUB_PORT $USER_NAME:$PASSWORD
END
mkdir -p "$T/m$CERTS" && cp "$CA" "$T/m$CERTS/"
import --write
expect_rc 0
send_with 'auth: PLAIN alice'
end

for from in esmtp exim; do
    begin "mail goes with what was imported from $from, once the CA is named"
    hub_start - --tls starttls --auth 'PLAIN' --require-auth
    machine
    if [ $from = esmtp ]; then
        file /etc/esmtprc <<END
hostname = 127.0.0.1:$HUB_PORT
username = "$USER_NAME"
password = "$PASSWORD"
starttls = required
END
    else
        file /etc/exim4/update-exim4.conf.conf <<END
dc_eximconfig_configtype='satellite'
dc_smarthost='127.0.0.1::$HUB_PORT'
END
        file /etc/exim4/passwd.client <<END
*:$USER_NAME:$PASSWORD
END
    fi
    import --write
    expect_rc 0
    expect_err 'certificate is checked now'
    echo "TLS_CA_File = \"$CA\";" >>"$T/new/smtprelay.conf"
    send_with 'auth: PLAIN alice'
    end
done

begin "mail goes without TLS and login where ssmtp had none"
hub_start -
machine
file /etc/ssmtp/ssmtp.conf <<END
mailhub=127.0.0.1:$HUB_PORT
END
import --write
expect_rc 0
send_with 'tls: none'
end

# ---------------------------------------------------------------- writing

begin "without --write nothing is written"
ssmtp_machine
import
expect_rc 0
expect_err 'nothing was written'
[ -z "$(ls -A "$T/new")" ] || fail "there is $(ls "$T/new")"
end

begin "what is written may be read by nobody else, and the password is whole"
ssmtp_machine
printf 'mailhub=smtp.example.com:587\nUseSTARTTLS=YES\nAuthUser=joe\nAuthPass="q\\uo#te=d' >"$T/m/etc/ssmtp/ssmtp.conf"
import --write
expect_rc 0
for f in smtprelay.conf smtprelay.secret; do
    case $(mode_of "$T/new/$f") in
    600) ;;
    640) [ "$(stat -c %U:%G "$T/new/$f")" = root:smtprelay ] || fail "$f has mode 640 for $(stat -c %U:%G "$T/new/$f")" ;;
    *) fail "$f has mode $(mode_of "$T/new/$f")" ;;
    esac
done
[ "$(cat "$T/new/smtprelay.secret")" = '"q\uo#te=d' ] || fail "the password is $(cat "$T/new/smtprelay.secret")"
[ "$(find "$T/new" -type f | wc -l)" -eq 2 ] || fail "there is more: $(ls "$T/new" | tr '\n' ' ')"
end

begin "what is there already is not replaced, but the same again is no error"
import --write
expect_rc 0
expect_out 'the same already'
echo "# mine" >>"$T/new/smtprelay.conf"
import --write
expect_rc 78
expect_one_line_of_error() { [ "$(grep -c 'there is one already' "$T/err")" -eq 1 ] || fail "not one line of error"; }
expect_one_line_of_error
grep -q '^# mine' "$T/new/smtprelay.conf" || fail "it was replaced"
end

begin "--force replaces it and keeps the former, each time"
import --write --force
expect_rc 0
grep -q '^# mine' "$T/new/smtprelay.conf.bak" || fail "the former is not kept"
if grep -q '^# mine' "$T/new/smtprelay.conf"; then fail "it was not replaced"; fi
echo "# again" >>"$T/new/smtprelay.conf"
import --write --force
grep -q '^# again' "$T/new/smtprelay.conf.bak2" || fail "the second former is not kept"
grep -q '^# mine' "$T/new/smtprelay.conf.bak" || fail "the first former is gone"
end

# the password fits into a block, the configuration does not
a_long_one() {
    echo "rewriteDomain=$(awk 'BEGIN {for (i = 0; i < 8; i++) printf "%s", "a-name-that-is-rather-long-for-a-domain."}')example.org" >>"$T/m/etc/ssmtp/ssmtp.conf"
}

begin "ended before the configuration is written, --force leaves the former one with its own password"
ssmtp_machine
secret_named() { cat "$(sed -n 's/^AuthPassFile = "\([^"]*\)";.*/\1/p' "$T/new/$1")"; }
import --write
expect_rc 0
former=$(secret_named smtprelay.conf)
sed -i 's/^AuthPass=.*/AuthPass=another/' "$T/m/etc/ssmtp/ssmtp.conf"
a_long_one
(
    cd "$T" || exit
    ulimit -f 1 # the password fits, the configuration does not: the kernel ends it there
    "$SMTPRELAY" -C "$T/new/smtprelay.conf" import --root "$T/m" --write --force 2>&1 | cat >"$T/out"
)
grep -q another "$T"/new/smtprelay.secret* || fail "it was not ended between the two: $(cat "$T/out")"
[ "$(secret_named smtprelay.conf)" = "$former" ] || fail "the former configuration has another password"
import --write --force
expect_rc 0
[ "$(secret_named smtprelay.conf)" = another ] || fail "the new one has another password"
[ "$(secret_named smtprelay.conf.bak)" = "$former" ] || fail "the kept one has lost its password"
import --write --force
expect_rc 0
expect_out 'the same already'
if grep -q ': written' "$T/out"; then fail "the same again is written again: $(cat "$T/out")"; fi
end

begin "a password is removed again when its configuration cannot be written, also through a link"
ssmtp_machine
a_long_one
ln -s new "$T/link"
(
    cd "$T" || exit
    trap '' XFSZ
    ulimit -f 1 # the password fits, the configuration does not
    HOME=$T "$SMTPRELAY" -C "$T/link/smtprelay.conf" import "$T/m/etc/ssmtp/ssmtp.conf" --write 2>&1
) | cat >"$T/out"
expect_out 'removed again'
[ -z "$(ls -A "$T/new")" ] || fail "it left $(ls -A "$T/new")"
rm "$T/link"
end

begin "another secret there is as safe as a configuration"
ssmtp_machine
echo mine >"$T/new/smtprelay.secret"
import --write
expect_rc 78
[ "$(cat "$T/new/smtprelay.secret")" = mine ] || fail "it was replaced"
[ ! -e "$T/new/smtprelay.conf" ] || fail "half was written"
end

begin "with --root and without -C it goes below that root, with the names it will have"
ssmtp_machine
run "$SMTPRELAY" import --root "$T/m"
expect_rc 0
if [ "$(id -u)" -eq 0 ]; then
    expect_err "--write makes it $T/m$O/root/etc/smtprelay.conf"
    expect_out "AuthPassFile = \"$O/root/etc/smtprelay.secret\""
fi
end

begin "a user's own configuration goes to the user's folder, for the user alone"
ssmtp_machine
mkdir -p "$T/home"
run_as_user() {
    if [ "$(id -u)" -eq 0 ]; then
        chmod 755 "$T" "$T/m" "$T/m/etc" "$T/m/etc/ssmtp"
        chmod 644 "$T/m/etc/ssmtp/ssmtp.conf"
        chown 65534 "$T/home"
        setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
    else
        "$@"
    fi
}
HOME=$T/home run_as_user timeout 60 "$SMTPRELAY" import "$T/m/etc/ssmtp/ssmtp.conf" --write >"$T/out" 2>"$T/err" </dev/null ||
    fail "it failed"
for f in config config.secret; do
    [ "$(mode_of "$T/home/.config/smtprelay/$f")" = 600 ] || fail "$f has mode $(mode_of "$T/home/.config/smtprelay/$f")"
done
end

begin "it goes below a root that is named from a folder which may not be listed"
ssmtp_machine
mkdir -p "$T/home"
mkdir "$T/shut"
mv "$T/m" "$T/shut/m"
mkdir "$T/shut/m/home"
(
    if [ "$(id -u)" -eq 0 ]; then
        chmod 755 "$T"
        chmod -R a+rX "$T/shut"
        chown 65534 "$T/shut/m/home" "$T/shut"
    fi
    chmod 300 "$T/shut"
    cd "$T/shut" || exit
    as_user=
    [ "$(id -u)" -ne 0 ] || as_user='setpriv --reuid 65534 --regid 65534 --clear-groups'
    # shellcheck disable=SC2086 # words
    HOME=/home $as_user timeout 60 "$SMTPRELAY" import --from ssmtp --root m --write >"$T/out" 2>"$T/err" </dev/null ||
        echo failed >>"$T/err"
)
expect_not_err failed
for f in config config.secret; do
    [ -s "$T/shut/m/home/.config/smtprelay/$f" ] || fail "$f is not there: $(cat "$T/err")"
done
chmod 700 "$T/shut"
rm -rf "$T/shut"
end

# ---------------------------------------------------------------- finding

begin "several configurations are named, and --from chooses"
ssmtp_machine
file /etc/dma/dma.conf <<END
SMARTHOST dma.example.com
END
import
expect_rc 64
expect_err 'ssmtp (/etc/ssmtp/ssmtp.conf), dma (/etc/dma/dma.conf)'
import --from dma
expect_rc 0
expect_out 'mailhub = "dma.example.com:25"'
import --from=sendmail
expect_rc 64
expect_err 'known are ssmtp'
end

begin "a program made for this goes before a mail server's file that lies about, too"
ssmtp_machine
file /etc/postfix/main.cf <<END
relayhost =
END
import
expect_rc 0
expect_out ssmtp.conf
import --from postfix
expect_rc 0
expect_out "direct"
end

begin "root takes the system's configuration, a user the own one"
machine
printf 'account default\nhost own.example.org\n' | file /home/joe/.msmtprc
printf 'account default\nhost system.example.org\n' | file /etc/msmtprc
import
expect_rc 0
if [ "$(id -u)" -eq 0 ]; then expect_out system.example.org; else expect_out own.example.org; fi
end

begin "without any configuration that is said, and which file is missing"
machine
import
expect_rc 78
expect_err 'no configuration of a program that is known here was found'
import /etc/nothing
expect_rc 78
expect_err 'there is no such file'
end

begin "a file is known by its content, a folder by what lies in it, and what cannot be told is asked for"
machine
printf 'host mail.example.org\naccount default\n' | file /x/one
printf 'mailhub = mail.example.org\n' | file /x/two
printf 'SMARTHOST mail.example.org\n' | file /x/three
printf 'mail.example.org\n' | file /x/four
printf 'relayhost = mail.example.org\n' | file /y/main.cf
for name in one:msmtp two:ssmtp three:dma; do
    import "/x/${name%:*}"
    expect_out "configuration of ${name#*:};"
done
import /x/four
expect_rc 64
expect_err 'say it with --from'
import --from nullmailer /x/four
expect_rc 0
import /y/
expect_rc 0
expect_out 'configuration of postfix'
end

begin "the text for a configuration of ssmtp names the command that translates it"
ssmtp_machine
timeout 60 "$SMTPRELAY" -C "$T/m/etc/ssmtp/ssmtp.conf" check >"$T/out" 2>"$T/err" && fail "it is taken for one of ours"
expect_err 'smtprelay import translates it'
end

# ---------------------------------------------------------------- hostile inputs

begin "what is no configuration is refused in one line"
machine
head -c 100000 /dev/urandom | file /etc/ssmtp/ssmtp.conf
import
expect_rc 78
expect_one_line
expect_err 'NUL byte'
head -c 10000000 /dev/zero | tr '\0' 'a' | file /etc/ssmtp/ssmtp.conf
import
expect_rc 78
expect_one_line
expect_err 'larger than'
rm "$T/m/etc/ssmtp/ssmtp.conf"
mkfifo "$T/m/etc/ssmtp/ssmtp.conf"
import
expect_rc 78
expect_one_line
expect_err 'not a regular file'
end

begin "a megabyte of rubbish is not repeated as a megabyte of notes"
machine
{
    echo mailhub=mail.example.org
    awk 'BEGIN {for (i = 0; i < 40000; i++) printf "Key%d=\033[31m\n", i}'
} | file /etc/ssmtp/ssmtp.conf
import
expect_rc 0
[ "$(wc -c <"$T/err")" -lt 200000 ] || fail "$(wc -c <"$T/err") bytes of notes"
if grep -q "$(printf '\033')" "$T/err" "$T/out"; then fail "a terminal would obey it"; fi
machine
printf 'mailhub=mail.example.org\nAuthUser=jo\23331m\nAuthPass=x\nhostname=h\302\23331m.example.org\n' | file /etc/ssmtp/ssmtp.conf
import
expect_rc 0
expect_out 'AuthUser = "jo\x9B31m"'
if grep -q "$(printf '\233')" "$T/err" "$T/out"; then fail "a terminal would obey a value"; fi
import --from "$(printf 'x\rsmtprelay: all is well')"
expect_rc 64
if grep -q "$(printf '\r')" "$T/err"; then fail "an argument writes over the line"; fi
end

begin "of thousands of reverse aliases those that have no room are left out, and it still makes a configuration"
ssmtp_machine
awk 'BEGIN {for (i = 0; i < 5000; i++) printf "u%d:u%d@example.org:mail.example.org\n", i, i}' | file /etc/ssmtp/revaliases
import
expect_rc 0
expect_out 'From = "u499@example.org"'
expect_err 'there are too many'
end

begin "a file beside it that cannot be read is noted, and the rest goes on"
ssmtp_machine
mkdir "$T/m/etc/ssmtp/revaliases"
import
expect_rc 0
expect_err 'not a regular file'
end

begin "a file of CAs that is not there is left out and named"
machine
file /etc/ssmtp/ssmtp.conf <<END
mailhub=mail.example.org
UseSTARTTLS=YES
TLS_CA_File=/etc/nowhere.pem
END
import --write
expect_rc 0
expect_err '/etc/nowhere.pem: TLS_CA_File: there is no such file'
"$SMTPRELAY" -C "$T/new/smtprelay.conf" check >"$T/out" 2>"$T/err" || fail "the check refuses it"
end

begin "what msmtp was told of header fields is said to be done our way"
machine
file /etc/msmtprc <<END
account default
host mail.example.org
set_date_header off
set_msgid_header off
set_to_header undisclosed_recipients
END
import
expect_rc 0
for key in set_date_header set_msgid_header set_to_header; do expect_err "$key: a"; done
end

begin "nothing of a configuration is run"
machine
file /etc/msmtprc <<END
account default
host mail.example.org
eval touch $T/ran
passwordeval touch $T/ran
auth on
user joe
tls on
END
import --write
expect_rc 0
expect_err 'eval: what a command prints cannot be taken over'
[ ! -e "$T/ran" ] || fail "it was run"
expect_line "AuthPassCommand = \"touch $T/ran\""
end
