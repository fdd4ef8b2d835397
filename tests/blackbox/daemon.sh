#!/bin/sh
# SPDX-License-Identifier: ISC
# Mail through the daemon: what the caller is told, what waits in the queue, and when it is tried again.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-daemon # the compiled-in paths of these programs lie below it
daemon_stage
own_file SENDMAIL

queued() { find "$QUEUE/queue" -type f 2>/dev/null | wc -l; }
is_queued() { [ "$(queued)" -eq "$1" ]; }
kept() { find "$QUEUE/failed" -type f 2>/dev/null | wc -l; }
expect_queued() { wait_for 30 is_queued "$1" || fail "$(queued) messages in the queue, not $1"; }

# without -C: by the compiled-in socket
send() {
    start=$(date +%s)
    timeout 60 "$SENDMAIL" "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
    took=$(($(date +%s) - start))
}

# ---------------------------------------------------------------- interactive

a_daemon "the caller has the smarthost's answer, and nothing was written to the queue" -
send -v -i bob@example.net
expect_rc 0
expect_messages 1
expect_queued 0
expect_err 'sent as'
expect_err '250 2.0.0 taken'
finish

a_daemon "the second message takes one flight over the warm connection" -
send -i bob@example.net
send -i carol@example.net
expect_rc 0
expect_messages 2
expect_env 'flights: 1'
[ "$(find "$HUB_DIR" -name 'session-*.log' | wc -l)" -eq 1 ] || fail "more than one connection"
[ "$(grep -c 'relay=127.0.0.1:' "$LOG")" -eq 2 ] || fail "the log does not say who took the second"
finish

script 'on dot' '    reply 554 5.6.0 we do not want it'
a_daemon "a refusal is the caller's exit code, and nothing stays" "$T/script"
send -i bob@example.net
expect_rc 69
expect_one_line
expect_err 'we do not want it'
expect_queued 0
finish

script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user'
a_daemon "some refused: the others have it, exit 0, the refused ones are named; and the sender gets a report" "$T/script"
send -i bob@example.net bad@example.net
expect_rc 0
expect_messages 2
expect_err 'bad@example.net'
expect_err 'no such user'
expect_queued 0
finish

a_daemon "all refused is 67" "$T/script"
send -i bad@example.net
expect_rc 67
expect_queued 0
finish

