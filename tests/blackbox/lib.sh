# SPDX-License-Identifier: ISC
# Helpers for black-box tests: a hub to send to, a configuration, a message, and checks.  POSIX sh; sourced.
#
# tests/run-one sets O (the build folder, programs in $O/root/sbin) and T (a folder of the test's own).
#
#   begin "sentence that must stay true"      a case; the checks up to `end` belong to it
#   hub_start SCRIPT|- [hub options]          sets HUB_PORT, HUB_DIR; ends with the test at the latest
#   free_port                                 for a hub that will be started again: nobody else gets it in the meantime
#   conf KEY=VALUE ...                        writes $T/conf; mailhub, hostname, times are there already
#   letter [SUBJECT]                          writes $T/msg, what `send` sends
#   send [sendmail arguments]                 sets rc, took (seconds); $T/out, $T/err
#   expect_...                                see below
#   end                                       prints "ok ..." or "not ok ...: why"

: "${O:?the build folder}" "${T:?a folder of its own}"
TESTS=$(cd "$(dirname "$0")/.." && pwd)
. "$TESTS/wait.sh"
HUB=$O/tests/hub/hub
SENDMAIL=$O/root/sbin/sendmail
CERTS=$T/certs
CA=$CERTS/ca.pem
USER_NAME=alice
PASSWORD='Tr0ub4dor+3x'
MSG=$T/msg
HUB_PIDS='' HUBS=0 HUB_PORT=0 HUB_DIR=''
CASE='' WHY='' rc=0 took=0

unset SMTPRELAY_MAILHUB MAILRC EMAIL 2>/dev/null
LC_ALL=C
export LC_ALL

# ---------------------------------------------------------------- cases

begin() {
    CASE=$1 WHY=
    rm -f "$T/out" "$T/err"
}

# A check that failed; the first reasons count.
fail() {
    WHY="$WHY${WHY:+; }$*"
}

end() {
    hub_stop
    if [ -z "$WHY" ]; then
        echo "ok $CASE"
        return 0
    fi
    echo "not ok $CASE: $WHY"
    [ -s "$T/err" ] && sed -n '1,5s/^/    stderr: /p' "$T/err"
    [ -n "$HUB_DIR" ] && tail -n 12 "$HUB_DIR"/session-*.log 2>/dev/null | cut -c1-200 | sed 's/^/    hub: /'
    return 1
}

skip_all() {
    echo "ok (skipped) $1"
    exit 0
}

# ---------------------------------------------------------------- the hub

hub_start() {
    script=$1
    shift
    HUBS=$((HUBS + 1))
    HUB_DIR=$T/hub-$HUBS
    mkdir -p "$HUB_DIR"
    [ -e "$CA" ] || "$HUB" --make-certs "$CERTS" || { fail "no certificates"; return 1; }
    if [ "$script" != - ]; then
        [ -e "$script" ] || script=$TESTS/hub/scripts/$script.hub
        set -- -s "$script" "$@"
    fi
    "$HUB" -d "$HUB_DIR" -c "$CERTS" -u "$USER_NAME" -w "$PASSWORD" "$@" >"$HUB_DIR/port" 2>"$HUB_DIR/hub.err" &
    HUB_PIDS="$HUB_PIDS $!"
    if ! wait_for 30 test -s "$HUB_DIR/port"; then
        fail "the hub did not start: $(cat "$HUB_DIR/hub.err")"
        return 1
    fi
    HUB_PORT=$(cat "$HUB_DIR/port")
}

hub_stop() {
    for pid in $HUB_PIDS; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    HUB_PIDS=
}
free_port() { "$HUB" --free-port; }
trap 'hub_stop' EXIT
trap 'exit 130' INT TERM

# ---------------------------------------------------------------- sending

# KEY=VALUE as a line of libconfig: numbers, true, false, "...", (...) as they are, anything else in quotes.
conf_line() {
    key=${1%%=*} value=${1#*=}
    case $value in
    true | false | '"'* | '('*) ;;
    '' | *[!0-9]*) value="\"$(printf %s "$value" | sed 's/[\\"]/\\&/g')\"" ;;
    esac
    printf '%s = %s;\n' "$key" "$value"
}

# Later settings replace earlier ones; KEY= alone takes one away. The times are for a machine that is busy with something else: who
# waits for a peer's silence sets short ones.
conf() {
    : >"$T/conf.new"
    chmod 600 "$T/conf.new"
    for setting in "mailhub=127.0.0.1:$HUB_PORT" hostname=client.example.org Timeout=20s ConnectTimeout=20s "$@"; do
        grep -v "^${setting%%=*} = " "$T/conf.new" >"$T/conf.part"
        [ -n "${setting#*=}" ] && conf_line "$setting" >>"$T/conf.part"
        cat "$T/conf.part" >"$T/conf.new"
    done
    mv "$T/conf.new" "$T/conf"
}

# Settings for a hub with TLS (starttls, implicit, false) and, with a second argument, a login.
conf_tls() {
    mode=$1 login=$2
    shift 2
    [ "$mode" != false ] && set -- "TLS_CA_File=$CA" "$@"
    [ -n "$login" ] && set -- "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" "$@"
    conf "UseTLS=$mode" "$@"
}

