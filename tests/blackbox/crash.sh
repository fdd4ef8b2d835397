#!/bin/sh
# SPDX-License-Identifier: ISC
# Processes killed at any moment (SIGKILL, all of a call at once): what was answered with exit 0 is delivered, and a copy too many
# comes only from a transaction that was on the wire.
. "$(dirname "$0")/lib.sh"
own_file SENDMAIL

letter

# kill_all ROOT-PID: it and everything below it, stopped first so that nothing escapes
kill_all() {
    pids=$1 level=$1
    while [ -n "$level" ]; do
        next=
        for p in $level; do
            kill -STOP "$p" 2>/dev/null
            for c in $(cat "/proc/$p/task/$p/children" 2>/dev/null); do next="$next $c"; done
        done
        pids="$pids $next" level=$next
    done
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null
}

# pause N: some milliseconds, another number for each N
pause() {
    sleep "0.0$(printf '%02d' $((($1 * 7) % 23)))"
}

begin "a call that is killed has queued its message whole or not at all"
hub_start -
Q=$T/queue
mkdir -m 700 "$Q"
conf_tls false '' "QueueDir=$Q"
: >"$T/accepted"
i=0
while [ "$i" -lt 40 ]; do
    i=$((i + 1))
    "$SENDMAIL" -C "$T/conf" -odq -f alice@example.org "r$i@example.net" <"$MSG" >/dev/null 2>&1 &
    caller=$!
    pause "$i"
    [ $((i % 4)) -eq 0 ] || kill_all "$caller"
    wait "$caller" 2>/dev/null && echo "r$i@example.net" >>"$T/accepted"
done
[ -s "$T/accepted" ] || fail "no call had the time to end"
# who was killed last may still be on its way out, with the queue's lock
one_run() { timeout 60 "$SENDMAIL" -C "$T/conf" -q 2>"$T/err"; }
wait_for 30 one_run || fail "the run does not end well: $(cat "$T/err")"
for f in "$Q"/corrupt/*; do [ ! -e "$f" ] || fail "a torn message: $f"; done
while read -r r; do
    grep -qxF "rcpt: <$r>" "$HUB_DIR"/*.env || fail "$r was answered with 0 and did not get it"
done <"$T/accepted"
[ -z "$(sort "$HUB_DIR"/*.env | grep '^rcpt: ' | uniq -d)" ] || fail "somebody got it twice, though nothing on the wire was killed"
expect_manners
end

begin "runs of the queue that are killed lose nothing"
hub_start -
rm -rf "$Q"
mkdir -m 700 "$Q"
conf_tls false '' "QueueDir=$Q"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    send -odq -f alice@example.org "s$i@example.net"
    expect_rc 0
done
kills=0
while [ "$kills" -lt 12 ]; do
    kills=$((kills + 1))
    "$SENDMAIL" -C "$T/conf" -q >/dev/null 2>&1 &
    caller=$!
    pause $((kills + 5))
    kill_all "$caller"
    wait "$caller" 2>/dev/null
done
wait_for 30 one_run || fail "the run does not end well: $(cat "$T/err")"
for f in "$Q"/queue/* "$Q"/failed/* "$Q"/corrupt/*; do [ ! -e "$f" ] || fail "left over: $f"; done
expect_messages_at_least() {
    [ "$(count_messages)" -ge "$1" ]
}
wait_for 30 expect_messages_at_least 12
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    grep -qxF "rcpt: <s$i@example.net>" "$HUB_DIR"/*.env || fail "s$i@example.net did not get it"
done
[ "$(count_messages)" -le $((12 + kills)) ] || fail "$(count_messages) copies of 12 messages after $kills kills"
end
