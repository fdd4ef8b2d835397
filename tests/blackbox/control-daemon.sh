#!/bin/sh
# SPDX-License-Identifier: ISC
# mailq, sendmail -q and -bv, smtprelay status, queue and show, answered by the daemon: what waits, why, and who may see it.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-desk # the compiled-in paths of these programs lie below it
daemon_stage
own_file SENDMAIL ADMIN
# Nothing is tried again by itself while a test looks
DAEMON_SETTINGS='RetryMin=1h RetryMax=2h QueueRun=1h'

send() { run "$SENDMAIL" -i "$@" <"$MSG"; }
send_as() {
    uid=$1
    shift
    run_as "$uid" "$SENDMAIL" -i "$@" <"$MSG"
}

# ---------------------------------------------------------------- what waits

a_daemon "with an empty queue mailq says so, and status that all is well" -
run "$SENDMAIL" -bp
expect_rc 0
expect_out 'Mail queue is empty'
run "$ADMIN" status
expect_rc 0
expect_out 'smtprelayd: running for '
expect_out 'queue: 0 messages'
expect_out 'account default: ok, 0 messages'
expect_not_out 'do: '
run "$ADMIN" queue
expect_rc 0
expect_out 'nothing waits'
finish

HUB_AT=$(free_port)
a_daemon "mail for a smarthost that is down: mailq, queue and status say why and when it is tried again; -q sends it at once" greet-421
send -f alice@example.org bob@example.net
expect_rc 0
shows 'too busy' "$SENDMAIL" -bp
expect_out 'bob@example.net'
expect_out 'in 1 Request.'
shows 'account default: down, 1 message, ' "$ADMIN" status
expect_out 'next try in '
expect_out 'account default: why: '
expect_out 'account default: do: '
run "$ADMIN" queue
expect_rc 0
expect_out '<alice@example.org> <bob@example.net> '
next=$(awk 'NR == 2 {print $5}' "$T/out")
case $next in
5[0-9]m | 1h | 1h[0-9]m) ;;
*) fail "the next try is said to be '$next'" ;;
esac
id=$(awk 'NR == 2 {print $1}' "$T/out")
run "$ADMIN" show "$id"
expect_rc 0
expect_out 'recipient: <bob@example.net> waits'
expect_out 'Subject: a letter'
hub_stop
hub_start - -p "$HUB_AT" # the same place, now well
HUB_AT=
run "$SENDMAIL" -q
expect_rc 0
[ ! -s "$T/out" ] && [ ! -s "$T/err" ] || fail "-q prints something"
shows 'Mail queue is empty' "$SENDMAIL" -bp
expect_messages 1
finish

script 'on dot nth 1' '    sleep 60s' '    reply 250 2.0.0 taken'
a_daemon "a message whose verdict is awaited has an asterisk and says so" "$T/script" InteractiveTimeout=1s Timeout=100s
send -f alice@example.org bob@example.net
expect_rc 0
shows 'waiting for the verdict' "$SENDMAIL" -bp
grep -q '^[0-9A-Z]*\* ' "$T/out" || fail "no asterisk"
run "$ADMIN" status
expect_out '1 under way'
run "$ADMIN" queue
[ "$(awk 'NR == 2 {print $5}' "$T/out")" = now ] || fail "it is not 'now' that it is tried"
finish

a_daemon "-qI, -qR and -qS make only what they name due" -
send -odq -f alice@example.org bob@example.net
send -odq -f alice@example.org carol@example.net
send -odq -f dave@example.org erin@example.net
shows 'in 3 Requests.' "$SENDMAIL" -bp
run "$SENDMAIL" -qRcarol
expect_rc 0
shows 'in 2 Requests.' "$SENDMAIL" -bp
expect_messages 1
expect_env 'rcpt: <carol@example.net>'
run "$SENDMAIL" -qSdave@
shows 'in 1 Request.' "$SENDMAIL" -bp
expect_messages 2
run "$SENDMAIL" -qInosuchid
expect_rc 0
run "$ADMIN" queue
run "$SENDMAIL" "-qI$(awk 'NR == 2 {print $1}' "$T/out")"
shows 'Mail queue is empty' "$SENDMAIL" -bp
expect_messages 3
finish

begin "a refused login: status and mailq say frozen, why, and what to do"
rm -rf "$QUEUE"
hub_start - --tls starttls --auth PLAIN
daemon_conf UseTLS=starttls "TLS_CA_File=$CA" "AuthUser=$USER_NAME" AuthPass=wrong-0ne
daemon_start
send -f alice@example.org bob@example.net
expect_rc 0
shows 'account default: frozen, 1 message, ' "$ADMIN" status
expect_out 'account default: why: '
expect_out '535'
expect_out 'account default: do: mend'
run "$SENDMAIL" -bp
expect_out '535'
expect_out 'in 1 Request.'
for command in "$SENDMAIL -bp" "$ADMIN status" "$ADMIN queue"; do
    # shellcheck disable=SC2086 # words
    run $command
    expect_not_out wrong-0ne
