#!/bin/sh
# SPDX-License-Identifier: ISC
# What the processes of a call are: who they run as and what of them others can see.
. "$(dirname "$0")/lib.sh"
own_file SENDMAIL

letter

# children PID: its own
children() {
    cat "/proc/$1/task/$1/children" 2>/dev/null
}

# the worker that serves the sendmail with this pid: a child of the helper, who is its child
find_worker() {
    for helper in $(children "$1"); do
        for p in $(children "$helper"); do
            [ "$(cat "/proc/$p/comm" 2>/dev/null)" = smtprelay-worke ] && echo "$p" && return
        done
    done
}

has_worker() {
    worker=$(find_worker "$1")
    [ -n "$worker" ]
}

begin "a worker never runs as root, keeps no group of root's and has nothing but its own to lose"
printf 'on dot\n    sleep 60s\n    reply 250 2.0.0 taken\n' >"$T/slow"
hub_start "$T/slow"
conf_tls false '' Timeout=60s
"$SENDMAIL" -C "$T/conf" -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err" &
caller=$!
if wait_for 30 has_worker "$caller"; then
    uids=$(sed -n 's/^Uid:[[:space:]]*//p' "/proc/$worker/status" | tr '\t' '\n' | sort -u)
    groups=" $(sed -n 's/^Groups:[[:space:]]*//p' "/proc/$worker/status") "
    if [ "$(id -u)" -eq 0 ]; then
        [ "$uids" != 0 ] || fail "it runs as root"
        case $groups in *' 0 '*) fail "it is in the group of root" ;; esac
    else
        [ "$uids" = "$(id -u)" ] || fail "it runs as $uids"
    fi
    [ "$(echo "$uids" | wc -l)" -eq 1 ] || fail "its uids differ: $uids"
    grep -q '^CapEff:[[:space:]]*0000000000000000$' "/proc/$worker/status" || fail "it has capabilities"
else
    fail "no worker"
fi
kill "$caller" 2>/dev/null
hub_stop
kill "$worker" 2>/dev/null
wait "$caller" 2>/dev/null
end

is_on_wire() {
    grep -qs '^C: BDAT' "$HUB_DIR"/session-*.log
}

begin "a worker that is told to end finishes the message on the wire"
printf 'on dot\n    sleep 3s\n    reply 250 2.0.0 taken\n' >"$T/slow"
hub_start "$T/slow"
conf_tls false '' Timeout=20s
"$SENDMAIL" -C "$T/conf" -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err" &
caller=$!
wait_for 30 is_on_wire || fail "no message on the wire"
# on a machine that is too slow it has ended by now
if has_worker "$caller"; then
    for signal in TERM INT HUP; do kill -s "$signal" "$worker"; done
fi
wait "$caller"
# shellcheck disable=SC2034 # expect_rc reads it
rc=$?
expect_rc 0
expect_messages 1
end

begin "what a password command prints is the password"
hub_start - --tls starttls --auth PLAIN --require-auth
conf "AuthUser=$USER_NAME" "AuthPassCommand=echo '$PASSWORD'" "UseTLS=starttls" "TLS_CA_File=$CA"
send -f alice@example.org bob@example.net
expect_rc 0
expect_messages 1
end

begin "a password command that fails is the administrator's trouble, in one line with its name"
hub_start - --tls starttls --auth PLAIN --require-auth
conf "AuthUser=$USER_NAME" "AuthPassCommand=sh -c 'exit 3'" "UseTLS=starttls" "TLS_CA_File=$CA"
send -f alice@example.org bob@example.net
expect_rc 77
expect_one_line
expect_err "AuthPassCommand: the command failed with exit code 3"
expect_messages 0
end
if command -v python3 >/dev/null; then
    begin "sendmail leaves no process behind, not even a dead one: in a container nobody may reap it"
    hub_start -
    conf_tls false ''
    cat >"$T/adopt.py" <<'END'
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans come to us
rc = subprocess.run(sys.argv[1:]).returncode
try:
    os.waitpid(-1, os.WNOHANG)
    sys.exit("a process was left behind")
except ChildProcessError:
    sys.exit(rc)
END
    python3 "$T/adopt.py" "$SENDMAIL" -C "$T/conf" -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    # shellcheck disable=SC2034 # expect_rc reads it
    rc=$?
    expect_rc 0
    expect_messages 1
    python3 "$T/adopt.py" "$SENDMAIL" -C "$T/conf" -bp </dev/null >"$T/out" 2>"$T/err"
    # shellcheck disable=SC2034 # expect_rc reads it
    rc=$?
    expect_rc 0
    end
fi
