#!/bin/sh
# SPDX-License-Identifier: ISC
# smtprelay hold, release, remove, retry, queue and status: what is done with waiting messages, by the daemon and without it.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-tools # the compiled-in paths of these programs lie below it
daemon_stage
# Nothing is tried again by itself while a test looks
DAEMON_SETTINGS='RetryMin=1h RetryMax=2h QueueRun=1h'

send() { run "$SENDMAIL" -i "$@" <"$MSG"; }
# the id of the message to bob@… : id_of bob
id_of() { "$ADMIN" queue | awk -v who="<$1@" 'index($0, who) {print $1}'; }

# ---------------------------------------------------------------- hold

a_daemon "what is held is tried by nobody, not even after a restart, until it is released" -
send -odq -f alice@example.org bob@example.net
send -odq -f alice@example.org carol@example.net
shows 'in 2 Requests' "$SENDMAIL" -bp
id=$(id_of bob)
run "$ADMIN" hold "$id"
expect_rc 0
expect_out '1 message held'
run "$SENDMAIL" -bp
grep -q "^$id! " "$T/out" || fail "no exclamation mark behind the id: $(cat "$T/out")"
expect_out "(held by $(id -un))"
run "$ADMIN" status
expect_rc 1
expect_out ', 1 held'
run "$ADMIN" retry "$id"
expect_rc 69
expect_err 'is held'
run "$SENDMAIL" -q
expect_rc 0
wait_for 30 arrived 1 || fail "the other one did not go"
shows 'in 1 Request' "$SENDMAIL" -bp
expect_messages 1
expect_env 'rcpt: <carol@example.net>'
daemon_stop
daemon_start
run "$SENDMAIL" -q
shows "$id! " "$SENDMAIL" -bp
run "$ADMIN" release "$id"
expect_rc 0
expect_out '1 message released'
shows 'Mail queue is empty' "$SENDMAIL" -bp
expect_messages 2
run "$ADMIN" status
expect_rc 0
finish

script 'on dot nth 1' '    sleep 3s' '    reply 450 4.2.0 later' 'on dot nth 2' '    reply 250 2.0.0 taken'
a_daemon "a message that is being sent is held when the attempt has failed" "$T/script" InteractiveTimeout=1s Timeout=60s
send -f alice@example.org bob@example.net
expect_rc 0
id=$(id_of bob)
run "$ADMIN" hold --recipient bob@
expect_rc 0
run "$ADMIN" remove "$id"
case $rc in
75) expect_err 'being sent' ;;
0) ;; # it was over already
*) fail "exit code $rc" ;;
esac
[ "$rc" -eq 0 ] || shows "$id! " "$SENDMAIL" -bp
[ "$(count_messages)" -eq 0 ] || fail "it was sent"
finish

script 'on dot' '    sleep 60s' '    reply 250 2.0.0 taken'
a_daemon "a message that has killed three workers is held" "$T/script" InteractiveTimeout=1s Timeout=100s RetryMin=1s RetryMax=1s
send -f alice@example.org bob@example.net
expect_rc 0
id=$(id_of bob)
is_trying() {
    W=$(pgrep -P "$D" -f smtprelay-worker)
    [ -n "$W" ] && [ "$(grep -l BDAT "$HUB_DIR"/session-*.log 2>/dev/null | wc -l)" -ge "$1" ]
}
for i in 1 2 3; do
    wait_for 30 is_trying $i || fail "attempt $i was not made"
    # shellcheck disable=SC2086 # pids
    kill -SEGV $W
done
shows "$id! " "$SENDMAIL" -bp
expect_out 'workers ended unexpectedly'
finish

a_daemon "a message whose workers are killed from outside, as where memory runs out, is not held so soon" "$T/script" InteractiveTimeout=1s Timeout=100s \
    RetryMin=1s RetryMax=1s
send -f alice@example.org bob@example.net
expect_rc 0
id=$(id_of bob)
for i in 1 2 3 4; do
    wait_for 30 is_trying $i || fail "attempt $i was not made"
    # shellcheck disable=SC2086 # pids
    kill -9 $W
done
wait_for 30 is_trying 5 || fail "no fifth attempt was made"
says 'no memory was to be had for it, or it was killed' || fail "the log does not say how they ended"
finish

# ---------------------------------------------------------------- filters and rights

a_daemon "filters say which are meant, a dry run changes nothing, and nothing is changed without any" -
for who in bob carol dave; do send -odq -f "$who@example.org" "$who@example.net"; done
{ cat "$MSG"; head -c 20000 /dev/zero | tr '\0' x | fold -w 70; } >"$T/large"
"$SENDMAIL" -odq -i -f erin@example.org erin@example.net <"$T/large"
shows 'in 4 Requests' "$SENDMAIL" -bp
for which in '--sender bob@' '--recipient=bob' "$(id_of bob)"; do
    # shellcheck disable=SC2086 # words
    run "$ADMIN" remove --dry-run $which
    expect_rc 0
    expect_out '<bob@example.net>'
    expect_not_out '<carol@'
    expect_out '1 message'