# own_file NAME...: the programs in these variables take -C $T/conf for the user's own file, unless it is root's: what a caller's file
# may not say to sendmail -C (a queue, a command) it may say there. Once, behind the last change of the variables.
own_file() {
    [ "$(id -u)" -ne 0 ] || return 0
    mkdir -p "$T/own/smtprelay"
    ln -s "$T/conf" "$T/own/smtprelay/config"
    for name; do
        program=
        eval "program=\$$name"
        cat >"$T/own/$name" <<END
#!/bin/sh
while [ "\${1-}" = -C ] && [ "\${2-}" = "$T/conf" ]; do
    XDG_CONFIG_HOME=$T/own
    export XDG_CONFIG_HOME
    shift 2
done
exec "$program" "\$@"
END
        chmod 755 "$T/own/$name"
        eval "$name=\$T/own/$name"
    done
}

# It has a line with a single dot: without `-i` it ends there.
letter() {
    cat >"$MSG" <<END
From: Alice <alice@example.org>
To: bob@example.net
Subject: ${1:-a letter}

This is the text.
.
..and this line began with two dots.
END
}

# A letter of about $1 kB.
big_letter() {
    letter "a big letter"
    awk -v n="$1" 'BEGIN {for (i = 0; i < n * 16; i++) print "a line of text of sixty-three octets that fills the letter, no. 1"}' >>"$MSG"
}

send() {
    start=$(date +%s)
    timeout 60 "$SENDMAIL" -C "$T/conf" "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
    took=$(($(date +%s) - start))
}

# ---------------------------------------------------------------- checks

# expect_rc 75 or expect_rc 75,76
expect_rc() {
    case ,$1, in
    *",$rc,"*) ;;
    *) fail "exit code $rc, not $1" ;;
    esac
}

# One line on stderr when it failed, none when it did not.
expect_one_line() {
    lines=$(wc -l <"$T/err")
    if [ "$rc" -eq 0 ]; then
        [ "$lines" -eq 0 ] || fail "$lines lines on stderr with exit code 0"
    else
        [ "$lines" -eq 1 ] || fail "$lines lines on stderr, not one"
    fi
}

# Fixed words, without case, on stderr; in the hub's transcripts.
expect_err() {
    grep -qiF -e "$1" "$T/err" || fail "stderr does not say '$1'"
}

expect_not_err() {
    if grep -qiF -e "$1" "$T/err"; then fail "stderr says '$1'"; fi
}

expect_dialog() {
    grep -qF -e "$1" "$HUB_DIR"/session-*.log || fail "no '$1' in the dialog"
}

expect_no_dialog() {
    if grep -qF -e "$1" "$HUB_DIR"/session-*.log; then fail "'$1' in the dialog"; fi
}

