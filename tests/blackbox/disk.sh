#!/bin/sh
# SPDX-License-Identifier: ISC
# A disk that is full, has no inodes left or is read-only, and a process without descriptors or memory: whatever is answered with
# exit 0 is in the queue whole and is delivered; whatever is not, is not there. Never half a message.
if [ -z "${DISK_INSIDE-}" ] && [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
    # what is mounted here goes with this script
    DISK_INSIDE=yes exec unshare --mount --propagation private sh "$0"
fi
. "$(dirname "$0")/lib.sh"
[ -n "${DISK_INSIDE-}" ] || skip_all "not root, or no mount namespaces"
SMALL=$T/small KEPT=$T/kept
mkdir -p "$SMALL" "$KEPT"
mount -t tmpfs -o size=64k tmpfs "$SMALL" 2>/dev/null || skip_all "no tmpfs can be mounted"
umount "$SMALL"
SANITIZED=false
case $(nm -D "$SENDMAIL" 2>/dev/null) in *__asan*) SANITIZED=true ;; esac
N=0

# disk OPTIONS: a fresh small disk as the queue
disk() {
    umount "$SMALL" 2>/dev/null
    mount -t tmpfs -o "mode=700,$1" tmpfs "$SMALL" || fail "no tmpfs with $1"
}

# letter_of BYTES: about so many; its last line says that it is the end
letter_of() {
    N=$((N + 1))
    rm -f "$MSG" # a call that was killed may live a moment longer: it must not read this one
    {
        printf 'From: Alice <alice@example.org>\nTo: bob@example.net\nSubject: letter %s.\n\n' "$N"
        head -c "$1" /dev/zero | tr '\0' 'x' | fold -w 70
        printf '\nend of letter %s.\n' "$N"
    } >"$MSG"
}