done
run "$ADMIN" queue --larger-than 10K
expect_out '<erin@'
expect_out '1 message'
for none in '--older-than 1h' '--account other' '--unit x.service' '--uid 4294967290' '--reason refused' '--sender <>'; do
    # shellcheck disable=SC2086 # words
    run "$ADMIN" remove $none
    expect_rc 0
    expect_out '0 messages removed'
done
run "$ADMIN" remove
expect_rc 64
expect_one_line
run "$ADMIN" remove --nonsense
expect_rc 64
run "$ADMIN" remove NOSUCHID
expect_rc 69
shows 'in 4 Requests' "$SENDMAIL" -bp
run "$ADMIN" remove --sender bob@ --recipient carol
expect_out '0 messages'
run "$ADMIN" remove "$(id_of bob)" "$(id_of carol)"
expect_out '2 messages removed'
run "$ADMIN" retry --recipient dave
expect_rc 0
expect_out '1 message tried now'
wait_for 30 arrived 1 || fail "it was not tried"
expect_env 'rcpt: <dave@'
shows 'in 1 Request' "$SENDMAIL" -bp
run "$ADMIN" remove --all --yes
expect_out '1 message removed'
shows 'Mail queue is empty' "$SENDMAIL" -bp
finish

if command -v python3 >/dev/null; then
    a_daemon "more than one removal is asked for on a terminal, and --yes is not" -
    for who in bob carol; do send -odq -f "$who@example.org" "$who@example.net"; done
    shows 'in 2 Requests' "$SENDMAIL" -bp
    on_terminal() {
        python3 - "$@" >"$T/out" 2>&1 <<'END'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])
os.write(fd, sys.argv[1].encode() + b"\n")
out = b""
try:
    while True:
        piece = os.read(fd, 4096)
        if not piece:
            break
        out += piece
except OSError:
    pass
sys.stdout.write(out.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
    }
    on_terminal n "$ADMIN" remove --all
    expect_out 'remove 2 messages for good?'
    expect_out 'nothing was removed'
    on_terminal x "$ADMIN" remove --recipient bob
    expect_out '1 message removed'
    send -odq -f bob@example.org bob@example.net
    on_terminal y "$ADMIN" remove --all
    expect_out '2 messages removed'
    shows 'Mail queue is empty' "$SENDMAIL" -bp
    finish

    a_daemon "--json is an object a line, and no byte of a message is in it as it was" -
    send -odq -f alice@example.org "\"a$(printf '\342\200\256')b\"@example.net"
    run "$ADMIN" queue --json
    expect_rc 0
    python3 - "$T/out" 2>"$T/odd" <<'END' || fail "queue --json: $(tail -n 2 "$T/odd"): $(cat "$T/out")"
import json, sys
raw = open(sys.argv[1], "rb").read()
assert all(c == 10 or 32 <= c < 127 for c in raw), raw
one, = [json.loads(line) for line in raw.splitlines()]
assert one["sender"] == "alice@example.org" and one["queue"] == "deferred" and one["size"] > 0, one
assert [r["state"] for r in one["recipients"]] == ["waiting"] and "a\u202eb" in one["recipients"][0]["address"], one
END
    run "$ADMIN" hold --all --json
    grep -qxF '{"changed":1,"unchanged":0}' "$T/out" || fail "hold --json: $(cat "$T/out")"
    run "$ADMIN" status --json
    expect_rc 1
    python3 - "$T/out" 2>"$T/odd" <<'END' || fail "status --json: $(tail -n 2 "$T/odd"): $(cat "$T/out")"
import json, sys
s = json.load(open(sys.argv[1]))
assert s["level"] == 1 and s["daemon"] is True and s["held"] == 1 and s["messages"] == 1, s
assert s["accounts"][0]["name"] == "default" and s["accounts"][0]["state"] == "ok", s
END
    finish

    a_daemon "status and why answer on a terminal, too" -
    send -odq -f alice@example.org bob@example.net
    on_terminal n "$ADMIN" status --json
    expect_out '"level":0'
    on_terminal n "$ADMIN" why --last
    expect_out 'bob@example.net'
    finish
fi

