#!/bin/sh
# SPDX-License-Identifier: ISC
# The queue without a daemon: temporary trouble is durable on disk before exit 0, mailq says why, `sendmail -q` sends it once.
. "$(dirname "$0")/lib.sh"
own_file SENDMAIL

letter

# The settings of the hub with a queue of this user's own
conf_queue() {
    Q=$T/queue
    rm -rf "$Q"
    mkdir -m 700 "$Q"
    conf_tls false '' "QueueDir=$Q" "$@"
}

mailq_shows() {
    timeout 60 "$SENDMAIL" -C "$T/conf" -bp >"$T/mailq" 2>"$T/mailq.err" || fail "mailq ends with $?"
    grep -qF -e "$1" "$T/mailq" || fail "mailq does not show '$1': $(head -n 4 "$T/mailq")"
}

run_queue() {
    timeout 60 "$SENDMAIL" -C "$T/conf" "$@" >"$T/out" 2>"$T/err" || fail "sendmail $* ends with $?"
    [ ! -s "$T/out" ] && [ ! -s "$T/err" ] || fail "sendmail $* prints something"
}

count_queued() {
    n=0
    for f in "$Q/$1"/*; do [ -e "$f" ] && n=$((n + 1)); done
    [ "$n" -eq "$2" ] || fail "$n files in $1/, not $2"
}

begin "mail at a smarthost that is down is queued with exit 0, shown by mailq and sent by -q, once"
hub_start greet-421
conf_queue
send -f alice@example.org bob@example.net carol@example.net
expect_rc 0
expect_one_line
mailq_shows 'too busy'
mailq_shows 'carol@example.net'
mailq_shows 'alice@example.org'
mailq_shows 'in 1 Request.'
count_queued queue 1
run_queue -q
count_queued queue 1
hub_start -
conf_tls false '' "QueueDir=$Q"
run_queue -q
expect_messages 1
expect_env 'rcpt: <bob@example.net>'
expect_env 'rcpt: <carol@example.net>'
count_queued queue 0
mailq_shows 'Mail queue is empty'
run_queue -q
expect_messages 1
expect_manners
end

begin "a recipient that is deferred waits, the other one has it and does not get it again"
printf 'on RCPT *carol*\n    reply 451 4.2.0 later\n' >"$T/later"
hub_start "$T/later"
conf_queue
send -f alice@example.org bob@example.net carol@example.net
expect_rc 0
expect_messages 1
mailq_shows 'carol@example.net'
if grep -qF bob@example.net "$T/mailq"; then fail "bob waits, too"; fi
hub_start -
conf_tls false '' "QueueDir=$Q"
run_queue -q
expect_messages 1
expect_env 'rcpt: <carol@example.net>'
if grep -q 'rcpt: <bob' "$HUB_DIR/1.env"; then fail "bob gets it twice"; fi
end

begin "-odq and -odb queue without asking the smarthost"
hub_start -
conf_queue
send -odq -f alice@example.org bob@example.net
expect_rc 0
send -odb -f alice@example.org carol@example.net
expect_rc 0
expect_messages 0
count_queued queue 2
mailq_shows 'in 2 Requests.'
run_queue -q
expect_messages 2
count_queued queue 0
end

begin "where the queue cannot be written -odq delivers, and temporary trouble is 75"
hub_start -
conf_tls false '' "QueueDir=$T/nowhere"
send -odq -f alice@example.org bob@example.net
expect_rc 0
expect_messages 1
hub_start rcpt-all-450
conf_tls false '' "QueueDir=$T/nowhere"
send -f alice@example.org bob@example.net
expect_rc 75
[ ! -e "$T/nowhere" ] || fail "a queue was made"
end

begin "a queue that others can write to is not used"
hub_start rcpt-all-450
conf_queue
chmod 777 "$Q"
send -f alice@example.org bob@example.net
expect_rc 75
end

begin "what the smarthost refuses for good is refused at once and not queued"
hub_start dot-554
conf_queue
send -f alice@example.org bob@example.net
expect_rc 69
count_queued queue 0
end

begin "what the smarthost refuses later is kept under failed/"
hub_start -
conf_queue
send -odq -f alice@example.org bob@example.net
expect_rc 0
hub_start dot-554
conf_tls false '' "QueueDir=$Q"
run_queue -q
count_queued queue 0
count_queued failed 1
end

begin "a refused login keeps the mail; with the right password it goes"
hub_start - --tls starttls --auth PLAIN
conf_queue
conf_tls starttls yes "QueueDir=$Q" AuthPass=wrong
send -f alice@example.org bob@example.net
expect_rc 0
run_queue -q
run_queue -q
count_queued queue 1
conf_tls starttls yes "QueueDir=$Q"
run_queue -q
expect_messages 1
count_queued queue 0
end

begin "a torn file is moved aside and the others are sent"
hub_start -
conf_queue
send -odq -f alice@example.org bob@example.net
send -odq -f alice@example.org carol@example.net
for f in "$Q"/queue/*; do
    head -c 300 "$f" >"$T/torn"
    cp "$T/torn" "$f"
    break
done
echo 'nothing of ours' >"$Q/queue/notes.txt"
run_queue -q
expect_messages 1
count_queued corrupt 2
count_queued queue 0
end

begin "a message of 3 MB comes out of the queue as it went in"
hub_start -
conf_queue
{ cat "$MSG"; head -c 2250000 /dev/urandom | base64; } >"$T/big"
cp "$T/big" "$MSG"
send -i -odq -f alice@example.org bob@example.net
expect_rc 0
run_queue -q
expect_messages 1
tail -c 3000000 "$HUB_DIR/1.msg" | tr -d '\r' | tail -n 30000 >"$T/got"
tail -n 30000 "$T/big" | cmp -s - "$T/got" || fail "it has changed"
letter
end

begin "-qR, -qS and -qI send only what they name"
hub_start -
conf_queue
send -odq -f alice@example.org bob@example.net
send -odq -f alice@example.org carol@example.net
send -odq -f dave@example.org erin@example.net
run_queue -qRcarol
expect_messages 1
expect_env 'rcpt: <carol@example.net>'
run_queue -qSdave@
expect_messages 2
expect_env 'rcpt: <erin@example.net>'
run_queue -qInosuchid
expect_messages 2
for f in "$Q"/queue/*; do run_queue -qI"${f##*/}"; done
expect_messages 3
count_queued queue 0
end

begin "below MinFree and over MaxQueueSize mail is sent at once, and temporary trouble is 75"
hub_start -
conf_queue MaxQueueSize=1000
send -odq -f alice@example.org bob@example.net
expect_rc 0
send -odq -f alice@example.org carol@example.net
expect_rc 0
expect_messages 1
expect_env 'rcpt: <carol@example.net>'
count_queued queue 1
hub_start rcpt-all-450
conf_queue MinFree=900000000M
send -odq -f alice@example.org bob@example.net
expect_rc 75
count_queued queue 0
end

begin "status without a daemon says that the queue takes no more, and ends with 1"
conf_queue MinFree=900000000M
timeout 60 "$O/root/sbin/smtprelay" -C "$T/conf" status >"$T/out" 2>"$T/err"
# shellcheck disable=SC2034 # lib.sh reads it
rc=$?
expect_rc 1
grep -q "less than MinFree is left on its file system: mail that the smarthost does not take at once is refused" "$T/out" ||
    fail "it says: $(cat "$T/out" "$T/err")"
end