done
finish

script 'on greeting session 1' '    reply 421 4.3.2 too busy, try later' '    close'
a_daemon "what somebody else commits to the daemon's queue is taken up at once" "$T/script"
run "$SENDMAIL" -C "$T/conf" -i -f alice@example.org bob@example.net <"$MSG"
expect_rc 0
shows 'Mail queue is empty' "$SENDMAIL" -bp
expect_messages 1
finish

# ---------------------------------------------------------------- who may

if [ "$(id -u)" -eq 0 ]; then
    a_daemon "others than operators see and try their own, and the last line counts all" -
    send -odq -f root@example.org roots@example.net
    send_as 64213 -odq -f one@example.org ones@example.net
    expect_rc 0
    send_as 64214 -odq -f two@example.org twos@example.net
    shows 'in 3 Requests.' "$SENDMAIL" -bp
    expect_out ones@example.net
    expect_out twos@example.net
    run_as 64213 "$SENDMAIL" -bp
    expect_rc 0
    expect_out ones@example.net
    expect_not_out twos@example.net
    expect_not_out roots@example.net
    expect_out 'in 3 Requests.'
    run_as 64213 "$ADMIN" queue
    expect_out ones@example.net
    expect_not_out twos@example.net
    run "$ADMIN" queue
    id=$(awk '/twos/ {print $1}' "$T/out")
    run_as 64213 "$ADMIN" show "$id"
    expect_rc 69
    [ ! -s "$T/out" ] || fail "another's message is shown"
    run_as 64214 "$ADMIN" show "$id"
    expect_rc 0
    run_as 64213 "$SENDMAIL" -qRtwos
    expect_rc 0
    run_as 64213 "$SENDMAIL" -q
    expect_rc 0
    shows 'in 2 Requests.' "$SENDMAIL" -bp
    expect_messages 1
    expect_env 'rcpt: <ones@example.net>'
    run_as 64213 "$ADMIN" status
    expect_rc 0
    expect_out 'queue: 2 messages'
    finish

    a_daemon "sendmail -bv tells a user who cannot read the configuration where mail would go" - rewriteDomain=example.org
    run_as 64213 "$SENDMAIL" -bv bob@example.net somebody
    expect_rc 0
    expect_out "bob@example.net: bob@example.net by 127.0.0.1:$HUB_PORT"
    expect_out '@example.org by 127.0.0.1'
    run_as 64213 "$SENDMAIL" -bv bob@
    expect_rc 67
    expect_out 'refused'
    expect_one_line
    finish

    a_daemon "smtprelay check ADDRESS tells a user the way of his own mail, and operators that of anybody's" - \
        rewriteDomain=example.org 'accounts=( { name = "own"; user = "64213"; mailhub = "own.example:25"; } )'
    run_as 64213 "$ADMIN" check bob@example.net
    expect_rc 0
    expect_out 'by account own (user, uid 64213): own.example:25'
    run_as 64213 "$ADMIN" check --user=0 bob@example.net
    expect_rc 77
    expect_one_line
    run "$ADMIN" check --user=64213 bob@example.net
    expect_rc 0
    expect_out 'by account own'
    run "$ADMIN" check bob@example.net
    expect_rc 0
    expect_out 'by account default'
    finish

    awk 'BEGIN {printf "crowd: r0@example.net"; for (i = 1; i < 20000; i++) printf ", r%d@a-domain-of-some-length.example.net", i; print ""}' >"$T/aliases"
    a_daemon "the way of an address that leads to very many is shown to the end, to who reads slowly, too" - "aliases=$T/aliases"
    chmod 644 "$T/aliases"
    run_as 64213 sh -c "\"$ADMIN\" check crowd | (sleep 1; cat) | tail -n 3"
    expect_out 'by account default'
    run_as 64213 sh -c "\"$ADMIN\" check crowd | head -n 2"
    expect_out 'crowd'
    run_as 64213 "$ADMIN" check bob@example.net
    expect_rc 0
    finish
    rm -f "$T/aliases"
else
    echo "ok (skipped, needs root) others than operators see and try their own"
fi

# ---------------------------------------------------------------- bad clients

a_daemon "who asks nonsense, asks half or reads nothing harms only himself" greet-421
command -v python3 >/dev/null && python3 - "$ROOT/run/smtprelay/socket.ctl" >"$T/odd" 2>&1 <<'END'
import socket, sys
def ask(data, read=True):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(30)
    s.connect(sys.argv[1])
    if data:
        try:
            s.sendall(data)
        except OSError:
            pass
    if not read:
        return s
    out = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            out += piece
    except OSError:
        pass
    return out
