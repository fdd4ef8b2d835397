#!/bin/sh
# SPDX-License-Identifier: ISC
# What sendmail makes of a message: line ends, the header's end, recipients of -t, what goes and what is added. message.table.
. "$(dirname "$0")/table-run"

in_() { # shellcheck disable=SC2059 # the format is the message
    printf "$2" >"$T/in/$1"; }
body() { # shellcheck disable=SC2059
    printf "$2" >"$T/body/$1"; }

in_ mixed 'To: bob@example.net\r\nSubject: a\rb\nX-Fold: one\r\r\n two\n\r\nl1\nl2\r\nl3\r\r\nl4\rl5\n\rl6'
body mixed 'l1\r\nl2\r\nl3\r\nl4\r\nl5\r\n\r\nl6\r\n'
in_ cr-eof 'Subject: x\n\ntext\r'
body cr-eof 'text\r\n'
in_ cr-header-eof 'Subject: x\r'
in_ plain 'just text\nTo: nobody@example.net\n'
body plain 'just text\r\nTo: nobody@example.net\r\n'
in_ late 'Subject: x\nthis is no field\nX-Late: 1\n'
body late 'this is no field\r\nX-Late: 1\r\n'
in_ mbox 'From zoe@example.org Mon Jan  1 10:00:00 2026\nSubject: x\n\nFrom here on\n'
body mbox 'From here on\r\n'
in_ stripped 'Return-Path: <x@example.org>\nBCC: hidden@example.net,\n more@example.net\nResent-bcc: hidden@example.net\nContent-Length: 5\ncontent-LENGTH: 6\nSubject: x\n\nhello'
in_ order 'X-One: 1\nx-tWo:2\nX-One:  again\nX-Empty:\nX-Fold: a\n  b\n\tc\nSubject : odd\nDate: Sat, 21 Nov 2026 10:00:00 +0100\nFrom: zoe@example.org\nTo: bob@example.net\nMessage-ID: <m@example.org>\n\ntext\n'
in_ blank '\nonly a body\n'
body blank 'only a body\r\n'
in_ nothing ''
body nothing ''
in_ nul-body 'Subject: x\n\na\000b\n'
in_ received "$(awk 'BEGIN {for (i = 0; i < 101; i++) printf "Received: from here\\n"}')Subject: x\n\n"
in_ received-100 "$(awk 'BEGIN {for (i = 0; i < 100; i++) printf "Received: from here\\n"}')Subject: x\n\n"

in_ t-folded 'To:\n bob@example.net,\n\t carol@example.net\nCc:\nBcc: \n\ntext\n'
in_ t-comments 'To: bob@example.net (Bob, the (nested) builder), Carol (c) <carol@example.net> (x)\n\ntext\n'
in_ t-group 'To: undisclosed-recipients:;\nCc: team: bob@example.net, "Carol, C" <carol@example.net>;, dave@example.net\n\ntext\n'
in_ t-route 'To: <@relay.example,@other.example:bob@example.net>\n\ntext\n'
in_ t-quoted 'To: "bob builder"@example.net, "carol"@example.net, "d,e"@example.net\n\ntext\n'
in_ t-bcc 'Bcc: bob@example.net\nSubject: x\n\ntext\n'
in_ t-double 'To: bob@example.net, bob@EXAMPLE.NET\nCc: <bob@example.net>, "bob"@example.net\n\ntext\n'
in_ t-body 'To: bob@example.net\n\nTo: carol@example.net\n'
in_ t-bad 'To: bob@example.net, carol@\n\ntext\n'
in_ t-none 'To: undisclosed-recipients:;\nSubject: x\n\ntext\n'
in_ t-resent 'Resent-From: zoe@example.org\nResent-To: bob@example.net\nResent-Bcc: carol@example.net\nFrom: a@example.org\nTo: x@example.net\nBcc: y@example.net\nDate: Sat, 21 Nov 2026 10:00:00 +0100\nMessage-ID: <m@example.org>\n\ntext\n'
in_ t-resent-twice 'Resent-To: bob@example.net\nResent-Date: Sat, 21 Nov 2026 10:00:00 +0100\nResent-From: zoe@example.org\nResent-To: x@example.net\nResent-From: y@example.org\nTo: z@example.net\n\ntext\n'
in_ t-resent-received 'Resent-To: bob@example.net\nReceived: from here\nResent-To: x@example.net\nResent-Date: Sat, 21 Nov 2026 10:00:00 +0100\n\ntext\n'
in_ t-semicolons 'To: Bob <bob@example.net>; carol@example.net\nCc: dave;\n\ntext\n'
in_ t-resent-bcc 'Resent-From: zoe@example.org\nResent-Bcc: bob@example.net\nFrom: a@example.org\nTo: x@example.net\n\ntext\n'
in_ t-resent-below 'Received: from here\nResent-From: zoe@example.org\nResent-To: bob@example.net\nFrom: a@example.org\nTo: x@example.net\n\ntext\n'
in_ t-resent-none 'Resent-Date: Sat, 21 Nov 2026 10:00:00 +0100\nTo: bob@example.net\n\ntext\n'

