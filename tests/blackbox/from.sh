#!/bin/sh
# SPDX-License-Identifier: ISC
# The From policy: whatever programs write, it arrives where only the account's own address may send. from.table.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/table-run"

in_() { # shellcheck disable=SC2059 # the format is the message
    printf "$2" >"$T/in/$1"; }

in_ cron 'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@client> run\nContent-Type: text/plain; charset=UTF-8\nX-Cron-Env: <SHELL=/bin/sh>\n\noutput\n'
in_ cronie 'From: "(Cron Daemon)" <user>\nTo: bob@example.net\nSubject: Cron <user@client> run\nAuto-Submitted: auto-generated\nPrecedence: bulk\n\noutput\n'
in_ mdadm 'From: mdadm monitoring <root>\nTo: bob@example.net\nSubject: DegradedArray event on /dev/md0:client\n\ntext\n'
in_ smartd 'From: smartd <root@client.example.org>\nTo: bob@example.net\nSubject: SMART error\n\ntext\n'
in_ nothing 'To: bob@example.net\nSubject: no From at all\n\ntext\n'
in_ php 'To: bob@example.net\nSubject: from a form\nX-PHP-Originating-Script: 33:form.php\nFrom: www-data@client\n\ntext\n'
in_ visitor 'To: bob@example.net\nSubject: from a form\nFrom: A Visitor <visitor@example.com>\n\ntext\n'
in_ sudo 'To: bob@example.net\nFrom: alice\nAuto-Submitted: auto-generated\nSubject: *** SECURITY information for client ***\n\ntext\n'
in_ git 'From: An Author <author@kernel.example>\nTo: bob@example.net\nSubject: [PATCH] x\nMessage-Id: <1@kernel.example>\nDate: Sat, 21 Nov 2026 10:00:00 +0100\n\ntext\n'
in_ report 'From: Mail Delivery System <MAILER-DAEMON@client.example.org>\nTo: bob@example.net\nAuto-Submitted: auto-replied\nSubject: Undelivered Mail\n\ntext\n'
in_ own 'From: Alerts <alerts@example.org>\nTo: bob@example.net\n\ntext\n'
in_ resent 'Resent-From: Me <me@localhost>\nResent-To: bob@example.net\nFrom: Zoe <zoe@example.com>\nTo: me@example.org\nDate: Sat, 21 Nov 2026 10:00:00 +0100\nMessage-ID: <m@example.com>\n\ntext\n'

from_conf() { conf UseTLS=false From=alerts@example.org rewriteDomain= root=bob@example.net "$@"; }

hub_start own-sender-only --tls none
from_conf rewriteDomain=client.example.org
table_run "$TESTS/blackbox/from.table"

