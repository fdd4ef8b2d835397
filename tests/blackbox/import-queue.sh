#!/bin/sh
# SPDX-License-Identifier: ISC
# `smtprelay import --spool`: mail that waits in another program's queue is sent once, and none of it is lost.
set -u
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/blackbox/machine
. "$TESTS/blackbox/machine"

nullmailer_spool() {
    mkdir -p "$T/m/var/spool/nullmailer/queue" "$T/m/var/spool/nullmailer/tmp" "$T/m/var/spool/nullmailer/failed"
    rm -f "$T/m/var/spool/nullmailer/trigger"
    mkfifo "$T/m/var/spool/nullmailer/trigger"
    printf 'alice@example.org\nbob@example.net\ncarol@example.net\n\nSubject: waits\nFrom: alice@example.org\n\none\n.\ntwo\n' \
        >"$T/m/var/spool/nullmailer/queue/1700000000.1"
    printf '\nbob@example.net\n\nSubject: a bounce\nFrom: mailer@example.org\n\ntext\n' >"$T/m/var/spool/nullmailer/queue/1700000000.2"
    printf 'alice@example.org\nnever ends' >"$T/m/var/spool/nullmailer/queue/1700000000.3"
}

spool_machine() {
    machine
    printf '127.0.0.1 smtp --port=%s\n' "$HUB_PORT" | file /etc/nullmailer/remotes
    nullmailer_spool
}

begin "what waits at nullmailer is sent with its envelope once, and what is not understood stays"
hub_start -
spool_machine
import --spool
expect_rc 0
expect_err '2 messages would be taken over, 1 left there'
[ "$(find "$T/m/var/spool/nullmailer/queue" -type f | wc -l)" -eq 3 ] || fail "the dry run took mail"
import --write --spool
expect_rc 75
expect_err '1700000000.3: its envelope is not understood'
expect_out '2 messages taken over, 1 left there'
expect_messages 2
grep -lF 'rcpt: <carol@example.net>' "$HUB_DIR"/*.env >/dev/null || fail "carol got nothing"
grep -lF 'mail: <>' "$HUB_DIR"/*.env >/dev/null || fail "the null sender is lost"
grep -qF two "$HUB_DIR"/*.msg || fail "the text was cut at its dot"
import --write --spool
expect_rc 75
expect_messages 2
expect_out '0 messages taken over, 1 left there'
end

begin "what nullmailer had given up stays there, and is named"
hub_start -
spool_machine
mv "$T/m/var/spool/nullmailer/queue/1700000000.3" "$T/m/var/spool/nullmailer/failed"
import --write --spool
expect_rc 0
expect_err 'nullmailer/failed: 1 message that nullmailer had given up stays there'
expect_messages 2
end

begin "what the smarthost refuses for now stays at nullmailer, and is not lost"
hub_start dot-451
spool_machine
import --write --spool
expect_rc 75
expect_err 'it stays: sendmail ended with exit code 75'
[ "$(find "$T/m/var/spool/nullmailer/queue" -type f | wc -l)" -eq 3 ] || fail "mail is gone"
end

begin "while nullmailer runs its mail is left to it"
hub_start -
spool_machine
sleep 60 <>"$T/m/var/spool/nullmailer/trigger" &
reader=$!
# the shell opens the fifo before it becomes sleep
wait_for 30 sh -c "ls -l /proc/$reader/fd 2>/dev/null | grep -q trigger"
import --write --spool
expect_rc 75
expect_err 'stop it first'
kill "$reader"
wait "$reader" 2>/dev/null
expect_messages 0
end

begin "a folder of nullmailer's that cannot be read is named with the reason"
hub_start -
spool_machine
rm -r "$T/m/var/spool/nullmailer/queue"
import --write --spool
expect_rc 78
expect_err 'nullmailer/queue: No such file or directory'
end

begin "what waits at dma is sent once, but not what dma is sending"
hub_start -
machine
printf 'SMARTHOST 127.0.0.1\nPORT %s\n' "$HUB_PORT" | file /etc/dma/dma.conf
for n in 1 2; do
    printf 'ID: ab.%s\nSender: alice@example.org\nRecipient: user%s@example.net\n' $n $n | file "/var/spool/dma/Qab.$n"
    printf 'From: alice@example.org\nSubject: waits\n\ntext %s\n' $n | file "/var/spool/dma/Mab.$n"
done
printf 'ID: cd.1\nSender: a@example.org\nRecipient: b@example.net\n' | file /var/spool/dma/Qcd.1
flock "$T/m/var/spool/dma/Qab.2" sh -c "echo locked >'$T/locked'; while [ ! -e '$T/enough' ]; do sleep 0.05; done" &
holder=$!
wait_for 30 test -s "$T/locked"
import --write --spool
expect_rc 75
expect_err 'Qab.2: somebody is sending it'
expect_err 'Qcd.1: its content is not there'
expect_messages 1
expect_env 'rcpt: <user1@example.net>'
[ ! -e "$T/m/var/spool/dma/Mab.1" ] || fail "its content is still there"
touch "$T/enough"
wait "$holder"
rm "$T/m/var/spool/dma/Qcd.1"
import --write --spool
expect_rc 0
expect_messages 2
[ -z "$(ls "$T/m/var/spool/dma")" ] || fail "there is $(ls "$T/m/var/spool/dma")"
end

# the content of a message with several recipients has a name for each
begin "a message of dma with three recipients is taken over"
hub_start -
machine
printf 'SMARTHOST 127.0.0.1\nPORT %s\n' "$HUB_PORT" | file /etc/dma/dma.conf
printf 'From: alice@example.org\nSubject: waits\n\ntext\n' | file /var/spool/dma/Mab.1
for n in 1 2 3; do
    printf 'ID: ab.%s\nSender: alice@example.org\nRecipient: user%s@example.net\n' $n $n | file "/var/spool/dma/Qab.$n"
    [ "$n" -eq 1 ] || ln "$T/m/var/spool/dma/Mab.1" "$T/m/var/spool/dma/Mab.$n"
done
import --spool
expect_err "dma: 3 messages would be taken over"
import --write --spool
expect_rc 0
expect_messages 3
[ -z "$(ls "$T/m/var/spool/dma")" ] || fail "there is $(ls "$T/m/var/spool/dma")"
end

begin "nobody has another file sent as his message that waits at dma"
hub_start -
machine
printf 'SMARTHOST 127.0.0.1\nPORT %s\n' "$HUB_PORT" | file /etc/dma/dma.conf
printf 'root only\n' | file /etc/secret
printf 'ID: ab.1\nSender: alice@example.org\nRecipient: eve@example.net\n' | file /var/spool/dma/Qab.1
ln "$T/m/etc/secret" "$T/m/var/spool/dma/Mab.1"
import --write --spool
expect_rc 75
expect_err 'Qab.1: its content is not a file of its own'
expect_messages 0
end

begin "a program without a queue has none to take over"
ssmtp_machine
import --spool
expect_rc 64
expect_err 'ssmtp has no queue'
end
