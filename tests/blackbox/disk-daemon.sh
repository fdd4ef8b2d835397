#!/bin/sh
# SPDX-License-Identifier: ISC
# The daemon on a disk that is full, has no inodes left or is read-only, and without descriptors or memory: exit 0 is kept, a
# refusal leaves nothing, and it takes mail again within seconds of the trouble's end, without anybody's help.
# shellcheck disable=SC2034 # lib.sh reads rc
if [ -z "${DISK_INSIDE-}" ] && [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
    # what is mounted here goes with this script
    DISK_INSIDE=yes exec unshare --mount --propagation private sh "$0"
fi
. "$(dirname "$0")/lib.sh"
[ -n "${DISK_INSIDE-}" ] || skip_all "not root, or no mount namespaces"
ROOT=$O/root-disk # the compiled-in paths of these programs lie below it
SENDMAIL=$ROOT/sbin/sendmail
DAEMON=$ROOT/sbin/smtprelayd
SMALL=$T/small LOG=$T/daemon.log
HOME=$T
export HOME
unset XDG_CONFIG_HOME NOTIFY_SOCKET WATCHDOG_USEC LISTEN_PID LISTEN_FDS
mkdir -p "$SMALL" "$ROOT/etc" "$ROOT/run"
chmod 711 "$T"
mount -t tmpfs -o size=64k tmpfs "$SMALL" 2>/dev/null || skip_all "no tmpfs can be mounted"
umount "$SMALL"
SANITIZED=false
case $(nm -D "$SENDMAIL" 2>/dev/null) in *__asan*) SANITIZED=true ;; esac
D='' N=0

trap 'daemon_stop; hub_stop' EXIT

# disk_case "sentence" MOUNT-OPTIONS [BEFORE...]: a daemon whose smarthost is down and whose queue is a small disk
disk_case() {
    begin "$1"
    : >"$T/accepted"
    ACCEPTED=0 REFUSED=0
    umount "$SMALL" 2>/dev/null
    mount -t tmpfs -o "mode=700,$2" tmpfs "$SMALL" || fail "no tmpfs with $2"
    shift 2
    hub_start - --tls none
    HUB_UP=$HUB_PORT HUB_PORT=1 # nobody listens there
    settings
    daemon_start "$@"
    [ -n "$D" ] || fail "the daemon did not start: $(cat "$LOG")"
}

serves_or_ends() { says 'serves at' || ! kill -0 "$D" 2>/dev/null; }
daemon_start() {
    : >"$LOG"
    rm -rf "$ROOT/run/smtprelay"
    "$@" "$DAEMON" >"$T/daemon.out" 2>"$LOG" &
    D=$!
    wait_for 30 serves_or_ends
    says 'serves at' || daemon_stop
}

settings() {
    conf UseTLS=false "QueueDir=$SMALL" User=nobody LogFile=- MinFree=0 RetryMin=1s RetryMax=2s
    cp "$T/conf" "$ROOT/etc/smtprelay.conf"
}

# hand_in BYTES [BEFORE...]: is it in the queue whole with exit 0, and not at all otherwise?
hand_in() {
    N=$((N + 1))
    before=$(queued)
    {
        printf 'From: Alice <alice@example.org>\nTo: bob@example.net\nSubject: letter %s.\n\n' "$N"
        head -c "$1" /dev/zero | tr '\0' 'x' | fold -w 70
        printf '\nend of letter %s.\n' "$N"
    } >"$MSG"
    timeout 60 "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
    if [ "$rc" -eq 0 ]; then
        ACCEPTED=$((ACCEPTED + 1))
        echo "$N" >>"$T/accepted"
        [ "$(queued)" -eq $((before + 1)) ] || fail "letter $N was accepted and is not in the queue"
    else
        REFUSED=$((REFUSED + 1))
        [ "$(queued)" -eq "$before" ] || fail "letter $N was refused with $rc and is in the queue"
        grep -q . "$T/err" || fail "refused with $rc without a word"
        [ "$rc" -eq 75 ] || fail "refused with $rc"
    fi
}
queued() { find "$SMALL/queue" -type f 2>/dev/null | wc -l; }
is_empty() { [ "$(queued)" -eq 0 ]; }
took() {
    hand_in 1000
    [ "$rc" -eq 0 ]
}

# The trouble is over
works_again() {
    wait_for 30 took || fail "it still takes no mail: $(cat "$T/err")"
}

