# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# A copy of this machine that is thrown away, to install things in.  Sourced by the scripts beside it, as root.
#
#   machine_alone "$0" "$@"   go on in namespaces of mounts and processes, so that nothing stays behind
#   machine_make DIR          sets ROOT: what is here, above it what is changed, with /proc, /dev/null and empty /run and /tmp;
#                             no mail program is in there
#   inside COMMAND...         run it in there

machine_alone() {
    [ "$(id -u)" -eq 0 ] || { echo "$1: needs root" >&2; exit 1; }
    [ -n "${MACHINE_ALONE-}" ] || MACHINE_ALONE=yes exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$@"
}

machine_make() {
    local name dirs="lowerdir=/,upperdir=$1/upper,workdir=$1/work"
    mkdir -p "$1" && mount -t tmpfs -o mode=755 tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/root" || return 1
    ROOT=$1/root
    mount -t overlay -o "$dirs" overlay "$ROOT" || return 1
    mount -t proc proc "$ROOT/proc" && mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp" && mount -t tmpfs -o mode=755 tmpfs "$ROOT/run" || return 1
    mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev" && mknod -m 666 "$ROOT/dev/null" c 1 3 && mknod -m 666 "$ROOT/dev/urandom" c 1 9 || return 1
    for name in usr/sbin/sendmail usr/lib/sendmail usr/bin/mailq usr/bin/newaliases etc/smtprelay.conf var/spool/smtprelay; do
        rm -rf "${ROOT:?}/$name"
    done
    rm -f "$ROOT"/usr/share/man/man[18]/{mailq,newaliases,sendmail}.[18]*
    sed -i '/^smtprelay/d' "$ROOT/etc/passwd" "$ROOT/etc/group" "$ROOT/etc/shadow" "$ROOT/etc/gshadow" 2>/dev/null
    return 0
}
machine_unmake() { # DIR
    umount -R -l "$1/root" 2>/dev/null
    umount -R -l "$1" 2>/dev/null
}
inside() { chroot "$ROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C "$@"; }
