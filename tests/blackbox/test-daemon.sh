#!/bin/sh
# SPDX-License-Identifier: ISC
# `smtprelay test` by the daemon: what ordinary users may, and what a test says of the account.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-test # the compiled-in paths of these programs lie below it
daemon_stage
# Nothing is tried again by itself while a test looks
DAEMON_SETTINGS='RetryMin=1h RetryMax=2h QueueRun=1h'
[ "$(id -u)" -eq 0 ] || skip_all "it takes root to be several users"
USER_UID=1
USER_LOGIN=$(id -un "$USER_UID" 2>/dev/null) || skip_all "no user $USER_UID"

sessions() { ls "$HUB_DIR"/session-*.log 2>/dev/null | wc -l; }

# A daemon with a login; later settings replace earlier ones
a_login() {
    begin "$1"
    shift
    rm -rf "$QUEUE"
    printf '%s: carol@example.net\nteam: carol@example.net, dave@example.net\n' "$USER_LOGIN" >"$T/aliases"
    chmod 644 "$T/aliases"
    hub_start - --tls starttls --auth PLAIN
    daemon_conf UseTLS=starttls "TLS_CA_File=$CA" "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" From=alice@example.org \
        "aliases=$T/aliases" "$@"
    daemon_start
}

a_login "an ordinary user walks through the daemon's own settings, once in RetryMin, and sees no secret"
run_as "$USER_UID" "$ADMIN" test
expect_rc 0
expect_out 'as smtprelayd has it'
expect_out "as $USER_NAME"
expect_dialog 'C: RCPT TO:<carol@example.net>'
expect_messages 0
no_secret_in_clear
n=$(sessions)
run_as "$USER_UID" "$ADMIN" test
expect_rc 75
expect_out 'FAILED  account '
expect_out 'again in '
run_as 2 "$ADMIN" test
expect_rc 75
expect_out 'again in '
[ "$(sessions)" -eq "$n" ] || fail "the smarthost was asked again"
run "$ADMIN" test --daemon
expect_rc 0
finish

a_login "an ordinary user's test message goes to himself only, also by an alias"
run_as "$USER_UID" "$ADMIN" test bob@example.net
expect_rc 77
expect_out 'FAILED  permission '
run_as "$USER_UID" "$ADMIN" test team
expect_rc 77
[ "$(sessions)" -eq 0 ] || fail "the smarthost was asked"
run_as "$USER_UID" "$ADMIN" test carol@example.net
expect_rc 0
expect_messages 1
expect_env 'mail: <alice@example.org>'
expect_env 'rcpt: <carol@example.net>'
finish

a_login "a test message shows in why, and RateLimit counts it; only operators go beyond" RateLimit=1/h RetryMin=1ms
run_as "$USER_UID" "$ADMIN" test carol@example.net
expect_rc 0
expect_messages 1
shows 'by way of test' "$ADMIN" why carol@example.net
expect_out 'taken: '
expect_out 'sent to all'
run_as "$USER_UID" "$ADMIN" why --last
expect_out 'by way of test'
wait_for 30 says 'test: id=' || fail "the log does not say which message"
run "$ADMIN" test --daemon carol@example.net
expect_rc 0
run_as "$USER_UID" "$ADMIN" test carol@example.net
expect_rc 75
expect_out 'RateLimit'
expect_messages 2
run_as "$USER_UID" "$ADMIN" test
expect_rc 0
run "$ADMIN" test --daemon carol@example.net
expect_rc 0
expect_messages 3
finish

a_login "who tests again and again waits longer each time, and others have their turn" RetryMin=200ms RetryMax=1h
n=0
turns() { # of the nuisance, until it is told to wait for longer than a second
    run_as "$USER_UID" "$ADMIN" test
    [ "$rc" -ne 0 ] || n=$((n + 1))
    grep -q 'again in \([2-9]\|[1-9][0-9]\) s' "$T/out"
}
wait_for 60 turns || fail "$n tests, and no longer wait"
[ "$n" -le 8 ] || fail "$n tests"
other() { run_as 2 "$ADMIN" test && [ "$rc" -eq 0 ]; }
wait_for 30 other || fail "nobody else may test: $(cat "$T/out")"
finish

mkdir -p "$T/credentials"
printf '%s\n' "$PASSWORD" >"$T/credentials/relay"
chmod 600 "$T/credentials/relay"
CREDENTIALS_DIRECTORY=$T/credentials
export CREDENTIALS_DIRECTORY
a_login "a secret that only the service sees: root's own test and check say that the daemon tries it, and it does" \
    AuthPass= AuthPassFile=relay
unset CREDENTIALS_DIRECTORY
run "$ADMIN" test
[ "$rc" -ne 0 ] || fail "it has the secret"
expect_out 'systemd hands this secret to the service alone (LoadCredential): smtprelay test --daemon'
run "$ADMIN" check
cat "$T/out" "$T/err" >"$T/both"
grep -qF 'smtprelay test --daemon tries it' "$T/both" || fail "check does not say how: $(cat "$T/both")"
run "$ADMIN" test --daemon
expect_rc 0
finish

a_login "who may not hand in mail may not test" "DenyUsers=( \"$USER_LOGIN\" )"
run_as "$USER_UID" "$ADMIN" test
expect_rc 77
expect_out 'DenyUsers'
[ "$(sessions)" -eq 0 ] || fail "the smarthost was asked"
finish

a_login "a frozen account says why and until when, and a user's test costs no login" AuthPass=wrong-0ne
run "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG"
expect_rc 0
shows 'account default: frozen' "$ADMIN" status
n=$(sessions)
run_as "$USER_UID" "$ADMIN" test
expect_rc 77
expect_out 'FAILED  account '
expect_out '535'
expect_out 'it is tried again in '
[ "$(sessions)" -eq "$n" ] || fail "another login was tried"
finish

a_login "a user's test with a wrong password freezes the account, as a message would" AuthPass=wrong-0ne
run_as "$USER_UID" "$ADMIN" test
expect_rc 77
expect_out 'FAILED  login '
run "$ADMIN" status
expect_out 'account default: frozen'
finish

a_login "after an operator's test that works a frozen account is free, and its mail goes" AuthPass=wrong-0ne
run "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG"
expect_rc 0
shows 'account default: frozen' "$ADMIN" status
run "$ADMIN" test
expect_rc 77 # root's own look at the file
cp "$T/conf" "$T/wrong"
sed "s/wrong-0ne/$(printf %s "$PASSWORD" | sed 's/[\\/&]/\\&/g')/" "$T/wrong" >"$ROOT/etc/smtprelay.conf"
run "$ADMIN" test
expect_rc 0
expect_out "$ROOT/etc/smtprelay.conf: account default"
run "$ADMIN" status
expect_out 'account default: frozen'
kill -HUP "$D"
wait_for 30 arrived 1 || { run "$ADMIN" test --daemon; expect_rc 0; }
expect_messages 1
finish

begin "without a daemon an ordinary user is told that it does not run"
conf "AuthPass=$PASSWORD" "AuthUser=$USER_NAME"
cp -p "$T/conf" "$ROOT/etc/smtprelay.conf"
chmod 600 "$ROOT/etc/smtprelay.conf"
run_as "$USER_UID" "$ADMIN" test
expect_rc 75
expect_out 'FAILED  configuration '
expect_err 'the daemon is not running'
rm -f "$ROOT/etc/smtprelay.conf"
end
