# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
# What speaks SMTP to port 25 of localhost, as if a mail server were there, and what answers, forwards and sorts mail.  Sourced by callers.

own_cases+=" swaks"

needs python3-django libmail-sendmail-perl bacula-common haproxy keepalived dovecot-sieve dovecot-pop3d procmail maildrop fetchmail vacation swaks

says django "Django's send_mail sends with its defaults"
django_case() {
    content as_carol python3 -c '
from django.conf import settings
settings.configure(DEFAULT_FROM_EMAIL="django@example.org")
import django; django.setup()
from django.core.mail import EmailMessage
m = EmailMessage("Grüße, schöne", open("/home/carol/body").read(), to=["django@example.net"], bcc=["django-hidden@example.net"])
m.attach_file("/home/carol/blob", "application/octet-stream")
assert m.send() == 1' && there django django@example.org django@example.org --subject "$umlauts" --body "$D/body" --attachment "$D/blob" &&
        there django-hidden django@example.org django@example.org
}

says mail_sendmail "Perl's Mail::Sendmail sends"
mail_sendmail_case() {
    content as_carol perl -MMail::Sendmail -e 'open my $b, "<", "/home/carol/body"; local $/; my $text = <$b>;
        sendmail(To => "mail-sendmail\@example.net", From => "carol\@example.org", Subject => "by SMTP", "Content-Type" => "text/plain; charset=utf-8", Message => $text) or die $Mail::Sendmail::error' &&
        there mail-sendmail carol@example.org carol@example.org --subject 'by SMTP' --has 'Grüße'
}

says bsmtp "Bacula's bsmtp sends"
bsmtp_case() {
    content as_carol bsmtp -8 -h localhost -f 'Bacula <bacula@example.org>' -s 'Backup OK' bsmtp@example.net <"$D/body-no-dot" &&
        there bsmtp bacula@example.org bacula@example.org --subject 'Backup OK' --has 'Grüße'
}

says haproxy "HAProxy's mailers tell of a server that is down"
haproxy_case() {
    cat >"$TREE/srv/haproxy.cfg" <<'CFG'
global
  log /dev/log local0
defaults
  mode tcp
  timeout connect 2s
  timeout client 2s
  timeout server 2s
mailers mta
  mailer local 127.0.0.1:25
listen web
  bind 127.0.0.1:8081
  email-alert mailers mta
  email-alert from haproxy@example.org
  email-alert to haproxy@example.net
  email-alert level alert
  server one 127.0.0.1:1 check inter 500 fall 1
CFG
    begin haproxy -db -f /srv/haproxy.cfg
    there haproxy haproxy@example.org haproxy@example.org --about 'web/one is DOWN'
}

says keepalived "keepalived tells that it became master"
keepalived_case() {
    ip link add vr0 type veth peer name vr1 && ip address add 192.0.2.1/24 dev vr0 && ip link set vr0 up && ip link set vr1 up || return 1
    cat >"$TREE/etc/keepalived/keepalived.conf" <<'CFG'
global_defs {
  notification_email { keepalived@example.net }
  notification_email_from keepalived@example.org
  smtp_server 127.0.0.1 25
  smtp_connect_timeout 30
}
vrrp_instance one {
  interface vr0
  state MASTER
  virtual_router_id 51
  priority 100
  advert_int 1
  smtp_alert
  virtual_ipaddress { 192.0.2.9/24 }
}
CFG
    begin keepalived -n -l -P
    there keepalived keepalived@example.org keepalived@example.org --about 'MASTER'
}

says swaks "swaks speaks SMTP with sendmail -bs, also with a dot in the text"
swaks_case() {
    says_so as_carol swaks --pipe '/usr/sbin/sendmail -bs' --from swaks-back@example.org --to "swaks$r@example.net,swaks-two$r@example.net" --h-Subject swaks --body 'one
.
two' && there "swaks$r" swaks-back@example.org swaks-back@example.org --subject swaks --has two && there "swaks-two$r" swaks-back@example.org ''
}

letter() { printf 'From: Visitor <visitor@example.net>\nTo: %s\nDate: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <%s@example.net>\nSubject: a question\n\nWhat now?\n' "$1" "$2"; }

