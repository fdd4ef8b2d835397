#!/bin/sh
# SPDX-License-Identifier: ISC
# smtprelay why and log: what became of a message, attempt by attempt, with the smarthost's words, for those whose message it is.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-why # the compiled-in paths of these programs lie below it
daemon_stage
F=

# also a `log -f` that still runs
daemon_stop() {
    [ -z "$F" ] || { kill "$F" 2>/dev/null; wait "$F" 2>/dev/null; F=; }
    [ -n "$D" ] || return 0
    kill "$D" 2>/dev/null
    wait "$D" 2>/dev/null
    D=
}

send() { run "$SENDMAIL" -i "$@" <"$MSG"; }

a_daemon "why tells who handed a message in, where it went and what the smarthost said, by id, address and --last" -
send -f alice@example.org bob@example.net
expect_rc 0
run "$ADMIN" why --last
expect_rc 0
expect_out "(uid $(id -u))"
expect_out 'from <alice@example.org> to <bob@example.net>'
expect_out "in $(pwd) as it says"
expect_out "attempt at 127.0.0.1:$HUB_PORT, account default"
expect_out 'sent 1'
expect_out 'names '
expect_out 'taken: 250 2.0.0 taken'
expect_out '  sent to all'
id=$(head -n 1 "$T/out")
send -f alice@example.org carol@example.net
run "$ADMIN" why "$id"
expect_rc 0
expect_out 'bob@example.net'
expect_not_out 'carol@example.net'
run "$ADMIN" why carol@example.net
expect_rc 0
expect_out 'carol@example.net'
expect_out "attempt at 127.0.0.1:$HUB_PORT, account default" # over the warm connection
expect_not_out 'bob@example.net'
run "$ADMIN" why Alice@EXAMPLE.org
[ "$(grep -c 'handed in' "$T/out")" -eq 2 ] || fail "not both messages"
run "$ADMIN" why alice 1
[ "$(grep -c 'handed in' "$T/out")" -eq 1 ] || fail "not the last one alone"
expect_out 'carol@example.net'
run "$ADMIN" why nobody@example.net
expect_rc 69
expect_err 'nothing of it'
finish

# strace -D leaves the daemon its pid; a sanitized one cannot be traced
if strace -o "$T/strace" true 2>/dev/null && ! nm -D "$SENDMAIL" 2>/dev/null | grep -q __asan; then
    printf '#!/bin/sh\nexec strace -D -f -o "%s" -P "%s" -e inject=write:delay_enter=900000 "%s" "$@"\n' \
        "$T/strace" "$QUEUE/history" "$DAEMON" >"$T/traced"
    chmod 755 "$T/traced"
    DAEMON_HERE=$DAEMON DAEMON=$T/traced
    a_daemon "why waits for what is being written of a message that is over" -
    send -f alice@example.org bob@example.net
    expect_rc 0
    sleep 0.2 # its lines are being written, and the disk is slow
    send -f alice@example.org dave@example.net
    expect_rc 0
    run "$ADMIN" why dave@example.net
    expect_rc 0
    expect_out 'sent to all'
    finish
    DAEMON=$DAEMON_HERE
fi

script 'on RCPT *<bob@* nth 1' '    reply 450 4.2.1 come again' 'on RCPT *<bad@*' '    reply 550 5.1.1 no such \x1b[2Juser'
a_daemon "each attempt is told, those that failed, too; what a terminal would obey is shown harmless" "$T/script"
send -f alice@example.org bob@example.net
expect_rc 0
shows 'sent to all' "$ADMIN" why bob@example.net
expect_out 'come again'
expect_out 'deferred 1'
expect_out '  queued: '
[ "$(grep -c '  attempt at' "$T/out")" -eq 2 ] || fail "not two attempts"
send -f alice@example.org bad@example.net
expect_rc 67
run "$ADMIN" why bad@example.net
expect_out 'no such'
expect_out 'refused 1'
expect_out 'not taken, the caller was told so'
if LC_ALL=C grep -q "$(printf '\033')" "$T/out"; then fail "an escape reaches the terminal"; fi
finish

a_daemon "what still waits is told to be in the queue" greet-421 RetryMin=1h RetryMax=2h
send -f alice@example.org bob@example.net
expect_rc 0
shows 'queued: ' "$ADMIN" why --last
expect_out 'it is in the queue: smtprelay show '
shows '"event":"queued"' "$ADMIN" why --last --json
expect_out '"state":"queued","waits":true'
finish