script 'on RCPT *<slow@* nth 1' '    reply 450 4.2.1 later' 'on RCPT *<slow@* nth 2' '    reply 450 4.2.1 later'
a_daemon "some deferred: the others have it at once, the rest by a later attempt, once" "$T/script"
send -i bob@example.net slow@example.net
expect_rc 0
expect_one_line
wait_for 30 arrived 2 || fail "it did not come"
expect_messages 2
expect_queued 0
grep -l 'rcpt: <slow@' "$HUB_DIR"/*.env | wc -l | grep -qx 1 || fail "slow@ has it more than once"
grep -l 'rcpt: <bob@' "$HUB_DIR"/*.env | wc -l | grep -qx 1 || fail "bob@ has it more than once"
finish

script 'on dot nth 1' '    sleep 10s' '    reply 250 2.0.0 taken'
a_daemon "a slow answer: exit 0 at InteractiveTimeout, queued meanwhile, and not sent twice" "$T/script" InteractiveTimeout=1s Timeout=20s
send -i bob@example.net
expect_rc 0
[ "$(queued)" -eq 1 ] || fail "it was not in the queue"
[ "$(count_messages)" -eq 0 ] || fail "the caller waited for the answer"
expect_queued 0
expect_messages 1
finish

script 'on dot' '    sleep 6s' '    reply 554 5.6.0 too late to refuse'
a_daemon "a refusal that comes after InteractiveTimeout is kept, not lost" "$T/script" InteractiveTimeout=1s Timeout=20s
send -i bob@example.net
expect_rc 0
expect_queued 0
[ "$(kept)" -eq 1 ] || fail "it is not under failed/"
finish

# ---------------------------------------------------------------- the queue

begin "a smarthost that is down: exit 0, in the queue, delivered when it is back"
rm -rf "$QUEUE"
hub_start - --tls none --port "$(free_port)"
hub_stop
daemon_conf
daemon_start
send -v -i bob@example.net
expect_rc 0
expect_err 'queued as'
expect_err 'refused'
is_queued 1 || fail "$(queued) in the queue"
hub_start - --tls none --port "$HUB_PORT"
wait_for 30 arrived 1 || fail "it did not come"
expect_messages 1
expect_queued 0
finish

begin "a smarthost that is down is asked by one message, not by each"
rm -rf "$QUEUE"
script 'on connect' '    reply 421 4.3.2 not now' '    close'
hub_start "$T/script" --tls none
daemon_conf RetryMin=100s RetryMax=100s
daemon_start
for i in 1 2 3 4 5 6 7 8 9 10; do
    send -i bob@example.net
    [ "$rc" -eq 0 ] || fail "exit code $rc"
done
[ "$(queued)" -eq 10 ] || fail "$(queued) in the queue"
n=$(find "$HUB_DIR" -name 'session-*.log' | wc -l)
[ "$n" -le 2 ] || fail "$n connections for ten messages"
finish

a_daemon "-odb: durable, exit 0, delivered at once" -
send -odb -i bob@example.net
expect_rc 0
wait_for 30 arrived 1 || fail "it did not come"
expect_queued 0
finish

a_daemon "-odq waits for sendmail -q" -
send -odq -i bob@example.net
expect_rc 0
is_queued 1 || fail "$(queued) in the queue"
[ "$(count_messages)" -eq 0 ] || fail "it was sent"
send -q
expect_rc 0
wait_for 30 arrived 1 || fail "it did not come"
expect_queued 0
finish

a_daemon "-odq goes at QueueRun" - QueueRun=2s
send -odq -i bob@example.net
wait_for 30 arrived 1 || fail "it did not come"
expect_queued 0
finish

script 'on dot' '    reply 554 5.6.0 we do not want it'
a_daemon "what could not be returned is kept for thirty days" "$T/script" QueueRun=1s
send -odb -i bob@example.net
expect_rc 0
is_kept() { [ "$(kept)" -eq "$1" ]; }
wait_for 30 is_kept 1 || fail "it is not kept"
for f in "$QUEUE"/failed/*; do cp -p "$f" "$f"X; touch -d '31 days ago' "$f"X; done
wait_for 30 is_kept 1 || fail "the old one is still there"
for f in "$QUEUE"/failed/*X; do [ ! -e "$f" ] || fail "the new one went"; done
finish

a_daemon "what another start left is delivered by the next" -
send -odq -i bob@example.net
daemon_stop
is_queued 1 || fail "$(queued) in the queue"
daemon_start
wait_for 30 arrived 1 || fail "it did not come"
expect_queued 0
finish

begin "several accounts: committed first, then each by its own way"
rm -rf "$QUEUE"
hub_start - --tls none
daemon_conf "accounts=( { name = \"other\"; recipient = \"@other.example\"; } )"
daemon_start
send -i bob@example.net carol@other.example
expect_rc 0
wait_for 30 arrived 2 || fail "they did not come"
expect_messages 2
expect_queued 0
finish

begin "accounts with fewer workers than they want do not close each other's connections after each message"
rm -rf "$QUEUE"
hub_start - --tls none
daemon_conf Workers=1 "accounts=( { name = \"other\"; recipient = \"@other.example\"; } )"
daemon_start
for i in 1 2 3 4 5 6 7 8; do
    send -odq -i "r$i@example.net"
    send -odq -i "r$i@other.example"
done
expect_queued 16
"$SENDMAIL" -q || fail "the run ends with $?"
wait_for 30 arrived 16 || fail "they did not come"
[ "$(find "$HUB_DIR" -name 'session-*.log' | wc -l)" -eq 2 ] || fail "more than one connection for each"
expect_queued 0
finish

a_daemon "a queue that takes nothing: the smarthost's answer serves as well" - MinFree=900000G
send -i bob@example.net
expect_rc 0
expect_messages 1
send -odb -i bob@example.net
expect_rc 0
expect_messages 2
expect_queued 0
finish

begin "no room in the queue and no smarthost: 75, and the caller keeps the message"
rm -rf "$QUEUE"
hub_start - --tls none --port "$(free_port)"
hub_stop
daemon_conf MinFree=900000G
daemon_start
for i in 1 2; do
    send -i bob@example.net
    expect_rc 75
    expect_one_line
    expect_err 'refuses; it cannot wait here: queue '
    expect_err 'less than MinFree is left'
done
run "$ROOT/sbin/smtprelay" status
expect_rc 1
expect_out 'less than MinFree is left on its file system: mail that the smarthost does not take at once is refused'
finish

script 'on RCPT *<slow*' '    sleep 20s' '    reply 250 2.1.5 ok'
a_daemon "a queue that keeps its workers busy leaves one to callers who wait" "$T/script" Timeout=60s Workers=2
for i in 1 2 3; do send -odb -i "slow$i@example.net"; done
slow_ones() { grep -q -s 'C: RCPT TO:<slow' "$HUB_DIR"/session-*.log; }
wait_for 30 slow_ones || fail "the queue is not tried"
send -v -i bob@example.net
expect_rc 0
expect_err 'sent as'
hub_stop # which ends the waiting
finish

a_daemon "over RateLimit mail waits, exit 0, and goes when it may" - RateLimit=3/h
for i in 1 2 3; do
    send -v -i bob@example.net
    expect_err 'sent as'
done
send -v -i bob@example.net
expect_rc 0
expect_err 'over the rate of 3/h'
[ "$(queued)" -eq 1 ] || fail "$(queued) in the queue"
[ "$(count_messages)" -eq 3 ] || fail "$(count_messages) went at once"
daemon_conf RateLimit=100/h
kill -HUP "$D"
wait_for 30 arrived 4 || fail "it did not come"
expect_queued 0
finish

# ---------------------------------------------------------------- accounts that fail

begin "a refused login: nothing bounces, few logins, and all goes after the right password and SIGHUP"
rm -rf "$QUEUE"
hub_start - --tls none --auth PLAIN --require-auth --auth-clear
daemon_conf "AuthUser=$USER_NAME" AuthPass=wrong AllowPlaintextAuth=true RetryMax=600s RetryMin=100s
daemon_start
for i in 1 2 3 4 5 6; do
    send -i bob@example.net
    [ "$rc" -eq 0 ] || fail "exit code $rc"
done
[ "$(queued)" -eq 6 ] || fail "$(queued) in the queue"
n=$(cat "$HUB_DIR"/session-*.log | grep -c 'C: AUTH')
[ "$n" -le 3 ] || fail "$n logins"
daemon_conf "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" AllowPlaintextAuth=true RetryMax=600s RetryMin=100s
kill -HUP "$D"
wait_for 30 arrived 6 || fail "$(count_messages) of 6 came"
expect_queued 0
[ "$(kept)" -eq 0 ] || fail "some are under failed/"
finish

begin "what was mended shows with the next message, also where what waited was removed"
rm -rf "$QUEUE"
hub_start - --tls none --auth PLAIN --require-auth --auth-clear
daemon_conf "AuthUser=$USER_NAME" AuthPass=wrong AllowPlaintextAuth=true RetryMax=600s
daemon_start
send -i bob@example.net
[ "$rc" -eq 0 ] || fail "exit code $rc"
run "$ROOT/sbin/smtprelay" remove --all --yes
[ "$(queued)" -eq 0 ] || fail "it is not removed: $(cat "$T/err")"
daemon_conf "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" AllowPlaintextAuth=true RetryMax=600s
kill -HUP "$D"
wait_for 30 says 'the configuration was read again' || fail "it is not read again"
went() { send -i bob@example.net && arrived 1; }
wait_for 30 went || fail "it waits: $("$ROOT/sbin/smtprelay" status)"
run "$ROOT/sbin/smtprelay" status
expect_out 'account default: ok'
finish

# ---------------------------------------------------------------- callers

script 'on dot' '    sleep 2s' '    reply 250 2.0.0 taken'
a_daemon "a caller that is killed after its last byte: the message goes on" "$T/script"
"$SENDMAIL" -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err" &
pid=$!
said() { grep -q -s 'C: .*BDAT' "$HUB_DIR"/session-*.log; }
wait_for 30 said || fail "nothing was sent"
kill -9 $pid
wait $pid 2>/dev/null
wait_for 30 arrived 1 || fail "it did not come"
finish

a_daemon "a caller that is killed before its last byte sends nothing" -
mkfifo "$T/unended"
"$SENDMAIL" -i bob@example.net <"$T/unended" >"$T/out" 2>"$T/err" &
pid=$!
exec 9>"$T/unended" # which stays open
cat "$MSG" >&9
kill -9 $pid
{ wait $pid; } 2>/dev/null
exec 9>&-
send -i carol@example.net
expect_messages 1
expect_env 'carol@'
expect_queued 0
finish

script 'on dot' '    sleep 8s' '    reply 250 2.0.0 taken'
a_daemon "SIGTERM with callers waiting: each ends, none is lost" "$T/script" InteractiveTimeout=60s Timeout=60s
pids=''
for i in 1 2 3 4; do
    "$SENDMAIL" -i "bob$i@example.net" <"$MSG" >"$T/out.$i" 2>"$T/err.$i" &
    pids="$pids $!"
done
sleep 1
daemon_stop
taken=0
for pid in $pids; do
    wait "$pid"
    case $? in
    0) taken=$((taken + 1)) ;;
    75) ;;
    *) fail "a caller ended with another code" ;;
    esac
done
daemon_start
expect_queued 0
wait_for 60 arrived "$taken" || fail "$(count_messages) came of $taken taken"
finish

a_daemon "-bs goes to the daemon, too" -
printf 'EHLO x\nMAIL FROM:<alice@example.org>\nRCPT TO:<bob@example.net>\nDATA\nSubject: x\n\nhi\n.\nQUIT\n' |
    timeout 60 "$SENDMAIL" -bs >"$T/out" 2>"$T/err"
expect_messages 1
grep -q '^250 2.0.0' "$T/out" || fail "no 250"
says 'status=sent' || fail "the daemon did not do it"
finish

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    a_daemon "an ordinary user, without any privilege to be had, hands in mail; the log says who" -
    chmod 644 "$MSG"
    setpriv --reuid 64213 --regid 64213 --clear-groups --no-new-privs "$SENDMAIL" -i bob@example.net <"$MSG" 2>"$T/err"
    rc=$?
    expect_rc 0
    says 'uid=64213' || fail "the log does not say who"
    finish

    if unshare --pid --fork true 2>/dev/null; then
        begin "a caller of another container is still himself, though he has no process number there"
        rm -rf "$QUEUE"
        hub_start - --tls none
        daemon_conf 'DenyUsers=("mail")' Delivery=queue
        ordinary=$DAEMON
        printf '#!/bin/sh\nexec unshare --pid --fork --kill-child "%s"\n' "$ordinary" >"$T/apart"
        chmod 755 "$T/apart"
        DAEMON=$T/apart
        daemon_start
        DAEMON=$ordinary
        run_as "$(id -u mail)" "$SENDMAIL" -i bob@example.net <"$MSG"
        expect_rc 77
        run_as 4242 "$SENDMAIL" -i carol@example.net <"$MSG"
        expect_rc 0
        run "$ADMIN" why --last 1
        expect_out '(uid 4242)'
        run "$ADMIN" queue
        expect_out carol@example.net
        run_as 4243 "$SENDMAIL" -bp
        expect_not_out carol@example.net
        run_as 4242 "$SENDMAIL" -bp
        expect_out carol@example.net
        kill -TERM "$(cat "/proc/$D/task/$D/children")" # unshare itself waits for it
        finish
    fi

    a_daemon "who is not allowed is told so, 77" - 'AllowUsers=("root")'
    setpriv --reuid 64213 --regid 64213 --clear-groups "$SENDMAIL" -i bob@example.net <"$MSG" 2>"$T/err"
    rc=$?
    expect_rc 77
    expect_one_line
    finish
fi

begin "-C of a file that sets Socket goes to the daemon that serves there"
rm -rf "$QUEUE"
hub_start - --tls none
daemon_conf "Socket=$T/own/socket"
rm -rf "$ROOT/run/smtprelay"
: >"$LOG" # what the last one said
"$DAEMON" -C "$T/conf" >"$T/daemon.out" 2>"$LOG" &
D=$!
wait_for 30 serves || fail "the daemon did not start: $(cat "$LOG")"
send -C "$T/conf" -i bob@example.net
expect_rc 0
expect_messages 1
says 'status=sent' || fail "the daemon did not do it"
send -C "$T/conf" -odq -i bob@example.net
is_queued 1 || fail "$(queued) in the queue"
send -C "$T/conf" -bp
grep -q 'bob@example.net' "$T/out" || fail "mailq does not show it"
send -C "$T/conf" -q
expect_rc 0
wait_for 30 arrived 2 || fail "it did not come"
finish
