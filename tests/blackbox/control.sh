#!/bin/sh
# SPDX-License-Identifier: ISC
# mailq, sendmail -q and -bv, smtprelay status, queue and show: from whoever is at the control socket, or as the caller where
# nobody is.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

# programs of a root of their own: here a socket may lie
OWN=$O/root-control
fake_stage
ADMIN=$OWN/sbin/smtprelay
SENDMAIL=$OWN/sbin/sendmail
own_file SENDMAIL ADMIN

# fake MODE [UID [SOCKET]]: a server at the control socket
fake() { fake_at fake-control.py "${3-$RUN/socket.ctl}" "$1" "${2-}"; }

# run COMMAND...: sets rc and took
run() {
    start=$(date +%s)
    timeout 100 "$@" >"$T/out" 2>"$T/err"
    rc=$?
    took=$(($(date +%s) - start))
}

expect_asked() {
    printf '%s\n' "$1" | cmp -s - "$FAKE_DIR/asked" || fail "asked was '$(cat "$FAKE_DIR/asked" 2>/dev/null)', not '$1'"
}

# ---------------------------------------------------------------- with a daemon

begin "whoever listens on the control socket is asked, and its answer and exit code are sendmail's"
fake good
run "$SENDMAIL" -bp
expect_rc 0
printf 'one\n two\n' | cmp -s - "$T/out" || fail "not what was answered"
expect_one_line
expect_asked list
fake refuse
run "$SENDMAIL" -bv bob 'a b@example.org'
expect_rc 67
expect_out 'bob: refused'
expect_one_line
expect_err 'sendmail: bob: nobody'
expect_asked 'verify bob a%20b@example.org'
end

begin "-q, -qI, -qR and -qS ask the daemon for a run of these messages"
for flags in "-q run" "-qf run" "-q30m run" "-qI0AB run%I0AB" "-qRbob@ run%Rbob@" "-qSdave run%Sdave"; do
    fake good
    run "$SENDMAIL" "${flags%% *}"
    expect_rc 0
    expect_asked "$(printf %s "${flags#* }" | tr % ' ')"
done
end

begin "smtprelay status, queue and show ask the daemon"
for words in status queue "show 0AB" "queue show 0AB"; do
    fake good
    # shellcheck disable=SC2086 # words
    run "$ADMIN" $words
    expect_rc 0
    expect_out one
    case $words in
    "queue show"*) expect_asked "show 0AB" ;;
    *) expect_asked "$words" ;;
    esac
done
end

begin "an answer that breaks off or is none is 75"
for mode in half garbage; do
    fake $mode
    run "$SENDMAIL" -bp
    expect_rc 75
    expect_one_line
    run "$ADMIN" status
    expect_rc 75
    expect_one_line
done
end

begin "daemon-hung: a daemon that accepts and never answers is 75 after a while"
fake silent
run "$SENDMAIL" -bp
expect_rc 75
expect_one_line
expect_within 60
end

begin "an answer that takes longer than anybody waits comes in the end, for the daemon says that it is at work"
fake slow
run "$SENDMAIL" -bp
expect_rc 0
expect_out 'at last'
end

begin "whoever reads no more ends mailq without a word"
fake flood
timeout 60 "$SENDMAIL" -bp 2>"$T/err" | head -n 1 >"$T/out"
expect_out 'no end'
[ ! -s "$T/err" ] || fail "something on stderr"
end

begin "socket-squatted: a stranger at the control socket is not asked"
if [ "$(id -u)" -eq 0 ]; then
    fake good 64213
    run "$SENDMAIL" -bp
    expect_rc 75
    expect_err 64213
    [ ! -e "$FAKE_DIR/asked" ] || fail "it was asked"
    [ ! -s "$T/out" ] || fail "its answer was believed"
    end
else
    echo "ok (skipped, needs root) $CASE"
fi

