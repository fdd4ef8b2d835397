#!/bin/sh
# SPDX-License-Identifier: ISC
# What a smarthost cannot carry is re-encoded before it gets there; what it can carry goes as it is.
. "$(dirname "$0")/lib.sh"

# The message of standard input, LF; 'NUL' in it becomes a NUL, 'LONG' 2000 octets.
message() {
    long=$(awk 'BEGIN {for (i = 0; i < 200; i++) printf "0123456789"}')
    sed "s/LONG/$long/" | sed 's/NUL/\x00/' >"$MSG"
}

# with OFFER: send, and it has to arrive without bad manners
deliver() {
    hub_start - --offer "$1"
    conf UseTLS=false
    send -i -f alice@example.org bob@example.net
    expect_rc 0
    expect_messages 1
    tr -d '\r' <"$HUB_DIR/1.msg" >"$T/got"
}

expect_line() {
    grep -qxF -e "$1" "$T/got" || fail "no line '$1' in the message"
}

expect_no_line() {
    if grep -qxF -e "$1" "$T/got"; then fail "a line '$1' in the message"; fi
}

HEADER='From: alice@example.org
To: bob@example.net
MIME-Version: 1.0'

message <<END
$HEADER
Content-Type: multipart/mixed; boundary=b
Content-Transfer-Encoding: 8bit

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

a text that is mostly plain, grün
--b

plain
--b
Content-Type: message/rfc822

Subject: within

another text that is mostly plain, grün
--b--
END
begin "an 8-bit multipart at a peer without 8BITMIME goes as 7-bit, part by part"
deliver "-8BITMIME -SMTPUTF8 -CHUNKING"
expect_manners
expect_line "a text that is mostly plain, gr=C3=BCn"
expect_line "another text that is mostly plain, gr=C3=BCn"
expect_line "Content-Transfer-Encoding: 7bit"
expect_line "plain"
end

begin "the same goes as it is at a peer with 8BITMIME"
deliver "-BINARYMIME"
expect_manners
expect_env "BODY=8BITMIME"
expect_line "a text that is mostly plain, grün"
expect_no_line "Content-Transfer-Encoding: quoted-printable"
end

message <<END
$HEADER
Content-Type: multipart/mixed; boundary=b

--b

LONG
--b

short
--b
Content-Type: application/x

a NUL
--b--
END
begin "only the parts with a long line or a NUL are re-encoded"
deliver "-BINARYMIME"
expect_manners
expect_line "Content-Transfer-Encoding: quoted-printable"
expect_line "Content-Transfer-Encoding: base64"
expect_line "$(base64_of 'a \000')"
expect_line "short"
sed -n '/^Content-Transfer-Encoding: quoted/,/^--b/p' "$T/got" | sed '1,2d;$d' | tr -d '=\n' >"$T/text"
[ "$(wc -c <"$T/text")" -eq 2000 ] || fail "the long line did not come whole"
end

begin "at a peer with BINARYMIME long lines go as they are, a NUL goes as base64"
deliver "SIZE"
expect_manners
expect_env "BODY=BINARYMIME"
grep -q "^0123456789.\{1980\}0123456789$" "$T/got" || fail "the long line was changed"
expect_line "Content-Transfer-Encoding: base64"
expect_line "$(base64_of 'a \000')"
expect_no_line "Content-Transfer-Encoding: quoted-printable"
end

message <<END
From: alice@example.org
Subject: no MIME at all

a NUL
END
begin "a text with a NUL goes as base64"
deliver "-BINARYMIME"
expect_manners
expect_line "MIME-Version: 1.0"
expect_line "Content-Transfer-Encoding: base64"
expect_line "$(base64_of 'a \000\r\n')"
end

message <<END
$HEADER
Content-Type: multipart/signed; boundary=b; protocol="x/y"; micalg=z

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

signed and grün LONG
--b
Content-Type: x/y

signature
--b--
END
begin "what is signed goes as it is to a peer that offers nothing"
deliver none
sed -n '/^--b$/,$p' "$T/got" >"$T/signed"
sed -n '/^--b$/,$p' "$MSG" | cmp -s - "$T/signed" || fail "it was altered"
end

message <<END
From: alice@example.org
To: Jürgen Müller <bob@example.net>
Subject: ein langes Wort, schön: LONG
X-Long: LONG

text
END
begin "header words are encoded and long header lines folded"
deliver "-BINARYMIME"
expect_manners
expect_line "To: =?utf-8?B?SsO8cmdlbiBNw7xsbGVy?= <bob@example.net>"
end
