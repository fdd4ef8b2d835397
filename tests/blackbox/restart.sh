#!/bin/sh
# SPDX-License-Identifier: ISC
# A daemon that is restarted while fifty callers wait, callers that are interrupted (tests/crash/restart.py), and new
# configurations and orderly restarts while letters are handed in (reload.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
rc=0
# the drivers themselves say "ok ..." and "not ok ..."
for driver in restart reload; do
    python3 -B "$TESTS/crash/$driver.py" --root "$O/root-restart" --programs "$O" || rc=1
done
exit $rc
