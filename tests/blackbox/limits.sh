#!/bin/sh
# What holds mail back so that it arrives: rates, an account's own speed, the alert lane, the runaway breaker.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-limits # the compiled-in paths of these programs lie below it
SENDMAIL=$ROOT/sbin/sendmail
ADMIN=$ROOT/sbin/smtprelay
QUEUE=$T/queue
LOG=$T/daemon.log
HOME=$T
D=''
export HOME
unset XDG_CONFIG_HOME NOTIFY_SOCKET LISTEN_FDS WATCHDOG_USEC
mkdir -p "$ROOT/etc" "$ROOT/run" "$ROOT/var"
[ "$(id -u)" -ne 0 ] || chmod 755 "$T"
letter

says() { grep -qF -e "$1" "$LOG"; }
serves() { says 'serves at'; }
daemon_start() {
    rm -rf "$ROOT/run/smtprelay"
    : >"$LOG" # what the last one said
    "$ROOT/sbin/smtprelayd" >"$T/daemon.out" 2>"$LOG" &
    D=$!
    wait_for 20 serves || fail "the daemon did not start: $(cat "$LOG")"
}
daemon_stop() {
    [ -n "$D" ] || return 0
    kill "$D" 2>/dev/null
    wait "$D" 2>/dev/null
    D=
}
trap 'daemon_stop; hub_stop' EXIT

daemon_conf() {
    conf UseTLS=false "QueueDir=$QUEUE" LogFile=- RetryMin=1s RetryMax=2s User=nobody MinFree=1M "$@"
    rm -f "$ROOT/etc/smtprelay.conf"
    cp -p "$T/conf" "$ROOT/etc/smtprelay.conf"
}
script() { printf '%s\n' "$@" >"$T/script"; }
# a_daemon "sentence" SCRIPT|- [settings]: a case with a hub and a daemon
a_daemon() {
    begin "$1"
    rm -rf "$QUEUE"
    hub_start "$2" --tls none
    shift 2
    daemon_conf "$@"
    daemon_start
}
finish() {
    daemon_stop
    end || sed -n '1,20s/^/    daemon: /p' "$LOG"
}
send() {
    timeout 60 "$SENDMAIL" -i "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}
arrived() { [ "$(count_messages)" -ge "$1" ]; }
queued() { find "$QUEUE/queue" -type f 2>/dev/null | wc -l; }

# ---------------------------------------------------------------- facts are not words

script 'on greeting session 1' '    reply 451 4.3.2 the message may have been sent to another place; ended unexpectedly'
begin "what a smarthost says in our words does not keep its fallback from taking over"
rm -rf "$QUEUE"
hub_start "$T/script" --tls none
daemon_conf 'accounts=( { name = "first"; sender = "@example.org"; fallback = "second"; }, { name = "second"; AddHeader = ( "X-Road: 2" ); } )'
daemon_start
send -v -f alice@example.org bob@example.net
expect_rc 0
expect_err 'sent as'
expect_messages 1
finish
