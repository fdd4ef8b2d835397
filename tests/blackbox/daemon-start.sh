#!/bin/sh
# SPDX-License-Identifier: ISC
# The daemon as others start it: sendmail -bd and -bD, and systemd, which is told how it goes and may listen for it.
# shellcheck disable=SC2034 # lib.sh reads HUB_PORT and rc
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/blackbox/life
. "$TESTS/blackbox/life"

# Whoever is not root cannot name QueueDir in a file for sendmail -C, but in one of his own
if $ROOT; then
    set -- -C "$T/conf"
else
    set --
    mkdir -p "$T/.config/smtprelay"
    ln -sf "$T/conf" "$T/.config/smtprelay/config"
fi

# the daemon whose socket is ours, by its open files
find_background() {
    for p in /proc/[0-9]*; do
        tr '\0' ' ' <"$p/cmdline" | grep -q -e '--background' || continue
        [ "$(stat -c %u "$p")" = "$(id -u)" ] || continue
        tr '\0' '\n' <"$p/environ" | grep -qxF "HOME=$T" && echo "${p#/proc/}" && return
    done 2>/dev/null
}
fresh "sendmail -bd returns when the daemon serves, and holds nothing of the caller's"
# a reader of its output sees the end when nobody holds it any more
timeout 60 "$SENDMAIL" "$@" -bd -q30m 2>"$T/err" | cat >"$T/out"
[ -S "$SOCKET" ] || fail "no socket when it returned"
D=$(find_background)
timeout 60 "$SENDMAIL" "$@" -bd >"$T/out" 2>"$T/err"
rc=$?
expect_rc 75
expect_one_line
if [ -n "$D" ]; then
    kill -TERM "$D"
    wait_for 30 is_zombie_or_gone "$D" || fail "it does not end"
    D=
else
    fail "no daemon in the background"
fi
[ ! -e "$SOCKET" ] || fail "the socket is left"
end

fresh "sendmail -bd says why there is no daemon, with its exit code"
echo 'Nonsense = 1;' >>"$T/conf"
timeout 60 "$SENDMAIL" "$@" -bd >"$T/out" 2>"$T/err"
rc=$?
expect_rc 78
expect_one_line
expect_err "sendmail: "
end

fresh "sendmail -bD is the daemon in the foreground"
launch "$SENDMAIL" "$@" -bD
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
[ -S "$SOCKET" ] || fail "no socket"
kill -TERM "$D"
await_end
expect_rc 0
end

command -v python3 >/dev/null || exit 0

# a receiver of sd_notify's datagrams: one line each into $T/notes
cat >"$T/notes.py" <<'END'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind('\0' + name[1:] if name[0] == '@' else name)
if name[0] != '@':
    os.chmod(name, 0o666)
out = open(sys.argv[2], 'w')
out.write('bound\n')
out.flush()
while True:
    out.write(s.recv(4096).decode().replace('\n', ' ') + '\n')
    out.flush()
END
noted() {
    [ "$(grep -c -e "$1" "$T/notes")" -ge "${2-1}" ]
}
for at in "$T/notify" "@smtprelay-test-$$"; do
    fresh "systemd hears of start, watchdog, reload and end at $(echo "$at" | sed 's/^@.*/an abstract socket/; s/^\/.*/a socket/')"
    rm -f "$T/notify" "$T/notes"
    python3 "$T/notes.py" "$at" "$T/notes" &
    receiver=$!
    wait_for 30 test -s "$T/notes" || fail "no receiver"
    launch env "NOTIFY_SOCKET=$at" WATCHDOG_USEC=600000 "$DAEMON" -C "$T/conf"
    wait_for 30 noted '^READY=1$' || fail "no READY=1"
    wait_for 30 noted '^WATCHDOG=1$' 3 || fail "no WATCHDOG=1"
    kill -HUP "$D"
    wait_for 30 noted '^RELOADING=1 MONOTONIC_USEC=[0-9]*$' || fail "no RELOADING=1"
    wait_for 30 noted '^READY=1$' 2 || fail "no READY=1 after the reload"
    kill -TERM "$D"
    await_end
    expect_rc 0
    wait_for 30 noted '^STOPPING=1$' || fail "no STOPPING=1"
    kill "$receiver"
    { wait "$receiver"; } 2>/dev/null
    end
done

# what systemd does: it listens, and executes with the descriptors
cat >"$T/activate.py" <<'END'
import os, socket, sys
fds = []
for path in sys.argv[1:3]:
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(5)
    fds.append(s)
held = [os.dup(s.fileno()) for s in fds]
for i in range(40):
    if i not in (0, 1, 2) and i not in held:
        try:
            os.close(i)
        except OSError:
            pass
moved = [os.dup2(h, 50 + i) for i, h in enumerate(held)]
for i, m in enumerate(moved):
    os.dup2(m, 3 + i)
os.environ.update(LISTEN_FDS=str(len(moved)), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[3], sys.argv[3:])
END
answers() {
    python3 - "$1" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
sys.exit(0 if s.recv(100)[:1] in (b'2', b'4') else 1)
END
}
fresh "sockets of systemd's are taken over, and left when it ends"
mkdir "$T/run"
launch python3 "$T/activate.py" "$SOCKET.ctl" "$SOCKET" "$DAEMON" -C "$T/conf"
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
answers "$SOCKET" || fail "nobody answers"
kill -TERM "$D"
await_end
expect_rc 0
[ -S "$SOCKET" ] && [ -S "$SOCKET.ctl" ] || fail "a socket is gone"
end

fresh "who listens, to a caller, is who started the daemon, whatever its process runs as"
start
python3 - "$SOCKET" "$(id -u)" <<'END' || fail "the caller sees somebody else"
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
pid, uid, gid = struct.unpack('3i', s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
sys.exit(uid != int(sys.argv[2]))
END
end
exit 0
