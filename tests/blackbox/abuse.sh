#!/bin/sh
# SPDX-License-Identifier: ISC
# Clients of the daemon's sockets that mean no good (tests/crash/abuse.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
any=
case $(nm -D "$SENDMAIL" 2>/dev/null) in *__asan*) any=--any-memory ;; esac
# the driver itself says "ok ..." and "not ok ..."
# shellcheck disable=SC2086 # a word or none
exec python3 -B "$TESTS/crash/abuse.py" --root "$O/root-abuse" --programs "$O" $any
