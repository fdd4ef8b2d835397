#!/bin/sh
# SPDX-License-Identifier: ISC
# Every flag, attached and split, by what arrives: flags.table.
. "$(dirname "$0")/table-run"

cat >"$T/in/letter" <<'END'
To: Carol <carol@example.net>
Cc: dave@example.net
Bcc: erin@example.net
Subject: a letter

first
..second
.
last
END
printf 'first\r\n..second\r\n.\r\nlast\r\n' >"$T/body/whole"
printf 'first\r\n.second\r\n' >"$T/body/cut"
printf 'Subject: nobody is named\n\ntext\n' >"$T/in/nobody"
: >"$T/in/empty"
printf 'EHLO client.example.org\r\nMAIL FROM:<zoe@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nSubject: by hand\r\n\r\n..first\r\nlast\r\n.\r\nQUIT\r\n' >"$T/in/dialog"
tr -d '\r' <"$T/in/dialog" >"$T/in/dialog-lf"
printf 'EHLO client.example.org\r\nMAIL FROM:<zoe@example.org>\n' >"$T/in/dialog-mixed"
printf '.first\r\nlast\r\n' >"$T/body/dialog"

hub_start -
table_conf
table_run "$TESTS/blackbox/flags.table"

begin "-X, -D and -O never write a file"
[ ! -e "$T/never" ] || fail "$T/never is there"
end
