# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
# The image, built from Containerfile by buildah (in a chroot, without a registry: debian:12-slim is a Debian of debootstrap's) and run by
# runc, as the first lines of Containerfile say.  Sourced by tests/package/container with --engine.
. "$src/tests/package/debian.sh"
TREE=$D/base
end() {
    runc --root "$D/runc" delete --force image 2>/dev/null
    kill $HUB 2>/dev/null
    wait
    umount -l "$TREE/proc" 2>/dev/null
    rm -rf --one-file-system "$D"
}
HUB=''
image=localhost/smtprelay
by_buildah() { buildah --root "$D/storage" --runroot "$D/runroot" --storage-driver vfs "$@"; }
debian_image() {
    local c
    base_tree && umount "$TREE/proc" && c=$(by_buildah from scratch) && by_buildah add -q "$c" "$TREE" / >/dev/null &&
        by_buildah commit -q "$c" docker.io/library/debian:12-slim && by_buildah rm "$c"
}
build_image() {
    mkdir "$D/context" && git -C "$src" archive HEAD | tar -xf - -C "$D/context" || return 1
    (cd "$D/context" && by_buildah bud --format docker --isolation chroot --pull-never -f packaging/container/Containerfile -t $image . >"$D/bud.log" 2>&1) ||
        { tail -n 15 "$D/bud.log"; return 1; }
    ! grep -i warning "$D/bud.log"
}
unpack_image() {
    local c
    c=$(by_buildah from --pull-never $image) && MOUNTED=$(by_buildah mount "$c") && by_buildah inspect --type image $image >"$D/image.json"
}
small() { [ "$(du -sm "$MOUNTED" | cut -f 1)" -lt 12 ] || du -sm "$MOUNTED"; }
# what the image and the lines of Containerfile say, as runc wants it: its own process table and mounts, the network of here
bundle() {
    mkdir -p "$D/bundle" "$D/volume" "$D/secrets" && chmod 1777 "$D/volume" && echo 'a secret' >"$D/secrets/mail" && chmod 444 "$D/secrets/mail" || return 1
    install -m 644 "$D/certs/ca.pem" "$D/secrets/ca.pem"
    python3 - "$D" "$MOUNTED" "$(cat "$D/port")" <<'PYTHON'
import json
import sys

work, root, port = sys.argv[1:]
with open(work + "/image.json") as f:
    config = json.load(f)["Docker"]["config"]
health = config["Healthcheck"]["Test"]
assert health == ["CMD", "/usr/sbin/smtprelay", "status"], health
settings = {"MAILHUB": "127.0.0.1:" + port, "USETLS": "starttls", "AUTHUSER": "alice", "AUTHPASS_FILE": "/run/secrets/mail",
            "TLS_CA_FILE": "/run/secrets/ca.pem", "HOSTNAME": "client.example.org", "MINFREE": "1M", "LOGFILE": "-",
            "QUEUEDIR": "/var/spool/smtprelay/mail"}
bind = lambda source, to, how: {"destination": to, "type": "bind", "source": source, "options": ["bind", how]}
spec = {
    "ociVersion": "1.0.2",
    "process": {"user": {"uid": 23456, "gid": 23456}, "args": config["Entrypoint"], "cwd": "/", "noNewPrivileges": True, "capabilities": {},
                "env": config["Env"] + ["SMTPRELAY_%s=%s" % s for s in settings.items()]},
    "root": {"path": root, "readonly": True},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
               {"destination": "/run/smtprelay", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]},
               bind(work + "/secrets", "/run/secrets", "ro"), bind(work + "/volume", "/var/spool/smtprelay", "rw")],
    "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts")],
              "maskedPaths": ["/proc/kcore", "/proc/keys"], "readonlyPaths": ["/proc/sys"]},
}
with open(work + "/bundle/config.json", "w") as f:
    json.dump(spec, f)
PYTHON
}
by_runc() { runc --root "$D/runc" "$@"; }
healthy() { by_runc exec image /usr/sbin/smtprelay status >"$D/out" 2>&1; }
sends() {
    printf 'Subject: from the image\nTo: bob@example.net\n\nx\n' | by_runc exec image /usr/sbin/sendmail -i -t >"$D/out" 2>&1 || { cat "$D/out"; return 1; }
    wait_for 30 sh -c "grep -qs 'Subject: from the image' '$D'/hub/*.msg"
}
has_queue() { [ "$(stat -c %u:%a "$D/volume/mail/queue")" = 23456:700 ]; }
ends() {
    by_runc kill image TERM
    wait "$CONTAINER"
}

for program in buildah runc debootstrap; do command -v $program >/dev/null || give_up "$program is there" "run 'sh packaging/deps --engine'"; done
is "a Debian is an image" debian_image
is "Containerfile is built, without a warning" build_image
unpack_image && [ -x "$MOUNTED/usr/sbin/smtprelayd" ] || give_up "the image can be unpacked"
is "it is small" small
make -s -C "$src" O="$D/build" "$D/build/tests/hub/hub" >"$D/log" 2>&1 || give_up "a hub" "$(cat "$D/log")"
mkdir "$D/hub"
"$D/build/tests/hub/hub" --make-certs "$D/certs"
"$D/build/tests/hub/hub" -d "$D/hub" -c "$D/certs" -u alice -w 'a secret' --tls starttls --auth PLAIN --require-auth >"$D/port" 2>"$D/hub.err" &
HUB=$!
wait_for 30 test -s "$D/port"
is "the image says what runs, and how its health is asked for" bundle
by_runc run --bundle "$D/bundle" image >"$D/container.log" 2>&1 &
CONTAINER=$!
is "it runs as any uid, on a read-only root, and is healthy" wait_for 60 healthy
is "its sendmail sends" sends
is "its queue is in the new volume, and nobody else's" has_queue
if ends; then ok "SIGTERM ends it, with 0"; else bad "SIGTERM ends it, with 0" "exit $?: $(cat "$D/container.log")"; fi
tally
exit