lda() { inside setpriv --reuid frank --regid frank --clear-groups env HOME=/home/frank USER=frank /usr/lib/dovecot/dovecot-lda -c /srv/dovecot.conf -a frank@example.org "$@"; }
says sieve "Dovecot's Sieve redirects, answers a vacation notice and rejects"
sieve_case() {
    inside useradd -m -u 4715 frank || return 1
    cat >"$TREE/srv/dovecot.conf" <<'CONF'
mail_location = maildir:~/Maildir
ssl = no
postmaster_address = postmaster@example.org
sendmail_path = /usr/sbin/sendmail
userdb {
  driver = passwd
}
protocol lda {
  mail_plugins = sieve
}
CONF
    printf 'require ["vacation", "copy", "reject"];\nif header :contains "subject" "reject" { reject "not wanted"; stop; }\nvacation :addresses "frank@example.org" "I am away.";\nredirect :copy "sieve@example.net";\n' \
        >"$TREE/home/frank/.dovecot.sieve"
    inside chown frank:frank /home/frank/.dovecot.sieve
    letter frank@example.org sieve1 | says_so lda -f asker@example.net && there sieve $account '' --subject 'a question' --has 'What now?' &&
        there asker '' '' --has 'I am away.' || return 1
    letter frank@example.org sieve2 | sed 's/^Subject:.*/Subject: please reject/' | says_so lda -f unwanted@example.net && there unwanted '' '' --has 'not wanted'
}

says procmail "procmail forwards"
procmail_case() {
    printf ':0\n! procmail@example.net\n' >"$TREE/home/carol/.procmailrc"
    inside chown carol:carol /home/carol/.procmailrc
    letter carol@example.org procmail | content as_carol procmail && there procmail $account '' --subject 'a question' --has 'What now?'
}

says maildrop "maildrop forwards"
maildrop_case() {
    printf 'to "!maildrop@example.net"\n' >"$TREE/home/carol/.mailfilter"
    chmod 600 "$TREE/home/carol/.mailfilter"
    inside chown carol:carol /home/carol/.mailfilter
    letter carol@example.org maildrop | content as_carol maildrop && there maildrop '' '' --subject 'a question' --has 'What now?'
}

says vacation "vacation answers"
vacation_case() {
    printf 'From: carol@example.org\nSubject: away\n\nI am away.\n' >"$TREE/home/carol/.vacation.msg"
    inside chown carol:carol /home/carol/.vacation.msg
    as_carol vacation -I >"$C.out" 2>&1
    { echo 'From visitor-v@example.net Fri Nov 20 12:00:00 2026'; letter carol@client.example.org vacation; } | content as_carol vacation carol &&
        there visitor-v $account carol@example.org --subject away --has 'I am away.'
}

says fetchmail "fetchmail hands what it fetches to port 25"
fetchmail_case() {
    inside useradd -m -u 4716 grace && echo grace:secret | inside chpasswd || return 1
    inside setpriv --reuid grace --regid grace --clear-groups mkdir -p /home/grace/Maildir/new /home/grace/Maildir/cur /home/grace/Maildir/tmp
    letter grace@example.org fetched | inside setpriv --reuid grace --regid grace --clear-groups sh -c 'cat >/home/grace/Maildir/new/1'
    mkdir -p "$TREE/run/dovecot"
    cat >"$TREE/srv/pop3.conf" <<'CONF'
protocols = pop3
ssl = no
disable_plaintext_auth = no
mail_location = maildir:~/Maildir
log_path = /var/log/dovecot.log
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = passwd
}
service pop3-login {
  inet_listener pop3 {
    port = 1110
  }
}
CONF
    begin dovecot -F -c /srv/pop3.conf
    soon python3 -c 'import socket; socket.create_connection(("127.0.0.1", 1110), 1)'
    echo 'poll localhost protocol pop3 port 1110 user grace password secret is "fetchmail@example.net" here sslproto ""' >"$TREE/home/carol/.fetchmailrc"
    chmod 600 "$TREE/home/carol/.fetchmailrc"
    inside chown carol:carol /home/carol/.fetchmailrc
    says_so as_carol fetchmail -v && there fetchmail $account '' --subject 'a question' --has 'What now?'
}
