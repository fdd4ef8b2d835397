# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# The table, and ours against the limits.  Sourced by run.

# A row: the figures as they stand, `-` where there is none; messages a second beside those of the first program that has them
table() {
    touch "$W/figures" "$W/reasons"
    awk '
        function f(p, key) {return (p, key) in v ? v[p, key] : "-"}
        function sum(p, a, b) {return !((p, a) in v) ? "-" : !((p, b) in v) ? (p in daemon ? "-" : v[p, a]) : v[p, a] + v[p, b]}
        !($1 in known) {known[$1]; name[++n] = $1}
        {v[$1, $2] = $3}
        $2 ~ /^(idle|daemon)_/ {daemon[$1]}
        $2 == "burst_us" && !base {base = $3}
        END {
            line = "%-16s %-18s %7s %5s %9s %9s %9s %9s %9s %7s %9s %9s %7s %7s\n"
            printf line, "program", "version", "flights", "syncs", "caller", "caller", "caller", "caller", "daemon", "idle", "idle", "idle", "burst", "caller"
            printf line, "", "", "", "", "instr.", "calls", "procs", "peak kB", "calls", "procs", "rss kB", "priv. kB", "speed", "ms"
            for (i = 1; i <= n; i++) {
                p = name[i]
                printf line, p, f(p, "version"), f(p, "flights"), sum(p, "call_syncs", "daemon_syncs"), f(p, "instructions"), f(p, "calls"),
                    f(p, "processes"), f(p, "peak_kb"), f(p, "daemon_calls"), f(p, "idle_processes"), f(p, "idle_rss_kb"),
                    f(p, "idle_private_kb"), (p, "burst_us") in v ? sprintf("%.2f", base / v[p, "burst_us"]) : "-",
                    (p, "call_us") in v ? sprintf("%.1f", v[p, "call_us"] / 1000) : "-"
            }
        }
    ' "$W/figures"
    awk '$2 ~ /^queue_/ {v[$2] = $3; p = $1} END {if (p) printf "%s with %s messages waiting and the smarthost away: %s kB at most, %s connections, at rest after %s ms\n", p, n,
        v["queue_peak_kb"], v["queue_probes"], v["queue_ms"]}' n="$QUEUED" "$W/figures"
    if [ -s "$W/reasons" ]; then sed 's/^/- /' "$W/reasons"; fi
}

# compare FILE: lines PROGRAM FIGURE LIMIT; a figure above it is a failure, one that is not there is told
compare() {
    awk -v strict="${BENCH_STRICT-}" '
        NR == FNR {v[$1, $2] = $3; measured[$1]; next}
        /^#/ || !NF || !($1 in measured || strict != "") {next}
        !(($1, $2) in v) {
            printf "%s %s: not measured, limit %s\n", $1, $2, $3
            if (strict != "") failed++
            next
        }
        v[$1, $2] + 0 > $3 + 0 {printf "not ok %s %s: %s, more than %s\n", $1, $2, v[$1, $2], $3; failed++; next}
        {passed++}
        END {printf "%d passed, %d failed\n", passed, failed; exit failed > 0}
    ' "$W/figures" "$1"
}
