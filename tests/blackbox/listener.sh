#!/bin/sh
# SPDX-License-Identifier: ISC
# Listen: ESMTP over TCP for what speaks SMTP instead of calling sendmail.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-listener
daemon_stage

PORT=$(free_port)
DAEMON_SETTINGS="Listen=(\"127.0.0.1:$PORT\")"

finish() {
    daemon_stop
    end || { sed -n '1,12s/^/    daemon: /p' "$LOG"; sed 's/^/    out: /' "$T/out"; }
}

# the dialog on standard input, in CRLF
talk() {
    sed 's/$/\r/' | timeout 60 "$HUB" --talk "$PORT" --in-turn >"$T/out" 2>"$T/err"
}
expect_out() { grep -q -e "$1" "$T/out" || fail "no $1 in the replies"; }

printf '%s\n' 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here' >"$T/script"
a_daemon "some refused: 250 for the others, and the sender gets a report" "$T/script"
talk <<END
EHLO client.example.com
MAIL FROM:<alice@example.org>
RCPT TO:<bob@example.net>
RCPT TO:<bad@example.net>
DATA
Subject: by TCP

hello
.
QUIT
END
expect_out '^250 2.0.0 '
wait_for 30 arrived 2 || fail "$(count_messages) messages came, not 2"
grep -qF 'mail: <>' "$HUB_DIR/2.env" || fail "no report came"
grep -qF 'Final-Recipient: rfc822; bad@example.net' "$HUB_DIR/2.msg" || fail "the report does not name the recipient"
finish

a_daemon "a message by TCP is answered with the smarthost's verdict" -
talk <<END
EHLO client.example.com
MAIL FROM:<alice@example.org>
RCPT TO:<bob@example.net>
DATA
Subject: by tcp

hello
.
QUIT
END
expect_out '^250 2.0.0 sent as'
expect_messages 1
expect_env 'rcpt: <bob@example.net>'
grep -q 'Received: from client.example.com (\[127.0.0.1\]' "$HUB_DIR/1.msg" || fail "Received does not say from where"
grep -qi '^Message-ID: ' "$HUB_DIR/1.msg" || fail "it was not completed"
says "uid=$(id -u) client=[127.0.0.1] from=<" || fail "the log does not say whose connection it was, and from where"
run "$ROOT/sbin/smtprelay" why --last
grep -qF ', from [127.0.0.1]' "$T/out" || fail "why does not say from where: $(cat "$T/out")"
finish

printf 'on RCPT *<bad@*\n    reply 550 5.1.1 no such user\n' >"$T/script"
a_daemon "a refusal of the smarthost is the client's, too" "$T/script"
talk <<END
EHLO client.example.com
MAIL FROM:<alice@example.org>
RCPT TO:<bad@example.net>
DATA
Subject: x

hello
.
QUIT
END
expect_out '^550 5.1.1 .*no such user'
expect_messages 0
finish

printf 'on dot\n    reply 552 5.3.4 too big for us\n' >"$T/script"
a_daemon "what the smarthost says of the text is the answer, code and all" "$T/script"
talk <<END
EHLO client.example.com
MAIL FROM:<alice@example.org>
RCPT TO:<bob@example.net>
DATA
Subject: x

hello
.
QUIT
END
expect_out '^552 5.3.4 .*too big for us'
finish

begin "with the smarthost away, 250 means that it is on disk, and it comes later"
away=$(free_port)
a_daemon "with the smarthost away, 250 means that it is on disk, and it comes later" - "mailhub=127.0.0.1:$away"
talk <<END
EHLO client.example.com
MAIL FROM:<alice@example.org>
RCPT TO:<bob@example.net>
DATA
Subject: x

hello
.
QUIT
END
expect_out '^250 2.0.0 queued as'
[ "$(find "$QUEUE/queue" -type f | wc -l)" -eq 1 ] || fail "it is not in the queue"
hub_start - --tls none --port "$away"
wait_for 30 arrived 1 || fail "it did not come"
finish

a_daemon "bare line feeds in the text end the session with 550 5.5.2, and nothing is sent" -
printf 'EHLO x\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nSubject: x\r\n\r\nhello\n.\nMAIL FROM:<evil@example.org>\r\n.\r\nQUIT\r\n' |
    timeout 60 "$HUB" --talk "$PORT" --in-turn >"$T/out" 2>"$T/err"
expect_out '^550 5.5.2'
expect_messages 0
finish