begin "a configuration file that sets Socket leads to the daemon there"
mkdir -p "$T/own"
SOCK=$T/own/s
if [ ${#SOCK} -lt 100 ]; then
    rm -f "$SOCK.ctl"
    fake good '' "$SOCK.ctl"
    conf mailhub=127.0.0.1 UseTLS=false "Socket=$SOCK"
    run "$SENDMAIL" -C "$T/conf" -bp
    expect_rc 0
    printf 'one\n two\n' | cmp -s - "$T/out" || fail "not what was answered"
    expect_asked list
    run "$ADMIN" -C "$T/conf" status
    expect_rc 0
    expect_out one
    fake_stop
    run "$SENDMAIL" -C "$T/conf" -bp
    expect_rc 0
fi
end

begin "without Socket in the file, -C asks no daemon"
fake good
conf mailhub=127.0.0.1 UseTLS=false "QueueDir=$T/none"
run "$SENDMAIL" -C "$T/conf" -bp
expect_rc 0
expect_out 'Mail queue is empty'
[ ! -e "$FAKE_DIR/asked" ] || fail "it was asked"
end

# ---------------------------------------------------------------- without a daemon

begin "without daemon and queue mailq is empty, and there is nothing to run"
fake_stop
rm -f "$OWN/etc/smtprelay.conf"
for flag in -bp -q -qRbob; do
    run "$SENDMAIL" $flag
    expect_rc 0
    expect_one_line
done
run "$ADMIN" status
expect_rc 1 # nobody can send
expect_out "smtprelayd: not running, and there is no configuration: 'smtprelay setup ADDRESS' makes one"
expect_out 'queue: 0 messages'
run "$ADMIN" status --json
expect_rc 1
expect_out '"config_ok":false'
run "$ADMIN" queue
expect_rc 0
expect_out 'nothing waits'
run "$ADMIN" why --last
expect_rc 69
expect_err 'the history tells of no message'
run "$ADMIN" log
expect_rc 0
expect_err 'the history is empty'
end

begin "without a daemon status is 1 where the queue that is named is not there, and 0 where nobody wants one"
conf mailhub=127.0.0.1 UseTLS=false "QueueDir=$T/none"
mv "$T/conf" "$OWN/etc/smtprelay.conf"
run "$ADMIN" status
expect_rc 1
expect_out "there is no $T/none"
run "$ADMIN" status --json
expect_rc 1
expect_out '"queue_missing":true'
mkdir -m 700 "$T/none"
run "$ADMIN" status
expect_rc 0
rmdir "$T/none"
cp "$OWN/etc/smtprelay.conf" "$T/conf"
run "$ADMIN" -C "$T/conf" status # a queue of one's own is made when mail has to wait
expect_rc 0
conf mailhub=127.0.0.1 UseTLS=false
mv "$T/conf" "$OWN/etc/smtprelay.conf"
run "$ADMIN" status
expect_rc 0
rm -f "$OWN/etc/smtprelay.conf"
end

begin "a queue that cannot be read is 75"
if [ "$(id -u)" -eq 0 ]; then
    Q=$T/foreign
    mkdir -m 700 "$Q"
    conf mailhub=127.0.0.1 UseTLS=false "QueueDir=$Q"
    chmod 644 "$T/conf"
    chmod 711 "$T"
    run setpriv --reuid 64213 --clear-groups "$SENDMAIL" -C "$T/conf" -bp
    expect_rc 75
    expect_one_line
    end
else
    conf mailhub=127.0.0.1 UseTLS=false "QueueDir=$T/conf"
    run "$SENDMAIL" -C "$T/conf" -bp
    expect_rc 75
    expect_one_line
    end
fi

begin "status, queue and show tell what waits, why, and what to do"
hub_start greet-421
Q=$T/queue
mkdir -m 700 "$Q"
conf_tls false '' "QueueDir=$Q"
send -i -f alice@example.org bob@example.net carol@example.net
expect_rc 0
run "$ADMIN" -C "$T/conf" status
expect_rc 2
expect_out 'queue: 1 message, '
expect_out 'account default: 1 message, '
expect_out 'account default: why: '
expect_out 'too busy'
expect_out 'do: sendmail -q'
run "$ADMIN" -C "$T/conf" queue
expect_rc 0
expect_out '<alice@example.org> <bob@example.net,carol@example.net> '
expect_out 'too busy'
id=$(sed -n '2s/ .*//p' "$T/out")
[ -e "$Q/queue/$id" ] || fail "'$id' is no id"
run "$ADMIN" -C "$T/conf" show "$id"
expect_rc 0
expect_out 'recipient: <carol@example.net> waits'
expect_out 'Subject: a letter'
expect_out '..and this line'
run "$ADMIN" -C "$T/conf" show NOSUCHID
expect_rc 69
expect_one_line
run "$ADMIN" -C "$T/conf" show ../../conf
expect_rc 69
run "$ADMIN" show
expect_rc 64
expect_one_line
end

begin "mailq and queue list what waits oldest first"
hub_start -
rm -rf "$Q"
mkdir -m 700 "$Q"
conf_tls false '' "QueueDir=$Q"
for n in 01 02 03 04 05 06 07 08 09 10 11 12 13 14 15 16; do
    send -odq -f alice@example.org "to$n@example.net"
    expect_rc 0
done
seq -f 'to%02g@example.net' 1 16 >"$T/wanted"
for command in "$SENDMAIL -bp" "$ADMIN queue" "$ADMIN queue --json"; do
    # shellcheck disable=SC2086 # words
    run ${command%% *} -C "$T/conf" ${command#* }
    grep -o 'to[0-9][0-9]@example\.net' "$T/out" | cmp -s - "$T/wanted" || fail "${command#* }: another order: $(grep -o 'to[0-9]*@' "$T/out" | tr '\n' ' ')"
done
end

begin "mailq-escape: a queue full of hostile addresses prints no control character"
hub_start -
rm -rf "$Q"
mkdir -m 700 "$Q"
conf_tls false '' "QueueDir=$Q"
esc=$(printf '\033') bidi=$(printf '\342\200\256') c1=$(printf '\302\233')
bell=$(printf '\007')
for who in "\"${esc}[2J${esc}]0;x${bell}\"@example.net" "\"a${bidi}b\"@example.net" "\"a${c1}31m\"@example.net" \
    "\"new\\${esc}c\"@example.net"; do
    send -odq -f "$who" bob@example.net
    send -odq -f alice@example.org "$who"
done
send -odq -f alice@example.org bob@example.net
# what our own server refuses may be there from elsewhere: a record's bytes are not believed
for f in "$Q"/queue/*; do
    sed 's/^rcpt \. bob@example\.net/rcpt . bo%1B%5B2@e.net/' "$f" >"$T/changed"
    cmp -s "$f" "$T/changed" || { cat "$T/changed" >"$f"; changed=1; }
done
[ -n "${changed-}" ] || fail "no record was changed"
for command in "$SENDMAIL -bp" "$ADMIN queue" "$ADMIN status"; do
    # shellcheck disable=SC2086 # words
    run ${command%% *} -C "$T/conf" ${command#* }
    [ "$rc" -eq "$([ "${command#* }" = status ] && echo 2 || echo 0)" ] || fail "$command: exit code $rc"
    if LC_ALL=C tr -d '\n' <"$T/out" | grep -q '[[:cntrl:]]'; then fail "$command: a control character"; fi
    if grep -qF -e "$bidi" -e "$c1" "$T/out"; then fail "$command: a character that turns the text around"; fi
done
run "$SENDMAIL" -C "$T/conf" -bp
tail -n 1 "$T/out" | grep -q '^-- [0-9]* Kbytes in [0-9]* Requests\.$' || fail "it does not end well"
expect_out 'bo\x1B[2@e.net'
end

begin "a torn file in the queue does not keep the others out of the list"
hub_start -
rm -rf "$Q"
mkdir -m 700 "$Q"
conf_tls false '' "QueueDir=$Q"
send -odq -f alice@example.org bob@example.net
echo torn >"$Q/queue/0TORN"
mkdir "$Q/queue/0DIR"
mkfifo "$Q/queue/0FIFO"
run "$SENDMAIL" -C "$T/conf" -bp
expect_rc 0
expect_out bob@example.net
expect_out 'in 1 Request.'
run "$ADMIN" -C "$T/conf" show 0FIFO
expect_rc 69
end
exit 0
