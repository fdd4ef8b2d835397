#!/bin/sh
# SPDX-License-Identifier: ISC
# The life of the daemon, seen from outside: how it starts, refuses to, is told something, ends, and who its processes are.
# shellcheck disable=SC2034 # lib.sh reads HUB_PORT and rc
. "$(dirname "$0")/lib.sh"

# shellcheck source=tests/blackbox/life
. "$TESTS/blackbox/life"

# It does not start: sets rc
refused() {
    timeout 60 "$DAEMON" -C "$T/conf" >"$T/out" 2>"$T/err"
    rc=$?
}

# the daemon's process below the helper $1
child_of() {
    for p in /proc/[0-9]*; do
        grep -q "^PPid:[[:space:]]*$1\$" "$p/status" || continue
        tr '\0' ' ' <"$p/cmdline" | grep -q -e '--serve' || continue
        echo "${p#/proc/}"
        return
    done 2>/dev/null
}
uids() {
    sed -n 's/^Uid:[[:space:]]*//p' "/proc/$1/status" | tr '\t' '\n' | sort -u
}

fresh "smtprelayd serves its socket and the one for control, which everybody may reach"
start
[ "$(stat -c '%F %a' "$SOCKET" 2>&1)" = "socket 666" ] || fail "the socket: $(stat -c '%F %a' "$SOCKET" 2>&1)"
[ "$(stat -c '%F %a' "$SOCKET.ctl" 2>&1)" = "socket 666" ] || fail "the control socket is not there"
[ "$(stat -c %a "$T/run")" = 755 ] || fail "their folder has mode $(stat -c %a "$T/run")"
[ "$(stat -c %a "$T/queue")" = 700 ] || fail "the queue has mode $(stat -c %a "$T/queue")"
end

fresh "only the process that was started stays root; the daemon's own is User's, with no other groups and no capability"
start
child=$(child_of "$D")
if [ -z "$child" ]; then
    fail "no daemon process"
elif $ROOT; then
    [ "$(uids "$child")" = "$(id -u nobody)" ] || fail "it runs as $(uids "$child")"
    [ "$(uids "$D")" = 0 ] || fail "the helper runs as $(uids "$D")"
    [ "$(stat -c %U "$T/queue")" = nobody ] || fail "the queue belongs to $(stat -c %U "$T/queue")"
    case " $(sed -n 's/^Groups:[[:space:]]*//p' "/proc/$child/status") " in *' 0 '*) fail "it is in root's group" ;; esac
    grep -q '^CapEff:[[:space:]]*0000000000000000$' "/proc/$child/status" || fail "it has capabilities"
else
    [ "$(uids "$child")" = "$(id -u)" ] || fail "it runs as $(uids "$child")"
fi
end

fresh "the daemon's process has neither the environment nor the descriptors of who started it"
exec 8<"$T/conf"
SMTPRELAY_AUTHPASS='a secret' start
child=$(child_of "$D")
exec 8<&-
if tr '\0' '\n' <"/proc/$child/environ" | grep -q SMTPRELAY; then fail "SMTPRELAY_* in its environment"; fi
for fd in "/proc/$child/fd"/*; do
    case $(readlink "$fd") in "$T/conf") fail "${fd##*/} is the configuration" ;; esac
done
end

fresh "a second smtprelayd is refused in one clear line, and the first goes on"
start
refused
expect_rc 75
expect_one_line
expect_err "another smtprelayd is running"
[ -S "$SOCKET" ] && [ -S "$SOCKET.ctl" ] || fail "the first one's sockets are gone"
kill -0 "$D" || fail "the first one is gone"
end

fresh "sockets that nobody listens on any more are replaced"
start
child=$(child_of "$D")
kill -9 "$D"
{ wait "$D"; } 2>/dev/null
D=
[ -S "$SOCKET" ] || fail "no stale socket"
wait_for 30 is_zombie_or_gone "$child" || fail "the daemon's process outlives its helper"
start
end

for signal in TERM INT; do
    fresh "SIG$signal ends it with 0, and its sockets and its process go with it"
    start
    child=$(child_of "$D")
    kill -s "$signal" "$D"
    await_end
    expect_rc 0
    [ ! -e "$SOCKET" ] && [ ! -e "$SOCKET.ctl" ] || fail "a socket is left"
    is_zombie_or_gone "$child" || fail "its process is left"
    end
done

fresh "a wrong configuration at SIGHUP is named in the log, and the old one stays"
start
echo 'Nonsense = 1;' >>"$T/conf"
kill -HUP "$D"
wait_for 30 says "the old configuration stays" || fail "nothing in the log"
says Nonsense || fail "the log does not name the setting"
life_conf Workers=2
kill -HUP "$D"
wait_for 30 says "configuration was read again" || fail "the right one is not read"
kill -TERM "$D"
await_end
expect_rc 0
end

