#!/bin/sh
# SPDX-License-Identifier: ISC
# `smtprelay test`: each step, what fails in words, what to do, and an exit code by the kind of failure.
. "$(dirname "$0")/lib.sh"
ADMIN=$O/root/sbin/smtprelay
own_file ADMIN

# run [arguments]: sets rc
# shellcheck disable=SC2034 # rc is what expect_rc looks at
run() {
    timeout 60 "$ADMIN" -C "$T/conf" test "$@" >"$T/out" 2>"$T/err" </dev/null
    rc=$?
}

expect_out() {
    grep -qiF -e "$1" "$T/out" || fail "stdout does not say '$1'"
}

# expect_failed STEP CODE WORDS: the step that failed, by its line and by its name on stderr
expect_failed() {
    expect_rc "$2"
    expect_one_line
    expect_err "failed at $1:"
    expect_out "what to do: "
    [ "$(grep -c '^FAILED ' "$T/out")" -eq 1 ] || fail "not one step has failed"
    [ -z "${3-}" ] || grep '^FAILED ' "$T/out" | grep -qiF -e "$3" || fail "the step does not say '$3'"
}

begin "each step of a login over TLS is shown, and no message is sent without an address"
hub_start - -t starttls -a "PLAIN LOGIN SCRAM-SHA-256 XOAUTH2 NTLM"
conf_tls starttls login From=alice@example.org
run
expect_rc 0
expect_one_line
for step in configuration names connection greeting EHLO STARTTLS TLS login 'MAIL FROM' 'RCPT TO' RSET; do
    grep -q "^ok  *$step " "$T/out" || fail "no line of $step"
done
expect_out "SCRAM-SHA-256 as alice"
expect_out "PLAIN: a stronger one is offered"
expect_out "XOAUTH2: only where AuthMethod names it"
expect_out "NTLM: not known here"
expect_out "TLSv1.3"
expect_out "$(sed -n 's/.* //; 2p' "$CERTS/valid.pin")"
expect_messages 0
expect_manners
expect_dialog "C: MAIL FROM:<alice@example.org>"
no_secret_in_clear
end

begin "with an address a real message is sent, from the account's address"
hub_start - -t starttls -a "PLAIN LOGIN"
conf_tls starttls login From=alice@example.org
run bob@example.net
expect_rc 0
expect_messages 1
expect_env "mail: <alice@example.org>"
expect_env "rcpt: <bob@example.net>"
grep -q '^Subject: smtprelay test from client.example.org' "$HUB_DIR/1.msg" || fail "no such subject"
grep -q '^From: .*alice@example.org' "$HUB_DIR/1.msg" || fail "not from the account's address"
expect_manners
end
