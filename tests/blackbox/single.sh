#!/bin/sh
# SPDX-License-Identifier: ISC
# Single users without a daemon: a configuration of their own, their queue, their password command, source address and proxy.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

# these are for ordinary users: root has none of his own
UID_=64213
if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$T"
    as_user() { setpriv --reuid $UID_ --regid $UID_ --clear-groups env HOME="$HOME_" "$@"; }
else
    as_user() { env HOME="$HOME_" "$@"; }
fi
unset XDG_CONFIG_HOME
HOME_=$T/home
OWN=$HOME_/.config/smtprelay
letter
chmod 644 "$MSG"

# home [KEY=VALUE ...]: a user's home with this configuration
home() {
    rm -rf "$HOME_"
    conf UseTLS=false QueueDir= "$@"
    mkdir -p "$OWN"
    cp "$T/conf" "$OWN/config"
    chmod 600 "$OWN/config"
    [ "$(id -u)" -ne 0 ] || chown -R $UID_:$UID_ "$HOME_"
}
# user COMMAND ...
user() {
    as_user timeout 60 "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}
begin "a user's own configuration serves without a daemon, with several accounts and a password in it"
hub_start - --tls none
first=$HUB_PORT D1=$HUB_DIR
hub_start - --tls none --auth PLAIN --auth-clear --user bob --password s3cret
home "mailhub=127.0.0.1:$first" "accounts=( { sender = \"@work.example\"; mailhub = \"127.0.0.1:$HUB_PORT\"; AuthUser = \"bob\"; AuthPass = \"s3cret\"; AllowPlaintextAuth = true; } )"
user "$SENDMAIL" -i -f me@home.example bob@example.net
expect_rc 0
[ "$(find "$D1" -name '*.msg' | wc -l)" -eq 1 ] || fail "it did not go by the first"
user "$SENDMAIL" -i -f me@work.example bob@example.net
expect_rc 0
expect_messages 1
expect_env 'auth: PLAIN bob'
user "$O/root/sbin/smtprelay" check
expect_rc 0
expect_out "# configuration: $OWN/config"
user "$O/root/sbin/smtprelay" check --from me@work.example carol@example.net
expect_rc 0
expect_out "(sender @work.example for me@work.example): 127.0.0.1:$HUB_PORT"
end

begin "XDG_CONFIG_HOME names the folder, if it is an absolute one"
hub_start - --tls none
home
mv "$HOME_/.config" "$HOME_/elsewhere"
as_user env XDG_CONFIG_HOME="$HOME_/elsewhere" "$SENDMAIL" -i bob@example.net <"$MSG" 2>"$T/err" || fail "$(cat "$T/err")"
expect_messages 1
# passed over as the specification has it: then there is none, and the system's is not there, either
for where in elsewhere ./elsewhere ""; do
    (cd "$HOME_" && user env XDG_CONFIG_HOME="$where" "$SENDMAIL" -i bob@example.net; exit "$rc") && fail "'$where' is taken"
done
expect_messages 1
end

# weird SENTENCE CODE COMMAND...: the user's file is what COMMAND makes of it
weird() {
    begin "$1"
    code=$2
    shift 2
    hub_start - --tls none
    home
    (cd "$OWN" && "$@")
    user "$SENDMAIL" -i bob@example.net
    expect_rc "$code"
    expect_one_line
    expect_within 10
    expect_messages 0
    end
}
make_fifo() { rm config && mkfifo config; }
make_folder() { rm config && mkdir config; }
make_device() { rm config && ln -s /dev/zero config; }
make_loop() { rm config && ln -s config config; }
make_public() { chmod 666 config; }
make_groups() { chmod 620 config; }
make_secret() { echo 'AuthUser = "x"; AuthPass = "y"; AllowPlaintextAuth = true;' >>config; chmod 644 config; }
make_huge() { yes '# a line' | head -c 20000000 >>config; }
make_binary() { head -c 100 /dev/zero >>config; }
make_foreign() { chown 64299 config && chmod 644 config; }
weird "an own configuration that is a FIFO is refused and nobody waits for it" 78 make_fifo
weird "an own configuration that is a folder is refused" 78 make_folder
weird "an own configuration that is a device is refused" 78 make_device
weird "an own configuration that others may write is refused" 78 make_public
weird "an own configuration that the group may write is refused" 78 make_groups
weird "an own configuration with a password that others may read is refused" 78 make_secret
weird "an own configuration of 20 MB is refused" 78 make_huge
weird "an own configuration with NULs is refused" 78 make_binary
[ "$(id -u)" -ne 0 ] || weird "an own configuration of another user is refused" 78 make_foreign

begin "a user's own queue takes what cannot go, mailq shows it, and sendmail -q from a crontab sends it"
hub_start - --tls none --port "$(free_port)"
hub_stop
home "QueueDir=$HOME_/state/queue"
user "$SENDMAIL" -i bob@example.net
expect_rc 0
user "$SENDMAIL" -i -odq carol@example.net
expect_rc 0
user "$SENDMAIL" -bp
expect_rc 0
expect_out bob@example.net
expect_out 'in 2 Requests.'
[ "$(find "$HOME_/state/queue" -maxdepth 0 -perm 0700 | wc -l)" -eq 1 ] || fail "others may look into the queue: $(ls -ld "$HOME_/state/queue")"
hub_start - --tls none --port "$HUB_PORT"
# as cron does: hardly any environment
as_user env -i HOME="$HOME_" PATH=/usr/bin:/bin "$SENDMAIL" -q </dev/null >"$T/out" 2>"$T/err" || fail "sendmail -q ends with $?: $(cat "$T/err")"
expect_messages 2
user "$SENDMAIL" -bp
expect_out 'Mail queue is empty'
end

begin "AuthPassCommand of a user's own file has the caller's environment, and what it says of trouble is seen"
hub_start - --tls none --auth PLAIN --auth-clear --require-auth
home "AuthUser=$USER_NAME" AllowPlaintextAuth=true "AuthPassCommand=sh -c 'printenv MY_PASSWORD'"
user env MY_PASSWORD="$PASSWORD" "$SENDMAIL" -i bob@example.net
expect_rc 0
expect_messages 1
user "$SENDMAIL" -i bob@example.net
expect_rc 77
expect_err AuthPassCommand
home "AuthUser=$USER_NAME" AllowPlaintextAuth=true "AuthPassCommand=sh -c 'echo hm >&2; echo the vault is locked >&2; exit 3'"
user "$SENDMAIL" -i bob@example.net
expect_rc 77
expect_one_line
expect_err 'exit code 3: the vault is locked'
home "AuthUser=$USER_NAME" AllowPlaintextAuth=true "AuthPassCommand=sh -c 'echo opened >&2; echo $PASSWORD'"
user "$SENDMAIL" -i carol@example.net
expect_rc 0
expect_one_line
end

begin "a bare name as AuthPassFile in a user's own file is told to be no file"
home "AuthUser=$USER_NAME" AllowPlaintextAuth=true AuthPassFile=secret mailhub=127.0.0.1:1
user "$O/root/sbin/smtprelay" check
expect_rc 0
expect_err 'a file is named by its whole path'
end

begin "SourceAddress is the address mail goes out from"
command -v python3 >/dev/null || skip_all "no python3"
hub_start - --tls none
rm -f "$T/relay"
python3 "$TESTS/blackbox/relay.py" plain "$HUB_PORT" "$T" >"$T/relay.port" 2>"$T/relay.err" &
RELAY=$!
wait_for 30 test -s "$T/relay.port" || fail "no relay: $(cat "$T/relay.err")"
port=$(cat "$T/relay.port")
home "mailhub=127.0.0.1:$port" SourceAddress=127.0.0.5
user "$SENDMAIL" -i bob@example.net
expect_rc 0
expect_messages 1
grep -q '^127\.0\.0\.5 ' "$T/relay" || fail "from $(cat "$T/relay")"
home "mailhub=[::1]:$port" SourceAddress=::1
user "$SENDMAIL" -i bob@example.net
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
    expect_rc 0
    grep -q '^::1 ' "$T/relay" || fail "from $(cat "$T/relay")"
fi
# one that is not ours, and one of the other family
home "mailhub=127.0.0.1:$port" SourceAddress=192.0.2.55
user "$SENDMAIL" -i bob@example.net
expect_rc 75
expect_one_line
home "mailhub=127.0.0.1:$port" SourceAddress=::1
user "$SENDMAIL" -i bob@example.net
expect_rc 75
expect_one_line
kill $RELAY
{ wait $RELAY; } 2>/dev/null
end

begin "behind a SOCKS5 proxy it is the proxy that looks the name up, and the certificate still has to name the host"
hub_start - --tls starttls
rm -f "$T/relay" "$T/relay.port"
python3 "$TESTS/blackbox/relay.py" socks "$HUB_PORT" "$T" >"$T/relay.port" 2>"$T/relay.err" &
RELAY=$!
wait_for 30 test -s "$T/relay.port" || fail "no relay: $(cat "$T/relay.err")"
proxy=socks5://127.0.0.1:$(cat "$T/relay.port")
cp "$CA" "$T/ca.pem" && chmod 644 "$T/ca.pem"
home mailhub=hub.example.net:587 "Proxy=$proxy" UseTLS=starttls "TLS_CA_File=$T/ca.pem"
user "$SENDMAIL" -i bob@example.net
expect_rc 0
expect_messages 1
grep -qx '127.0.0.1 name hub.example.net:587' "$T/relay" || fail "asked for $(cat "$T/relay")"
home mailhub=other.example.org:587 "Proxy=$proxy" UseTLS=starttls "TLS_CA_File=$T/ca.pem"
user "$SENDMAIL" -i bob@example.net
expect_rc 77
expect_err certificate
home mailhub=127.0.0.1:26 "Proxy=$proxy" UseTLS=starttls "TLS_CA_File=$T/ca.pem"
user "$SENDMAIL" -i bob@example.net
expect_rc 0
grep -qx '127.0.0.1 ip 127.0.0.1:26' "$T/relay" || fail "asked for $(cat "$T/relay")"
kill $RELAY
{ wait $RELAY; } 2>/dev/null
home mailhub=hub.example.net:587 "Proxy=$proxy" UseTLS=starttls "TLS_CA_File=$T/ca.pem"
user "$SENDMAIL" -i bob@example.net
expect_rc 75
expect_err proxy
end
