#!/bin/sh
# SPDX-License-Identifier: ISC
# A long queue: lists begin at once, callers are served meanwhile (tests/crash/million.py, which make crash runs with many more).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
# the driver itself says "ok ..." and "not ok ..."
exec python3 -B "$TESTS/crash/million.py" --root "$O/root-million" --programs "$O" --messages 5000
