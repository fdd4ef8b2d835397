# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2016,SC2086
# Real programs that speak SMTP to the listener at 127.0.0.1:$PORT, each with a recipient of its own, side by side.  Sourced by
# listener.  A case is a function NAME_client; it reports to $C/NAME.result.

good() { echo "ok client-$1" >>"$C/$1.result"; }
wrong() { echo "not ok client-$1: $2" >>"$C/$1.result"; }

# content NAME COMMAND...: the program must be content (exit 0); $carol before it has it run inside the root
content() {
    name=$1
    shift
    timeout 100 "$@" >"$C/$name.out" 2>&1 && return 0
    wrong "$name" "exit $?: $(tail -n 5 "$C/$name.out")"
    return 1
}

# there NAME RECIPIENT [what arrived.py compares]
there() {
    name=$1 to=$2
    shift 2
    if why=$(python3 "$here/arrived.py" "$MAILDIR" --to "$to@example.net" "$@" 2>&1); then good "$name"; else wrong "$name" "$why"; fi
}

umlauts='Grüße, schöne'

# the standard library, as Django and many scripts use it; two messages in one session, DSN and SMTPUTF8 by its own options
smtplib_client() {
    content smtplib python3 -c '
import email.message, email.policy, smtplib, sys
body, blob = open(sys.argv[2]).read(), open(sys.argv[3], "rb").read()
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as s:
    for to in "smtplib", "smtplib-again":
        m = email.message.EmailMessage()
        m["To"], m["Bcc"], m["From"], m["Subject"] = to + "@example.net", to + "-hidden@example.net", "Cäröl <carol@example.org>", "Grüße, schöne"
        m.set_content(body)
        m.add_attachment(blob, maintype="application", subtype="octet-stream", filename="blöb")
        assert s.send_message(m, mail_options=["RET=HDRS", "ENVID=x+2By"], rcpt_options=["NOTIFY=FAILURE"]) == {}
    m = email.message.EmailMessage(policy=email.policy.SMTPUTF8)
    m["To"], m["From"], m["Subject"] = "smtplib-utf8@example.net", "carol@example.org", "Grüße, schöne"
    m.set_content(body, cte="8bit")
    s.send_message(m, mail_options=["BODY=8BITMIME", "SMTPUTF8"])
    try:
        s.sendmail("carol@example.org", ["refused@example.net"], "Subject: x\r\n\r\nx\r\n")
        sys.exit("a refused recipient is taken")
    except smtplib.SMTPDataError as e:
        assert e.smtp_code == 550 and b"nobody of that name" in e.smtp_error, e
' "$PORT" "$C/body" "$C/blob" &&
        there smtplib smtplib --from carol@example.org --subject "$umlauts" --body "$C/body" --attachment "$C/blob" &&
        there smtplib smtplib-again-hidden --from carol@example.org &&
        there smtplib smtplib-utf8 --from carol@example.org --subject "$umlauts" --body "$C/body"
}

nodemailer_client() {
    content nodemailer env NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs node -e '
        const t = require("nodemailer").createTransport({ host: "127.0.0.1", port: +process.argv[1], pool: true, maxConnections: 2 });
        const send = n => t.sendMail({ from: "carol@example.org", to: "nodemailer" + n + "@example.net", bcc: "nodemailer-hidden" + n + "@example.net",
            subject: "Grüße, schöne", text: require("fs").readFileSync(process.argv[2], "utf8"), attachments: [{ path: process.argv[3] }],
            dsn: { id: "x", return: "headers", notify: ["failure"], recipient: "carol@example.org" } });
        Promise.all([1, 2, 3, 4, 5].map(send)).then(() => t.close()).catch(e => { console.error(e); process.exit(1); });' "$PORT" "$C/body" "$C/blob" &&
        for n in 1 2 3 4 5; do there nodemailer nodemailer$n --from carol@example.org --subject "$umlauts" --body "$C/body" --attachment "$C/blob"; done
}

curl_client() {
    { printf 'From: Carol <carol@example.org>\r\nTo: curl@example.net\r\nSubject: curl\r\n\r\n'; sed 's/$/\r/' "$C/body-no-umlaut"; } >"$C/curl.in"
    content curl curl -sS --url "smtp://127.0.0.1:$PORT/client.example.org" --mail-from carol@example.org --mail-rcpt curl@example.net \
        --mail-rcpt curl-two@example.net --upload-file "$C/curl.in" &&
        there curl curl --from carol@example.org --subject curl --body "$C/body-no-umlaut" && there curl curl-two
}

swaks_client() {
    for how in '' --pipeline; do
        content "swaks$how" swaks --server 127.0.0.1 --port "$PORT" $how --from swaks-back@example.org --to "swaks$how@example.net" --h-Subject swaks --body 'one
.
two' --attach "@$C/blob" && there "swaks$how" "swaks$how" --from swaks-back@example.org --subject swaks --has two --attachment "$C/blob"
    done
}

