#!/bin/sh
# SPDX-License-Identifier: ISC
# What an account shows of itself, a token or a certificate of its own, and until when that is good: in status, tests and metrics.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-tokens # the compiled-in paths of these programs lie below it
daemon_stage
METRICS=$T/metrics
mkdir -p "$METRICS" && chmod 777 "$METRICS"
METRICS=$METRICS/prom
send() { run "$SENDMAIL" -i bob@example.net <"$MSG"; }

part() { base64 | tr '+/' '-_' | tr -d '=\n'; }
# jwt SECONDS-FROM-NOW [LIFETIME]: a token that expires then, in PASSWORD and $T/token
jwt() {
    exp=$(($(date +%s) + $1))
    PASSWORD=$(printf '{"alg":"none"}' | part).$(printf '{"iat":%s,"exp":%s,"sub":"alice"}' $((exp - ${2:-3600})) "$exp" | part).c2ln
    printf '%s\n' "$PASSWORD" >"$T/token"
    chmod 600 "$T/token"
}
cat >"$T/print-token" <<END
#!/bin/sh
echo >>$T/calls
exec cat $T/token
END
chmod 755 "$T/print-token"
# with_token "sentence" SETTING=VALUE...
with_token() {
    begin "$1"
    shift
    rm -rf "$QUEUE"
    hub_start - --tls none --auth XOAUTH2 --require-auth --auth-clear --port "$(free_port)"
    daemon_conf "mailhub=127.0.0.1:$HUB_PORT" AllowPlaintextAuth=true AuthMethod=xoauth2 "AuthUser=$USER_NAME" "$@"
    daemon_start
}
says_nothing_of() {
    if grep -qF -e "$PASSWORD" -e "$(printf %s "$PASSWORD" | cut -d. -f2)" "$T/out" "$T/err" "$LOG" "$METRICS"; then fail "the token shows"; fi
}

jwt 2600
with_token "status, the metrics and a test say how long a token is good for; one that a command renews may be short" \
    "AuthPassCommand=$T/print-token" "MetricsFile=$METRICS"
send
expect_rc 0
run "$ADMIN" status
expect_rc 0
expect_out 'account default: token: valid for 4'
run "$ADMIN" status --json
expect_rc 0
grep -q "\"token_expires\": *$exp" "$T/out" || fail "not in the JSON: $(cat "$T/out")"
grep -q '"token_renewed": *true' "$T/out" || fail "not in the JSON: $(cat "$T/out")"
wait_for 30 grep -qxF "smtprelay_token_expiry_timestamp_seconds{account=\"default\"} $exp" "$METRICS" || fail "not in the metrics"
says_nothing_of
run "$ADMIN" test --daemon
expect_rc 0
expect_out 'XOAUTH2 as alice, token valid for 4'
says_nothing_of
finish

jwt -10800
with_token "a token that had expired when it was read is a warning, with what to do, and explains the login that fails" \
    "AuthPassCommand=$T/print-token"
PASSWORD=another # what the smarthost wants is not it any more
hub_stop
hub_start - --tls none --auth XOAUTH2 --require-auth --auth-clear --port "$HUB_PORT"
run "$ADMIN" test --daemon
expect_rc 77
expect_out 'the token expired 3 hours ago'
expect_out 'before its reply the server said: {"status":"400","schemes":"Bearer","scope":"mail"}'
run "$ADMIN" status
expect_rc 2
expect_out 'account default: token: expired 3 hours ago'
expect_out 'account default: do: put a new token'
finish

jwt 2600
begin "a smarthost that says the token itself back shows it to nobody"
script 'on AUTH' "    reply 334 $(base64_of '{"refused":"%s"}' "$PASSWORD")" 'on answer' '    reply 535 5.7.8 no'
hub_start "$T/script" --tls none --auth XOAUTH2 --auth-clear
daemon_conf "mailhub=127.0.0.1:$HUB_PORT" AllowPlaintextAuth=true AuthMethod=xoauth2 "AuthUser=$USER_NAME" "AuthPassFile=$T/token"
run "$ADMIN" test
expect_rc 77
expect_out '535 5.7.8 no'
says_nothing_of
end

jwt -60
with_token "such a token is a warning also while the smarthost takes it" "AuthPassFile=$T/token"
send
expect_rc 0
run "$ADMIN" status
expect_rc 1
expect_out 'account default: token: expired'
finish

for how in 80000,31536000,1 80000,90000,0 200000,31536000,0; do
    IFS=, read -r left lifetime code <<END
$how
END
    jwt "$left" "$lifetime"
    with_token "a token in a file, made for $((lifetime / 3600)) hours and good for $((left / 3600)), gives $code" "AuthPassFile=$T/token"
    send
    expect_rc 0
    run "$ADMIN" status
    expect_rc "$code"
    expect_out 'account default: token: valid for '
    finish
done

# half a minute before its end no login is begun with it
cat >"$T/print-short" <<END
#!/bin/sh
echo >>$T/calls
claims=\$(printf '{"exp":%s}' \$((\$(date +%s) + 35)) | base64 | tr '+/' '-_' | tr -d '=\n')
echo "eyJhbGciOiJub25lIn0.\$claims.c2ln"
END
chmod 755 "$T/print-short"
rm -f "$T/calls"
begin "a worker whose token has run out makes room for one with a new token"
rm -rf "$QUEUE"
script 'on AUTH' '    reply 235 2.7.0 whoever you are'
hub_start "$T/script" --tls none --auth XOAUTH2 --auth-clear
daemon_conf "mailhub=127.0.0.1:$HUB_PORT" AllowPlaintextAuth=true AuthMethod=xoauth2 "AuthUser=$USER_NAME" \
    "AuthPassCommand=$T/print-short" IdleTimeout=5m
daemon_start
fresh() {
    send
    expect_rc 0
    [ "$(wc -l <"$T/calls")" -ge 2 ]
}
wait_for 30 fresh || fail "the command was asked $(wc -l <"$T/calls") times"
[ "$(grep -l '^C: AUTH' "$HUB_DIR"/session-*.log | wc -l)" -eq 2 ] || fail "not two logins"
finish

begin "status says how long the account's own certificate is good for"
rm -rf "$QUEUE"
hub_start - --tls implicit --client-cert
daemon_conf UseTLS=implicit "TLS_CA_File=$CA" "mailhub=127.0.0.1:$HUB_PORT" "TLSCert=$CERTS/soon.crt" "TLSKey=$CERTS/soon.key" "MetricsFile=$METRICS"
daemon_start
send
run "$ADMIN" status
expect_rc 1
expect_out 'account default: client certificate: 4 days left'
expect_out 'account default: do: renew the file that TLSCert names'
run "$ADMIN" test --daemon
expect_out 'the client certificate (TLSCert): valid for 4 days'
wait_for 30 grep -q '^smtprelay_client_certificate_expiry_timestamp_seconds{account="default"} [0-9]' "$METRICS" || fail "not in the metrics"
finish