# Exactly one From in each of them, and no address in it but the account's
begin "no message has another From than the account's"
for msg in "$HUB_DIR"/*.msg; do
    [ "$(header_of "$msg" | grep -ci '^From:')" -eq 1 ] || fail "not one From in $msg"
    header_of "$msg" | grep -i '^Resent-From:' >"$T/senders" || header_of "$msg" | grep -i '^From:' >"$T/senders"
    grep -q '<alerts@example.org>$' "$T/senders" || fail "$(cat "$T/senders")"
done
echo "${WHY:+not }ok $CASE${WHY:+: $WHY}"
hub_stop

# one_letter SETTINGS...: the letter of Alice <alice@example.org>, with -f carol@example.com
one_letter() {
    hub_start - --tls none
    conf UseTLS=false "$@"
    letter
    send -i -f carol@example.com bob@example.net
    expect_rc 0
    expect_messages 1
}
from_is() { grep -qxF -e "$1$CR" "$HUB_DIR/1.msg" || fail "$(grep -a '^From:' "$HUB_DIR/1.msg"), not $1"; }

begin "the address of AuthUser is the From of its account, envelope and header decided apart"
hub_start - --tls none --auth PLAIN --auth-clear --user alerts@example.org
conf UseTLS=false AuthUser=alerts@example.org "AuthPass=$PASSWORD" AllowPlaintextAuth=true
letter
send -i -f carol@example.com bob@example.net
expect_rc 0
expect_env 'mail: <alerts@example.org>'
from_is 'From: Alice <alice@example.org>'
end

begin "without From, auto lets every sender go"
one_letter
expect_env 'mail: <carol@example.com>'
from_is 'From: Alice <alice@example.org>'
end

begin "FromAllowed lets addresses and whole domains go"
one_letter From=alerts@mail.example 'FromAllowed=( "carol@example.com", "@example.org" )'
expect_env 'mail: <carol@example.com>'
from_is 'From: Alice <alice@example.org>'
end

begin "FromLineOverride = false is force, true is qualify"
one_letter From=alerts@mail.example FromLineOverride=false
expect_env 'mail: <alerts@mail.example>'
from_is 'From: "Alice" <alerts@mail.example>'
if grep -qF alice@ "$HUB_DIR/1.msg"; then fail "the old address is still in it"; fi
hub_stop
one_letter From=alerts@mail.example FromLineOverride=true
expect_env 'mail: <carol@example.com>'
from_is 'From: Alice <alice@example.org>'
end

begin "without From, force puts the caller's own address in envelope and header, and FromLineOverride = false with it"
one_letter FromPolicy=force rewriteDomain=example.org
expect_env "mail: <$(id -un)@example.org>"
from_is "From: \"Alice\" <$(id -un)@example.org>"
hub_stop
one_letter FromLineOverride=false rewriteDomain=example.org
expect_env "mail: <$(id -un)@example.org>"
from_is "From: \"Alice\" <$(id -un)@example.org>"
if grep -qF alice@ "$HUB_DIR/1.msg"; then fail "the old address is still in it"; fi
hub_stop
one_letter FromLineOverride=true rewriteDomain=example.org
from_is 'From: Alice <alice@example.org>'
end

begin "with keep, the null sender stays the null sender or is refused"
hub_start own-sender-only --tls none
conf UseTLS=false From=alerts@example.org FromPolicy=keep
send -i -f '' bob@example.net
expect_rc 69
expect_err 553
expect_messages 0
end

begin "the null sender goes as it is where it is taken"
hub_start - --tls none
conf UseTLS=false From=alerts@example.org
send -i -f '' bob@example.net
expect_rc 0
expect_env 'mail: <>'
end

begin "a smarthost that ends the session over the null sender gets the account's address in another"
cat >"$T/script" <<'END'
on MAIL FROM:<>*
    reply 550 5.7.1 no null sender here
    close
END
hub_start "$T/script" --tls none
conf UseTLS=false From=alerts@example.org
send -i -f '' bob@example.net
expect_rc 0
expect_env 'mail: <alerts@example.org>'
expect_messages 1
end

# ---------------------------------------------------------------- with a queue

ROOT=$O/root-from # the compiled-in paths of these programs lie below it
daemon_stage
DAEMON_SETTINGS='From=alerts@example.org'
hand_in() { timeout 60 "$SENDMAIL" "$@" <"$MSG" >"$T/out" 2>"$T/err"; }
cat "$TESTS/hub/scripts/own-sender-only.hub" >"$T/script"
cat >>"$T/script" <<'END'
on RCPT *<bad@*
    reply 550 5.1.1 no such user here
END

a_daemon "a report reaches the sender through a provider that insists on its own address" "$T/script"
hand_in -odb -i -f alice@example.com bad@example.net || fail "not taken"
wait_for 30 arrived 1 || fail "no report came"
expect_env 'mail: <alerts@example.org>'
expect_env 'rcpt: <alice@example.com>'
from_is 'From: Mail Delivery System <alerts@example.org>'
finish

a_daemon "a report that is refused under the account's address makes no other" "$T/script"
hand_in -odb -i -f bad@example.net bad@example.net || fail "not taken"
is_failed() { [ "$(find "$QUEUE/failed" -type f 2>/dev/null | wc -l)" -eq 1 ]; }
wait_for 30 is_failed || fail "it is not in failed/"
[ "$(find "$QUEUE/queue" -type f | wc -l)" -eq 0 ] || fail "something is still queued"
[ "$(count_messages)" -eq 0 ] || fail "$(count_messages) messages came"
finish

# Each account of the two has a provider that insists on its own address
cat >"$T/two.hub" <<'END'
on MAIL FROM:<two@second.example>*
    default
on MAIL
    reply 553 5.7.1 Sender address rejected: not owned by user
END
begin "through its fallback account a message goes with the sender of that account"
rm -rf "$QUEUE"
hub_start "$T/two.hub" --tls none
daemon_conf mailhub=localhost:1
cat >>"$ROOT/etc/smtprelay.conf" <<END
accounts = ( { name = "one"; sender = "@first.example"; mailhub = "127.0.0.1:1"; From = "one@first.example"; fallback = "two"; },
    { name = "two"; mailhub = "127.0.0.1:$HUB_PORT"; From = "two@second.example"; } );
END
daemon_start
printf 'From: Shop <shop@first.example>\nTo: bob@example.net\n\ntext\n' >"$MSG"
hand_in -i -f shop@first.example bob@example.net || fail "not taken"
wait_for 30 arrived 1 || fail "nothing came"
expect_env 'mail: <two@second.example>'
from_is 'From: "Shop" <two@second.example>'
grep -qxF -e "Reply-To: Shop <shop@first.example>$CR" "$HUB_DIR/1.msg" || fail "answers do not go to the sender"
finish