# The smarthost comes back: all that was accepted is sent, each once and whole
disk_end() {
    [ "$ACCEPTED" -gt 0 ] || fail "nothing was accepted"
    [ "$REFUSED" -gt 0 ] || fail "nothing was refused"
    HUB_PORT=$HUB_UP
    settings
    kill -HUP "$D"
    wait_for 30 is_empty || fail "$(queued) messages still wait"
    expect_messages "$ACCEPTED"
    while read -r n; do
        [ "$(cat "$HUB_DIR"/*.msg | tr -d '\r' | grep -cx "end of letter $n\\.")" -eq 1 ] || fail "letter $n is not whole"
    done <"$T/accepted"
    for f in "$SMALL"/tmp/* "$SMALL"/corrupt/* "$SMALL"/failed/*; do [ ! -e "$f" ] || fail "$f is left"; done
    daemon_stop
    end || tail -n 12 "$LOG" | sed 's/^/    daemon: /'
}

# ---------------------------------------------------------------- the disk

disk_case "with any number of free pages the daemon takes a letter whole or refuses it, and takes mail again when there is room" size=4m
for bytes in 100 9000 100000; do
    pages=$((bytes / 4096))
    for spare in 0 1 2 3 4; do
        free=$(($(stat -f -c %f "$SMALL") - pages - spare + 2))
        head -c "$((free * 4096))" /dev/zero >"$SMALL/filler"
        hand_in "$bytes"
        rm "$SMALL/filler"
    done
    works_again
done
disk_end

disk_case "without inodes the daemon refuses, and takes mail again when there are some" size=4m,nr_inodes=20
n=0
while [ "$n" -lt 20 ]; do
    n=$((n + 1))
    hand_in 1000
done
mount -o remount,nr_inodes=1000 "$SMALL"
works_again
disk_end

disk_case "while the queue cannot be written the daemon refuses, and it takes mail again when it can" size=4m
hand_in 1000
chmod 500 "$SMALL/queue" # as good as a disk that was mounted read-only, which cannot be done to one in use
hand_in 1000
[ "$rc" -eq 75 ] || fail "exit code $rc"
chmod 700 "$SMALL/queue"
works_again
disk_end

begin "on a disk that is full an alert still goes out: 0 after the smarthost's 250, in any mode, and 75 without it"
umount "$SMALL" 2>/dev/null
mount -t tmpfs -o mode=700,size=4m tmpfs "$SMALL" || fail "no tmpfs"
hub_start - --tls none --port "$(free_port)"
settings
daemon_start
head -c 8000000 /dev/zero >"$SMALL/filler" 2>/dev/null
[ "$(stat -f -c %f "$SMALL")" -eq 0 ] || fail "the disk is not full"
letter "the disk is full"
for mode in -odi -odb -odq; do
    run "$SENDMAIL" "$mode" -i -f alice@example.org bob@example.net <"$MSG"
    expect_rc 0
done
expect_messages 3
big_letter 900 # as much as goes into memory
run "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG"
expect_rc 0
expect_messages 4
hub_stop
for mode in -odi -odb -odq; do
    run "$SENDMAIL" "$mode" -i -f alice@example.org bob@example.net <"$MSG"
    expect_rc 75
    expect_one_line
done
is_empty || fail "$(queued) are in the queue"
hub_start - --tls none --port "$HUB_PORT"
rm "$SMALL/filler"
takes() { # sent at once or later: the smarthost is there
    run "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG"
    [ "$rc" -eq 0 ]
}
wait_for 30 takes || fail "it takes no mail when there is room: $(cat "$T/err")"
wait_for 30 is_empty || fail "$(queued) wait"
expect_messages 1
daemon_stop
end || tail -n 12 "$LOG" | sed 's/^/    daemon: /'

# ---------------------------------------------------------------- descriptors and memory

# Clients that say nothing, COUNT of them, until hang_up
hold_on() {
    HELD=
    mkfifo "$T/fifo"
    for i in $(seq "$1"); do
        timeout 60 "$SENDMAIL" -bs <"$T/fifo" >"$T/held.$i" 2>&1 &
        HELD="$HELD $!"
    done
    exec 9>"$T/fifo"
}
hang_up() {
    exec 9>&-
    # shellcheck disable=SC2086
    wait $HELD
    rm -f "$T/fifo" "$T"/held.*
}

disk_case "with any number of descriptors the daemon takes a letter or refuses it, and takes mail again when there are more" size=4m
daemon_stop
for n in 8 10 12 14 16 17 18 19 20 22 24 26 28 30 32; do
    daemon_start prlimit --nofile="$n:$n"
    if [ -n "$D" ]; then
        hand_in 1000
        # without any for a caller it is 75 after ten seconds; once is enough
        grep -q 'no greeting' "$T/err" || hand_in 1200000
    fi
    daemon_stop
done
daemon_start prlimit --nofile=32:32
hold_on 24
hand_in 1000
hang_up
works_again
disk_end

begin "a queue that expires as a whole leaves the daemon its descriptors"
umount "$SMALL" 2>/dev/null
mount -t tmpfs -o mode=700,size=8m tmpfs "$SMALL" || fail "no tmpfs"
HUB_PORT=1
settings
conf UseTLS=false "QueueDir=$SMALL" User=nobody LogFile=- MinFree=0 RetryMin=1s RetryMax=1s QueueLifetime=5s
cp "$T/conf" "$ROOT/etc/smtprelay.conf"
daemon_start prlimit --nofile=100:100
i=0
while [ "$i" -lt 200 ]; do
    i=$((i + 1))
    printf 'Subject: %s\n\nhi\n' "$i" | "$SENDMAIL" -odb -i -f '<>' bob@example.net || fail "letter $i is not taken"
done
wait_for 60 is_empty || fail "$(queued) do not expire"
[ "$(find "$SMALL/failed" -type f | wc -l)" -eq 200 ] || fail "not all are kept"
says 'Too many open files' && fail "it has run out of descriptors"
daemon_stop
end || tail -n 12 "$LOG" | sed 's/^/    daemon: /'

if $SANITIZED; then
    echo "ok (skipped, a sanitizer needs all the memory) with any amount of memory the daemon takes a letter or refuses it"
    exit 0
fi
disk_case "with any amount of memory the daemon takes a letter or refuses it" size=16m
daemon_stop
# the last ones have memory enough, and no disk
for kb in $(seq 4608 256 8192) 10240 12288 16384 20480 30720 81920; do
    daemon_start prlimit --as="$((kb * 1024))"
    if [ -n "$D" ]; then
        hand_in 1000
        hand_in 1200000
    fi
    daemon_stop
done
daemon_start
works_again
disk_end
umount "$SMALL"
