#!/bin/sh
# SPDX-License-Identifier: ISC
# Connections that end at the worst moment, in short (tests/crash/race.py; make crash has the long form).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
ROOT=$O/root-race
rc=0
# the driver itself says "ok ..." and "not ok ..."
race() {
    python3 -B "$TESTS/crash/race.py" --root "$ROOT" --programs "$O" "$@" || rc=1
}

race --without-daemon --rounds 50 race-421 race-fin race-rst race-drop
race --without-daemon --rounds 25 race-silent
race --rounds 66 race-421 race-fin race-rst
race --rounds 60 --callers 3 race-drop
race --rounds 25 race-silent
exit $rc
