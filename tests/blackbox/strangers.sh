#!/bin/sh
# SPDX-License-Identifier: ISC
# Peers of the listener that mean no good, or know no better (tests/crash/strangers.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
any=
case $(nm -D "$SENDMAIL" 2>/dev/null) in *__asan*) any=--any-memory ;; esac
# the driver itself says "ok ..." and "not ok ..."
# shellcheck disable=SC2086 # a word or none
exec python3 -B "$TESTS/crash/strangers.py" --root "$O/root-strangers" --programs "$O" --connections 1500 --rounds 150 $any
