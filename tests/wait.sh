# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# Sourced, by sh and by bash.

# Give a command time to become true: wait_for SECONDS COMMAND...; false when it is not by then
wait_for() {
    wait_left=$(($1 * 20))
    shift
    until "$@"; do
        wait_left=$((wait_left - 1))
        [ "$wait_left" -gt 0 ] || return 1
        sleep 0.05
    done
}
