# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# How each figure of the program at hand (P) is counted.  Sourced by run; README.md says what they mean.

figure() { echo "$P $1 $2" >>"$W/figures"; }

# ---------------------------------------------------------------- the program runs

has_daemon() { has "${P}_daemon"; }

# TRACED=COMMAND: the daemon below it
program_start() {
    program_pid=
    has_daemon || return 0
    "${P}_daemon" >"$W/$P.log" 2>&1 </dev/null &
    program_pid=$!
    if ! wait_for 30 daemon_is_decided || ! "${P}_ready"; then
        missing "its daemon does not serve: $(tail -n 1 "$W/$P.log")"
        program_stop
        return 1
    fi
}

daemon_is_decided() { "${P}_ready" || ! kill -0 "$program_pid" 2>/dev/null; }

program_stop() {
    [ -n "${program_pid-}" ] || return 0
    kill "$program_pid" 2>/dev/null
    wait "$program_pid" 2>/dev/null
    program_pid=
    wait_for 30 nobody_left
}

ARGUMENTS="-i -f carol@example.org bob@example.net"

# send: one message, until it has arrived at the hub; send_by COMMAND...: with a command before it
send() { send_by as_caller; }

send_by() {
    had=$(arrived)
    # shellcheck disable=SC2086 # a list of words
    "$@" "$("${P}_command")" $ARGUMENTS <"$W/message" >"$W/$P.out" 2>&1
    rc=$?
    if [ $rc -ne 0 ] || ! wait_for 60 has_arrived $((had + 1)); then
        missing "a message did not arrive (exit code $rc): $(tail -n 1 "$W/$P.out")"
        return 1
    fi
}

# ---------------------------------------------------------------- one message

# How often the hub waited for the client, for one message: from the connection on, or since the message before it in there
count_flights() {
    n=$(arrived)
    session=$(sed -n 's/^session: //p' "$HUB_DIR/$n.env")
    total=$(sed -n 's/^session-flights: //p' "$HUB_DIR/$n.env")
    before=$((n - 1))
    if [ "$(sed -n 's/^session: //p' "$HUB_DIR/$before.env")" = "$session" ]; then
        total=$((total - $(sed -n 's/^session-flights: //p' "$HUB_DIR/$before.env")))
    fi
    figure flights "$total"
}

# What the call itself takes, with all processes it starts
count_call() {
    rm -f "$R$D/call"
    # the tracer is root, so that set-id programs are what they are
    uid=$CALLER
    [ -n "$R" ] || uid=0
    send_by in_root "$D/measure" -u $uid "$D/call" || return
    wait_for 30 test -s "$R$D/call"
    awk -v p="$P" '
        {calls += $3; syncs += $4; if (!($1 in seen)) {seen[$1]; n++} if ($5 > peak) peak = $5}
        $2 == "sendmail" {own += $3; own_peak = $5}
        END {
            print p, "calls", calls; print p, "call_syncs", syncs; print p, "processes", n; print p, "peak_kb", peak
            if (own) {print p, "sendmail_calls", own; print p, "sendmail_peak_kb", own_peak}
        }
    ' "$R$D/call" >>"$W/figures"
}

# Of the call with all processes it starts, the dynamic loader included
count_instructions() {
    if ! has valgrind; then
        missing "instructions not counted: valgrind is not installed"
        return
    fi
    VALGRIND_BY=as_caller VALGRIND_CHILDREN=yes
    ! has "${P}_unprotect" || "${P}_unprotect"
    rm -f "$R$D"/callgrind.*
    # shellcheck disable=SC2086
    $VALGRIND_BY valgrind -q --vgdb=no --tool=callgrind --trace-children=$VALGRIND_CHILDREN \
        --callgrind-out-file="$D/callgrind.%p" "$("${P}_command")" $ARGUMENTS <"$W/message" >"$W/$P.out" 2>&1
    rc=$?
    if [ $rc -ne 0 ] || ! wait_for 60 no_valgrind; then
        missing "instructions not counted: under valgrind it ended with $rc: $(tail -n 1 "$W/$P.out")"
        return
    fi
    [ $VALGRIND_CHILDREN = no ] || figure instructions "$(awk '/^totals:/ {n += $2} END {print n}' "$R$D"/callgrind.*)"
    own=$(awk '/^cmd: +[^ ]*sendmail / {own = 1} own && /^totals:/ {n += $2; own = 0} END {if (n) print n}' "$R$D"/callgrind.*)
    [ -z "$own" ] || figure sendmail_instructions "$own"
}

no_valgrind() {
    for p in $(processes); do
        case $(readlink "/proc/$p/exe") in *valgrind*) return 1 ;; esac
    done
}

# ---------------------------------------------------------------- many messages

now_ms() { echo $(($(date +%s%N) / 1000000)); }

