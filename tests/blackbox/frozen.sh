#!/bin/sh
# A wrong password for a while, then the right one (tests/crash/frozen.py).
. "$(dirname "$0")/lib.sh"

command -v python3 >/dev/null || skip_all "no python3"
ROOT=$O/root-frozen
case $("$ROOT/sbin/smtprelayd" -C "$T/none" 2>&1) in
*'not built yet'*) skip_all "there is no daemon yet" ;;
esac
# the driver itself says "ok ..." and "not ok ..."
exec python3 -B "$TESTS/crash/frozen.py" --root "$ROOT" --programs "$O"
