#!/bin/sh
# A daemon that is restarted while fifty callers wait, and callers that are interrupted (tests/crash/restart.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
# the driver itself says "ok ..." and "not ok ..."
exec python3 -B "$TESTS/crash/restart.py" --root "$O/root-restart" --programs "$O"
