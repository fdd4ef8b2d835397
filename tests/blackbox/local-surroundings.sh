#!/bin/sh
# SPDX-License-Identifier: ISC
# What a caller may leave behind for sendmail: descriptors, signals, limits, folders, users, an environment or none.
. "$(dirname "$0")/lib.sh"

letter
ROOT_RUN=false
[ "$(id -u)" -eq 0 ] && ROOT_RUN=true
SANITIZED=false
case $(nm -D "$SENDMAIL" 2>/dev/null) in *__asan*) SANITIZED=true ;; esac
SEND="$SENDMAIL -C $T/conf -f alice@example.org -i bob@example.net"

with_hub() {
    begin "$1"
    hub_start - --offer -BINARYMIME
    conf UseTLS=false
}

# run COMMAND...: with the letter as standard input
run() {
    timeout 60 "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

# shell TEXT: a shell that sets the stage and sends
shell() {
    run sh -c "$1"
}

# ends CODES COUNT
ends() {
    expect_rc "$1"
    expect_messages "$2"
    [ ! -s "$T/out" ] || fail "something on standard output"
    expect_manners
}

ends_in_one_line() {
    expect_one_line
    ends "$@"
    if [ "$rc" -ne 0 ]; then grep -q '^sendmail: .*: ' "$T/err" || fail "stderr is not 'sendmail: WHAT: WHY'"; fi
}

# skip WHY: this case cannot run here
skip() {
    hub_stop
    echo "ok (skipped, $1) $CASE"
}

# ---------------------------------------------------------------- descriptors

for closed in '>&-' '2>&-' '>&- 2>&-'; do
    with_hub "fd012-closed: with $closed the message goes"
    shell "$SEND $closed"
    ends 0 1
    end
done

for closed in '' '>&-' '2>&-' '>&- 2>&-'; do
    with_hub "stdin-closed: with <&- $closed nothing is sent, 74"
    shell "$SEND <&- $closed"
    ends 74 0
    end
done

with_hub "fd012-closed: a wrong configuration is no reason to write into somebody else's descriptor"
echo 'precious' >"$T/precious"
shell "exec 3<>'$T/precious'; $SENDMAIL -C $T/none bob@example.net >&- 2>&-"
ends 78 0
[ "$(cat "$T/precious")" = precious ] || fail "the file was written to"
end

with_hub "odd descriptors that are inherited go to nobody"
hub_stop
printf 'on dot\n    sleep 1s\n    default\n' >"$T/slow.hub"
hub_start "$T/slow.hub"
conf UseTLS=false Timeout=20s
shell "exec 3<'$MSG' 7>'$T/odd-file' 9<&0 $SEND"
ends_in_one_line 0 1
end

with_hub "stdin-dir: a folder as standard input is 74"
timeout 60 $SEND <"$T" >"$T/out" 2>"$T/err"
rc=$?
ends_in_one_line 74 0
end

with_hub "stdin opened for writing only is 74"
timeout 60 $SEND 0>"$T/write-only" >"$T/out" 2>"$T/err"
rc=$?
ends_in_one_line 74 0
end

with_hub "stdin from /dev/null is an empty message"
timeout 60 $SEND </dev/null >"$T/out" 2>"$T/err"
rc=$?
ends_in_one_line 0 1
end

with_hub "stdin from the middle of a file begins there"
{ printf 'first line\nsecond line\n'; cat "$MSG"; } >"$T/longer"
(
    read -r _
    read -r _
    exec timeout 60 $SEND
) <"$T/longer" >"$T/out" 2>"$T/err"
rc=$?
ends_in_one_line 0 1
if grep -q 'second line' "$HUB_DIR/1.msg"; then fail "it began at the start"; fi
grep -q '^From: Alice <alice@example.org>' "$HUB_DIR/1.msg" || fail "the header is not the header"
end

with_hub "stdin from a FIFO written in pieces"
mkfifo "$T/fifo"
(sed 5q "$MSG"; sed 1,5d "$MSG") >"$T/fifo" &
timeout 60 $SEND <"$T/fifo" >"$T/out" 2>"$T/err"
rc=$?
wait $!
ends_in_one_line 0 1
end

with_hub "stdin from a socket, not blocking"
if command -v python3 >/dev/null; then
    timeout 60 python3 - $SEND <<'END' >"$T/out" 2>"$T/err"
import socket, subprocess, sys, threading
a, b = socket.socketpair()
b.setblocking(False)
p = subprocess.Popen(sys.argv[1:], stdin=b)
b.close()
a.sendall(b"From: alice@example.org\n")
try:
    p.wait(0.3)  # the rest comes later: nothing may be made of the pause
except subprocess.TimeoutExpired:
    pass
try:
    a.sendall(b"Subject: x\n\ntext\n")
except OSError:
    pass
a.close()
sys.exit(p.wait())
END
    rc=$?
    ends_in_one_line 0 1
    grep -q '^text' "$HUB_DIR/1.msg" || fail "not whole"
    end
else
    skip "no python3"
fi

# ---------------------------------------------------------------- a producer that dies, an interrupted sendmail

with_hub "stdin-eio: a read error is 74 and nothing is sent"
if command -v python3 >/dev/null; then
    # the master side of a terminal is gone: reading it is EIO once the terminal is another's
    timeout 60 python3 - $SEND <<'END' >"$T/out" 2>"$T/err"
import os, pty, signal, subprocess, sys
master, slave = pty.openpty()
os.close(slave)
p = subprocess.Popen(sys.argv[1:], stdin=master)
sys.exit(p.wait())
END
    rc=$?
    ends_in_one_line 74 0
    end
else
    skip "no python3"
fi

STRACE=$(command -v strace) || STRACE=
if [ -n "$STRACE" ] && ! strace -o /dev/null true 2>/dev/null; then STRACE=; fi
if $SANITIZED; then STRACE=; fi

# inject "sentence" CODES COUNT FILTER [strace options]: sendmail alone under strace
inject() {
    sentence=$1 codes=$2 count=$3 filter=$4
    shift 4
    with_hub "$sentence"
    if [ -z "$STRACE" ]; then
        skip "no strace"
        return
    fi
    rm -f "$T/strace"
    run "$STRACE" -o "$T/strace" -e "inject=$filter" "$@" $SEND
    grep -q '(INJECTED)' "$T/strace" || fail "nothing was injected"
    ends_in_one_line "$codes" "$count"
    end
}

inject "stdin-eio: EIO at the first byte" 74 0 read:error=EIO:when=1 -P "$MSG"
inject "stdin-eio: EIO where the end should be" 74 0 read:error=EIO:when=2 -P "$MSG"
inject "stdin: ESTALE, the file server is gone" 74 0 read:error=ESTALE:when=1 -P "$MSG"
inject "stdin: EINTR is no error" 0 1 read:error=EINTR:when=1 -P "$MSG"
inject "no process to be had (EAGAIN) is 75" 75 0 clone,clone3,fork,vfork:error=EAGAIN
inject "no memory for a process (ENOMEM) is 75" 75 0 clone,clone3,fork,vfork:error=ENOMEM
inject "no descriptors (EMFILE) for the socket pair is 71 or 75" 71,75 0 socketpair:error=EMFILE
inject "no socket to be had (ENFILE) is 75" 71,75 0 socketpair:error=ENFILE
inject "the program cannot be executed (ENOMEM)" 71,75 0 access,faccessat2:error=ENOMEM -P "$O/root/sbin/smtprelayd"
inject "ENOSPC in the message's own file" 74 0 pwrite64:error=ENOSPC:when=2 -f
inject "EIO in the message's own file" 74 0 pwrite64:error=EIO:when=1 -f
inject "no memory file (ENOMEM): a temporary one serves" 0 1 memfd_create:error=ENOMEM -f

with_hub "stdin-half: a sendmail killed before its last byte sends nothing, at any offset"
big_letter 2500
total=$(wc -c <"$MSG")
for offset in 0 1 60 200 5000 66000 131072 1000000 1048576 1200000 2000000 $((total - 1)); do
    for signal in KILL TERM; do
        rm -f "$T/half" "$T/fed"
        mkfifo "$T/half"
        $SEND <"$T/half" >"$T/out" 2>"$T/err" &
        waiting=$!
        # the writer keeps the FIFO open until sendmail is gone
        sh -c 'head -c "$1" "$2"; : >"$3"; while kill -0 "$4" 2>/dev/null; do sleep 0.02; done' - \
            "$offset" "$MSG" "$T/fed" "$waiting" >"$T/half" 2>/dev/null &
        feeder=$!
        wait_for 30 test -e "$T/fed" || fail "sendmail does not read on at $offset"
        kill -s "$signal" "$waiting"
        { wait "$waiting"; } 2>/dev/null
        [ $? -ne 0 ] || fail "exit 0 after $signal at $offset"
        wait "$feeder" 2>/dev/null
    done
done
wait_for 30 sh -c "! pgrep -f '[-]C $T/conf' >/dev/null" || fail "a program of ours stays behind"
expect_messages 0
end
letter

for signal in TERM INT HUP; do
    with_hub "sigterm-mid: SIG$signal while the smarthost thinks does not leave it open whether it was sent"
    hub_stop
    printf 'on dot\n    sleep 1500ms\n    default\n' >"$T/slow.hub"
    hub_start "$T/slow.hub"
    conf UseTLS=false Timeout=20s
    $SEND <"$MSG" >"$T/out" 2>"$T/err" &
    waiting=$!
    wait_for 30 sh -c "grep -qs 'LAST' '$HUB_DIR'/session-*.log" || fail "the message never came"
    kill -s "$signal" $waiting
    wait $waiting
    rc=$?
    ends_in_one_line 0 1
    end
done

# ---------------------------------------------------------------- signals

# SIGPIPE, SIGCHLD, SIGXFSZ, SIGALRM and SIGHUP ignored, as a daemon may leave them
for signals in PIPE CHLD XFSZ 'PIPE CHLD XFSZ HUP ALRM USR1'; do
    with_hub "sigpipe: with $signals ignored the message goes, and a refusal is told"
    shell "trap '' $signals; $SEND"
    ends_in_one_line 0 1
    hub_stop
    hub_start rcpt-all-450
    conf UseTLS=false
    shell "trap '' $signals; $SEND"
    ends_in_one_line 75 0
    end
done

with_hub "sigpipe: nobody reads stderr, and the exit code stays what it is"
conf UseTLS=false mailhub=127.0.0.1:1
if (timeout 60 $SEND <"$MSG" 2>&1 >/dev/null; echo $? >"$T/rc") | true; then rc=$(cat "$T/rc"); fi
: >"$T/out"
ends 75 0
end

# ---------------------------------------------------------------- limits

with_hub "rlimit-fsize: no file may grow, and nothing is lost in silence"
# a file for stderr would be under the limit, too
{ (ulimit -f 0; timeout 60 $SEND <"$MSG" 3>&- 2>&1; echo "rc $?") | cat >"$T/all"; }
rc=$(sed -n 's/^rc //p' "$T/all")
sed '/^rc /d' "$T/all" >"$T/err"
: >"$T/out"
ends_in_one_line 0,71,74 "$([ "$rc" -eq 0 ] && echo 1 || echo 0)"
end

with_hub "rlimit-fsize: a small limit is 74 for a large message, and nothing is sent"
big_letter 2500
shell "ulimit -f 64; $SEND"
ends_in_one_line 74 0
end
letter

for n in 4 5 6 8 12; do
    with_hub "rlimit-nofile: with $n descriptors it goes or says why not"
    # the leak check of a sanitized build wants descriptors of its own
    shell "ulimit -n $n; export ASAN_OPTIONS=detect_leaks=0; exec $SEND"
    ends_in_one_line 0,71,74,75 "$([ "$rc" -eq 0 ] && echo 1 || echo 0)"
    end
done

if ! $SANITIZED; then
    for kb in 4000 8000 12000 16000 24000 32000; do
        with_hub "rlimit-as: with $kb kB of memory it goes or fails, never a lie"
        shell "ulimit -v $kb; exec $SEND"
        [ "$rc" -ne 0 ] || expect_messages 1
        [ "$rc" -eq 0 ] || expect_messages 0
        [ "$rc" -lt 126 ] || [ "$rc" -eq 127 ] || fail "it ended by a signal: $rc"
        end
    done
fi

with_hub "rlimit-nproc: no process to be had is 75"
if $ROOT_RUN && command -v setpriv >/dev/null && command -v prlimit >/dev/null; then
    chmod 711 "$T"
    cp "$T/conf" "$T/conf.nobody"
    chown 64213 "$T/conf.nobody"
    # the leak check of a sanitized build wants a process of its own
    run env ASAN_OPTIONS=detect_leaks=0 setpriv --reuid 64213 --regid 64213 --clear-groups sh -c \
        "exec prlimit --nproc=1 $SENDMAIL -C $T/conf.nobody -f alice@example.org -i bob@example.net"
    ends_in_one_line 75 0
    end
else
    skip "needs root and setpriv"
fi

# ---------------------------------------------------------------- folders, users, environment

for mask in 0 077 0777; do
    with_hub "umask-0: with umask $mask it goes, and no file is left that others can write"
    mkdir -p "$T/tmp"
    shell "umask $mask; TMPDIR=$T/tmp $SEND"
    ends_in_one_line 0 1
    [ -z "$(ls -A "$T/tmp")" ] || fail "a file is left"
    end
done

with_hub "the working folder / and one that is gone"
shell "cd /; $SEND"
ends_in_one_line 0 1
mkdir "$T/gone"
shell "cd '$T/gone'; rmdir '$T/gone'; $SEND"
ends_in_one_line 0 2
end

with_hub "home-unset: neither HOME nor anything else in the environment"
run env -i $SEND
ends_in_one_line 0 1
run env HOME= USER= LOGNAME= NAME= TZ= XDG_CONFIG_HOME=relative TMPDIR= LC_ALL=xx_YY PATH= $SEND
ends_in_one_line 0 2
end

with_hub "the environment decides nothing but what it may"
run env LOGNAME=eve USER=eve SENDER=eve@example.com SMTPRELAY_MAILHUB=127.0.0.1:1 LD_BIND_NOW=1 TZ=:/etc/shadow $SEND
ends_in_one_line 0 1
expect_env 'mail: <alice@example.org>'
end

with_hub "uid-without-name: passwd-lookup-fails, and mail goes all the same"
if $ROOT_RUN && command -v setpriv >/dev/null; then
    chmod 711 "$T"
    cp "$T/conf" "$T/conf.nobody"
    chown 64213 "$T/conf.nobody"
    run setpriv --reuid 64213 --regid 64213 --clear-groups env -u HOME \
        "$SENDMAIL" -C "$T/conf.nobody" -f alice@example.org -i bob@example.net
    ends_in_one_line 0 1
    run setpriv --reuid 64213 --regid 64213 --clear-groups env -i \
        "$SENDMAIL" -C "$T/conf.nobody" -i bob@example.net
    ends_in_one_line 0 2
    if grep -q 'mail: <>' "$HUB_DIR/2.env"; then fail "the sender is null"; fi
    if grep -qi 'eve\|root' "$HUB_DIR/2.env"; then fail "the sender is somebody else"; fi
    end
else
    skip "needs root and setpriv"
fi

# ---------------------------------------------------------------- temporary files

with_hub "tmp-full: a message over 1 MB goes by way of the next folder"
big_letter 2500
run env TMPDIR="$T/none-such" $SEND
ends_in_one_line 0 1
echo x >"$T/a-file"
run env TMPDIR="$T/a-file" $SEND
ends_in_one_line 0 2
end

with_hub "tmp-full: no folder works: 74, nothing is sent"
if $ROOT_RUN && unshare -m true 2>/dev/null; then
    big_letter 2500
    mkdir -p "$T/small"
    run unshare -m sh -c "mount -t tmpfs -o size=64k none '$T/small' && TMPDIR='$T/small' exec $SEND"
    # the first that works: a full one has to be told by a 74 at least, never by a cut message
    ends_in_one_line 0,74 "$([ "$rc" -eq 0 ] && echo 1 || echo 0)"
    [ "$rc" -ne 0 ] || [ "$(grep -c 'a line of text' "$HUB_DIR/1.msg")" -eq $((2500 * 16)) ] || fail "cut"
    case $T in
    /tmp/* | /var/tmp/*) ;;
    *)
        run unshare -m sh -c "mount -t tmpfs -o ro none /tmp; mount -t tmpfs -o ro none /var/tmp; TMPDIR=/proc exec $SEND"
        ends_in_one_line 74 "$(count_messages)"
        ;;
    esac
    end
else
    skip "needs root and unshare"
fi

begin "what --version and --help could not print is no success"
for program in sendmail smtprelay smtprelayd; do
    for option in --version --help; do
        "$O/root/sbin/$program" $option >/dev/full 2>"$T/err"
        [ $? -eq 74 ] || fail "$program $option: not 74"
        grep -qx "$program: cannot write to standard output" "$T/err" || fail "$program $option: $(cat "$T/err")"
    done
done
end
exit 0