a_daemon "HTTP is cut off at its first line" -
talk <<END
POST / HTTP/1.1
Host: localhost
MAIL FROM:<alice@example.org>
RCPT TO:<bob@example.net>
DATA
hello
.
END
expect_out '^554 5.5.1'
[ "$(grep -c '^[25]' "$T/out")" -le 2 ] || fail "it went on"
expect_messages 0
finish

a_daemon "AUTH, private extensions and X-BS are not for strangers" -
talk <<END
X-BS
EHLO client.example.com
AUTH PLAIN AGE=
MAIL FROM:<alice@example.org> X-LOGIN
QUIT
END
if grep -q -e AUTH -e X-SMTPRELAY -e CHUNKING "$T/out"; then fail "EHLO offers what it must not"; fi
[ "$(grep -c '^5' "$T/out")" -eq 3 ] || fail "not all three were refused"
expect_messages 0
finish

a_daemon "idle connections do not keep others from sending" -
mkfifo "$T/nothing"
exec 9<>"$T/nothing"
pids=''
i=0
while [ $i -lt 80 ]; do
    "$HUB" --talk "$PORT" <&9 >/dev/null 2>&1 &
    pids="$pids $!"
    i=$((i + 1))
done
timeout 60 "$SENDMAIL" -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_messages 1
for pid in $pids; do kill "$pid" 2>/dev/null; done
# shellcheck disable=SC2086
wait $pids 2>/dev/null
exec 9>&-
finish

a_daemon "what the client left out is put in: Date, Message-ID, From, and a domain for each address (RFC 6409, 8)" - rewriteDomain=example.org
talk <<END
EHLO client.example.com
MAIL FROM:<alice>
RCPT TO:<bob@example.net>
DATA
To: bob@example.net, carol
Bcc: hidden@example.net
Subject: by tcp
Return-Path: <x@y>

hello
.
QUIT
END
expect_out '^250 2.0.0 sent as'
expect_env 'mail: <alice@example.org>'
for line in 'Date: .' 'Message-ID: <.*@client.example.org>' 'From: .*alice@example.org' 'To: bob@example.net, carol@example.org'; do
    grep -q -i -e "^$line" "$HUB_DIR/1.msg" || fail "no $line in it"
done
if grep -q -i -e '^Bcc' -e '^Return-Path' "$HUB_DIR/1.msg"; then fail "Bcc or Return-Path are still there"; fi
finish

a_daemon "who is denied sends nothing by TCP either" - "DenyUsers=( \"$(id -un)\" )"
talk <<END
EHLO client.example.com
END
expect_out '^554 5.7.1 .*not permitted'
expect_messages 0
finish

a_daemon "at SIGHUP the addresses stay, and the log says that a change waits for the next start" -
sed "s/127.0.0.1:$PORT/127.0.0.1:1/" "$T/conf" >"$ROOT/etc/smtprelay.conf"
kill -HUP "$D"
wait_for 30 says "Listen: has changed" || fail "the log does not say so"
printf 'NOOP\nQUIT\n' | talk
expect_out '^250 2.0.0'
finish

if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
    a_daemon "it listens at IPv6, too, beside IPv4 at the same port" - "Listen=( \"127.0.0.1:$PORT\", \"[::1]:$PORT\" )"
    if command -v python3 >/dev/null; then
        python3 -c 'import smtplib, sys; print(smtplib.SMTP("::1", int(sys.argv[1]), "x", 20).sendmail("a@example.org", ["bob@example.net"], "Subject: six\r\n\r\nx\r\n"))' \
            "$PORT" >"$T/out" 2>&1 || fail "$(tail -n 1 "$T/out")"
        expect_messages 1
        grep -q 'IPv6:::1' "$HUB_DIR/1.msg" || fail "Received does not say from where"
        says "uid=$(id -u)" || fail "the log does not say whose connection it was"
    fi
    finish
fi

a_daemon "250 survives a crash of the daemon right behind it" - Delivery=queue
talk <<END
EHLO client.example.com
MAIL FROM:<alice@example.org>
RCPT TO:<bob@example.net>
DATA
Subject: durable

hello
.
QUIT
END
expect_out '^250 2.0.0 queued as'
for pid in $(ps -o pid= --ppid "$D") $D; do kill -9 "$pid"; done
wait "$D" 2>/dev/null
D=
[ "$(find "$QUEUE/queue" -type f | wc -l)" -eq 1 ] || fail "it is not in the queue"
finish