# The smarthost is down, so the letter has to wait: is it there whole with exit 0, and not at all otherwise?
hand_in() {
    "$@" "$SENDMAIL" -C "$T/conf" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
    set -- "$SMALL"/queue/*
    [ -e "$1" ] || set --
    if [ "$rc" -eq 0 ]; then
        ACCEPTED=$((ACCEPTED + 1))
        [ $# -eq 1 ] || fail "letter $N was accepted and is not in the queue"
        [ $# -eq 0 ] || cp "$@" "$KEPT"/
        echo "$N" >>"$T/accepted"
    else
        REFUSED=$((REFUSED + 1))
        [ $# -eq 0 ] || fail "letter $N was refused with $rc and is in the queue"
        grep -q . "$T/err" || fail "refused with $rc without a word"
    fi
    for f in "$SMALL"/tmp/* "$SMALL"/corrupt/*; do [ ! -e "$f" ] || fail "$f is left"; done
    rm -f "$SMALL"/queue/*
}

# As well some were accepted as some were not: else this has tried nothing
begin_with() {
    begin "$1"
    rm -rf "$KEPT" "$T/accepted"
    mkdir "$KEPT"
    : >"$T/accepted"
    ACCEPTED=0 REFUSED=0
    hub_start greet-421
    conf_tls false '' "QueueDir=$SMALL" MinFree=0
}

# All that was accepted is sent, each once and whole
end_with() {
    [ "$ACCEPTED" -gt 0 ] || fail "nothing was accepted"
    [ "$REFUSED" -gt 0 ] || fail "nothing was refused"
    hub_start -
    rm -rf "$T/large"
    mkdir -m 700 "$T/large" "$T/large/queue"
    cp "$KEPT"/* "$T/large/queue/" 2>/dev/null
    conf_tls false '' "QueueDir=$T/large"
    timeout 60 "$SENDMAIL" -C "$T/conf" -q || fail "the run ends with $?"
    expect_messages "$ACCEPTED"
    while read -r n; do
        [ "$(cat "$HUB_DIR"/*.msg | tr -d '\r' | grep -cx "end of letter $n\\.")" -eq 1 ] || fail "letter $n is not whole"
    done <"$T/accepted"
    end
}

# ---------------------------------------------------------------- room

begin_with "on a disk with any number of free pages a letter is taken whole or refused"
for bytes in 100 3000 9000 40000 200000; do
    pages=$((bytes / 4096))
    for spare in 0 1 2 3 4 6; do
        disk size=2m
        letter_of 100
        hand_in # makes the folders
        free=$(($(stat -f -c %f "$SMALL") - pages - spare + 2))
        head -c "$((free * 4096))" /dev/zero >"$SMALL/filler"
        letter_of "$bytes"
        hand_in
    done
done
end_with

begin_with "a disk with any number of free pages becomes a queue or not, and is one as soon as there is room"
for pages in 1 2 3 4 5; do
    disk "size=$((pages * 4))k"
    letter_of 1000
    hand_in
    mount -o remount,size=2m "$SMALL" || fail "no remount"
    letter_of 1000
    hand_in
    [ "$rc" -eq 0 ] || fail "there is room again, but $rc: $(cat "$T/err")"
done
end_with

begin "where the disk has no room for the folders of a queue, the line names that and the smarthost's trouble"
hub_start greet-421
conf_tls false '' "QueueDir=$SMALL" MinFree=0
disk size=2m,nr_inodes=2
letter_of 1000
send -i -f alice@example.org bob@example.net
expect_rc 75
expect_one_line
expect_err "127.0.0.1:$HUB_PORT: greeting: 421"
expect_err "; it cannot wait here: queue $SMALL: its folders: No space left on device"
end

begin "a queue that is not there, or not the caller's, is none, and no line speaks of it"
hub_start greet-421
for dir in "$T/missing" "$T/closed"; do
    [ "$dir" = "$T/missing" ] || mkdir -m 700 "$dir"
    conf_tls false '' "QueueDir=$dir"
    chmod 644 "$T/conf"
    chmod 755 "$T"
    run_as 65534 "$SENDMAIL" -C "$T/conf" -i -f alice@example.org bob@example.net <"$MSG"
    expect_rc 75
    expect_not_err "queue"
done
end

begin_with "on a disk with any number of inodes a letter is taken whole or refused"
for inodes in 2 3 4 5 6 7 8 9 10; do
    disk "size=2m,nr_inodes=$inodes"
    letter_of 1000
    hand_in
    mount -o remount,nr_inodes=100 "$SMALL" || fail "no remount"
    letter_of 1000
    hand_in
    [ "$rc" -eq 0 ] || fail "there are inodes again, but $rc: $(cat "$T/err")"
done
end_with

begin_with "on a read-only disk letters are refused and the queue is still shown"
disk size=2m
letter_of 1000
hand_in
mount -o remount,ro "$SMALL"
letter_of 1000
hand_in
[ "$rc" -eq 75 ] || fail "exit code $rc"
timeout 60 "$SENDMAIL" -C "$T/conf" -bp >"$T/mailq" || fail "mailq ends with $?"
mount -o remount,rw "$SMALL"
letter_of 1000
hand_in
[ "$rc" -eq 0 ] || fail "it can be written again, but $rc"
end_with

begin "what cannot be queued for want of room is delivered at once or refused"
hub_start -
conf_tls false '' "QueueDir=$SMALL" MinFree=0
disk size=40k
head -c 100000 /dev/zero 2>/dev/null >"$SMALL/filler"
for mode in -odq -odb -odi; do
    letter_of 1000
    before=$(count_messages)
    send -i "$mode" -f alice@example.org bob@example.net
    for f in "$SMALL"/queue/*; do [ ! -e "$f" ] || fail "it is in the queue"; done
    if [ "$rc" -eq 0 ]; then expect_messages $((before + 1)); else expect_messages "$before"; fi
done
end

begin_with "a large letter needs room in QueueDir alone, not in the folder of temporary files"
disk size=2m
mkdir "$T/temp"
mount -t tmpfs -o size=1m tmpfs "$T/temp" || fail "no tmpfs"
for kb in 900 1000 1100 1200; do
    letter_of "${kb}000"
    hand_in env TMPDIR="$T/temp"
done
umount "$T/temp"
end_with

# ---------------------------------------------------------------- no /proc, thus drafts with names

# a sanitized program cannot do without /proc
if ! nm -D "$SENDMAIL" 2>/dev/null | grep -q __asan; then
begin "where drafts have names a call that is killed has queued its letter whole or not at all, and one run cleans up"
hub_start -
rm -rf "$T/named"
mkdir -m 700 "$T/named"
conf_tls false '' "QueueDir=$T/named" MinFree=0
mount -t tmpfs tmpfs /proc || fail "no tmpfs at /proc"
: >"$T/accepted"
i=0 left=0
while [ "$i" -lt 60 ]; do
    i=$((i + 1))
    letter_of 200000
    # a file of its own: one that the kill came too early for may still be reading when the next letter is written
    mv "$MSG" "$T/letter-$i"
    # the end of a process namespace is the end of all in it
    unshare --pid --fork --kill-child "$SENDMAIL" -C "$T/conf" -odq -i -f alice@example.org bob@example.net <"$T/letter-$i" >/dev/null 2>&1 &
    caller=$!
    sleep "0.0$(printf '%02d' $((i * 7 % 37)))"
    [ $((i % 5)) -eq 0 ] || kill -KILL "$caller" 2>/dev/null
    wait "$caller" 2>/dev/null && echo "$N" >>"$T/accepted"
done
for f in "$T"/named/tmp/*; do [ ! -e "$f" ] || left=$((left + 1)); done
[ "$(wc -l <"$T/accepted")" -ge 12 ] || fail "not all that were let live have ended with 0"
timeout 60 "$SENDMAIL" -C "$T/conf" -q || fail "the run ends with $?"
umount /proc
for f in "$T"/named/queue/* "$T"/named/tmp/* "$T"/named/corrupt/*; do [ ! -e "$f" ] || fail "$f is left (there were $left drafts)"; done
while read -r n; do
    [ "$(cat "$HUB_DIR"/*.msg | tr -d '\r' | grep -cx "end of letter $n\\.")" -eq 1 ] || fail "letter $n is not whole"
done <"$T/accepted"
for m in "$HUB_DIR"/*.msg; do
    tr -d '\r' <"$m" | tail -n 1 | grep -qx 'end of letter [0-9]*\.' || fail "$m is cut off"
done
expect_manners
end
fi

# ---------------------------------------------------------------- descriptors and memory

begin_with "with any number of descriptors a letter is taken whole or refused"
disk size=2m
n=3
while [ "$n" -le 32 ]; do
    letter_of 1000
    hand_in prlimit --nofile="$n:$n"
    n=$((n + 1))
done
end_with

if $SANITIZED; then
    echo "ok (skipped, a sanitizer needs all the memory) with any amount of memory a letter is taken whole or refused"
    exit 0
fi
begin_with "with any amount of memory a letter is taken whole or refused"
disk size=8m
mb=1
while [ "$mb" -le 24 ]; do
    for bytes in 1000 1200000; do
        letter_of "$bytes"
        hand_in prlimit --as="$((mb * 1048576))"
    done
    mb=$((mb + 1))
done
end_with
umount "$SMALL"
