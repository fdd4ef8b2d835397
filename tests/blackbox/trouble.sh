#!/bin/sh
# SPDX-License-Identifier: ISC
# TroubleCommand: told once when mail is in trouble and once when that is over. MetricsFile: what is counted.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-trouble # the compiled-in paths of these programs lie below it
daemon_stage
TOLD=$T/told
DAEMON_SETTINGS="TroubleCommand=$T/tell"
SOME_SECRET=s3cret
export SOME_SECRET
mkdir -p "$TOLD"
chmod 777 "$TOLD"
cat >"$T/tell" <<END
#!/bin/sh
{ echo "called as \$(id -u)"; env; cat; } >>$TOLD/words
END
chmod 755 "$T/tell"

begin_case() {
    begin "$1"
    rm -rf "$QUEUE"
    rm -f "$TOLD/words"
}
finish() {
    daemon_stop
    end || { sed -n '1,12s/^/    daemon: /p' "$LOG"; sed 's/^/    told: /' "$TOLD/words"; }
}
send() { run "$SENDMAIL" -i "$@" <"$MSG"; }
told() { grep -qF -e "$1" "$TOLD/words" 2>/dev/null; }
expect_told() { wait_for 30 told "$1" || fail "the command is not told '$1'"; }
calls() { grep -c '^called as' "$TOLD/words"; }

begin_case "an account that freezes is told once, however often it is tried, and once more when it works again"
hub_start - --tls none --auth PLAIN --require-auth --auth-clear
daemon_conf "AuthUser=$USER_NAME" AuthPass=wrong AllowPlaintextAuth=true
daemon_start
for i in 1 2 3; do
    send bob@example.net
    expect_rc 0
done
expect_told 'account default is frozen'
expect_told '535'
refused_again() { [ "$(cat "$HUB_DIR"/session-*.log | grep -c 'C: AUTH')" -ge 3 ]; }
wait_for 30 refused_again || fail "it is not tried again"
[ "$(calls)" -eq 1 ] || fail "it is told $(calls) times"
if told "$PASSWORD" || told s3cret || told wrong; then fail "the command gets a secret"; fi
[ "$(id -u)" -ne 0 ] || told "called as $(id -u nobody)" || fail "it does not run as User"
daemon_conf "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" AllowPlaintextAuth=true
kill -HUP "$D"
wait_for 30 arrived 3 || fail "$(count_messages) of 3 came"
expect_told 'over: account default works again'
[ "$(calls)" -eq 2 ] || fail "it is told $(calls) times"
says 'trouble: smtprelay on' || fail "the log does not say it"
finish

script 'on RCPT *<slow@*' '    reply 450 4.2.1 later'
begin_case "mail that waits for too long is told once, and once more when it is gone"
hub_start "$T/script" --tls none --port "$(free_port)"
daemon_conf WarnAfter=1s
daemon_start
send -f '<>' slow@example.net
expect_rc 0
expect_told 'mail waits for more than 1s'
port=$HUB_PORT
hub_stop
hub_start - --tls none --port "$port"
wait_for 30 arrived 1 || fail "it did not come"
expect_told 'over: no mail waits for long any more'
[ "$(calls)" -eq 2 ] || fail "it is told $(calls) times"
finish

begin_case "a smarthost that cannot be reached is told of by the age of its mail, and status says so"
HUB_PORT=1 # nobody listens there
daemon_conf WarnAfter=1s
daemon_start
send bob@example.net
expect_rc 0
expect_told 'mail waits for more than 1s'
run "$ADMIN" status
expect_rc 1
grep -q 'account default: down, 1 message' "$T/out" || fail "status says $(cat "$T/out")"
grep -q 'refused' "$T/out" || fail "status does not say why: $(cat "$T/out")"
finish

begin_case "what is held does not count as late"
script 'on RCPT *<slow@*' '    reply 450 4.2.1 later'
hub_start "$T/script" --tls none
daemon_conf RetryMin=1h RetryMax=2h WarnAfter=2s
daemon_start
send -f '<>' slow@example.net
run "$ADMIN" hold --all --yes
expect_rc 0
run "$ADMIN" status
grep -q '1 held' "$T/out" || fail "it is not held: $(cat "$T/out")"
send -f '<>' slow@example.net # this one is late, and told of after the other one would have been
expect_told 'mail waits for more than 2s'
run "$ADMIN" hold --all --yes
expect_told 'over: no mail waits for long any more'
finish

begin_case "a queue that somebody moves away is told of, and mail still goes where the smarthost takes it"
hub_start - --tls none
daemon_conf WarnAfter=1s
daemon_start
mv "$QUEUE" "$QUEUE.away"
expect_told 'the queue has gone'
send bob@example.net
expect_rc 0
send -odb bob@example.net
expect_rc 0
expect_messages 2
mv "$QUEUE.away" "$QUEUE"
expect_told 'over: the queue is back'
says 'trouble: smtprelay on client.example.org: the queue has gone' || fail "the log does not say it"
finish

begin_case "a command that cannot be run is logged, and mail goes on"
hub_start - --tls none --auth PLAIN --require-auth --auth-clear
daemon_conf "AuthUser=$USER_NAME" AuthPass=wrong AllowPlaintextAuth=true "TroubleCommand=/nonexistent/command"
daemon_start
send bob@example.net
wait_for 30 says 'TroubleCommand: it cannot be run' || fail "the log does not say so"
send bob@example.net
expect_rc 0
finish

# ---------------------------------------------------------------- MetricsFile

