# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# smtprelay installed in a root of its own, which is this machine's with a layer above it.  Sourced; needs root, D (a folder), src (the
# source) and CA (a file of postfix.sh).
#
#   build_and_install    makes $D/root with the programs, the users carol (4711) and smtprelay (4712)
#   as_carol COMMAND...  runs there as an ordinary user
#   root_umount

build_and_install() {
    mkdir -p "$D/build" "$D/up" "$D/work" "$D/root"
    mount -t tmpfs -o mode=755 tmpfs "$D/up" && mkdir "$D/up/u" "$D/up/w" || return 1
    mount -t overlay -o "lowerdir=/,upperdir=$D/up/u,workdir=$D/up/w" overlay "$D/root" || return 1
    mount --bind /dev "$D/root/dev" && mount -t proc proc "$D/root/proc" || return 1
    [ -x "$src/configure" ] || (cd "$src" && autoconf) || return 1
    (cd "$D/build" && "$src/configure" --prefix=/usr --sysconfdir=/etc --localstatedir=/var >configure.log 2>&1 &&
        make -s -j"$(nproc)" >make.log 2>&1 && make -s install DESTDIR="$D/root" >install.log 2>&1) ||
        { tail -n 20 "$D"/build/*.log; return 1; }
    # callers run as carol, the daemon as smtprelay
    grep -q '^smtprelay:' "$D/root/etc/passwd" || echo 'smtprelay:x:4712:4712::/nonexistent:/bin/false' >>"$D/root/etc/passwd"
    grep -q '^smtprelay:' "$D/root/etc/group" || echo 'smtprelay:x:4712:' >>"$D/root/etc/group"
    grep -q '^carol:' "$D/root/etc/passwd" || echo 'carol:x:4711:4711:Carol Caller,,,:/home/carol:/bin/sh' >>"$D/root/etc/passwd"
    grep -q '^carol:' "$D/root/etc/shadow" || echo 'carol:*:19000:0:99999:7:::' >>"$D/root/etc/shadow"
    mkdir -p "$D/root/home/carol" && chown 4711:4711 "$D/root/home/carol"
    cp "$CA" "$D/root/etc/interop-ca.pem"
}

as_carol() { chroot --userspec=4711:4711 "$D/root" env -i HOME=/home/carol PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }

# something may still be busy there; the machine's own /dev is mounted below it, so whoever removes $D stays in its file system
root_umount() {
    umount -R "$D/root" 2>/dev/null || umount -R -l "$D/root" 2>/dev/null
    umount "$D/up" 2>/dev/null || umount -l "$D/up" 2>/dev/null
}
