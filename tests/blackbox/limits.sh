#!/bin/sh
# SPDX-License-Identifier: ISC
# What holds mail back so that it arrives: rates, an account's own pace, alerts that overtake.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-limits # the compiled-in paths of these programs lie below it
daemon_stage
OTHER=4242 # a person's uid
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

a_daemon "mail over the rate waits, and queue, mailq and status say why and until when" - RateLimit=1/h
for r in bob carol dave; do
    send -f alice@example.org $r@example.net
    expect_rc 0
done
expect_messages 1
queue_line 'carol' >"$T/carol"
grep -Eq 'over the rate of 1/h, goes at ([A-Z][a-z][a-z] )?[0-2][0-9]:[0-5][0-9]$' "$T/carol" || fail "queue says $(cat "$T/carol")"
grep -Eq ' (1h|59m) ' "$T/carol" || fail "and the time: $(cat "$T/carol")"
queue_line 'dave' | grep -Eq ' (2h|1h|119m) ' || fail "the second one: $(queue_line dave)"
"$SENDMAIL" -bp | grep -q 'over the rate of 1/h, goes at' || fail "mailq says $("$SENDMAIL" -bp)"
"$ADMIN" status >"$T/out"
grep -q 'rate: 1/h, 2 over it: the next goes at .*, the last at' "$T/out" || fail "status says $(cat "$T/out")"
"$ADMIN" status --json | grep -q '"over_rate": *2' || fail "status --json says $("$ADMIN" status --json)"
finish

a_daemon "a rate per minute is one of each minute, not of the hour" - RateLimit=2/m
for r in bob carol dave erin; do
    send -f alice@example.org $r@example.net
    expect_rc 0
done
expect_messages 2
queue_line 'dave' | grep -q 'over the rate of 2/m' || fail "dave's waits for nothing: $("$ADMIN" queue)"
finish

if [ "$(id -u)" -eq 0 ]; then
    a_daemon "when the rate is short an alert overtakes what waits" - RateLimit=1/h
    chmod 755 "$T"
    for r in bob carol dave; do
        send_as_person -f alice@example.org $r@example.net
        expect_rc 0
    done
    expect_messages 1
    send root-alert@example.net
    expect_rc 0
    queue_line 'root-alert' | grep -Eq ' (1h|59m) ' || fail "it does not go first: $("$ADMIN" queue)"
    daemon_conf RateLimit=1/d # begins anew: one may go
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
wait_for 30 says 'account default: slows down to' || fail "the log does not say so"
"$ADMIN" status >"$T/out"
grep -q 'rate: [0-9]*/h' "$T/out" || fail "status does not say how much: $(cat "$T/out")"
grep -q 'slowed down, rises again by itself: .*421 4.7.28 unusual rate' "$T/out" || fail "status does not say why: $(cat "$T/out")"
wait_for 30 queue_line 'over the rate of' >/dev/null || fail "what waits for it is not shown: $("$ADMIN" queue)"
[ "$(count_messages)" -eq 0 ] || fail "it went all the same"
finish

script 'on RCPT *<slow@*' '    reply 450 4.2.1 mailbox busy'
a_daemon "a recipient that has to wait slows down nobody else" "$T/script"
send slow@example.net
send bob@example.net
expect_messages 1
"$ADMIN" status | grep -q 'slowed' && fail "$("$ADMIN" status)"
finish

# ---------------------------------------------------------------- the runaway breaker

# of_user UID: a letter of his, when we are root
held() { "$ADMIN" queue --held --count; }
cat >"$T/tell" <<END
#!/bin/sh
cat >>$T/told/words
END
chmod 755 "$T/tell"
mkdir -m 777 "$T/told"
begin "who hands in too much is held, root is told once by mail and command, and mail of others goes on"
rm -rf "$QUEUE"
hub_start - --tls none
daemon_conf RunawayLimit=5/h root=admin@example.org "TroubleCommand=$T/tell"
daemon_start
for i in 1 2 3 4 5 6 7 8 9; do
    send -f alice@example.org "bob$i@example.net"
    expect_rc 0
