#!/bin/sh
# SPDX-License-Identifier: ISC
# sendmail -bs: ESMTP on stdin and stdout, as PHP libraries and old mail programs speak it.
. "$(dirname "$0")/lib.sh"

HELLO='EHLO php\r\n'
ENVELOPE='MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\n'
TEXT='Subject: a letter\r\n\r\ntext\r\n'

# dialog FORMAT: play it, and what it is answered stands in $T/out
dialog() {
    # shellcheck disable=SC2059
    printf "$1" >"$T/in"
    timeout 60 "$SENDMAIL" -C "$T/conf" -bs <"$T/in" >"$T/out" 2>"$T/err"
}

expect_answer() {
    grep -q "^$1" "$T/out" || fail "no answer $1: $(tr -d '\r' <"$T/out" | tail -n 3 | tr '\n' '|')"
}

start() {
    begin "$1"
    hub_start -
    conf_tls false ''
}

begin "-bs says why there is no session to its client and on standard error"
conf mailhub=127.0.0.1:1 UseTLS=bogus
dialog "${HELLO}QUIT\r\n"
# shellcheck disable=SC2034 # expect_rc reads it
rc=$?
expect_rc 78
expect_one_line
expect_answer '421 4.3.0'
expect_err UseTLS
end

start "several messages go in one -bs session, with pings between them"
dialog "$HELLO${ENVELOPE}DATA\r\n${TEXT}.\r\nNOOP\r\nRSET\r\n${ENVELOPE}RCPT TO:<carol@example.net>\r\nDATA\r\n$TEXT..\r\n.\r\nQUIT\r\n"
expect_messages 2
expect_env 'rcpt: <carol@example.net>'
expect_answer '221 '
expect_manners
end

start "-bs offers what it can do and nothing that is ours alone"
dialog "${HELLO}STARTTLS\r\nQUIT\r\n"
for word in PIPELINING SIZE 8BITMIME SMTPUTF8 DSN ENHANCEDSTATUSCODES; do
    expect_answer "250[- ]$word"
done
grep -qE 'CHUNKING|X-SMTPRELAY|AUTH|STARTTLS' "$T/out" && fail "too much is offered"
expect_answer '502 5.5.1'
end

start "a -bs session of LF alone is taken"
dialog "$(printf '%s' "$HELLO${ENVELOPE}DATA\r\n${TEXT}..x\r\n.\r\nQUIT\r\n" | sed 's/\\r//g')"
expect_messages 1
expect_answer '221 '
grep -q '^\.*x' "$HUB_DIR/1.msg" || fail "the line with a dot is missing"
end

# no message, and the answer 550 5.5.2
for form in '\n.\n' '\n.\r\n' '\r\n.\n' '\r.\r' '\r.\r\n' '\r\n.\r' '\n.\r' '\r.\n' '\r\r\n.\r\n' '\r\n.\r\r\n'; do
    start "in -bs nobody takes $(printf '%s' "$form" | sed 's/\\r/CR/g; s/\\n/LF/g') for the end of a message"
    dialog "$HELLO${ENVELOPE}DATA\r\ntext${form}MAIL FROM:<evil@example.org>\r\nRCPT TO:<evil@example.net>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n"
    expect_messages 0
    expect_answer '550 5.5.2'
    end
done

start "a -bs session whose line endings change is over"
dialog "EHLO php\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nx\r\n.\r\n"
expect_messages 0
expect_answer '550 5.5.2'
end

start "the end of input inside a -bs message sends nothing"
dialog "$HELLO${ENVELOPE}DATA\r\n${TEXT}more te"
expect_messages 0
expect_answer '354 '
end

start "the end of input before the dot of a -bs message sends nothing"
dialog "$HELLO${ENVELOPE}DATA\r\n$TEXT"
expect_messages 0
end
