#!/bin/sh
# SPDX-License-Identifier: ISC
# A smarthost whose name has several addresses, some of which do not do: hubs at addresses of the loopback, /etc/hosts of the test's own.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
if [ "$(id -u)" -eq 0 ] && [ -z "${ADDRESSES_INSIDE-}" ] && unshare --mount true 2>/dev/null; then
    # what is mounted here goes with this script
    ADDRESSES_INSIDE=yes exec unshare --mount --propagation private sh "$0"
fi
. "$(dirname "$0")/lib.sh"
[ -n "${ADDRESSES_INSIDE-}" ] || skip_all "not root, or no mount namespaces"
ROOT=$O/root-addresses # the compiled-in paths of these programs lie below it
daemon_stage
cat /etc/hosts >"$T/hosts"
printf '%s smtp.example.org\n' 127.0.0.2 127.0.0.3 127.0.0.4 >>"$T/hosts"
mount --bind "$T/hosts" /etc/hosts || skip_all "nothing can be mounted over /etc/hosts"

messages_at() { find "$1" -name '*.msg' | wc -l; }
has_messages() { [ "$(messages_at "$1")" -ge "$2" ]; }
sessions_at() { find "$1" -name 'session-*.log' | wc -l; }

# node N SCRIPT|- [options] : a hub at 127.0.0.N, the port that of the first; its folder is $D2 to $D4
node() {
    n=$1 node_script=$2
    shift 2
    [ "$n" -eq 2 ] || set -- --port "$PORT" "$@"
    hub_start "$node_script" --address "127.0.0.$n" "$@"
    PORT=$HUB_PORT
    eval "D$n=\$HUB_DIR"
}

# three SENTENCE SCRIPT2 SCRIPT3 SCRIPT4 [options of all]
three() {
    begin "$1"
    second=$2 third=$3 fourth=$4
    shift 4
    node 2 "$second" "$@"
    node 3 "$third" "$@"
    node 4 "$fourth" "$@"
}

# call KEY=VALUE ... : without a daemon
call() {
    conf "mailhub=smtp.example.org:$PORT" UseTLS=false LogFile=- QueueDir= "$@"
    timeout 60 "$O/root/sbin/sendmail" -C "$T/conf" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

three "an address that takes the connection and never greets costs no more than its head start" accept-silent - -
call ConnectTimeout=300s Timeout=300s
expect_rc 0
has_messages "$D3" 1 || fail "not by the next address"
expect_err "smtp.example.org:$PORT: no greeting for "
expect_err "; trying another address"
end

printf '%s\n' 'option tls implicit' 'on connect' '    hang' >"$T/handshake"
three "nor does one that never answers our TLS" "$T/handshake" - - --tls implicit
call ConnectTimeout=300s Timeout=300s UseTLS=implicit TLSVerify=false
expect_rc 0
has_messages "$D3" 1 || fail "not by the next address"
expect_err "no answer to the TLS handshake for "
end

three "two silent addresses cost two head starts" accept-silent accept-silent -
call ConnectTimeout=300s Timeout=300s
expect_rc 0
has_messages "$D4" 1 || fail "not by the third address"
end

printf '%s\n' 'on EHLO' '    reply 421 4.3.2 going down' '    close' >"$T/down"
three "an address that wants no mail now is followed by the next at once" greet-421 "$T/down" -
call ConnectTimeout=300s Timeout=300s
expect_rc 0
has_messages "$D4" 1 || fail "not by the third address"
[ "$(grep -c '; trying another address' "$T/err")" -eq 2 ] || fail "not each was named: $(cat "$T/err")"
end

three "where no address wants mail it waits, and each was asked once" greet-421 greet-421 greet-421
call
expect_rc 75
expect_err "greeting: 421"
for d in "$D2" "$D3" "$D4"; do [ "$(sessions_at "$d")" -eq 1 ] || fail "$(sessions_at "$d") sessions at ${d##*/}"; done
end

three "where none greets it waits, too" accept-silent accept-silent accept-silent
call ConnectTimeout=1s Timeout=1s
expect_rc 75
expect_err "greeting: no answer in time"
end

printf '%s\n' 'option auth PLAIN' 'option auth-clear yes' 'on login' '    reply 535 5.7.8 wrong password' >"$T/login"
three "a login that is refused is refused, whichever address has said so" "$T/login" - - --auth PLAIN --auth-clear
call "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" AllowPlaintextAuth=true
expect_rc 77
[ "$(sessions_at "$D3")" -eq 0 ] || fail "the next address was asked, too"
end

three "the next smarthost comes before other addresses of the first" greet-421 - -
hub_start -
call "mailhub=( \"smtp.example.org:$PORT\", \"127.0.0.1:$HUB_PORT\" )"
expect_rc 0
expect_messages 1
end

three "and behind it they are tried, too" greet-421 - -
call "mailhub=( \"smtp.example.org:$PORT\", \"127.0.0.1:1\" )"
expect_rc 0
has_messages "$D3" 1 || fail "not by the next address"
end

printf '%s\n' 'on greeting' '    sleep 4s' '    default' >"$T/late"
begin "a smarthost with one address that is late to greet is waited for"
hub_start "$T/late"
call "mailhub=localhost:$HUB_PORT" ConnectTimeout=300s
expect_rc 0
expect_messages 1
end

three "a daemon takes a smarthost for one that works where another address of it does" greet-421 - -
rm -rf "$QUEUE"
daemon_conf "mailhub=( \"smtp.example.org:$PORT\", \"127.0.0.1:1\" )" RetryMin=100s RetryMax=100s
daemon_start
timeout 60 "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
has_messages "$D3" 1 || fail "not by the next address"
run "$ADMIN" status
expect_out "account default: ok"
expect_not_out "smarthost smtp.example.org:$PORT: failed"
finish