hub_start -
table_conf
table_run "$TESTS/blackbox/message.table"

begin "10,000 recipients of -t each get it once, and none shows"
before=$(count_messages)
awk 'BEGIN {printf "Subject: x\nBcc: "; for (i = 0; i < 10000; i++) printf "user%05d@example.net,\n ", i; print "user00000@example.net\n\ntext"}' >"$T/in/many"
timeout 100 "$SENDMAIL" -C "$T/conf" -t <"$T/in/many" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_one_line
expect_manners
cat "$HUB_DIR"/*.env | sed -n 's/^rcpt: <\(user[0-9]*\)@.*/\1/p' | sort >"$T/got"
[ "$(wc -l <"$T/got")" -eq 10000 ] || fail "$(wc -l <"$T/got") recipients"
[ "$(uniq "$T/got" | wc -l)" -eq 10000 ] || fail "$(uniq "$T/got" | wc -l) different recipients"
if grep -q 'user0' "$HUB_DIR/$((before + 1)).msg"; then fail "Bcc shows"; fi
echo "${WHY:+not }ok $CASE${WHY:+: $WHY}"

# a field of $1 octets, in lines of 70, and a body
long_field() {
    awk -v n="$1" 'BEGIN {printf "X-Long:"; for (i = 0; i < n / 70; i++) print " a line of text of seventy octets with its line break, in a field, 7890"; print "\ntext"}'
}

long() {
    begin "a header of $1 octets ends with $2"
    before=$(count_messages)
    long_field "$1" >"$T/in/long"
    timeout 100 "$SENDMAIL" -C "$T/conf" bob@example.net <"$T/in/long" >"$T/out" 2>"$T/err"
    # shellcheck disable=SC2034 # expect_rc reads it
    rc=$?
    expect_rc "$2"
    expect_one_line
    expect_messages $((before + $3))
    [ "$3" -eq 0 ] || [ "$(header_of "$HUB_DIR/$((before + 1)).msg" | grep -c 'a line of text')" -eq "$(grep -c 'a line of text' "$T/in/long")" ] || fail "lines of the field are missing"
    echo "${WHY:+not }ok $CASE${WHY:+: $WHY}"
}
long 1000000 0 1
long 2000000 0 1
long 2200000 65 0

# ---------------------------------------------------------------- From policy

# policy ARGUMENTS: what becomes of $T/in/from
policy() {
    before=$(count_messages)
    timeout 60 "$SENDMAIL" -C "$T/conf" "$@" <"$T/in/from" >"$T/out" 2>"$T/err"
    # shellcheck disable=SC2034 # expect_rc reads it
    rc=$?
    expect_rc 0
    expect_one_line
    expect_messages $((before + 1))
    # shellcheck disable=SC2034 # row_check reads it
    now=$(count_messages)
}
policy_end() { echo "${WHY:+not }ok $CASE${WHY:+: $WHY}"; }

in_ from 'From: Zoe <zoe@example.org>\nTo: bob@example.net\n\ntext\n'
begin "FromPolicy force puts the account's address into header and envelope, and leaves the null sender"
table_conf FromPolicy=force From=account@example.com
policy -f zoe@example.org -F Zoe bob@example.net
row_check 'mail=account@example.com'
row_check 'head=From: "Zoe" <account@example.com>'
row_check 'hasnot=zoe@'
policy -f '' bob@example.net
row_check 'mail='
policy_end

for policy in qualify keep; do
    begin "FromPolicy $policy leaves an address that is one"
    table_conf FromPolicy=$policy From=account@example.com
    policy -f zoe@example.org bob@example.net
    row_check 'mail=zoe@example.org'
    row_check 'head=From: Zoe <zoe@example.org>'
    policy_end
done