perl_client() {
    content perl perl -MNet::SMTP -e '
        my $s = Net::SMTP->new("127.0.0.1", Port => $ARGV[0], Timeout => 60) or die; open my $f, "<", $ARGV[1]; my @body = <$f>;
        $s->mail("perl-back\@example.org", Size => 1000) && $s->to("perl\@example.net", "perl-two\@example.net", { Notify => ["FAILURE"] }) && $s->data or die $s->message;
        $s->datasend("From: carol\@example.org\nTo: perl\@example.net\nSubject: perl\n\n", @body); $s->dataend or die $s->message; $s->quit' "$PORT" "$C/body-no-umlaut" &&
        there perl perl --from perl-back@example.org --subject perl --body "$C/body-no-umlaut" && there perl perl-two
}

# Symfony's transport pings (NOOP) a connection that was idle; SwiftMailer is what old applications still have
symfony_client() {
    cp "$here/symfony.php" "$D/root/home/carol/"
    content symfony $carol php /home/carol/symfony.php "smtp://127.0.0.1:$PORT?ping_threshold=0" symfony-tcp &&
        for n in 1 2 3; do there symfony symfony-tcp$n --from symfony-back@example.org --subject "$umlauts $n" --body "$C/body-and-line"; done
    # as Nextcloud configures it, with mail_sendmailmode smtp and pipe
    content nextcloud $carol php /home/carol/symfony.php 'sendmail://default?command=/usr/sbin/sendmail%20-bs' nextcloud &&
        for n in 1 2 3; do there nextcloud nextcloud$n --from symfony-back@example.org --subject "$umlauts $n" --body "$C/body-and-line"; done
    content nextcloud $carol php /home/carol/symfony.php 'sendmail://default?command=/usr/sbin/sendmail%20-t%20-i' nextcloud-pipe &&
        for n in 1 2 3; do there nextcloud nextcloud-pipe$n --from symfony-back@example.org --subject "$umlauts $n" --body "$C/body"; done
}

swiftmailer_client() {
    cp "$here/swiftmailer.php" "$D/root/home/carol/"
    for how in "smtp:$PORT" '/usr/sbin/sendmail -bs' '/usr/sbin/sendmail -t -i'; do
        prefix=swift$(echo "$how" | tr -dc 'a-z')
        content swiftmailer $carol php /home/carol/swiftmailer.php "$how" "$prefix" &&
            for n in 1 2 3; do there swiftmailer "$prefix$n" --from swift-back@example.org --subject "$umlauts $n" --has 'end' --attachment "$C/blob"; done
    done
}

msmtp_client() {
    { printf 'From: carol@example.org\nTo: msmtp@example.net\nBcc: msmtp-hidden@example.net\nSubject: msmtp\n\n'; cat "$C/body-no-umlaut"; } >"$C/msmtp.in"
    if content msmtp sh -c 'msmtp --file=/dev/null --host=127.0.0.1 --port="$0" --from=msmtp-back@example.org --dsn-notify=failure --dsn-return=headers -t <"$1"' \
        "$PORT" "$C/msmtp.in"; then
        there msmtp msmtp --from msmtp-back@example.org --subject msmtp --body "$C/body-no-umlaut" && there msmtp msmtp-hidden
    fi
}

s_nail_client() {
    content s-nail sh -c 's-nail -:/ -S v15-compat -S sendwait -S mta="smtp://127.0.0.1:$0" -S smtp-auth=none -S hostname=client.example.org -S from=carol@example.org \
        -s "$1" -a "$2" -b s-nail-hidden@example.net s-nail@example.net <"$3"' "$PORT" "$umlauts" "$C/blob" "$C/body" &&
        there s-nail s-nail --from carol@example.org --subject "$umlauts" --body "$C/body" --attachment "$C/blob" && there s-nail s-nail-hidden
}

mutt_client() {
    content mutt $carol mutt -n -e "set copy=no smtp_url=smtp://127.0.0.1:$PORT ssl_starttls=no ssl_force_tls=no from=carol@example.org send_charset=utf-8" \
        -s "$umlauts" -a /home/carol/blob -- mutt-tcp@example.net <"$C/body" &&
        there mutt mutt-tcp --from carol@example.org --subject "$umlauts" --body "$C/body" --attachment "$C/blob"
}

mailutils_client() {
    content mailutils $carol mail.mailutils -E "set sendmail=smtp://127.0.0.1:$PORT" -r carol@example.org -s mailutils mailutils-tcp@example.net <"$C/body-no-dot" &&
        there mailutils mailutils-tcp --from carol@example.org --subject mailutils --has end
}

git_client() {
    content git sh -c 'mkdir "$1" && cd "$1" && export HOME=$1 && git init -q repo && cd repo && git config user.name Carol && git config user.email carol@example.org &&
        git commit -q --allow-empty -m "one" && git format-patch -q --always --root -o ../patches &&
        git send-email --quiet --confirm=never --suppress-cc=all --smtp-server=127.0.0.1 --smtp-server-port="$0" --envelope-sender=bounces@example.org \
        --to git-tcp@example.net --bcc git-tcp-hidden@example.net ../patches/0001*' "$PORT" "$C/git" &&
        there git git-tcp --from bounces@example.org --subject '[PATCH] one' && there git git-tcp-hidden
}

