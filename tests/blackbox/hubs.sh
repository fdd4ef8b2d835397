#!/bin/sh
# Several smarthosts of one account: their order, and what is remembered of those that fail.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-hubs # the compiled-in paths of these programs lie below it
daemon_stage

script() { printf '%s\n' "$@" >"$T/script"; }
send() {
    timeout 60 "$SENDMAIL" -i -f alice@example.org "$@" bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}
says_times() { [ "$(grep -cF -e "$1" "$LOG")" -ge "$2" ]; }
tried() { grep -cF -e "trying the next mailhub" "$LOG"; }
messages_at() { find "$1" -name '*.msg' | wc -l; }
has_messages() { [ "$(messages_at "$1")" -ge "$2" ]; }

# two SENTENCE SCRIPT1 [options of the first] : two smarthosts, $FIRST and $SECOND, their folders $D1 and $D2
two() {
    begin "$1"
    first_script=$2
    shift 2
    rm -rf "$QUEUE"
    hub_start "$first_script" --tls none "$@"
    FIRST=$HUB_PORT D1=$HUB_DIR
    hub_start - --tls none
    SECOND=$HUB_PORT D2=$HUB_DIR
    hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:$SECOND\" )"
}

two "a dead first smarthost is asked once, not by each message, whichever worker has it" - --listen blackhole
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s IdleTimeout=1s
daemon_start
for i in 1 2 3 4; do
    send
    expect_rc 0
    wait_for 30 has_messages "$D2" "$i" || fail "message $i did not come"
    # the next one has another worker
    kill -HUP "$D"
    wait_for 20 says_times "read again" "$i" || fail "no new configuration"
done
[ "$(tried)" -eq 1 ] || fail "the dead one was tried $(tried) times"
finish

two "a smarthost that fails is tried again after a while, and then it is the first again" - --listen no
daemon_conf "mailhub=$hubs"
daemon_start
send
expect_rc 0
has_messages "$D2" 1 || fail "it did not go by the second"
hub_start - --tls none --port "$FIRST"
back() { send && [ "$rc" -eq 0 ] && has_messages "$HUB_DIR" 1; }
wait_for 30 back || fail "the first one is never tried again"
n=$(messages_at "$D2")
for i in 1 2 3; do send; done
[ "$(messages_at "$D2")" -eq "$n" ] || fail "mail still goes by the second"
finish

script 'on MAIL' '    close'
two "mail whose connection is lost before its last byte goes by the next smarthost at once" "$T/script" --offer -CHUNKING
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
daemon_start
for i in 1 2 3; do
    send
    expect_rc 0
    [ "$(messages_at "$D2")" -eq "$i" ] || fail "message $i waits"
done
[ "$(tried)" -eq 1 ] || fail "the first was tried $(tried) times"
finish

script 'on MAIL' '    reply 421 4.3.2 going down' '    close'
two "421 to a message sends it to the next smarthost at once" "$T/script"
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
daemon_start
send
expect_rc 0
[ "$(messages_at "$D2")" -eq 1 ] || fail "it waits"
finish

script 'on dot' '    take' '    close'
two "a smarthost lost after the last byte of a message leaves the account up, and only that message waits" "$T/script"
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
daemon_start
send
expect_rc 0
for i in 1 2; do
    send
    expect_rc 0
    [ "$(messages_at "$D2")" -eq "$i" ] || fail "message $i waits, too"
done
run "$ADMIN" status
expect_out 'account default: ok'
expect_out '1 message'
finish

script 'on RCPT' '    reply 550 5.1.1 nobody here'
two "a refusal of a recipient is the answer: no other smarthost is asked" "$T/script"
daemon_conf "mailhub=$hubs"
daemon_start
send
expect_rc 67
[ "$(messages_at "$D2")" -eq 0 ] || fail "the second one was asked"
finish

two "without a daemon the next smarthost is tried, too, and all of them before mail waits" - --listen no
conf UseTLS=false "mailhub=( \"127.0.0.1:$FIRST\", \"127.0.0.1:1\", \"127.0.0.1:$SECOND\" )" LogFile=- QueueDir=
send -C "$T/conf"
expect_rc 0
has_messages "$D2" 1 || fail "it did not come"
[ "$(grep -c 'trying the next' "$T/err")" -eq 2 ] || fail "not each was named: $(cat "$T/err")"
conf UseTLS=false "mailhub=( \"127.0.0.1:$FIRST\", \"127.0.0.1:1\" )" QueueDir=
send -C "$T/conf"
expect_rc 75
end