for nonsense in (b"\n", b"remove everything\n", b"show ../../../etc/shadow\n", b"\0\0\0\n", b"list\0\n", b"EHLO x\r\n",
                 b"run " + b"%41" * 30000 + b"\n"):
    out = ask(nonsense)
    if out and not out.startswith((b"=64 ", b"=69 ")):
        print("%r: %r" % (nonsense[:40], out[:200]))
held = [ask(b"lis", False) for _ in range(10)] + [ask(b"list\n", False) for _ in range(10)]
out = ask(b"list\n")
if not out.endswith(b"\n=0 \n"):
    print("with others who hold on: %r" % out[:200])
END
[ ! -s "$T/odd" ] || fail "$(head -n 3 "$T/odd")"
send -f alice@example.org bob@example.net
expect_rc 0
shows 'in 1 Request.' "$SENDMAIL" -bp
finish

a_daemon "who says no more behind his question is answered, though the history is just being written" -
command -v python3 >/dev/null && python3 - "$ROOT/run/smtprelay/socket.ctl" "$SENDMAIL" "$MSG" >"$T/odd" 2>&1 <<'END'
import socket, subprocess, sys
for _ in range(10):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(30)
    s.connect(sys.argv[1])
    with open(sys.argv[3], "rb") as letter:
        subprocess.run([sys.argv[2], "-i", "-f", "alice@example.org", "bob@example.net"], stdin=letter, timeout=60)
    s.sendall(b"list\n")
    s.shutdown(socket.SHUT_WR)
    out = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            break
        out += piece
    if not out.endswith(b"=0 \n"):
        print("the answer is %r" % out[:200])
END
[ ! -s "$T/odd" ] || fail "$(head -n 3 "$T/odd")"
finish

# ---------------------------------------------------------------- what the service itself may not read

# As systemd starts it: by an ordinary user, for whom root's files stay closed
start_as_user() {
    if [ "$(id -u)" -eq 0 ]; then
        printf '#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups %s "$@"\n' "$ROOT/sbin/smtprelayd" >"$T/as-user"
        chmod 755 "$T/as-user"
        mkdir -p "$QUEUE"
        chown 65534:65534 "$QUEUE" "$ROOT/run" "$ROOT/etc/smtprelay.conf"
        chmod 700 "$QUEUE"
        DAEMON=$T/as-user
    fi
    daemon_start
}
as_user() {
    if [ "$(id -u)" -eq 0 ]; then run_as 65534 "$@"; else run "$@"; fi
}
finish_as_user() {
    finish
    DAEMON=$ROOT/sbin/smtprelayd
    [ "$(id -u)" -ne 0 ] || chown 0:0 "$ROOT/run"
    rm -rf "$QUEUE"
}

begin "a secret that the service may not read freezes the account, and nobody is told to start the daemon that runs"
rm -rf "$QUEUE"
hub_start - --tls none --auth PLAIN --require-auth --auth-clear
printf '%s\n' "$PASSWORD" >"$T/closed"
chmod 0 "$T/closed"
daemon_conf "AuthUser=$USER_NAME" "AuthPassFile=$T/closed" AllowPlaintextAuth=true
start_as_user
as_user "$SENDMAIL" -i bob@example.net <"$MSG"
expect_rc 0
as_user "$ADMIN" status
expect_rc 2
expect_out 'account default: frozen, 1 message, '
expect_out "AuthPassFile: $T/closed: user "
expect_out 'may not read it'
expect_out 'chgrp smtprelay'
expect_out 'or the secret'
expect_not_out 'not running'
if [ "$(id -u)" -eq 0 ]; then chown 65534 "$T/closed"; fi
chmod 600 "$T/closed"
kill -HUP "$D"
wait_for 30 arrived 1 || fail "it does not go when that is mended"
finish_as_user

begin "a configuration that the service may not read ends it with 78: no restart mends that"
daemon_conf
chmod 0 "$ROOT/etc/smtprelay.conf"
as_user "$ROOT/sbin/smtprelayd"
expect_rc 78
expect_err 'may not read it; for the service: chgrp smtprelay, chmod 640; others ask it: smtprelay status, smtprelay test'
end

if [ "$(id -u)" -eq 0 ]; then
    begin "where no daemon runs mailq tells an ordinary user so, not only that permission is denied"
    daemon_conf
    chmod 644 "$ROOT/etc/smtprelay.conf"
    mkdir -p "$QUEUE"
    chmod 700 "$QUEUE"
    run_as 64213 "$SENDMAIL" -bp
    expect_rc 75
    expect_one_line
    expect_err "the daemon is not running, and queue $QUEUE may not be read by you; root starts it (systemctl start smtprelay, or smtprelayd)"
    end
fi
exit 0
