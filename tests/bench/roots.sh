# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# A root folder for each program, and the hub it sends to.  Sourced by run.
#
#   root_make NAME     sets R: an overlay over / which holds only what is written there; R empty: we are not root
#   in_root CMD...     run a command there as root; as_caller CMD...: as the user who sends
#   processes          the process ids of all that run in R
#   root_clear         end those processes, forget the folder
#   missing REASON     the program at hand (P) cannot be measured, or a figure of it; said once below the table

missing() {
    grep -qxF -e "$P: $*" "$W/reasons" 2>/dev/null || echo "$P: $*" >>"$W/reasons"
    return 1
}

mount_overlay() {
    mkdir -p "$1/u" "$1/w" && chmod 755 "$1/u" &&
        mount -t overlay -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" overlay "$2" 2>/dev/null
}

# On the disk of the work folder, so that a sync costs what it costs; where that cannot be (it is an overlay itself), in memory
root_mount() {
    mkdir -p "$W/up" "$R" || return 1
    mount_overlay "$W/up" "$R" && return 0
    mount -t tmpfs -o mode=755 tmpfs "$W/up" || return 1
    mount_overlay "$W/up" "$R"
}

root_devices() {
    mount -t tmpfs -o mode=755 tmpfs "$R/dev" && mount -t proc proc "$R/proc" || return 1
    for d in null zero random urandom; do
        : >"$R/dev/$d"
        mount --bind "/dev/$d" "$R/dev/$d" || return 1
    done
}

user_add() { # NAME UID
    grep -q "^$1:" "$R/etc/passwd" || echo "$1:x:$2:$2:$1:/nonexistent:/bin/sh" >>"$R/etc/passwd"
    grep -q "^$1:" "$R/etc/group" || echo "$1:x:$2:" >>"$R/etc/group"
}

root_make() {
    R=
    cp "$MEASURE" "$W/"
    if [ "$(id -u)" -eq 0 ] && [ -n "${BENCH_INSIDE-}" ]; then
        R=$W/root
        root_mount && root_devices && root_furnish && return 0
        root_clear
        R=
    fi
    # ours can do without
    case $1 in smtprelay*) return 0 ;; esac
    missing "not measured: only root can give it a root folder of its own, where an overlay can be mounted"
}

root_furnish() {
    # the same modules for all: what this machine has more (systemd's, and libm with it) is none of theirs
    printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' >"$R/etc/nsswitch.conf"
    user_add carol $CALLER
    mkdir -p "$R/home/carol" "$R/bench" && chown $CALLER:$CALLER "$R/home/carol" && chmod 1777 "$R/bench"
    sed -i "s|^\(carol:.*\):/nonexistent:|\1:/home/carol:|" "$R/etc/passwd"
    cp "$MEASURE" "$W/message" "$R/bench/"
    echo client.example.org >"$R/etc/mailname"
}

CLEAN="env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/home/carol LANG=C"

# shellcheck disable=SC2086 # a list of words
in_root() { if [ -n "$R" ]; then chroot "$R" $CLEAN "$@"; else $CLEAN "HOME=$W" "$@"; fi; }

# shellcheck disable=SC2086
as_caller() {
    if [ -n "$R" ]; then chroot --userspec=$CALLER:$CALLER "$R" $CLEAN "$@"; else $CLEAN "HOME=$W" "$@"; fi
}

processes() {
    for p in /proc/[0-9]*; do
        if [ -n "$R" ]; then
            case $(readlink "$p/root" 2>/dev/null) in "$R" | "$R"/*) echo "${p#/proc/}" ;; esac
        else
            case $(readlink "$p/exe" 2>/dev/null) in "$O"/bench/*) echo "${p#/proc/}" ;; esac
        fi
    done
}

nobody_left() { [ -z "$(processes)" ]; }

root_clear() {
    [ -n "$R" ] || return 0
    for sig in TERM KILL; do
        # shellcheck disable=SC2046 # a list
        nobody_left || kill -$sig $(processes) 2>/dev/null
        wait_for 30 nobody_left && break
    done
    for m in dev/null dev/zero dev/random dev/urandom dev proc .; do umount "$R/$m" 2>/dev/null; done
    umount "$W/up" 2>/dev/null
    rm -rf --one-file-system "$W/up"
}

# ---------------------------------------------------------------- the hub

# hub_start [options of the hub]
hub_start() {
    HUB_DIR=$W/hub-$P
    rm -rf "$HUB_DIR"
    mkdir -p "$HUB_DIR"
    "$HUB" -d "$HUB_DIR" --max-time 1800s "$@" >"$HUB_DIR/port" 2>"$HUB_DIR/err" &
    hub_pid=$!
    if ! wait_for 30 test -s "$HUB_DIR/port"; then
        missing "not measured: the hub did not start: $(head -n 1 "$HUB_DIR/err")"
        return 1
    fi
    PORT=$(cat "$HUB_DIR/port")
}

hub_stop() {
    [ -n "$hub_pid" ] || return 0
    kill "$hub_pid" 2>/dev/null
    wait "$hub_pid" 2>/dev/null
    hub_pid=
}

arrived() {
    set -- "$HUB_DIR"/*.env
    if [ -e "$1" ]; then echo $#; else echo 0; fi
}

has_arrived() { [ "$(arrived)" -ge "$1" ]; }

# 2 kB, as much as cron or a monitor sends
write_message() {
    {
        printf 'From: Carol <carol@example.org>\nTo: bob@example.net\nSubject: the bench\n\n'
        awk 'BEGIN {for (i = 1; i <= 30; i++) printf "line %2d of a message of two kilobytes, as cron and monitors send them\n", i}'
    } >"$W/message"
}
