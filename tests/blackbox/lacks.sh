#!/bin/sh
# SPDX-License-Identifier: ISC
# Kernels, containers and file systems that lack something (tests/lacks.c): mail goes, the queue keeps its promise, and the log
# and status say which defence is missing.
# shellcheck disable=SC2034 # lib.sh reads some
if [ -z "${LACKS_INSIDE-}" ] && [ "$(id -u)" -eq 0 ] && unshare --mount true 2>/dev/null; then
    # what is mounted here goes with this script
    LACKS_INSIDE=yes exec unshare --mount --propagation private sh "$0"
fi
. "$(dirname "$0")/lib.sh"

LACKS=$O/tests/lacks
[ -x "$LACKS" ] || skip_all "tests/lacks was not built"
"$LACKS" memfd -- true 2>/dev/null || skip_all "no seccomp filter here"
ROOT=$O/root-lacks # the compiled-in paths of these programs lie below it
daemon_stage
PLAIN_SENDMAIL=$SENDMAIL PLAIN_DAEMON=$DAEMON
SANITIZED=false
case $(nm -D "$SENDMAIL" 2>/dev/null) in *__asan*) SANITIZED=true ;; esac

# without NAME,NAME...: sendmail, and the daemon with all it starts, run as where these are missing
without() {
    for program in sendmail daemon; do
        case $program in sendmail) path=$PLAIN_SENDMAIL ;; *) path=$PLAIN_DAEMON ;; esac
        printf '#!/bin/sh\nexec "%s" "%s" -- "%s" "$@"\n' "$LACKS" "$1" "$path" >"$T/$program"
        chmod 755 "$T/$program"
    done
    SENDMAIL=$T/sendmail DAEMON=$T/daemon
}
with_all() { SENDMAIL=$PLAIN_SENDMAIL DAEMON=$PLAIN_DAEMON; }
queued() { find "$QUEUE/queue" -type f 2>/dev/null | wc -l; }
is_empty() { [ "$(queued)" -eq 0 ]; }
drafts() { find "$QUEUE/tmp" -type f 2>/dev/null | wc -l; }
send() {
    timeout -k 1 60 "$SENDMAIL" "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

# At once, and through the queue, small and large, whole each time
mail_goes() {
    letter
    send -i bob@example.net
    expect_rc 0
    expect_messages 1
    send -odq -i carol@example.net
    expect_rc 0
    [ "$(queued)" -ge 1 ] || fail "nothing in the queue"
    big_letter 1500
    send -odb -i dave@example.net
    expect_rc 0
    "$ROOT/sbin/sendmail" -q >"$T/out" 2>"$T/err" || fail "-q ends with $?"
    wait_for 30 is_empty || fail "$(queued) messages stay in the queue"
    expect_messages 3
    [ "$(drafts)" -eq 0 ] || fail "$(drafts) drafts are left"
    for m in "$HUB_DIR"/*.msg; do
        tail -n 1 "$m" | grep -qE 'two dots|no\. 1' || fail "$m is cut off"
    done
    expect_manners
    letter
}
# says_once TEXT STATUS-TEXT: in the log, and to whoever asks
says_once() {
    [ "$(grep -cF 'this system has not all' "$LOG")" -eq 1 ] || fail "the log does not say it once"
    says "$1" || fail "the log does not say '$1'"
    shows "$1" "$ADMIN" status
    does_show '"unprotected"' "$ADMIN" status --json || fail "not in the JSON"
}

# lacking "sentence" NAMES
lacking() {
    without "$2"
    a_daemon "$1" -
}

# What this machine has is what the others are measured by
a_daemon "where nothing is missing nothing is said" -
mail_goes
case $(uname -m)-$(getconf LONG_BIT) in
x86_64-64 | aarch64-64)
    # Landlock itself may be missing here
    if says 'seccomp'; then fail "seccomp is said to be missing"; fi
    ;;
esac
finish

lacking "without Landlock mail goes, and log and status say once what is missing" landlock
mail_goes
says_once 'no Landlock'
run "$ADMIN" status
[ "$rc" -eq 0 ] || fail "status ends with $rc for it"
finish

lacking "without Landlock and seccomp mail goes, and both are named" landlock,seccomp
mail_goes
says_once 'no Landlock'
says 'no seccomp' || fail "seccomp is not named"
finish

lacking "without memfd_create mail goes, and it is told that settings are not sealed" memfd
mail_goes
says_once 'no sealed memory files'
finish

lacking "where memory files cannot be sealed mail goes" sealing
mail_goes
says_once 'no sealed memory files'
finish

lacking "on a file system without O_TMPFILE mail goes at once and through the queue, and no draft is left" tmpfile
mail_goes
finish

lacking "where neither O_TMPFILE nor links nor renameat2 are to be had the queue keeps mail" tmpfile,links,renameat2
mail_goes
finish

lacking "where a file without a name cannot be given one the queue keeps mail" links
mail_goes
finish

lacking "without execveat, eventfd, close_range, SO_PEERGROUPS and sock_diag mail goes" execveat,eventfd,close_range,peergroups,netlink
mail_goes
finish

begin "where the kernel has no room for what sendmail says it ends, and does not ask for ever"
with_all
hub_start - --tls none
daemon_conf
daemon_start
without room
letter
send -i bob@example.net
expect_rc 75
expect_one_line
expect_messages 0
with_all
finish

if [ "$SANITIZED" = false ] && strace -o "$T/strace" true 2>/dev/null; then
    # traced COMMAND INJECTION [OPTIONS]: a program in its place, whose calls fail; strace -D leaves it its pid
    traced() {
        program=$1 inject=$2
        shift 2
        printf '#!/bin/sh\nexec strace -D %s -o "%s" -e trace=sendmsg -e inject=sendmsg:error=%s "%s" "$@"\n' "$*" "$T/strace" \
            "$inject" "$program" >"$T/traced"
        chmod 755 "$T/traced"
    }

    begin "where the kernel has no room for what processes say to each other, no call waits for ever"
    daemon_stop
    daemon_conf
    hub_start - --tls none
    conf UseTLS=false
    letter
    own_file PLAIN_SENDMAIL
    for n in 1 2 3 4 5; do
        traced "$PLAIN_SENDMAIL" "ENOBUFS:when=$n" -f
        SENDMAIL=$T/traced
        send -C "$T/conf" -i bob@example.net
        expect_rc 0,75
    done
    with_all
    end

    begin "a worker that could not be handed over is missed, and no other account's worker takes its mail"
    hub_start - --tls none --auth PLAIN --auth-clear --require-auth --user bob
    other=$HUB_PORT OTHER_DIR=$HUB_DIR
    hub_start - --tls none --auth PLAIN --auth-clear --require-auth
    # the settings and the two sockets come before the first worker
    traced "$PLAIN_DAEMON" ENOBUFS:when=4
    DAEMON=$T/traced
    daemon_conf "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" AllowPlaintextAuth=true InteractiveTimeout=5s \
        "accounts=( { name = \"other\"; sender = \"bob@example.org\"; mailhub = \"127.0.0.1:$other\"; AuthUser = \"bob\"; AuthPass = \"$PASSWORD\"; } )"
    daemon_start
    send -f alice@example.org -i to@example.net
    expect_rc 0
    send -f bob@example.org -i to@example.net
    expect_rc 0
    wait_for 20 is_empty || fail "$(queued) messages stay in the queue"
    expect_messages 1
    [ "$(cat "$OTHER_DIR"/*.env | grep -c '^mail: <bob@')" -eq 1 ] || fail "the other account has other mail: $(cat "$OTHER_DIR"/*.env)"
    with_all
    finish
fi

if [ "$SANITIZED" = false ]; then # a sanitized program opens files of its own
    for missing in close_range close_range_flags; do
        begin "without $missing a password command gets no descriptor of ours"
        without "$missing"
        hub_start - --tls starttls --auth PLAIN --require-auth
        printf '#!/bin/sh\nreadlink /proc/$$/fd/* >"%s/fds"\necho "%s"\n' "$T" "$PASSWORD" >"$T/password"
        chmod 755 "$T/password"
        conf "UseTLS=starttls" "TLS_CA_File=$CA" "AuthUser=$USER_NAME" "AuthPassCommand=$T/password" User=nobody "QueueDir=$QUEUE"
        cp -p "$T/conf" "$ROOT/etc/smtprelay.conf"
        rm -rf "$ROOT/run/smtprelay"
        daemon_start
        send -i bob@example.net
        expect_rc 0
        expect_messages 1
        if grep -E 'socket:|memfd:|eventfd|signalfd|/queue' "$T/fds" >"$T/ours"; then fail "it has $(tr '\n' ' ' <"$T/ours")"; fi
        [ -s "$T/fds" ] || fail "the command was not asked"
        finish
    done
fi

begin "without a daemon, and without any of it, sendmail serves itself, and what cannot go waits"
without "landlock,seccomp,memfd,tmpfile,links,renameat2,execveat,eventfd,close_range,peergroups,netlink"
rm -rf "$QUEUE"
mkdir -m 700 "$QUEUE"
hub_start - --tls none
daemon_conf User="$(id -un)"
own_file SENDMAIL
rm -rf "$ROOT/run/smtprelay"
big_letter 1500
send -C "$T/conf" -i bob@example.net
expect_rc 0
expect_messages 1
send -C "$T/conf" -odq -i carol@example.net
expect_rc 0
[ "$(queued)" -eq 1 ] || fail "$(queued) messages in the queue, not 1"
timeout 60 "$SENDMAIL" -C "$T/conf" -q >"$T/out" 2>"$T/err" || fail "-q ends with $?"
expect_messages 2
is_empty || fail "it is still there"
end
with_all
letter

# ---------------------------------------------------------------- real ones, for root

if [ -n "${LACKS_INSIDE-}" ]; then
    if [ "$SANITIZED" = false ]; then # which need /proc themselves
        begin "without /proc mail goes, and it is told that workers get more than they need"
        rm -rf "$QUEUE"
        hub_start - --tls none
        daemon_conf
        mount -t tmpfs tmpfs /proc || fail "no tmpfs at /proc"
        daemon_start
        mail_goes
        says_once 'no /proc'
        daemon_stop
        umount /proc
        end || sed -n '1,12s/^/    daemon: /p' "$LOG"
    fi

    # queue_on "sentence" MOUNT-COMMAND...: the queue's folder is another file system
    queue_on() {
        a=$1
        shift
        begin "$a"
        rm -rf "$QUEUE"
        mkdir -m 700 "$QUEUE"
        if ! "$@" 2>"$T/mount.err"; then
            echo "ok (skipped: $(head -n 1 "$T/mount.err")) $a"
            CASE=
            return 1
        fi
        hub_start - --tls none
        daemon_conf
        daemon_start
    }
    queue_off() {
        daemon_stop
        umount "$QUEUE" || umount -l "$QUEUE"
        end || sed -n '1,12s/^/    daemon: /p' "$LOG"
    }
    overlay() {
        mkdir -p "$T/over" && mount -t tmpfs tmpfs "$T/over" && mkdir -m 700 "$T/over/lower" "$T/over/upper" "$T/over/work" &&
            chown nobody "$T/over/upper" && mount -t overlay -o "lowerdir=$T/over/lower,upperdir=$T/over/upper,workdir=$T/over/work" overlay "$QUEUE"
    }
    # shellcheck disable=SC2317 # queue_on calls it
    fat() {
        command -v mkfs.vfat >/dev/null || { echo "no mkfs.vfat" >&2; return 1; }
        truncate -s 40M "$T/fat" && mkfs.vfat "$T/fat" >/dev/null && mount -o "loop,uid=$(id -u nobody),umask=077" "$T/fat" "$QUEUE"
    }
    # shellcheck disable=SC2317
    by_fuse() {
        command -v bindfs >/dev/null && [ -e /dev/fuse ] || { echo "no bindfs" >&2; return 1; }
        mkdir -p "$T/fuse" && chmod 700 "$T/fuse" && chown nobody "$T/fuse" && chmod 711 "$T" && bindfs "$T/fuse" "$QUEUE"
    }
    for kind in tmpfs ramfs; do
        queue_on "a queue on $kind keeps mail" mount -t "$kind" -o mode=700 none "$QUEUE" && { mail_goes; queue_off; }
    done
    queue_on "a queue on an overlay keeps mail" overlay && { mail_goes; queue_off; }
    queue_on "a queue on vfat, which has neither links nor O_TMPFILE, keeps mail" fat && { mail_goes; queue_off; }
    queue_on "a queue on a fuse file system keeps mail" by_fuse && { mail_goes; queue_off; }
fi
exit 0
