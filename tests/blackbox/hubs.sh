#!/bin/sh
# SPDX-License-Identifier: ISC
# Several smarthosts of one account: their order, and what is remembered of those that fail.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-hubs # the compiled-in paths of these programs lie below it
daemon_stage

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

# Times are such that who waits for a time-out is found out
two "mail waits for a first smarthost that swallows packets no longer than its head start, and later mail not at all" - --listen blackhole
daemon_conf "mailhub=$hubs" ConnectTimeout=300s Timeout=300s InteractiveTimeout=300s RetryMin=100s RetryMax=100s
daemon_start
send
expect_rc 0
has_messages "$D2" 1 || fail "it did not go by the second"
says "127.0.0.1:$FIRST: no connection for " || fail "nothing is said of the first"
for i in 2 3; do
    send
    expect_rc 0
    has_messages "$D2" "$i" || fail "message $i did not go by the second"
done
[ "$(tried)" -eq 1 ] || fail "the first was tried $(tried) times"
run "$ADMIN" status
expect_out "account default: smarthost 127.0.0.1:$FIRST: failed of late"
finish

two "a smarthost that still swallows packets is looked at beside the mail, which does not wait for it" - --listen blackhole
daemon_conf "mailhub=$hubs" ConnectTimeout=4s Timeout=300s InteractiveTimeout=300s Workers=1 RetryMin=1s RetryMax=1s
daemon_start
send
expect_rc 0
n=1
looked() {
    n=$((n + 1))
    send && [ "$rc" -eq 0 ] && has_messages "$D2" "$n" && says "account default: 127.0.0.1:$FIRST: does not work yet: "
}
wait_for 30 looked || fail "nobody looks at the first one"
[ "$(tried)" -eq 1 ] || fail "mail tried the first one $(tried) times"
finish

begin "when all smarthosts swallow packets mail waits in the queue"
rm -rf "$QUEUE"
hub_start - --listen blackhole
FIRST=$HUB_PORT
hub_start - --listen blackhole
daemon_conf "mailhub=( \"127.0.0.1:$FIRST\", \"127.0.0.1:$HUB_PORT\" )" ConnectTimeout=1s RetryMin=100s RetryMax=100s
daemon_start
send
expect_rc 0
shows '1 message' "$ADMIN" status
says "127.0.0.1:$FIRST: no connection in time" || fail "nothing is said of the first"
finish

two "a dead first smarthost is asked once, not by each message, whichever worker has it" - --listen blackhole
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s IdleTimeout=1s
daemon_start
for i in 1 2 3 4; do
    send
    expect_rc 0
    wait_for 30 has_messages "$D2" "$i" || fail "message $i did not come"
    # the next one has another worker
    kill -HUP "$D"
    wait_for 30 says_times "read again" "$i" || fail "no new configuration"
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

script 'option auth PLAIN' 'option auth-clear yes' 'on login' '    reply 535 5.7.8 wrong password'
begin "where one smarthost refuses the login and the other is down, both are named, and the account is only down"
rm -rf "$QUEUE"
hub_start "$T/script" --tls none
FIRST=$HUB_PORT
hub_start - --tls none --listen no
daemon_conf "mailhub=( \"127.0.0.1:$FIRST\", \"127.0.0.1:$HUB_PORT\" )" AuthUser=zoe AuthPass=pencil AllowPlaintextAuth=true \
    RetryMin=100s RetryMax=100s
daemon_start
send
expect_rc 0
run "$ADMIN" status
expect_out 'account default: down'
expect_out "; before that 127.0.0.1:$FIRST: 535 5.7.8 wrong password"
finish

script 'on RCPT' '    reply 550 5.1.1 nobody here'
two "a refusal of a recipient is the answer: no other smarthost is asked" "$T/script"
daemon_conf "mailhub=$hubs"
daemon_start
send
expect_rc 67
[ "$(messages_at "$D2")" -eq 0 ] || fail "the second one was asked"
finish

printf '%s\n' 'on dot session 1-4' '    sleep 9m' '    close' >"$T/script"
begin "four messages whose verdict does not come do not hold up the fifth"
rm -rf "$QUEUE"
hub_start "$T/script" --tls none --max-time 300s
daemon_conf Workers=4 InteractiveTimeout=1s Timeout=300s
daemon_start
for i in 1 2 3 4; do
    send
    expect_rc 0
done
send
expect_rc 0
wait_for 60 has_messages "$HUB_DIR" 1 || fail "the fifth one waits for the others"
send
expect_rc 0
wait_for 60 has_messages "$HUB_DIR" 2 || fail "so does the sixth"
hub_stop # else the daemon waits for it a while
finish