script 'on RCPT *<bob@* nth 1' '    reply 450 4.2.1 come again' 'on RCPT *<bad@*' '    reply 550 5.1.1 no such \xe9\x1b[2Juser'
a_daemon "why --json tells a program the same, an object for each message, in ASCII" "$T/script"
send -f alice@example.org bob@example.net
expect_rc 0
shows 'sent to all' "$ADMIN" why bob@example.net
send -f alice@example.org bad@example.net
expect_rc 67
shows 'not taken, the caller' "$ADMIN" why bad@example.net
run "$ADMIN" why --json --last 2
expect_rc 0
[ "$(wc -l <"$T/out")" -eq 2 ] || fail "not a line for each message"
if LC_ALL=C grep -q '[^ -~]' "$T/out"; then fail "there is more than ASCII"; fi
if command -v python3 >/dev/null; then
    python3 - "$T/out" "$(id -u)" >"$T/odd" 2>&1 <<'END' || fail "$(tail -n 1 "$T/odd")"
import json, sys
bob, bad = [json.loads(line) for line in open(sys.argv[1])]
assert bob["uid"] == int(sys.argv[2]) and bob["sender"] == "alice@example.org", bob
assert bob["recipients"] == [{"address": "bob@example.net"}] and bob["recipient_count"] == 1, bob
first, second = [e for e in bob["events"] if e["event"] == "attempt"]
assert "come again" in first["reason"] and first["deferred"] == 1, first
assert second["sent"] == 1 and "taken" in second["reply"] and second["us"] >= 0 and "message_us" in second, second
assert bob["events"][-1]["event"] == "sent" and "advice" not in bob, bob
assert bob["parts"] == [{"id": bob["id"], "state": "sent", "waits": False}], bob
assert bad["parts"][0]["state"] == "failed" and "no such" in bad["events"][0]["reason"], bad
END
fi
run "$ADMIN" why bob@example.net 1 --json
expect_out '"sender":"alice@example.org"'
run "$ADMIN" why --json
expect_rc 64
run "$ADMIN" why nobody@example.net --json
expect_rc 69
expect_err 'nothing of it'
finish

a_daemon "log -f goes on with what happens, also over a restart of the daemon" -
send -f alice@example.org bob@example.net
"$ADMIN" log -f >"$T/follow" 2>"$T/follow.err" &
F=$!
followed() { grep -F -e "$1" "$T/follow" >/dev/null; }
wait_for 30 followed 'bob@example.net' || fail "what was there is not shown"
send -f alice@example.org carol@example.net
wait_for 30 followed 'carol@example.net' || fail "what came is not shown: $(cat "$T/follow" "$T/follow.err")"
kill "$D"
wait "$D" 2>/dev/null
daemon_start
send -f alice@example.org dave@example.net
wait_for 60 followed 'dave@example.net' || fail "it does not follow a new daemon: $(cat "$T/follow.err")"
[ "$(grep -c 'handed in.*to <bob@' "$T/follow")" -eq 1 ] || fail "a line is shown twice"
finish

a_daemon "without a daemon why reads the history as well, and sendmail writes to it" -
send -f alice@example.org bob@example.net
daemon_stop
rm -rf "$ROOT/run/smtprelay"
if [ "$(id -u)" -eq 0 ] || [ -w "$QUEUE" ]; then
    send -f alice@example.org carol@example.net
    expect_rc 0
    run "$ADMIN" why --last 2
    expect_rc 0
    expect_out 'bob@example.net'
    expect_out 'carol@example.net'
    [ "$(grep -c 'sent to all' "$T/out")" -eq 2 ] || fail "not both were sent: $(cat "$T/out")"
fi
[ "$(stat -c %a "$QUEUE/history")" = 600 ] || fail "others may read the history"
finish

a_daemon "a history that cannot be written holds up no mail" -
rm -rf "$QUEUE/history"
mkdir "$QUEUE/history"
send -f alice@example.org bob@example.net
expect_rc 0
expect_messages 1
wait_for 30 says 'the history is not written' || fail "the log does not say so"
send -f alice@example.org bob@example.net
expect_rc 0
expect_messages 2
finish

if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    a_daemon "users other than operators see what became of their own messages, and of no other's" -
    chmod 644 "$MSG"
    send -f alice@example.org bob@example.net
    setpriv --reuid 64213 --regid 64213 --clear-groups "$SENDMAIL" -i carol@example.net <"$MSG" 2>"$T/err" || fail "not sent"
    run setpriv --reuid 64213 --regid 64213 --clear-groups "$ADMIN" why --last 10
    expect_rc 0
    expect_out 'carol@example.net'
    expect_not_out 'bob@example.net'
    run setpriv --reuid 64213 --regid 64213 --clear-groups "$ADMIN" why bob@example.net
    expect_rc 69
    run setpriv --reuid 64213 --regid 64213 --clear-groups "$ADMIN" log
    expect_rc 0
    expect_out 'carol@example.net'
    expect_not_out 'bob@example.net'
    finish
fi
