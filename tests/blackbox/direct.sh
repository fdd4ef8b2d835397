#!/bin/sh
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2034 # rc and HUB_DIR are those of lib.sh
# Direct delivery to address literals, with port 25 in a network namespace of the test's own: what needs no name server. The rest is
# in tests/interop/names.
. "$(dirname "$0")/lib.sh"

# An ordinary user stays one: port 25 is for everybody there
enter() {
    ip link set lo up && echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start || return 1
    [ "$(id -u)" -eq 0 ] || set -- setpriv --inh-caps=-all --ambient-caps=-all "$@"
    exec "$@"
}
case ${1-} in
inside) ;;
enter)
    shift
    enter "$@"
    exit 1
    ;;
*)
    how=--net
    [ "$(id -u)" -eq 0 ] || how='--net --user --map-current-user --keep-caps'
    # shellcheck disable=SC2086 # a list of options
    unshare $how sh "$0" enter true 2>/dev/null || skip_all "no network namespace can be made here"
    # shellcheck disable=SC2086
    exec unshare $how sh "$0" enter sh "$0" inside
    ;;
esac

# hub_at ADDRESS SCRIPT|-: hub_start on port 25 there
hub_at() {
    address=$1 script=$2
    shift 2
    hub_start "$script" --address "$address" --port 25 "$@"
}

letter

begin "without a smarthost mail goes to port 25 of the recipient's host"
hub_at 127.0.0.1 - --tls starttls
conf mailhub=direct
send -i -f alice@example.org "bob@[127.0.0.1]"
expect_rc 0
expect_messages 1
expect_env 'rcpt: <bob@[127.0.0.1]>'
expect_env 'tls: TLSv1.3'
end

begin "without TLS it goes in clear"
hub_at 127.0.0.1 - --tls none
send -i -f alice@example.org "bob@[127.0.0.1]"
expect_rc 0
expect_messages 1
expect_env 'tls: none'
end

begin "a host that is not there means later, and nothing is sent elsewhere"
hub_at 127.0.0.1 - --tls none
send -i -f alice@example.org "bob@[127.0.0.2]"
expect_rc 75
expect_err '127.0.0.2:25'
expect_messages 0
end

begin "a name service that does not answer means later"
send -i -f alice@example.org bob@example.net
expect_rc 75
end

begin "what no host can be is refused"
send -i -f alice@example.org "bob@[127.0.0]"
expect_rc 65,67
end

begin "a refusal by the recipient's host is a refusal"
hub_at 127.0.0.1 data-354-after-all-rcpt-refused
send -i -f alice@example.org "bob@[127.0.0.1]"
expect_rc 67
end

begin "a host that wants no mail from here means later, not a login to be mended"
hub_at 127.0.0.1 greet-554
send -i -f alice@example.org "bob@[127.0.0.1]"
expect_rc 75
expect_err 'no mail service for you'
end

begin "a host that wants a login gets none"
hub_at 127.0.0.1 - --tls starttls --auth PLAIN --require-auth
send -i -f alice@example.org "bob@[127.0.0.1]"
expect_rc 75
expect_no_dialog 'C: AUTH'
end

begin "two hosts get what is theirs, one after the other"
hub_at 127.0.0.1 - --tls none
first=$HUB_DIR
hub_at 127.0.0.2 - --tls none
send -i -f alice@example.org "bob@[127.0.0.1]" "eve@[127.0.0.2]" "joe@[127.0.0.1]"
expect_rc 0
expect_messages 1
expect_env 'rcpt: <eve@[127.0.0.2]>'
HUB_DIR=$first
expect_messages 1
expect_env 'rcpt: <bob@[127.0.0.1]>'
expect_env 'rcpt: <joe@[127.0.0.1]>'
end

[ "$(id -u)" -eq 0 ] || exit 0 # the daemon needs a user to become
ROOT=$O/root-direct
daemon_stage

begin "a host that cannot be reached holds up no other, and is tried again by itself"
rm -rf "$QUEUE"
hub_at 127.0.0.1 - --tls none
daemon_conf mailhub=direct UseTLS=opportunistic
daemon_start
SENDMAIL=$ROOT/sbin/sendmail
"$SENDMAIL" -i -f alice@example.org "eve@[127.0.0.3]" <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
"$SENDMAIL" -i -f alice@example.org "bob@[127.0.0.1]" <"$MSG" >>"$T/out" 2>>"$T/err" || fail "exit code $?"
expect_messages 1
"$ADMIN" status >"$T/status"
grep -qF 'account default/[127.0.0.3]: down' "$T/status" || fail "status says: $(cat "$T/status")"
grep -qF 'account default: ok' "$T/status" || fail "status says: $(cat "$T/status")"
hub_at 127.0.0.3 - --tls none
expect_messages 1
finish

begin "a message to several hosts is split, and each goes its way"
rm -rf "$QUEUE"
hub_at 127.0.0.1 - --tls none
first=$HUB_DIR
hub_at 127.0.0.2 - --tls none
daemon_conf mailhub=direct UseTLS=opportunistic
daemon_start
"$SENDMAIL" -i -f alice@example.org "bob@[127.0.0.1]" "joe@[127.0.0.3]" "eve@[127.0.0.2]" <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_messages 1
HUB_DIR=$first
expect_messages 1
one_left() { [ "$(find "$QUEUE/queue" -type f | wc -l)" -eq 1 ]; }
wait_for 30 one_left || fail "in the queue: $(ls "$QUEUE/queue")"
"$ADMIN" queue --account default >"$T/list"
grep -qF 'joe@[127.0.0.3]' "$T/list" || fail "the queue shows: $(cat "$T/list")"
finish

begin "mail that would come back to our own listener is refused"
rm -rf "$QUEUE"
daemon_conf mailhub=direct UseTLS=opportunistic Listen=127.0.0.1:25
daemon_start
"$SENDMAIL" -i -f alice@example.org "bob@[127.0.0.1]" <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 67
expect_err 'loops back'
finish