begin "status and the metrics say how long the certificate is still good for, and below two weeks status warns"
rm -rf "$QUEUE"
METRICS=$T/metrics
mkdir -p "$METRICS" && chmod 777 "$METRICS"
METRICS=$METRICS/prom
hub_start - --tls implicit --cert soon --port "$(free_port)"
daemon_conf UseTLS=implicit "TLS_CA_File=$CA" "mailhub=127.0.0.1:$HUB_PORT" "MetricsFile=$METRICS"
daemon_start
run "$ADMIN" status
expect_rc 0
send
expect_rc 0
run "$ADMIN" status
expect_rc 1
expect_out "account default: certificate of 127.0.0.1:$HUB_PORT: 4 days left"
expect_out 'account default: do: whoever runs that smarthost has to renew its certificate'
run "$ADMIN" status --json
expect_rc 1
python3 - "$T/out" "$HUB_PORT" <<'END' || fail "status --json: $(cat "$T/out")"
import json, sys, time
hub, = json.load(open(sys.argv[1]))["smarthosts"]
assert (hub["account"], hub["relay"], hub["certificate_days_left"]) == ("default", "127.0.0.1:" + sys.argv[2], 4)
assert 4 * 86400 < hub["certificate_expires"] - time.time() < 5 * 86400
END
wait_for 30 grep -q "^smtprelay_certificate_expiry_timestamp_seconds{account=\"default\",smarthost=\"127.0.0.1:$HUB_PORT\"} [0-9]" "$METRICS" ||
    fail "not in the metrics: $(cat "$METRICS")"
port=$HUB_PORT
hub_stop
hub_start - --tls implicit --port "$port"
run "$ADMIN" test --daemon
expect_rc 0
run "$ADMIN" status
expect_rc 0
expect_out "certificate of 127.0.0.1:$port: 36"
finish

begin "a certificate that is good for long is no warning, nor is one that is pinned and expires soon"
rm -rf "$QUEUE"
hub_start - --tls implicit
daemon_conf UseTLS=implicit "TLS_CA_File=$CA" "mailhub=127.0.0.1:$HUB_PORT"
daemon_start
send
run "$ADMIN" status
expect_rc 0
expect_out "certificate of 127.0.0.1:$HUB_PORT: 36"
daemon_stop
hub_start - --tls implicit --cert soon
daemon_conf UseTLS=implicit "TLSFingerprint=$(sed -n 's/^spki //p' "$CERTS/soon.pin")" "mailhub=127.0.0.1:$HUB_PORT"
daemon_start
send
expect_rc 0
run "$ADMIN" status
expect_rc 0
! grep -q 'certificate of' "$T/out" || fail "it counts: $(cat "$T/out")"
finish

two "status tells which smarthost is left alone, and for how long" - --listen no
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
daemon_start
send
expect_rc 0
run "$ADMIN" status
expect_rc 0
expect_out "account default: smarthost 127.0.0.1:$FIRST: failed of late, the others go first for "
run "$ADMIN" status --json
expect_out '"left_alone":'
finish

two "without a daemon a first smarthost that swallows packets costs no more than its head start" - --listen blackhole
conf UseTLS=false "mailhub=$hubs" ConnectTimeout=300s LogFile=- QueueDir=
send -C "$T/conf"
expect_rc 0
has_messages "$D2" 1 || fail "it did not come"
end

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

# the account is down first, so that what waits is the probe that all others wait for
script 'on greeting' '    hang'
two "what hangs by the settings of before holds up no mail by those that were mended, and says nothing against them" "$T/script"
daemon_conf "mailhub=127.0.0.1:1" Timeout=300s RetryMin=100s RetryMax=100s
daemon_start
send
expect_rc 0
daemon_conf "mailhub=127.0.0.1:$FIRST" Timeout=300s RetryMin=100s RetryMax=100s
kill -HUP "$D"
hangs() { [ -n "$(find "$D1" -name 'session-*')" ]; }
wait_for 30 hangs || fail "the first is not tried"
daemon_conf "mailhub=127.0.0.1:$SECOND" Timeout=300s RetryMin=100s RetryMax=100s
kill -HUP "$D"
wait_for 30 says_times "read again" 2 || fail "no new configuration"
send
wait_for 30 has_messages "$D2" 1 || fail "it waits for the first: $("$ADMIN" status)"
kill "$(echo "$HUB_PIDS" | awk '{ print $1 }')"
wait_for 30 has_messages "$D2" 2 || fail "what hung waits: $("$ADMIN" status)"
run "$ADMIN" status
expect_out 'account default: ok, 0 messages'
finish