METRICS=$TOLD/smtprelay.prom
counts() { grep -qxF -e "smtprelay_$1" "$METRICS" 2>/dev/null; }
expect_count() { wait_for 30 counts "$1" || fail "no '$1' in the metrics: $(grep -v '^#' "$METRICS" | tr '\n' ' ')"; }

begin_case "MetricsFile counts what is sent, waits and is refused, and knows an account that is down"
rm -f "$METRICS"
script 'on RCPT *<slow@*' '    reply 450 4.2.1 later' 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user'
hub_start "$T/script" --tls none --port "$(free_port)"
daemon_conf RetryMin=1h RetryMax=2h "MetricsFile=$METRICS"
daemon_start
expect_count 'queue_messages 0'
send bob@example.net
send slow@example.net
send bad@example.net
expect_count 'messages_submitted_total 3'
expect_count 'messages_sent_total 1'
expect_count 'messages_queued_total 1'
expect_count 'messages_failed_total 1'
expect_count 'queue_messages 1'
expect_count 'account_up{account="default"} 1'
expect_count 'delivery_seconds_count 1'
hub_stop
send bob@example.net
expect_count 'account_up{account="default"} 0'
expect_count 'account_frozen{account="default"} 0'
[ "$(stat -c %a "$METRICS")" = 644 ] || fail "not everybody may read it"
[ -z "$(find "$TOLD" -name '*.tmp')" ] || wait_for 30 test ! -e "$METRICS.tmp" || fail "a part of it stays"
if command -v promtool >/dev/null; then
    promtool check metrics <"$METRICS" >"$T/out" 2>&1 || fail "promtool: $(cat "$T/out")"
    [ ! -s "$T/out" ] || fail "promtool: $(cat "$T/out")"
fi
finish

begin_case "a configuration that cannot be used after SIGHUP shows in status, in the metrics and once to the command until it is mended"
rm -f "$METRICS"
hub_start - --tls none
daemon_conf "MetricsFile=$METRICS"
daemon_start
expect_count 'config_last_reload_successful 1'
run "$ADMIN" status
expect_rc 0
expect_not_out 'configuration:'
for wrong in Wrokers UseTSL; do
    { echo "$wrong = 1;"; cat "$T/conf"; } >"$ROOT/etc/smtprelay.conf"
    kill -HUP "$D"
    expect_count 'config_last_reload_successful 0'
    shows "smtprelay.conf line 1: $wrong" "$ADMIN" status
    expect_rc 1
done
expect_out 'configuration: what is on disk cannot be used: '
expect_out 'UseTSL'
expect_out 'smtprelayd goes on with the one it read'
run "$ADMIN" status --json
expect_rc 1
grep -q '"config_ok": *false' "$T/out" || fail "not in the JSON: $(cat "$T/out")"
grep -q '"config_error": *"[^"]*UseTSL' "$T/out" || fail "why is not in the JSON: $(cat "$T/out")"
if [ "$(id -u)" -eq 0 ]; then # others cannot read the file, and learn nothing that may stand in it
    run_as 64213 "$ADMIN" status
    expect_rc 1
    expect_out 'configuration: what is on disk cannot be used; tried'
    expect_not_out 'UseTSL'
fi
send bob@example.net
expect_rc 0
expect_told 'the configuration on disk cannot be used'
[ "$(calls)" -eq 1 ] || fail "it is told $(calls) times"
daemon_conf "MetricsFile=$METRICS"
kill -HUP "$D"
expect_count 'config_last_reload_successful 1'
expect_told 'over: the configuration was read again'
run "$ADMIN" status
expect_rc 0
expect_not_out 'configuration:'
finish

begin_case "a secret that cannot be read at SIGHUP is such a trouble, and a daemon process that ends and comes back still says so"
hub_start - --tls none
daemon_conf
daemon_start
daemon_conf AuthUser=alice "AuthPassFile=$T/no-such-secret" AllowPlaintextAuth=true
kill -HUP "$D"
shows "no-such-secret" "$ADMIN" status
expect_rc 1
child=$(pgrep -P "$D" -f 'smtprelayd --serve')
kill -KILL "$child"
wait_for 30 says 'it is started again' || fail "its end is not noticed"
shows "no-such-secret" "$ADMIN" status
expect_rc 1
finish

begin_case "the alert rules ask for figures that there are"
hub_start - --tls none
daemon_conf "MetricsFile=$METRICS"
rm -f "$METRICS"
daemon_start
expect_count 'queue_messages 0'
RULES=$TESTS/../packaging/prometheus/smtprelay.rules.yml
names=$(sed -n 's/^ *expr: //p' "$RULES" | grep -o 'smtprelay_[a-z_]*' | sort -u)
[ "$(echo "$names" | wc -l)" -ge 6 ] || fail "no names in the rules: $names"
for name in $names; do
    grep -q "^# TYPE $name " "$METRICS" || fail "there is no $name"
done
finish

if command -v promtool >/dev/null; then
    begin "each alert rule fires when it should, and no sooner"
    cp "$RULES" "$TESTS/blackbox/alerts.yml" "$T"
    promtool check rules "$T/smtprelay.rules.yml" >"$T/out" 2>&1 || fail "promtool check: $(cat "$T/out")"
    promtool test rules "$T/alerts.yml" >"$T/out" 2>&1 || fail "promtool test: $(cat "$T/out")"
    end
fi

begin_case "a MetricsFile that cannot be written is logged once, and mail goes on"
hub_start - --tls none
daemon_conf "MetricsFile=$TOLD/nowhere/x.prom"
mkdir "$TOLD/nowhere" && daemon_start
rm -rf "$TOLD/nowhere"
send bob@example.net
expect_rc 0
wait_for 30 says 'MetricsFile: ' || fail "the log does not say so"
expect_messages 1
finish