fresh "what cannot change while it runs is said at SIGHUP, and stays"
start
life_conf "Socket=$T/run/other"
kill -HUP "$D"
wait_for 30 says "Socket: has changed" || fail "nothing in the log"
[ -S "$SOCKET" ] || fail "the socket is gone"
end

fresh "one of many that start at once serves, and the others say so"
start
child=$(child_of "$D")
kill -9 "$D"
{ wait "$D"; } 2>/dev/null
D=
wait_for 30 is_zombie_or_gone "$child" || fail "the daemon's process outlives its helper"
many=
for i in 1 2 3 4 5; do
    "$DAEMON" -C "$T/conf" >"$T/many.$i" 2>&1 &
    many="$many $!"
done
alone() {
    n=0
    for pid in $many; do is_zombie_or_gone "$pid" || n=$((n + 1)); done
    [ "$n" -eq 1 ] && [ "$(grep -lF "another smtprelayd is running" "$T"/many.* | wc -l)" -eq 4 ]
}
wait_for 30 alone || fail "$n of 5 go on"
for pid in $many; do
    is_zombie_or_gone "$pid" || kill -TERM "$pid"
    { wait "$pid"; } 2>/dev/null
done
[ ! -e "$SOCKET" ] || fail "the socket is left: it was of one that had lost"
end

fresh "a daemon's process that hangs is killed at the second SIGTERM"
start
child=$(child_of "$D")
kill -STOP "$child"
kill -TERM "$D"
wait_for 30 says "smtprelayd ends" || fail "the first is not heard"
kill -TERM "$D"
await_end
expect_rc 0
is_zombie_or_gone "$child" || fail "it is left"
end

