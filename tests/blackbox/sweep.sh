#!/bin/sh
# SPDX-License-Identifier: ISC
# Callers that end before their last byte, and calls that are killed at their system calls: some of them here, all of them in
# make crash (tests/crash/half.py, sweep.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
ROOT=$O/root-sweep
rc=0
# the drivers themselves say "ok ..." and "not ok ..."
drive() {
    driver=$1
    shift
    python3 -B "$TESTS/crash/$driver.py" --root "$ROOT" --programs "$O" "$@" || rc=1
}

drive half --without-daemon --offsets 60
drive half --offsets 60
# a leak cannot be looked for in a traced process
case $(nm -D "$SENDMAIL" 2>/dev/null) in
*__asan*) echo "ok (skipped, not with a sanitizer) killed at any system call" ;;
*) drive sweep --step 14 ;;
esac
exit $rc
