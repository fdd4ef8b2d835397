#!/bin/sh
# SPDX-License-Identifier: ISC
# A wrong password for a while, then the right one (tests/crash/frozen.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
# the driver itself says "ok ..." and "not ok ..."
exec python3 -B "$TESTS/crash/frozen.py" --root "$O/root-frozen" --programs "$O"
