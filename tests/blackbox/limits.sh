#!/bin/sh
# What holds mail back so that it arrives: rates, an account's own pace, alerts that overtake.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-limits # the compiled-in paths of these programs lie below it
daemon_stage
OTHER=4242 # a person's uid
script() { printf '%s\n' "$@" >"$T/script"; }
send() { run "$SENDMAIL" -i "$@" <"$MSG"; }
send_as_person() { run setpriv --reuid=$OTHER --regid=$OTHER --clear-groups "$SENDMAIL" -i "$@" <"$MSG"; }
queue_line() { "$ADMIN" queue | grep -F -e "$1"; }

# ---------------------------------------------------------------- facts are not words

script 'on greeting session 1' '    reply 451 4.3.2 the message may have been sent to another place; ended unexpectedly'
a_daemon "what a smarthost says in our words does not keep its fallback from taking over" "$T/script" \
    'accounts=( { name = "first"; sender = "@example.org"; fallback = "second"; }, { name = "second"; } )'
send -v -f alice@example.org bob@example.net
expect_rc 0
expect_err 'sent as'
expect_messages 1
finish

# ---------------------------------------------------------------- rates

a_daemon "mail over the rate waits, and queue, mailq and status say why and until when" - RateLimit=10/h
for r in bob carol dave; do
    send -f alice@example.org $r@example.net
    expect_rc 0
done
expect_messages 1
queue_line 'carol' >"$T/carol"
grep -Eq 'over the rate of 10/h, goes at ([A-Z][a-z][a-z] )?[0-2][0-9]:[0-5][0-9]$' "$T/carol" || fail "queue says $(cat "$T/carol")"
grep -Eq '[56]m ' "$T/carol" || fail "and the time: $(cat "$T/carol")"
queue_line 'dave' | grep -Eq '1[234]m ' || fail "the second one: $(queue_line dave)"
"$SENDMAIL" -bp | grep -q 'over the rate of 10/h, goes at' || fail "mailq says $("$SENDMAIL" -bp)"
"$ADMIN" status >"$T/out"
grep -q 'rate: 10/h, 2 over it: the next goes at .*, the last at' "$T/out" || fail "status says $(cat "$T/out")"
"$ADMIN" status --json | grep -q '"over_rate": *2' || fail "status --json says $("$ADMIN" status --json)"
finish

if [ "$(id -u)" -eq 0 ]; then
    a_daemon "when the rate is short an alert overtakes what waits" - RateLimit=10/h
    chmod 755 "$T"
    for r in bob carol dave; do
        send_as_person -f alice@example.org $r@example.net
        expect_rc 0
    done
    expect_messages 1
    send root-alert@example.net
    expect_rc 0
    queue_line 'root-alert' | grep -Eq ' [56]m ' || fail "it does not go first: $("$ADMIN" queue)"
    daemon_conf RateLimit=11/h # begins anew: one may go
    kill -HUP "$D"
    expect_messages 2
    grep -q 'root-alert' "$HUB_DIR/2.env" || fail "another one went first"
    finish
else
    echo "ok (skipped, not root) when the rate is short an alert overtakes what waits"
fi

script 'on MAIL nth 1 session 1' '    reply 421 4.7.28 unusual rate of mail' '    close'
a_daemon "a smarthost that says that too much comes gets less, and status says so" "$T/script"
send bob@example.net
expect_rc 0
wait_for 20 says 'account default: slows down to' || fail "the log does not say so"
"$ADMIN" status >"$T/out"
grep -q 'rate: [0-9]*/h' "$T/out" || fail "status does not say how much: $(cat "$T/out")"
grep -q 'slowed down, rises again by itself: .*421 4.7.28 unusual rate' "$T/out" || fail "status does not say why: $(cat "$T/out")"
wait_for 20 queue_line 'over the rate of' >/dev/null || fail "what waits for it is not shown: $("$ADMIN" queue)"
[ "$(count_messages)" -eq 0 ] || fail "it went all the same"
finish

script 'on RCPT *<slow@*' '    reply 450 4.2.1 mailbox busy'
a_daemon "a recipient that has to wait slows down nobody else" "$T/script"
send slow@example.net
send bob@example.net
expect_messages 1
"$ADMIN" status | grep -q 'slowed' && fail "$("$ADMIN" status)"
finish