count_messages() {
    set -- "$HUB_DIR"/*.msg
    [ -e "$1" ] || { echo 0; return; }
    echo $#
}

expect_messages() {
    n=$(count_messages)
    # the caller may have its answer before the hub has written the message down, or it is still on its way
    tries=600
    while [ "$n" -lt "$1" ] && [ "$tries" -gt 0 ]; do
        tries=$((tries - 1))
        sleep 0.05
        n=$(count_messages)
    done
    [ "$n" -eq "$1" ] || fail "$n messages arrived, not $1"
}

# expect_env 'rcpt: <bob@example.net>' in the envelope of the last message
expect_env() {
    grep -qF -e "$1" "$HUB_DIR/$(count_messages).env" 2>/dev/null || fail "no '$1' in the envelope"
}

expect_within() {
    [ "$took" -le "$1" ] || fail "it took $took s, more than $1"
}

# The hub saw no bad manners.
expect_manners() {
    [ ! -s "$HUB_DIR/odd" ] || fail "$(head -n 3 "$HUB_DIR/odd" | tr '\n' ' ')"
}

# of what printf makes of the arguments
base64_of() {
    # shellcheck disable=SC2059
    printf "$@" | base64 | tr -d '\n'
}

# What crossed the wire before TLS was up.
clear_text() {
    for log in "$HUB_DIR"/session-*.log; do
        [ -e "$log" ] && sed '/^== TLS TLS/,$d' "$log"
    done
}

# No octet of the password in clear, on the wire or on the terminal.
no_secret_in_clear() {
    clear_text >"$T/clear"
    cat "$T/out" "$T/err" >>"$T/clear" 2>/dev/null
    for word in "$PASSWORD" "$(base64_of %s "$PASSWORD")" "$(base64_of "\\0$USER_NAME\\0%s" "$PASSWORD")" \
        "$(base64_of "$USER_NAME\\0$USER_NAME\\0%s" "$PASSWORD")"; do
        if grep -qF -e "$word" "$T/clear"; then fail "the password is in clear: $word"; fi
    done
}

# run COMMAND...: sets rc
run() {
    timeout 60 "$@" >"$T/out" 2>"$T/err"
    rc=$?
}

# the same as somebody else; needs root
run_as() {
    uid=$1
    shift
    run setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
}

expect_out() {
    grep -qF -e "$1" "$T/out" || fail "stdout does not say '$1': $(head -n 12 "$T/out")"
}

expect_not_out() {
    if grep -qF -e "$1" "$T/out"; then fail "stdout says '$1'"; fi
}

# until COMMAND prints it: shows TEXT COMMAND...
does_show() {
    text=$1
    shift
    run "$@"
    grep -qF -e "$text" "$T/out"
}
shows() { wait_for 30 does_show "$@" || fail "it does not show '$1': $(head -n 12 "$T/out")"; }

# a script for the hub, a line each
script() { printf '%s\n' "$@" >"$T/script"; }
arrived() { [ "$(count_messages)" -ge "$1" ]; }

# ---------------------------------------------------------------- the daemon
#
# A script about it names a root of its own (the Makefile links the programs for it), ROOT=$O/root-NAME, and then says daemon_stage.
#
#   daemon_stage                                 programs, paths and surroundings; the daemon ends with the test at the latest
#   daemon_conf KEY=VALUE ...                    the system's configuration; $DAEMON_SETTINGS come first
#   a_daemon "sentence" SCRIPT|- KEY=VALUE ...   begin, hub_start (at port $HUB_AT if that is set), daemon_conf, daemon_start with an
#                                                empty queue
#   finish                                       daemon_stop, end

# shellcheck disable=SC2034 # ADMIN is the scripts'
daemon_stage() {
    SENDMAIL=$ROOT/sbin/sendmail ADMIN=$ROOT/sbin/smtprelay DAEMON=$ROOT/sbin/smtprelayd
    QUEUE=$T/queue LOG=$T/daemon.log D='' DAEMON_SETTINGS=''
    HOME=$T
    export HOME
    unset XDG_CONFIG_HOME NOTIFY_SOCKET LISTEN_FDS WATCHDOG_USEC
    mkdir -p "$ROOT/etc" "$ROOT/run" "$ROOT/var"
    [ "$(id -u)" -ne 0 ] || chmod 755 "$T"
    trap 'daemon_stop; hub_stop' EXIT
    letter
}

# Short times: nobody wants to wait for RetryMin
daemon_conf() {
    # shellcheck disable=SC2086 # a list of settings
    conf UseTLS=false "QueueDir=$QUEUE" LogFile=- RetryMin=1s RetryMax=2s User=nobody MinFree=1M $DAEMON_SETTINGS "$@"
    rm -f "$ROOT/etc/smtprelay.conf"
    cp -p "$T/conf" "$ROOT/etc/smtprelay.conf" # it may hold a password
}

says() { grep -qF -e "$1" "$LOG"; }
serves() { says 'serves at'; }
daemon_start() {
    rm -rf "$ROOT/run/smtprelay"
    : >"$LOG" # what the last one said
    "$DAEMON" >"$T/daemon.out" 2>"$LOG" &
    D=$!
    wait_for 30 serves || fail "the daemon did not start: $(cat "$LOG")"
}
daemon_stop() {
    [ -n "$D" ] || return 0
    kill "$D" 2>/dev/null
    wait "$D" 2>/dev/null
    D=
}

a_daemon() {
    begin "$1"
    rm -rf "$QUEUE"
    hub_start "$2" --tls none --port "${HUB_AT:-0}"
    shift 2
    daemon_conf "$@"
    daemon_start
}
finish() {
    daemon_stop
    end || sed -n '1,12s/^/    daemon: /p' "$LOG"
}

# ---------------------------------------------------------------- somebody else at a socket of ours
#
# With OWN=$O/root-NAME, programs of a root of their own, where a socket may lie: fake_stage, then
# fake_at PROGRAM SOCKET MODE [UID] starts a server (tests/blackbox/PROGRAM) that writes into $FAKE_DIR what it is told.

fake_stage() {
    RUN=$OWN/run/smtprelay
    [ -x "$OWN/sbin/sendmail" ] || skip_all "no programs for a root of their own"
    command -v python3 >/dev/null || skip_all "no python3"
    HOME=$T
    export HOME
    unset XDG_CONFIG_HOME
    FAKES=0 FAKE='' FAKE_DIR=$T
    trap 'fake_stop; hub_stop' EXIT
    letter
}

fake_stop() {
    if [ -n "$FAKE" ]; then
        kill "$FAKE" 2>/dev/null
        { wait "$FAKE"; } 2>/dev/null
    fi
    FAKE=
    rm -rf "$RUN"
}

fake_at() {
    fake_stop
    FAKES=$((FAKES + 1))
    FAKE_DIR=$T/fake-$FAKES
    mkdir -p "$RUN" "$FAKE_DIR"
    chmod 777 "$FAKE_DIR"
    python3 "$TESTS/blackbox/$1" "$2" "$3" "$FAKE_DIR" "${4-}" 2>"$T/fake.err" &
    FAKE=$!
    wait_for 30 test -e "$FAKE_DIR/pid" || fail "the fake daemon did not start: $(cat "$T/fake.err")"
}