if [ "$(id -u)" -eq 0 ]; then
    a_daemon "others than operators change their own and nobody else's" -
    send -odq -f root@example.org roots@example.net
    setpriv --reuid 64213 --regid 64213 --clear-groups "$SENDMAIL" -i -odq -f one@example.org ones@example.net <"$MSG"
    shows 'in 2 Requests' "$SENDMAIL" -bp
    for verb in hold release retry remove; do
        run_as 64213 "$ADMIN" $verb "$(id_of roots)"
        expect_rc 69
        run_as 64213 "$ADMIN" $verb --recipient roots
        expect_rc 0
        expect_out '0 messages'
    done
    run_as 64213 "$ADMIN" hold --all
    expect_out '1 message held'
    run "$SENDMAIL" -bp
    expect_out '(held by uid 64213)'
    run_as 64213 "$ADMIN" remove --all
    expect_out '1 message removed'
    shows 'in 1 Request.' "$SENDMAIL" -bp
    expect_out roots@
    finish
fi

# ---------------------------------------------------------------- failed/

script 'on dot' '    reply 554 5.6.0 we do not want it'
HUB_AT=$(free_port)
a_daemon "what could not be returned is listed, shown, put back and removed by --failed" "$T/script"
for who in bob carol; do send -odb -f '' "$who@example.net"; done
both_failed() { [ "$(find "$QUEUE/failed" -type f | wc -l)" -eq 2 ]; }
wait_for 30 both_failed || fail "they are not under failed/"
run "$ADMIN" queue --failed
expect_rc 0
expect_out 'we do not want it'
expect_out '<bob@example.net>'
id=$(awk 'NR == 2 {print $1}' "$T/out")
run "$ADMIN" status
expect_rc 1
run "$ADMIN" show --failed "$id"
expect_rc 0
expect_out ' refused'
run "$ADMIN" hold --failed "$id"
expect_rc 64
run "$ADMIN" remove --failed "$id"
expect_rc 0
expect_out '1 message removed'
hub_stop
hub_start - -p "$HUB_AT" # which takes it now
run "$ADMIN" retry --failed --all
expect_rc 0
expect_out '1 message tried now'
wait_for 30 arrived 1 || fail "it was not tried"
shows 'Mail queue is empty' "$SENDMAIL" -bp
run "$ADMIN" queue --failed
expect_out 'nothing has failed'
run "$ADMIN" status
expect_rc 0
finish

a_daemon "retry, show and remove find by its id what lies in failed, too" "$T/script"
for who in bob carol; do send -odb -f '' "$who@example.net"; done
wait_for 30 both_failed || fail "they are not under failed/"
bob=$("$ADMIN" queue --failed | awk '/bob@/ {print $1}')
carol=$("$ADMIN" queue --failed | awk '/carol@/ {print $1}')
run "$ADMIN" show "$bob"
expect_rc 0
expect_out '<bob@example.net> refused'
run "$ADMIN" remove "$carol"
expect_rc 0
expect_out '1 message removed'
run "$ADMIN" hold "$bob"
expect_rc 69
hub_stop
hub_start - -p "$HUB_AT"
run "$ADMIN" retry "$bob"
expect_rc 0
wait_for 30 arrived 1 || fail "it was not tried"
expect_env 'rcpt: <bob@example.net>'
run "$ADMIN" queue --failed
expect_out 'nothing has failed'
finish

# ---------------------------------------------------------------- without a daemon

begin "the same without a daemon, under the queue's lock"
rm -rf "$QUEUE"
mkdir -m 700 "$QUEUE"
hub_start -
conf UseTLS=false "QueueDir=$QUEUE" MinFree=1M
for who in bob carol dave; do
    "$SENDMAIL" -C "$T/conf" -odq -i -f "$who@example.org" "$who@example.net" <"$MSG" || fail "not queued"
done
run "$ADMIN" -C "$T/conf" status
expect_rc 2
run "$ADMIN" -C "$T/conf" hold --recipient bob
expect_rc 0
expect_out '1 message held'
run "$ADMIN" -C "$T/conf" retry --recipient carol
expect_rc 0
expect_messages 1
expect_env 'rcpt: <carol@'
run "$SENDMAIL" -C "$T/conf" -q
expect_messages 2
run "$ADMIN" -C "$T/conf" status
expect_rc 1
run "$SENDMAIL" -C "$T/conf" -bp
expect_out '! '
run "$ADMIN" -C "$T/conf" release --all
expect_rc 0
expect_messages 3
run "$ADMIN" -C "$T/conf" status
expect_rc 0
"$SENDMAIL" -C "$T/conf" -odq -i -f bob@example.org bob@example.net <"$MSG"
run "$ADMIN" -C "$T/conf" remove --all
expect_out '1 message removed'
run "$SENDMAIL" -C "$T/conf" -bp
expect_out 'Mail queue is empty'
end
exit 0