monit_client() {
    mkdir -p "$C/monit"
    cat >"$C/monit/rc" <<EOF
set daemon 5
set pidfile $C/monit/pid
set idfile $C/monit/id
set statefile $C/monit/state
set mailserver 127.0.0.1 port $PORT with timeout 30 seconds
set mail-format { from: monit@example.org }
set alert monit@example.net
check file nothing path $C/monit/nothing
EOF
    chmod 600 "$C/monit/rc"
    monit -c "$C/monit/rc" -I >"$C/monit.out" 2>&1 &
    pid=$!
    if why=$(python3 "$here/arrived.py" "$MAILDIR" --to monit@example.net --from monit@example.org --count 2 2>&1); then good monit; else wrong monit "$why $(cat "$C/monit.out")"; fi
    kill "$pid"
    wait "$pid" 2>/dev/null
}

# Go's net/smtp
alertmanager_client() {
    at=$(free_port)
    mkdir -p "$C/alertmanager"
    cat >"$C/alertmanager/conf" <<EOF
global: { smtp_smarthost: "127.0.0.1:$PORT", smtp_from: "alerts@example.org", smtp_require_tls: false, smtp_hello: "client.example.org" }
route: { receiver: mail, group_wait: 1s }
receivers: [ { name: mail, email_configs: [ { to: "alertmanager@example.net" } ] } ]
EOF
    prometheus-alertmanager --config.file="$C/alertmanager/conf" --storage.path="$C/alertmanager/data" --web.listen-address="127.0.0.1:$at" --cluster.listen-address= \
        >"$C/alertmanager.out" 2>&1 &
    pid=$!
    i=0
    until curl -sf -H 'Content-Type: application/json' -d '[{"labels": {"alertname": "DiskFull"}}]' "http://127.0.0.1:$at/api/v2/alerts" || [ $i -gt 150 ]; do
        i=$((i + 1))
        sleep 0.2
    done
    if why=$(python3 "$here/arrived.py" "$MAILDIR" --to alertmanager@example.net --from alerts@example.org --subject '[FIRING:1]  (DiskFull)' 2>&1); then good alertmanager; else
        wrong alertmanager "$why $(tail -n 5 "$C/alertmanager.out")"; fi
    kill "$pid"
    wait "$pid" 2>/dev/null
}

all_clients="monit alertmanager smtplib nodemailer curl swaks perl symfony swiftmailer msmtp s_nail mutt mailutils git"

# clients NAME...: all of them side by side
clients() {
    C=$D/clients pids=
    carol="chroot --userspec=4711:4711 $D/root env -i HOME=/home/carol PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8"
    mkdir "$C"
    printf 'a line\n.\n..two dots\nGr\303\274\303\237e\nend\n' >"$C/body"
    { cat "$C/body"; echo; } >"$C/body-and-line" # some add one
    grep -v '^\.$' "$C/body" >"$C/body-no-dot"   # mailutils ends its input there itself
    grep -v 'Gr' "$C/body" >"$C/body-no-umlaut"
    head -c 20000 /dev/urandom >"$C/blob"
    cp "$C/body" "$C/blob" "$D/root/home/carol/"
    for c in "$@"; do
        case $c in *"$only"*) "${c}_client" & pids="$pids $!" ;; esac
    done
    # shellcheck disable=SC2086 # a list of numbers
    [ -z "$pids" ] || wait $pids
    for r in "$C"/*.result; do
        [ -e "$r" ] || continue
        cat "$r"
        passed=$((passed + $(grep -c '^ok ' "$r")))
        failed=$((failed + $(grep -c '^not ok ' "$r")))
    done
}

# each of 2000 messages over 20 sessions arrives, and once
load() {
    start=$(date +%s)
    smtp-source -s 20 -m 2000 -l 3000 -f load@example.org -t load@example.net -M client.example.org "inet:127.0.0.1:$PORT" >"$D/load.out" 2>&1
    rc=$?
    i=0
    # a client's last word may come meanwhile: monit says that it stops
    loads() { find "$MAILDIR/new" -type f -exec grep -l '^Delivered-To: load@example.net$' {} +; }
    until [ "$(loads | wc -l)" -ge 2000 ] || [ $i -gt 600 ]; do
        i=$((i + 1))
        sleep 0.5
    done
    n=$(loads | wc -l)
    unique=$(loads | xargs grep -h -i -m 1 '^Message-ID:' | sort -u | wc -l)
    if [ $rc -eq 0 ] && [ "$n" -eq 2000 ] && [ "$unique" -eq 2000 ]; then
        ok "load ($(($(date +%s) - start)) s)"
    else
        bad load "exit $rc, $n arrived, $unique of them different: $(tail -n 3 "$D/load.out")"
    fi
    rm -rf "$MAILDIR"/new/*
}
