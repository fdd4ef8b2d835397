#!/bin/sh
# SPDX-License-Identifier: ISC
# Real callers: exactly their argument lists, with input of the shape they send. callers.table says what arrives.
. "$(dirname "$0")/table-run"

input() { cat >"$T/in/$1"; }
crlf() { sed 's/$/\r/' "$T/in/$1" >"$T/in/$1.tmp" && mv "$T/in/$1.tmp" "$T/in/$1"; }
# what a program that stuffs dots sends, and what it means
lines() { sed 's/$/\r/' >"$T/body/$1"; }

input mailutils <<'END'
To: <bob@example.net>
Subject: Grüße
User-Agent: mail (GNU Mailutils 3.15)
Date: Sat, 21 Nov 2026 10:00:00 +0100

text
END
input bsdmailx <<'END'
To: bob
Subject: report
Cc: carol@example.net
Bcc: dave@example.net
MIME-Version: 1.0
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: 7bit

text
.
more
END
input snail <<'END'
Date: Sat, 21 Nov 2026 10:00:00 +0100
To: bob@example.net, carol@example.net
Subject: report
User-Agent: s-nail v14.9.24

text
END
input mutt <<'END'
Date: Sat, 21 Nov 2026 10:00:00 +0100
From: Zoe <zoe@example.org>
To: bob@example.net
Subject: hello
Message-ID: <20261121090000.GA1@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii
Content-Disposition: inline

text
.
more
END
input cron <<'END'
From: root (Cron Daemon)
To: root
Subject: Cron <root@host> run-parts /etc/cron.daily
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit
X-Cron-Env: <SHELL=/bin/sh>
X-Cron-Env: <HOME=/root>

output
END
input cronie <<'END'
From: "(Cron Daemon)" <root>
To: root
Subject: Cron <root@host> job
Content-Type: text/plain; charset=UTF-8
Auto-Submitted: auto-generated
Precedence: bulk

output
END
printf 'To: root\nSubject: cron: job\n\noutput\n' >"$T/in/busybox"
printf 'Subject: Output from your job        1\nTo: root\n\noutput\n' >"$T/in/at"
printf 'To: bob@example.net\nSubject: hello\nX-Mailer: PHP/8.2.1\n\nfirst\n.\nlast\n' >"$T/in/php"
crlf php
printf 'Date: Sat, 21 Nov 2026 10:00:00 +0100\nTo: bob@example.net\nFrom: Root User <root@localhost>\nSubject: hello\nMessage-ID: <x@example.org>\nX-Mailer: PHPMailer 6.9\nMIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n\ntext\n' >"$T/in/phpmailer"
printf 'From: mdadm monitoring <root>\nTo: root\nSubject: DegradedArray event on /dev/md0\n\nThis is an automatically generated mail message from mdadm\n' >"$T/in/mdadm"
printf 'Subject: SMART error\nTo: admin@example.net\n\nSMART error detected\n' >"$T/in/smartd"
printf 'Subject: [Fail2Ban] sshd: banned\nDate: Sat, 21 Nov 2026 10:00:00 +0100\nFrom: Fail2Ban <fail2ban>\nTo: root\n\nHi,\n\nThe IP 192.0.2.1 has just been banned.\n' >"$T/in/fail2ban"
printf 'To: root\nFrom: root\nAuto-Submitted: auto-generated\nSubject: *** SECURITY information for host ***\n\nhost : bob : user NOT in sudoers\n' >"$T/in/sudo"
printf 'From: git@example.org\nTo: bob@example.net\nCc: carol@example.net\nSubject: [PATCH] x\nDate: Sat, 21 Nov 2026 10:00:00 +0100\nMessage-Id: <p1@example.org>\n\ntext\n.\n-- \n2.39\n' >"$T/in/git"
printf 'From: zoe@example.org\nTo: bob@example.net\nBcc: hidden@example.net\nSubject: hello\nMessage-ID: <n1@example.org>\nDate: Sat, 21 Nov 2026 09:00:00 +0000\nMIME-Version: 1.0\n\n.text\n' >"$T/in/nodemailer"
crlf nodemailer
printf 'Message-ID: <s1@example.org>\nDate: Sat, 21 Nov 2026 10:00:00 +0100\nSubject: hello\nFrom: zoe@example.org\nTo: bob@example.net\n\n..text\n...\nlast\n' >"$T/in/symfony-stuffed"
crlf symfony-stuffed
input netdata <<'END'
From: netdata@host <netdata>
To: root
Subject: host critical, disk
Content-Type: multipart/alternative; boundary="multipart-boundary"
MIME-Version: 1.0
Precedence: list

--multipart-boundary
Content-Type: text/plain; encoding=UTF-8; charset=UTF-8

text
--multipart-boundary--
END
printf 'EHLO [127.0.0.1]\r\nMAIL FROM:<zoe@example.org>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\nSubject: one\r\nFrom: zoe@example.org\r\n\r\n..text\r\n.\r\nRSET\r\nNOOP\r\nMAIL FROM:<zoe@example.org> BODY=8BITMIME\r\nRCPT TO:<carol@example.net>\r\nRCPT TO:<dave@example.net>\r\nDATA\r\nSubject: two\r\n\r\nsecond\r\n.\r\nQUIT\r\n' >"$T/in/symfony-bs"
: >"$T/in/empty"
printf 'text\n.\nmore\n' | lines dotted
printf 'first\n.\nlast\n' | lines php
printf '.text\n' | lines dottext
printf '.text\n..\nlast\n' | lines unstuffed

hub_start -
table_conf
table_run "$TESTS/blackbox/callers.table"

begin "-bs serves one message after the other, as Symfony and SwiftMailer use it"
before=$(count_messages)
timeout 60 "$SENDMAIL" -C "$T/conf" -bs <"$T/in/symfony-bs" >"$T/out" 2>"$T/err"
# shellcheck disable=SC2034 # expect_rc reads it
rc=$?
expect_rc 0
expect_messages $((before + 2))
expect_env 'rcpt: <carol@example.net>'
expect_env 'rcpt: <dave@example.net>'
[ "$(grep -c '^250 ' "$T/out")" -eq 10 ] || fail "$(grep -c '^250 ' "$T/out") replies of 250, not 10"
grep -q '^221 ' "$T/out" || fail "no 221"
[ ! -s "$T/err" ] || fail "something on stderr"
end
