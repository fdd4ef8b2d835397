#!/bin/sh
# SPDX-License-Identifier: ISC
# Accounts: which carries a message, what takes over, and messages that several carry; without and with the daemon.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-accounts # the compiled-in paths of these programs lie below it
daemon_stage
letter
has_messages() { [ "$(find "$1" -name '*.msg' | wc -l)" -ge "$2" ]; }
# expect_at FOLDER NUMBER [WORDS in the envelope of the last]
expect_at() {
    at=$(find "$1" -name '*.msg' | wc -l)
    [ "$at" -eq "$2" ] || fail "$at messages at $(basename "$1"), not $2"
    [ -z "${3-}" ] || grep -qF -e "$3" "$1/$at.env" 2>/dev/null || fail "no '$3' at $(basename "$1")"
}
# go ARGUMENTS...: without the daemon and without a queue
go() {
    timeout 60 "$SENDMAIL" -C "$T/conf" -i "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

# one MORE [hub options]: another smarthost; its port and folder
hub() {
    hub_start "$@"
    P=$HUB_PORT F=$HUB_DIR
}

me=$(id -u)
# hubs_of SENTENCE: three smarthosts, D0 the default's, D1 shop's, D2 partner's
three() {
    begin "$1"
    hub - --tls none
    P0=$P F0=$F
    hub "${2:--}" --tls none --auth PLAIN --user shop --password 's3cret' --auth-clear
    P1=$P F1=$F
    hub "${3:--}" --tls none
    P2=$P F2=$F
    shop="{ name = \"shop\"; sender = ( \"@shop.example\", \"boss@example.org\" ); mailhub = \"127.0.0.1:$P1\"; AuthUser = \"shop\"; AuthPass = \"s3cret\"; AllowPlaintextAuth = true; From = \"desk@shop.example\"; FromPolicy = \"force\"; }"
    partner="{ name = \"partner\"; recipient = \"@partner.example\"; mailhub = \"127.0.0.1:$P2\"; }"
}
conf_three() { conf UseTLS=false "mailhub=127.0.0.1:$P0" QueueDir= "accounts=( $shop, $partner )" "$@"; }

three "an account is chosen by the sender's address or domain, by the recipient's, and uses its own login and From"
conf_three
go -f me@SHOP.example bob@example.net
expect_rc 0
expect_at "$F1" 1 'auth: PLAIN shop'
expect_at "$F1" 1 'mail: <desk@shop.example>'
go -f boss@example.org bob@example.net
expect_at "$F1" 2
go -f other@example.org bob@example.net
expect_at "$F0" 1 'mail: <other@example.org>'
go -f me@sub.shop.example bob@example.net
expect_at "$F0" 2
go -f other@example.org bob@Partner.example
expect_at "$F2" 1 'rcpt: <bob@'
# the first whose keys match
go -f me@shop.example bob@partner.example
expect_at "$F1" 3
end

three "without -f it is the address in From that counts, and with it it is not"
sed -i 's/^From: .*/From: Shop <me@shop.example>/' "$MSG"
conf_three
go bob@example.net
expect_rc 0
expect_at "$F1" 1
go -f x@example.org bob@example.net
expect_at "$F0" 1
letter
end

three "all keys of a group have to match, and user means that uid only"
conf_three "accounts=( { name = \"a\"; user = \"$me\"; sender = \"@shop.example\"; recipient = \"@partner.example\"; mailhub = \"127.0.0.1:$P1\"; AuthUser = \"shop\"; AuthPass = \"s3cret\"; AllowPlaintextAuth = true; }, { name = \"b\"; user = \"64299\"; mailhub = \"127.0.0.1:$P2\"; } )"
go -f me@shop.example bob@partner.example
expect_rc 0
expect_at "$F1" 1
go -f me@shop.example bob@example.net
go -f me@example.org bob@partner.example
expect_at "$F0" 2
expect_at "$F1" 1
expect_at "$F2" 0
end

three "another user's account does not take over, whatever fails"
conf_three mailhub=127.0.0.1:1 "accounts=( { name = \"mine\"; user = \"$me\"; mailhub = \"127.0.0.1:1\"; fallback = \"theirs\"; }, { name = \"theirs\"; user = \"64299\"; mailhub = \"127.0.0.1:$P2\"; } )"
go bob@example.net
expect_rc 75
expect_at "$F2" 0
end

three "an account that cannot be reached gives way to its fallback, which uses its own login and From"
conf_three "accounts=( { name = \"away\"; sender = \"@example.org\"; mailhub = \"127.0.0.1:1\"; fallback = \"middle\"; }, { name = \"middle\"; mailhub = \"127.0.0.1:1\"; fallback = \"shop\"; }, $shop )"
go -f me@example.org bob@example.net
expect_rc 0
expect_at "$F1" 1 'auth: PLAIN shop'
expect_at "$F1" 1 'mail: <desk@shop.example>'
end

three "a refused login gives way to the fallback, too"
conf_three "accounts=( { name = \"shop\"; sender = \"@shop.example\"; mailhub = \"127.0.0.1:$P1\"; AuthUser = \"shop\"; AuthPass = \"wrong\"; AllowPlaintextAuth = true; fallback = \"partner\"; }, $partner )"
go -f me@shop.example bob@example.net
expect_rc 0
expect_at "$F2" 1
end

script 'on RCPT' '    reply 550 5.1.1 no such user'
three "a refused recipient or message gives way to nobody" - "$T/script"
conf_three "accounts=( { name = \"p\"; recipient = \"@partner.example\"; mailhub = \"127.0.0.1:$P2\"; fallback = \"q\"; }, { name = \"q\"; mailhub = \"127.0.0.1:$P0\"; } )"
go bob@partner.example
expect_rc 67
expect_at "$F0" 0
end

script 'on dot' '    take' '    close'
three "what may have been sent is not sent by the fallback as well" - "$T/script"
conf_three "accounts=( { name = \"p\"; recipient = \"@partner.example\"; mailhub = \"127.0.0.1:$P2\"; fallback = \"q\"; }, { name = \"q\"; mailhub = \"127.0.0.1:$P0\"; } )"
go bob@partner.example
expect_rc 75
expect_err "may have been sent"
expect_at "$F0" 0
end

for circle in '{ name = "a"; mailhub = "x"; fallback = "b"; }, { name = "b"; mailhub = "x"; fallback = "a"; }' \
    '{ name = "a"; mailhub = "x"; fallback = "a"; }' '{ name = "a"; mailhub = "x"; fallback = "nobody"; }' \
    '{ name = "a"; mailhub = "x"; }, { name = "a"; mailhub = "y"; }' '{ name = "a\nb"; mailhub = "x"; }' \
    '{ name = "a\x1b[31m"; mailhub = "x"; }'; do
    three "the configuration check refuses ( $(printf %s "$circle" | tr '\033\n' '??') )"
    conf_three "accounts=( $circle )"
    go bob@example.net
    expect_rc 78
    expect_one_line
    [ -z "$(tr -d '[:print:]\n' <"$T/err")" ] || fail "control characters on stderr"
    end
done

three "without a queue a message for several accounts goes to one after the other"
conf_three
go -f me@example.org bob@example.net carol@partner.example
expect_rc 0
expect_at "$F0" 1 'rcpt: <bob@example.net>'
expect_at "$F2" 1 'rcpt: <carol@partner.example>'
if grep -q carol "$F0"/*.env; then fail "both go to the default's"; fi
end

script 'on RCPT' '    reply 550 5.1.1 no such user'
three "without a queue the worst verdict of several accounts counts, and the line says who has it" - "$T/script"
conf_three
go -f me@example.org bob@example.net carol@partner.example
expect_rc 67
expect_one_line
expect_err carol@partner.example
expect_at "$F0" 1
# 75 before 67
conf_three mailhub=127.0.0.1:1
go -f me@example.org bob@example.net carol@partner.example
expect_rc 75
expect_one_line
expect_err bob@example.net
end

# ---------------------------------------------------------------- the daemon

conf_daemon() { daemon_conf "mailhub=127.0.0.1:$P0" "accounts=( $shop, $partner )" "$@"; }
by_daemon() {
    timeout 60 "$SENDMAIL" -i "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

three "with the daemon a message for several accounts is durable first, and then each has its part"
rm -rf "$QUEUE"
conf_daemon
daemon_start
by_daemon -f me@example.org bob@example.net carol@partner.example dave@partner.example
expect_rc 0
wait_for 30 has_messages "$F0" 1 || fail "bob has it not"
wait_for 30 has_messages "$F2" 1 || fail "carol has it not"
expect_at "$F0" 1 'rcpt: <bob@example.net>'
expect_at "$F2" 1 'rcpt: <dave@partner.example>'
[ "$(grep '^Message-ID' "$F0"/1.msg)" = "$(grep '^Message-ID' "$F2"/1.msg)" ] || fail "the parts differ in their Message-ID"
finish

three "an account that is down keeps only its own part waiting"
rm -rf "$QUEUE"
conf_daemon "accounts=( { name = \"partner\"; recipient = \"@partner.example\"; mailhub = \"127.0.0.1:1\"; } )"
daemon_start
by_daemon -f me@example.org bob@example.net carol@partner.example
expect_rc 0
wait_for 30 has_messages "$F0" 1 || fail "bob has it not"
run "$ADMIN" queue
expect_out carol@partner.example
grep -q bob@example.net "$T/out" && fail "bob waits, too"
finish

three "with the daemon an account that is down gives way at once, for those who come later as well"
rm -rf "$QUEUE"
conf_daemon "accounts=( { name = \"away\"; sender = \"@away.example\"; mailhub = \"127.0.0.1:1\"; fallback = \"partner\"; }, $partner )" RetryMin=100s RetryMax=100s
daemon_start
for i in 1 2 3; do
    by_daemon -f me@away.example bob@example.net
    expect_rc 0
    wait_for 30 has_messages "$F2" "$i" || fail "message $i waits"
done
[ "$(grep -c 'relay=127.0.0.1:1 ' "$LOG")" -le 1 ] || fail "the one that is down was asked each time"
finish

if [ "$me" -eq 0 ]; then
    three "with the daemon each user has the account that is his"
    rm -rf "$QUEUE"
    conf_daemon "accounts=( { name = \"theirs\"; user = \"64213\"; mailhub = \"127.0.0.1:$P2\"; } )"
    daemon_start
    run_as 64213 "$SENDMAIL" -i bob@example.net <"$MSG"
    expect_rc 0
    expect_at "$F2" 1
    run_as 64214 "$SENDMAIL" -i bob@example.net <"$MSG"
    expect_rc 0
    expect_at "$F2" 1
    expect_at "$F0" 1
    finish
fi