a_daemon "with few descriptors the sessions are fewer, and sendmail has its own" -
daemon_stop
# shellcheck disable=SC3045 # each sh of today has it
(ulimit -n 256 && exec "$DAEMON") >"$T/daemon.out" 2>"$LOG" &
D=$!
wait_for 30 serves || fail "the daemon did not start: $(cat "$LOG")"
mkfifo "$T/nothing-2"
exec 9<>"$T/nothing-2"
pids=''
i=0
while [ $i -lt 150 ]; do
    "$HUB" --talk "$PORT" <&9 >/dev/null 2>&1 &
    pids="$pids $!"
    i=$((i + 1))
done
wait_for 30 says 'too many sessions' || fail "all 150 may stay"
timeout 60 "$SENDMAIL" -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_messages 1
if grep -q 'Too many open files' "$LOG"; then fail "descriptors ran out"; fi
for pid in $pids; do kill "$pid" 2>/dev/null; done
# shellcheck disable=SC2086
wait $pids 2>/dev/null
exec 9>&-
finish

if command -v python3 >/dev/null; then
    a_daemon "a port that systemd has opened is taken over" -
    daemon_stop
    # what systemd does: it listens, and executes with the descriptors
    cat >"$T/activate.py" <<'END'
import os, socket, sys
tcp = socket.create_server(("127.0.0.1", int(sys.argv[1])))
fds = [tcp] + [socket.socket(socket.AF_UNIX) for _ in range(2)]
for s, path in zip(fds[1:], sys.argv[2:4]):
    if os.path.exists(path):
        os.unlink(path)
    s.bind(path)
    s.listen(5)
held = [os.dup2(s.fileno(), 50 + i) for i, s in enumerate(fds)]
for i, h in enumerate(held):
    os.dup2(h, 3 + i)
os.closerange(6, 60)
os.environ.update(LISTEN_FDS="3", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[4], sys.argv[4:])
END
    mkdir -p "$ROOT/run/smtprelay"
    : >"$LOG"
    python3 "$T/activate.py" "$PORT" "$ROOT/run/smtprelay/socket" "$ROOT/run/smtprelay/socket.ctl" "$DAEMON" >"$T/daemon.out" 2>"$LOG" &
    D=$!
    wait_for 30 serves || fail "the daemon did not start: $(cat "$LOG")"
    printf 'NOOP\nQUIT\n' | talk
    expect_out '^250 2.0.0'
    if says 'none of the sockets'; then fail "it is not taken"; fi
    finish
fi
if [ "$(id -u)" -ne 0 ] && [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null)" = 1024 ]; then
    begin "who may not open a port is told who may"
    conf UseTLS=false "QueueDir=$QUEUE" LogFile=- mailhub=127.0.0.1:9 'Listen=( "127.0.0.1:25" )'
    timeout 60 "$DAEMON" -C "$T/conf" >"$T/out" 2>"$T/err"
    rc=$?
    expect_rc 78
    expect_err 'ListenStream=127.0.0.1:25'
    end
fi

if [ "$(id -u)" -eq 0 ] && command -v python3 >/dev/null && command -v ip >/dev/null && unshare -n true 2>/dev/null; then
    for networks in '("198.51.100.0/24")' '("192.0.2.0/29")'; do
        begin "a peer from elsewhere may send only from ListenNetworks: $networks"
        conf UseTLS=false "QueueDir=$QUEUE" LogFile=- User=nobody mailhub=127.0.0.1:9 \
            "Listen=( \"192.0.2.7:$PORT\" )" "ListenNetworks=$networks"
        cp "$T/conf" "$ROOT/etc/smtprelay.conf"
        rm -rf "$ROOT/run/smtprelay" "$LOG"
        cat >"$T/inside" <<END
ip link set lo up
ip addr add 192.0.2.7/32 dev lo
: >"$LOG"
"$DAEMON" >/dev/null 2>"$LOG" &
d=\$!
i=0
while ! grep -q 'serves at' "$LOG" && [ \$i -lt 200 ]; do sleep 0.1; i=\$((i + 1)); done
python3 -c 'import socket; print(socket.create_connection(("192.0.2.7", $PORT), 20).recv(1000).decode())' >"$T/out" 2>&1
kill \$d
wait \$d
END
        unshare -n sh "$T/inside"
        case $networks in
        *198*) expect_out '^554 5.7.1' ;;
        *) expect_out '^220 ' ;;
        esac
        end || { cat "$LOG" "$T/out"; }
    done
fi