# BURST messages one after the other, or as many as 20 s allow, sent by one shell; until all have arrived
write_burst() {
    cat >"$R$D/burst" <<'END'
now() { read -r up rest </proc/uptime; up=${up%.*}; }
count=$1 message=$2 sent=0
shift 2
now
end=$((up + 20))
while [ $sent -lt "$count" ] && [ "$up" -lt $end ]; do
    "$@" <"$message" >/dev/null || exit 1
    sent=$((sent + 1))
    now
done
echo $sent
END
}

time_burst() {
    write_burst
    had=$(arrived) start=$(now_ms)
    # shellcheck disable=SC2086
    if ! sent=$(as_caller sh "$D/burst" "$BURST" "$D/message" "$("${P}_command")" $ARGUMENTS 2>"$W/$P.out"); then
        missing "burst: $(tail -n 1 "$W/$P.out")"
        return
    fi
    handed=$(now_ms)
    wait_for 120 has_arrived $((had + sent)) || { missing "burst: only $(($(arrived) - had)) of $sent arrived"; return; }
    figure call_us $(((handed - start) * 1000 / sent))
    figure burst_us $((($(now_ms) - start) * 1000 / sent))
}

# ---------------------------------------------------------------- the daemon

# At rest, after a message and when it has let go what it keeps for the next one (IDLE): the list of processes stays the same for 5 s
measure_idle() {
    IDLE=2s
    "${P}_configure"
    IDLE=
    program_start && send || return
    before='' same=0 left=120
    while [ $same -lt 5 ] && [ $left -gt 0 ]; do
        sleep 1
        list=$(processes)
        if [ "$list" = "$before" ]; then same=$((same + 1)); else same=0; fi
        before=$list left=$((left - 1))
    done
    for p in $list; do
        awk -v name="$(cat "/proc/$p/comm")" '/^Rss:/ {rss = $2} /^Private_/ {private += $2} END {print name, rss, private}' \
            "/proc/$p/smaps_rollup"
    done >"$W/idle"
    awk -v p="$P" '
        {n++; all += $3; if ($2 > rss) rss = $2}
        END {print p, "idle_processes", n; print p, "idle_rss_kb", rss; print p, "idle_private_kb", all}
    ' "$W/idle" >>"$W/figures"
    program_stop
}

# Started with QUEUED messages in its queue, and a smarthost that refuses each connection by a 421: how much memory its largest
# process has had, and how often it has connected, when it has been at rest for 2 s
measure_queue() {
    hub_stop
    hub_start --script "$here/../hub/scripts/greet-421.hub" || return
    if ! "${P}_fill" "$QUEUED"; then
        missing "queue: cannot be filled"
        return
    fi
    start=$(now_ms)
    program_start || return
    wait_for 120 has_connected
    before='' rested=0
    while [ $rested -lt 20 ] && [ $(($(now_ms) - start)) -lt 120000 ]; do
        now=$(times_used)
        if [ "$now" = "$before" ]; then rested=$((rested + 1)); else rested=0 last=$(now_ms); fi
        before=$now
        sleep 0.1
    done
    figure queue_ms $((last - start))
    figure queue_probes "$(find "$HUB_DIR" -name 'session-*.log' | wc -l)"
    for p in $(processes); do cat "/proc/$p/status"; done 2>/dev/null |
        awk -v p="$P" '/^VmHWM:/ && $2 > peak {peak = $2} END {print p, "queue_peak_kb", peak}' >>"$W/figures"
    program_stop
}

has_connected() { [ -e "$HUB_DIR/session-1.log" ]; }

# Ticks of the processor that all its processes have had
times_used() {
    for p in $(processes); do sed 's/.*) //' "/proc/$p/stat"; done 2>/dev/null | awk '{n += $12 + $13} END {print n + 0}'
}

# All processes of a daemon that has carried $1 messages, from its start to its end: system calls and syncs
traced() {
    rm -f "$R$D/traced"
    TRACED="$D/measure $D/traced"
    program_start || { TRACED=; return 1; }
    TRACED=
    i=0
    while [ $i -lt "$1" ]; do
        send || return 1
        i=$((i + 1))
    done
    program_stop
    awk '{calls += $3; syncs += $4} END {print calls, syncs}' "$R$D/traced"
}

# What one more message costs: start and end of the daemon are the same in both
count_daemon() {
    few=$(traced 1) && many=$(traced 11) || return
    figure daemon_calls $(((${many% *} - ${few% *}) / 10))
    figure daemon_syncs $(((${many#* } - ${few#* }) / 10))
}

# ---------------------------------------------------------------- all of them

figures() {
    D=/bench
    [ -n "$R" ] || D=$W
    figure version "$VERSION"
    program_start && send && send && send || return
    count_flights
    count_call
    time_burst
    if has_daemon; then
        program_stop
        count_daemon
        measure_idle
        if has "${P}_fill"; then measure_queue; fi
        hub_stop
        hub_start && "${P}_configure" && program_start || return
    fi
    count_instructions
}
