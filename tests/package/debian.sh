# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
# Debian's package and a Debian of its own to try it in.  Sourced; needs root, a mirror of Debian, src (the source), D (a folder) and
# TREE (a folder to be).  What takes time to make is kept for the next script in PACKAGE_CACHE, else in build/package of the source.
#
#   build FOLDER [COMMAND...]  builds the package from the committed state into $D/FOLDER; COMMAND... runs what is appended to it
#   built FOLDER             the same, or what an earlier script built of this commit
#   base_tree PACKAGE...     makes $TREE; packages are only of those that debootstrap's minbase and the mirror have
#   inside COMMAND...        runs there

CACHE=${PACKAGE_CACHE:-$src/build/package}
MIRROR=${MIRROR:-http://deb.debian.org/debian}

# in a folder of its own
build() {
    local folder=$1
    shift
    git -C "$src" archive --prefix="source-of-$folder/" HEAD | tar -xf - -C "$D" || return 1
    (
        cd "$D/source-of-$folder" || exit 1
        # `make dist` asks git; the packages name the release that is to be
        "$@" git init -q . && "$@" git add -A && "$@" git -c user.name=test -c user.email=test@example.org commit -qm source &&
            "$@" git tag "v$(sh packaging/version --next)" || exit 1
        DEB_BUILD_OPTIONS=nocheck "$@" make -s deb
    ) >"$D/build.log" 2>&1 || { tail -n 20 "$D/build.log"; return 1; }
    mv "$D/source-of-$folder/build/deb" "$D/$folder" && rm -rf "$D/source-of-$folder"
}
keep_built() { # FOLDER
    mkdir -p "$CACHE" && rm -rf "$CACHE/deb" && cp -R "$D/$1" "$CACHE/deb" && git -C "$src" rev-parse HEAD >"$CACHE/deb/commit"
}
built() {
    if [ "$(cat "$CACHE/deb/commit" 2>/dev/null)" = "$(git -C "$src" rev-parse HEAD)" ]; then
        cp -R "$CACHE/deb" "$D/$1"
    else
        build "$1" && keep_built "$1"
    fi
}

inside() { chroot "$TREE" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
base_tree() {
    if [ ! -e "$CACHE/base.tar" ]; then
        debootstrap --variant=minbase bookworm "$D/base" "$MIRROR" >"$D/debootstrap.log" 2>&1 ||
            { tail -n 5 "$D/debootstrap.log"; return 1; }
        mkdir -p "$CACHE" && tar -cf "$CACHE/base.tar.new" -C "$D/base" . && mv "$CACHE/base.tar.new" "$CACHE/base.tar" || return 1
        rm -rf --one-file-system "$D/base"
    fi
    mkdir -p "$TREE" && tar -xpf "$CACHE/base.tar" -C "$TREE" || return 1
    # what the machine outside knows of how to reach the mirror; no service starts here; the tree need not survive a power cut
    cp -a /etc/apt/apt.conf.d/. "$TREE/etc/apt/apt.conf.d/"
    printf '#!/bin/sh\nexit 101\n' >"$TREE/usr/sbin/policy-rc.d"
    chmod 755 "$TREE/usr/sbin/policy-rc.d"
    echo force-unsafe-io >"$TREE/etc/dpkg/dpkg.cfg.d/unsafe"
    mount -t proc proc "$TREE/proc" && inside apt-get update -qq || return 1
    # shellcheck disable=SC2086 # a list of names
    [ $# -eq 0 ] || inside apt-get install -y -qq --no-install-recommends "$@" >"$D/install.log" 2>&1 || { tail -n 8 "$D/install.log"; return 1; }
}
