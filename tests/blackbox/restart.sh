#!/bin/sh
# SPDX-License-Identifier: ISC
# A daemon that is restarted while fifty callers wait, callers that are interrupted (tests/crash/restart.py), and new
# configurations and orderly restarts while letters are handed in (reload.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
bad=0
# the drivers themselves say "ok ..." and "not ok ..."
for driver in restart reload; do
    python3 -B "$TESTS/crash/$driver.py" --root "$O/root-restart" --programs "$O" || bad=1
done
[ "$(id -u)" -eq 0 ] || exit $bad

# ---------------------------------------------------------------- users who cannot read the configuration
ROOT=$O/root-restart
daemon_stage

now_ms() { date +%s%3N; }
# Letters of an ordinary user, one after the other, until there are enough
call() {
    until [ -e "$T/enough" ]; do
        timeout 60 setpriv --reuid 64213 --regid 64213 --clear-groups "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG" 2>>"$T/call.err"
        echo $? >>"$T/codes"
    done
}
has_calls() { [ "$(wc -l <"$T/codes")" -ge "$1" ]; }
# Sets gap (ms without a daemon)
call_over_a_restart() {
    rm -f "$T/enough"
    : >"$T/codes"
    call &
    one=$!
    call &
    two=$!
    wait_for 30 has_calls 6 || fail "nobody calls"
    gap=$(now_ms)
    daemon_stop
    daemon_start
    gap=$(($(now_ms) - gap))
    wait_for 30 has_calls $(($(wc -l <"$T/codes") + 6)) || fail "nobody calls any more"
    touch "$T/enough"
    wait $one $two
}

a_daemon "ordinary users notice nothing of a daemon that is restarted" -
for _ in 1 2 3 4 5; do
    call_over_a_restart
    [ "$gap" -gt 2000 ] || break # so long nobody waits
done
! grep -qv '^0$' "$T/codes" || fail "some got $(sort "$T/codes" | uniq -c | tr -s ' \n' ' ') $(tail -n 1 "$T/call.err")"
finish || bad=1

begin "without a daemon who may not read the configuration gets 75, whoever may is served"
hub_start - --tls none
daemon_conf QueueDir=
run_as 64213 "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG"
expect_rc 75
expect_err 'the daemon is not running'
chmod 644 "$ROOT/etc/smtprelay.conf"
run_as 64213 "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG"
expect_rc 0
expect_messages 1
end || bad=1
exit $bad
