#!/bin/sh
# SPDX-License-Identifier: ISC
# The short form of `make crash`: processes killed at random moments (tests/crash/storm.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
ROOT=$O/root-storm
rc=0
# the storm itself says "ok ..." and "not ok ..."
storm() {
    python3 -B "$TESTS/crash/storm.py" --root "$ROOT" --programs "$O" "$@" || rc=1
}

storm --without-daemon --letters 200
storm --letters 300
storm --letters 60 --two-hubs
exit $rc
