#!/bin/sh
# SPDX-License-Identifier: ISC
# The hub itself: it is what the other tests believe.
. "$(dirname "$0")/lib.sh"

# Say the lines of standard input to the hub; the dialog is in $T/said.
say() {
    sed 's/$/\r/' | "$HUB" --talk "$HUB_PORT" --max-time 60s >"$T/said" 2>&1
}

expect_said() {
    grep -qF -e "$1" "$T/said" || fail "the hub did not say '$1' but: $(tr '\r\n' '  ' <"$T/said")"
}

begin "the hub takes a message by DATA"
hub_start -
say <<END
EHLO client.example.org
MAIL FROM:<alice@example.org> BODY=8BITMIME SIZE=40
RCPT TO:<bob@example.net> NOTIFY=NEVER
DATA
Subject: x

..dot
.
QUIT
END
expect_said "250 2.0.0 taken"
expect_messages 1
expect_env "mail: <alice@example.org> BODY=8BITMIME SIZE=40"
expect_env "rcpt: <bob@example.net> NOTIFY=NEVER"
[ "$(tr '\r\n' '|_' <"$HUB_DIR/1.msg")" = "Subject: x|_|_.dot|_" ] || fail "the octets are not those sent"
grep -q 'octets behind DATA' "$HUB_DIR/odd" || fail "text before the 354 was not noticed"
end

begin "the hub takes a message by BDAT in pieces"
hub_start -
printf 'EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@x>\r\nBDAT 6\r\na: b\r\nBDAT 2\r\n\r\nBDAT 5 LAST\r\nabc\r\nQUIT\r\n' |
    "$HUB" --talk "$HUB_PORT" >"$T/said"
expect_messages 1
[ "$(tr '\r\n' '|_' <"$HUB_DIR/1.msg")" = "a: b|_|_abc|_" ] || fail "the octets are not those sent"
expect_env "via: BDAT"
end

begin "the hub notices bad manners"
hub_start - --offer "-PIPELINING -SIZE -SMTPUTF8" --auth PLAIN
printf 'MAIL FROM:<a@b>\nEHLO c\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM: <\303\251@b> SIZE=3\r\nRCPT TO:b\r\nFOO\r\nQUIT\r\n' |
    "$HUB" --talk "$HUB_PORT" >"$T/said"
for words in "bare LF" "before EHLO" "AUTH without TLS" "not offered" "a blank behind FROM:" "without SMTPUTF8" \
    "where SIZE was not offered" "without < and >" "unknown command" "octets behind EHLO"; do
    grep -q -e "$words" "$HUB_DIR/odd" || fail "'$words' was not noticed"
done
expect_said "504 5.5.4"
end

begin "a script changes what the hub says"
cat >"$T/peer.hub" <<'END'
# words with escapes
option offer none
on greeting
    send 220-a\sb\r\n
    reply 220 c
on RCPT *<bad@*
    reply 550 no \x40 all
on MAIL nth 2
    reply 421 enough
    close
END
hub_start "$T/peer.hub"
say <<END
EHLO c
MAIL FROM:<a@b>
RCPT TO:<bad@x>
RCPT TO:<good@x>
RSET
MAIL FROM:<a@b>
END
expect_said "220-a b"
expect_said "550 no @ all"
expect_said "250 2.1.5"
expect_said "421 enough"
end

begin "a wrong script is refused with file and line"
printf 'on RCPT\n  frobnicate\n' >"$T/wrong.hub"
"$HUB" -s "$T/wrong.hub" -d "$T" >"$T/said" 2>&1 && fail "it was taken"
expect_said "wrong.hub:2: 'frobnicate'"
end

begin "every script of the hostile peers can be read"
for script in "$TESTS"/hub/scripts/*.hub; do
    hub_start "$script"
done
[ "$HUBS" -ge 80 ] || fail "only $HUBS scripts"
end

begin "the hub ends when its time is over"
"$HUB" -d "$T" --max-time 1s >"$T/said" &
wait $! || fail "it ended with $?"
end

begin "what is left to chance is the same with the same seed"
printf 'on NOOP chance 50\n    sleep 0ms-2ms\n    reply 250 heads\non NOOP\n    reply 250 tails\n' >"$T/chance.hub"
for seed in 7 7 8; do
    hub_start "$T/chance.hub" --seed "$seed"
    awk 'BEGIN {print "EHLO c"; for (i = 0; i < 64; i++) print "NOOP"; print "QUIT"}' | say
    grep -e heads -e tails "$T/said" | tr -d '\r\n' >"$T/throw-$HUBS"
    expect_said heads
    expect_said tails
done
cmp -s "$T/throw-$((HUBS - 2))" "$T/throw-$((HUBS - 1))" || fail "another result with the same seed"
if cmp -s "$T/throw-$HUBS" "$T/throw-$((HUBS - 1))"; then fail "the same result with another seed"; fi
end

begin "a message may be taken without a word, once"
printf 'on dot once\n    take\n    close\n' >"$T/take.hub"
hub_start "$T/take.hub"
for _ in 1 2; do
    printf 'EHLO c\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nBDAT 5 LAST\r\na: b\r\nQUIT\r\n' | "$HUB" --talk "$HUB_PORT" >"$T/said" 2>&1
    grep -c '250 2.0.0 taken' "$T/said" >>"$T/verdicts"
done
[ "$(tr -d '\n' <"$T/verdicts")" = 01 ] || fail "the verdicts: $(tr '\n' ' ' <"$T/verdicts")"
expect_messages 2
end