done
expect_messages 6 # five, and the notice
[ "$(held)" -eq 4 ] || fail "$(held) are held"
notice=$(grep -l '^rcpt: <admin@example.org>' "$HUB_DIR"/*.env)
grep -q '^mail: <>' "$notice" || fail "the notice is not from the null sender: $(cat "$notice")"
tr -d '\r' <"${notice%.env}.msg" >"$T/notice"
for words in 'Auto-Submitted: auto-generated' "uid $(id -u)" "smtprelay release --held --uid $(id -u)" 'RunawayLimit is 5/h'; do
    grep -qF -e "$words" "$T/notice" || fail "the notice does not say '$words': $(cat "$T/notice")"
done
wait_for 30 grep -q 'hands in too much mail' "$T/told/words" || fail "the command is not told"
queue_line bob9 | grep -q "runaway: uid $(id -u)" || fail "queue says $(queue_line bob9)"
"$ADMIN" status >"$T/out"
[ $? -eq 1 ] || fail "status ends with $?"
if [ "$(id -u)" -eq 0 ]; then
    send_as_person -v -f carol@example.org dave@example.net
    expect_err 'sent as'
    expect_messages 7
fi
run "$ADMIN" release --held --uid "$(id -u)" --yes
expect_rc 0
went() { [ "$(cat "$HUB_DIR"/*.env | grep -c '^rcpt: <bob')" -eq 9 ]; }
wait_for 30 went || fail "what is released does not go: $("$ADMIN" queue)"
send -v -f alice@example.org bob@example.net
expect_err 'sent as'
[ "$(grep -c '^rcpt: <admin' "$HUB_DIR"/*.env | grep -vc ':0')" -eq 1 ] || fail "root is told more than once"
[ "$(grep -c 'hands in too much' "$T/told/words")" -eq 1 ] || fail "the command is told more than once"
finish

if [ "$(id -u)" -eq 0 ]; then
    a_daemon "what is held because its user ran away is not the user's to release" - RunawayLimit=1/h
    for i in 1 2; do send_as_person -f alice@example.org bob@example.net; done
    run setpriv --reuid=$OTHER --regid=$OTHER --clear-groups "$ADMIN" release --all --yes
    [ "$rc" -ne 0 ] || fail "it can"
    [ "$(held)" -eq 1 ] || fail "$(held) are held"
    run "$ADMIN" remove --held --uid "$OTHER" --yes
    [ "$(held)" -eq 0 ] || fail "$(held) are held"
    expect_messages 2 # one of them for root
    finish
fi

a_daemon "who lets a single message go has said nothing of its user: what else comes is held" - RunawayLimit=1/h
for i in 1 2 3; do send -f alice@example.org bob@example.net; done
id=$("$ADMIN" queue --held | awk '/bob@/ {sub("!", "", $1); print $1; exit}')
run "$ADMIN" release "$id"
expect_rc 0
send -f alice@example.org bob@example.net
is_held() { [ "$(held)" -eq "$1" ]; }
wait_for 30 is_held 2 || fail "$(held) are held"
finish

a_daemon "what a restart finds held for a runaway stays held; without a limit nothing is" - RunawayLimit=1/h
for i in 1 2 3; do send -f alice@example.org bob@example.net; done
daemon_stop
daemon_conf RunawayLimit=0
daemon_start
send -v -f alice@example.org bob@example.net
expect_err 'sent as'
[ "$(held)" -eq 2 ] || fail "$(held) are held"
finish

# ---------------------------------------------------------------- logins

begin "after a restart a wrong password costs one login, however much waits"
rm -rf "$QUEUE"
hub_start - --tls none --auth PLAIN --require-auth --auth-clear
daemon_conf "AuthUser=$USER_NAME" AuthPass=wrong AllowPlaintextAuth=true RetryMin=100s RetryMax=600s
daemon_start
for i in 1 2 3 4 5 6 7 8; do send bob@example.net; done
daemon_stop
logins() { cat "$HUB_DIR"/session-*.log | grep -c 'C: AUTH'; }
before=$(logins)
daemon_start
frozen() { "$ADMIN" status | grep -q 'account default: frozen, 8 messages'; }
wait_for 30 frozen || fail "it is not frozen: $("$ADMIN" status)"
[ "$(logins)" -eq $((before + 1)) ] || fail "$(($(logins) - before)) logins"
finish