fresh "both processes write to LogFile, wherever it is, and to a new one after SIGHUP"
mkdir -p "$T/log"
rm -f "$T/log"/*
life_conf TLSVerify=false "LogFile=$T/log/file"
start
child=$(child_of "$D")
in_log() {
    grep -q "\[$2\]: .*TLSVerify" "$1" 2>/dev/null
}
wait_for 30 in_log "$T/log/file" "$D" || fail "nothing of the helper's"
wait_for 30 in_log "$T/log/file" "$child" || fail "nothing of the daemon's process"
mv "$T/log/file" "$T/log/old"
kill -HUP "$D"
wait_for 30 in_log "$T/log/file" "$child" || fail "nothing in the new one"
end

has_other_child() {
    now=$(child_of "$D")
    [ -n "$now" ] && [ "$now" != "$child" ]
}
fresh "a daemon's process that does not read for a while has the newest configuration afterwards"
start
child=$(child_of "$D")
kill -STOP "$child"
reread() {
    [ "$(grep -c "configuration was read again" "$LOG")" -ge "$1" ]
}
i=0
while [ "$i" -lt 150 ] && kill -HUP "$D"; do
    i=$((i + 1))
    reread "$i" || wait_for 30 reread "$i" || break
done
rm -rf "$T/log"
mkdir "$T/log"
life_conf TLSVerify=false "LogFile=$T/log/file"
kill -HUP "$D"
wait_for 30 in_log "$T/log/file" "$D" || fail "the helper has it not"
in_log "$T/log/file" "$child" && fail "it read"
kill -CONT "$child"
wait_for 30 in_log "$T/log/file" "$child" || fail "it never got it"
kill -0 "$child" || fail "it was killed"
end

fresh "the daemon's process is started again when it is killed, on the same sockets"
start
child=$(child_of "$D")
inode=$(stat -c %i "$SOCKET")
kill -9 "$child"
wait_for 30 has_other_child || fail "it is not started again"
says "ended by signal 9" || fail "the log does not say so"
[ "$(stat -c %i "$SOCKET")" = "$inode" ] || fail "the socket is another"
end

fresh "after an update the daemon's process is that of its helper still, until both are started again"
cp "$DAEMON" "$T/before"
launch "$T/before" -C "$T/conf"
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
child=$(child_of "$D")
rm "$T/before"
kill -9 "$child"
wait_for 30 has_other_child || fail "it is not started again"
# where emulated, its name is the emulator's
case $(readlink "/proc/$(child_of "$D")/exe") in "$T/before (deleted)" | *qemu* | *binfmt*) ;; *) fail "it is $(readlink "/proc/$(child_of "$D")/exe")" ;; esac
end

fresh "a daemon that cannot serve any more is started again, later each time, and says why; SIGTERM ends that"
start
child=$(child_of "$D")
mv "$T/queue" "$T/queue-away"
kill -9 "$child"
why_twice() {
    grep -q "queue $T/queue: .*; it is started again in 2 s" "$LOG" &&
        grep -q "queue $T/queue: .*; it is started again in 4 s" "$LOG"
}
wait_for 30 why_twice || fail "the log does not say why: $(tail -n 2 "$LOG")"
mv "$T/queue-away" "$T/queue"
wait_for 30 has_other_child || fail "it is not started again"
child=$(child_of "$D")
serves_again() {
    [ "$(grep -c "serves at" "$LOG")" -eq 2 ]
}
wait_for 30 serves_again || fail "it does not serve again"
mv "$T/queue" "$T/queue-away"
kill -9 "$child"
waits_on() { grep -q 'ended by signal 9; it is started again in \(8\|[1-9][0-9]\) s' "$LOG"; }
wait_for 30 waits_on || fail "the wait begins anew: $(tail -n 2 "$LOG")"
kill -TERM "$D"
await_end
expect_rc 0
end
rm -rf "$T/queue-away"

# its helper is slow: the daemon's process has looked at its queue before it has been told everything
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null && ! nm -D "$DAEMON" 2>/dev/null | grep -q __asan; then
    fresh "why a daemon cannot serve any more is said, however early its process has ended"
    launch strace -o "$T/strace" -e trace=sendmsg -e inject=sendmsg:delay_enter=300000 "$DAEMON" -C "$T/conf"
    wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
    helper=$(tr -d ' ' <"/proc/$D/task/$D/children")
    mv "$T/queue" "$T/queue-away"
    kill -9 "$(child_of "$helper")"
    wait_for 30 says "; it is started again in 2 s" || fail "it is not tried again"
    grep -q "queue $T/queue: .*; it is started again in 2 s" "$LOG" || fail "the log does not say why: $(tail -n 1 "$LOG")"
    kill -TERM "$helper"
    await_end
    end
    rm -rf "$T/queue-away"
fi

fresh "a configuration that is wrong at the start is its exit code and one line"
echo 'Nonsense = 1;' >>"$T/conf"
refused
expect_rc 78
expect_one_line
expect_err Nonsense
[ ! -e "$SOCKET" ] || fail "there is a socket"
end

if $ROOT; then
    fresh "a User that does not exist is wrong configuration for root"
    life_conf User=nobody-of-that-name
    refused
    expect_rc 78
    expect_one_line
    expect_err "there is no user nobody-of-that-name"
    end

    fresh "a User may be a number without a name"
    life_conf 'User="64213"'
    start
    child=$(child_of "$D")
    [ "$(uids "$child")" = 64213 ] || fail "it runs as $(uids "$child")"
    end

    fresh "root without the right to change users stays what it is, and so does all it starts"
    rm -rf "$T/queue"
    launch setpriv --bounding-set=-setuid,-setgid --inh-caps=-setuid,-setgid "$DAEMON" -C "$T/conf"
    wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
    child=$(child_of "$D")
    [ "$(uids "$child")" = 0 ] || fail "it runs as $(uids "$child")"
    [ "$(stat -c %U "$T/queue")" = root ] || fail "the queue is another's"
    end

    fresh "a queue with mail of another user's is refused, and an empty one of root's handed over"
    mkdir "$T/queue"
    chmod 755 "$T/queue"
    start
    [ "$(stat -c '%U %a' "$T/queue")" = "nobody 700" ] || fail "an empty one is $(stat -c '%U %a' "$T/queue")"
    daemon_kill
    chown 64213 "$T/queue"
    refused
    expect_rc 78
    expect_one_line
    expect_err "belongs to user 64213"
    end

    # the folder that QueueDir is in may be the User's own
    fresh "a link in the queue's place makes no folder of root's the User's"
    mkdir "$T/roots"
    ln -s "$T/roots" "$T/queue"
    refused
    expect_rc 78
    expect_one_line
    expect_err "$T/queue: a link to a folder"
    [ "$(stat -c %U "$T/roots")" = root ] || fail "it belongs to $(stat -c %U "$T/roots")"
    chown nobody "$T/roots"
    chmod 700 "$T/roots"
    start
    end
    rm -f "$T/queue"

    # likewise that of LogFile, where root opens it
    fresh "another name of a file of root's is no LogFile"
    mkdir -p "$T/log"
    echo "what is root's" >"$T/roots/file"
    ln "$T/roots/file" "$T/log/other"
    life_conf TLSVerify=false "LogFile=$T/log/other"
    launch "$DAEMON" -C "$T/conf"
    wait_for 30 test -S "$SOCKET.ctl" || fail "it does not serve"
    daemon_kill
    [ "$(cat "$T/roots/file")" = "what is root's" ] || fail "it was written to: $(cat "$T/roots/file")"
    end
fi

fresh "what is no socket at the socket's place is left alone"
mkdir "$T/run"
: >"$SOCKET"
refused
expect_rc 78
expect_one_line
[ -f "$SOCKET" ] || fail "it is gone"
end

# These programs have a root of their own, where their compiled-in socket lies
LIFE=$O/root-life
mkdir -p "$LIFE/etc"
# The configuration as the system's, for the programs of that root
system_conf() {
    life_conf
    rm -rf "$LIFE/run"
    mv "$T/conf" "$LIFE/etc/smtprelay.conf"
}
is_there() {
    [ -S "$1" ] && [ -S "$1.ctl" ]
}

fresh "Socket in the system's file is one more than the one that sendmail tries"
system_conf
launch "$LIFE/sbin/smtprelayd"
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
is_there "$LIFE/run/smtprelay/socket" || fail "nobody is where sendmail tries"
is_there "$SOCKET" || fail "nobody is at Socket"
kill -TERM "$D"
await_end
expect_rc 0
[ ! -e "$LIFE/run/smtprelay/socket" ] && [ ! -e "$SOCKET.ctl" ] || fail "a socket is left"
end

begin "a caller who comes while the daemon's process is started again waits for it and is served"
hub_start - --tls none
rm -rf "$T/queue" "$LOG"
system_conf
letter
launch "$LIFE/sbin/smtprelayd"
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
kill -9 "$(child_of "$D")"
timeout 60 "$LIFE/sbin/sendmail" -f alice@example.org -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_one_line
expect_messages 1
says "sent" || fail "it was not the daemon that sent it"
end

begin "status tells a daemon that was killed from one that was stopped or never began"
run "$LIFE/sbin/smtprelay" status
expect_rc 0
child=$(child_of "$D")
daemon_kill
wait_for 30 is_zombie_or_gone "$child" || fail "its child lives"
run "$LIFE/sbin/smtprelay" status
expect_rc 2
expect_out 'smtprelayd: not running, and it left its socket behind'
launch "$LIFE/sbin/smtprelayd"
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
kill "$D"
{ wait "$D"; } 2>/dev/null
D=
run "$LIFE/sbin/smtprelay" status
expect_rc 0
expect_out 'smtprelayd: not running; sendmail delivers by itself'
end
HUB_PORT=2525

if $ROOT; then
    begin "check tells root which files a service that is started as User may not read"
    printf 'secret\n' >"$T/life.secret"
    chmod 600 "$T/life.secret"
    life_conf AuthUser=zoe "AuthPassFile=$T/life.secret" AllowPlaintextAuth=true
    mv "$T/conf" "$LIFE/etc/smtprelay.conf"
    chmod 600 "$LIFE/etc/smtprelay.conf"
    for file in "$LIFE/etc/smtprelay.conf" "$T/life.secret"; do
        run "$LIFE/sbin/smtprelay" check
        expect_rc 0
        expect_err "$file: a service that is started as nobody, as systemd's is, may not read it: chgrp nobody, chmod 640"
        chgrp "$(id -g nobody)" "$file"
        chmod 640 "$file"
    done
    run "$LIFE/sbin/smtprelay" check
    ! grep -q 'may not read' "$T/err" || fail "it still warns: $(cat "$T/err")"
    end
fi

begin "what smtprelayd does not understand is wrong usage"
for wrong in --serve --nonsense 'an argument' -C; do
    timeout 60 "$DAEMON" "$wrong" >"$T/out" 2>"$T/err" </dev/null 3<&-
    rc=$?
    expect_rc 64
done
end

fresh "settings come from the environment too, but not with -C"
system_conf
launch env "SMTPRELAY_SOCKET=$T/run/from-environment" "$LIFE/sbin/smtprelayd"
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
is_there "$T/run/from-environment" || fail "nobody is where the environment says"
is_there "$SOCKET" && fail "the file's is there, too"
daemon_kill
life_conf
rm -rf "$T/run" "$LIFE/run"
: >"$LOG"
launch env "SMTPRELAY_SOCKET=$T/run/from-environment" "$LIFE/sbin/smtprelayd" -C "$T/conf"
wait_for 30 says "serves at" || fail "it did not start: $(cat "$LOG")"
is_there "$SOCKET" || fail "nobody is where the file says"
[ ! -e "$T/run/from-environment" ] || fail "the environment counted with -C"
[ ! -e "$LIFE/run/smtprelay/socket" ] || fail "with -C it is where sendmail tries, too"
end
exit 0
