#!/bin/sh
# SPDX-License-Identifier: ISC
# A worker that lies (tests/crash/liar.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
ROOT=$O/root-liar
# the driver itself says "ok ..." and "not ok ..."
exec python3 -B "$TESTS/crash/liar.py" --root "$ROOT" --programs "$O"
