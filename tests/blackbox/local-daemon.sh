#!/bin/sh
# SPDX-License-Identifier: ISC
# Whoever is at the hand-over socket, or nobody: sendmail ends in time, tells the truth, and gives mail to no stranger.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

# programs of a root of their own: here a socket may lie
OWN=$O/root-local
fake_stage
SENDMAIL=$OWN/sbin/sendmail
SOCKET=$RUN/socket

# fake MODE [UID]: a server at the socket
fake() { fake_at fake-daemon.py "$SOCKET" "$1" "${2-}"; }

# A case: a good smarthost for the direct way, and nobody at the socket yet
with_hub() {
    begin "$1"
    fake_stop
    hub_start - --offer -BINARYMIME
    conf UseTLS=false
    mkdir -p "$OWN/etc"
    cp -p "$T/conf" "$OWN/etc/smtprelay.conf"
}

hand_over() {
    start=$(date +%s)
    timeout 60 "$SENDMAIL" -f alice@example.org -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
    took=$(($(date +%s) - start))
}

# ends CODE COUNT SECONDS: COUNT by the direct way
ends() {
    expect_rc "$1"
    expect_one_line
    expect_messages "$2"
    expect_within "$3"
    [ ! -s "$T/out" ] || fail "something on standard output"
    if [ "$rc" -ne 0 ]; then grep -q '^sendmail: .*: ' "$T/err" || fail "stderr is not 'sendmail: WHAT: WHY'"; fi
}

expect_taken() {
    [ -e "$FAKE_DIR/taken" ] || fail "the daemon got nothing"
}

expect_not_taken() {
    [ ! -e "$FAKE_DIR/taken" ] || fail "the daemon got the message"
}

with_hub "socket-missing: without a socket the message goes directly"
hand_over
ends 0 1 30
end

with_hub "socket-missing: a socket nobody listens on any more is no daemon"
fake good
kill "$FAKE"
{ wait "$FAKE"; } 2>/dev/null
[ -S "$SOCKET" ] || fail "no socket is left"
hand_over
ends 0 1 30
end

with_hub "the daemon at the socket gets the message, and it alone"
fake good
hand_over
ends 0 0 30
expect_taken
end

with_hub "a socket that is a plain file is no daemon"
mkdir -p "$RUN"
: >"$SOCKET"
hand_over
ends 0 1 30
end

with_hub "socket-squatted: a stranger at the socket gets nothing, and the caller 75"
if [ "$(id -u)" -eq 0 ]; then
    fake good 64213
    hand_over
    ends 75 0 30
    expect_not_taken
    expect_err 64213
    end
else
    hub_stop
    echo "ok (skipped, needs root) $CASE"
fi

with_hub "the socket's folder says whom root trusts: in a container the daemon may be a user whom nobody knows"
if [ "$(id -u)" -eq 0 ]; then
    fake good 64213
    chown 64213 "$RUN"
    chmod 755 "$RUN"
    hand_over
    ends 0 0 30
    expect_taken
    fake good 64213
    chown 64213 "$RUN"
    chmod 775 "$RUN"
    hand_over
    ends 75 0 30
    expect_not_taken
    fake good 64213
    chown 64213 "$RUN"
    chmod 755 "$RUN"
    chmod 1777 "$(dirname "$RUN")" # there anybody could have made the folder
    hand_over
    chmod 755 "$(dirname "$RUN")"
    ends 75 0 30
    expect_not_taken
    end
else
    hub_stop
    echo "ok (skipped, needs root) $CASE"
fi

with_hub "socket-backlog-full: a daemon that accepts nobody is 75 in time"
fake backlog
hand_over
ends 75 0 40
end

with_hub "daemon-hung: no greeting is 75 in time, and no other way is tried"
fake silent
hand_over
ends 75 0 40
end

with_hub "daemon-hung: nor is one waited for longer where the caller's own file names the socket"
fake silent
conf UseTLS=false "Socket=$SOCKET" User=root
send -f alice@example.org -i bob@example.net
ends 75 0 40
expect_err 'no greeting within 10 s'
end

with_hub "daemon-hung: a greeting without an end is 75 in time"
fake no_line
hand_over
ends 75 0 40
end

with_hub "daemon-hung: a greeting of any length is 75 in little memory"
fake flood
hand_over
ends 75 0 40
end

with_hub "daemon-hung: one that takes no byte of a large message is 75 in time"
big_letter 2500
fake stall
hand_over
ends 75 0 40
expect_not_taken
end
letter

with_hub "daemon-hung: no answer in the time it announced is 75, and the line says that it may have been sent"
fake no_answer
hand_over
ends 75 0 40
expect_err "no answer in the time it announced; the message may have been sent"
end

with_hub "daemon-hung: what was refused before was refused, and the line says no more"
fake refuses_and_hangs
hand_over
ends 67 0 40
expect_err "no such user"
if grep -q "may have been sent" "$T/err"; then fail "it may have been sent"; fi
end

with_hub "daemon-restart: gone before the last byte is 75 and no word of having been sent"
fake ends_early
big_letter 2500
hand_over
ends 75 0 40
expect_not_err "may have been sent"
end
letter

for mode in ends_late half_answer; do
    with_hub "daemon-restart: gone behind the last byte is 75, and the line says that it may have been sent ($mode)"
    fake "$mode"
    hand_over
    ends 75 0 40
    expect_err "may have been sent"
    end
done

with_hub "daemon-restart: fifty callers while it comes and goes: each ends, and what ended with 0 is somewhere"
fake good
for i in 1 2 3 4 5 6 7 8 9 10; do
    for j in 1 2 3 4 5; do
        (
            timeout 60 "$SENDMAIL" -f alice@example.org -i bob@example.net <"$MSG" >"$T/many.$i.$j.out" 2>&1
            echo $? >"$T/many.$i.$j"
        ) &
        eval "caller_$i$j=$!"
    done
    [ $((i % 3)) -ne 0 ] || fake good
done
for i in 1 2 3 4 5 6 7 8 9 10; do
    for j in 1 2 3 4 5; do
        eval "wait \$caller_$i$j"
        case $(cat "$T/many.$i.$j") in
        0 | 75) ;;
        *) fail "one ended with $(cat "$T/many.$i.$j"): $(cat "$T/many.$i.$j.out")" ;;
        esac
    done
done
end

with_hub "a daemon that is too busy says so, with its code"
fake busy
hand_over
ends 75 0 30
expect_err "too busy"
end

with_hub "a daemon's refusal is never exit 0, whatever code it names"
fake odd_codes
hand_over
ends 69 0 30
end
exit 0
