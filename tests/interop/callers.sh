# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2016
# Real programs that call sendmail, each with a recipient of its own, side by side.  Sourced by run, which has the
# installed root in $D/root and the smarthost behind it.  A case is a function NAME_case; it reports to $C/NAME.result.

# good/wrong NAME [WHY]
good() { echo "ok $road-$1" >>"$C/$1.result"; }
wrong() { echo "not ok $road-$1: $2" >>"$C/$1.result"; }

# content NAME COMMAND...: the caller must be content (exit 0) and silent
content() {
    name=$1
    shift
    "$@" >"$C/$name.out" 2>&1
    rc=$?
    [ $rc -eq 0 ] && [ ! -s "$C/$name.out" ] && return 0
    wrong "$name" "exit $rc: $(cat "$C/$name.out")"
    return 1
}

# there NAME RECIPIENT [what arrived.py compares]
there() {
    name=$1 to=$2
    shift 2
    if why=$(python3 "$here/arrived.py" "$MAILDIR" --to "$to@example.net" "$@" 2>&1); then good "$name"; else wrong "$name" "$why"; fi
}

# begin/end NAME COMMAND...: a daemon inside the root
begin() {
    name=$1
    shift
    chroot "$D/root" "$@" >"$C/$name.daemon" 2>&1 &
    echo $! >"$C/$name.pid"
}
end() {
    kill "$(cat "$C/$1.pid")"
    wait "$(cat "$C/$1.pid")" 2>/dev/null
    rm "$C/$1.pid"
}

umlauts='Grüße, schöne'

mailutils_case() {
    content mailutils as_carol mail.mailutils -s "$umlauts" mailutils@example.net <"$C/body-no-dot" &&
        there mailutils mailutils --from carol@example.org --subject "$umlauts" --body "$C/body-no-dot"
    content mailutils-attach as_carol mail.mailutils -r news@example.org -s blob -A /home/carol/blob mailutils-a@example.net <"$C/body" &&
        there mailutils-attach mailutils-a --from news@example.org --subject blob --attachment "$C/blob"
}

bsd_mailx_case() {
    content bsd-mailx as_carol bsd-mailx -s "$umlauts" -b bsd-hidden@example.net bsd@example.net <"$C/body" &&
        there bsd-mailx bsd --from carol@example.org --subject "$umlauts" --body "$C/body" &&
        there bsd-mailx bsd-hidden --from carol@example.org
    content bsd-mailx-r as_carol bsd-mailx -r news@example.org -s 'from another' bsd-r@example.net <"$C/body" &&
        there bsd-mailx-r bsd-r --from news@example.org --body "$C/body"
}

s_nail_case() {
    content s-nail as_carol s-nail -:/ -s "$umlauts" -a /home/carol/blob -b nail-hidden@example.net -r news@example.org nail@example.net <"$C/body" &&
        there s-nail nail --from news@example.org --subject "$umlauts" --body "$C/body" --attachment "$C/blob" &&
        there s-nail nail-hidden --from news@example.org
}

# the notice of success proves that -N and -R reached the smarthost
mutt_case() {
    content mutt as_carol mutt -n -e 'set copy=no use_envelope_from=yes envelope_from_address=mutt-back@example.net send_charset=utf-8 dsn_notify="success,failure" dsn_return=hdrs' \
        -s "$umlauts" -a /home/carol/blob -- mutt@example.net <"$C/body" &&
        there mutt mutt --from mutt-back@example.net --subject "$umlauts" --body "$C/body" --attachment "$C/blob" &&
        there mutt mutt-back --from '' --has 'successfully delivered'
}

cron_case() {
    printf 'MAILTO=cron@example.net,cron-two@example.net\n@reboot carol cat /home/carol/body\n' >"$D/root/etc/cron.d/interop"
    begin cron cron -f
    for to in cron cron-two; do
        there cron $to --from carol@example.org --body "$C/body" --wait 40
    done
    end cron
}

# cronie is no package of Debian: its arguments and its header
cronie_case() {
    { printf 'From: "(Cron Daemon)" <carol>\nTo: cronie@example.net\nSubject: Cron <carol@client> job\nMIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n'
        printf 'Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\nPrecedence: bulk\nX-Cron-Env: <LANG=C.UTF-8>\n\n'; cat "$C/body"; } >"$C/cronie.in"
    content cronie as_carol sendmail -FCronDaemon -i -odi -oem -oi -t -f carol <"$C/cronie.in" &&
        there cronie cronie --from carol@example.org --subject 'Cron <carol@client> job' --body "$C/body"
}

busybox_crond_case() {
    { printf 'To: busybox@example.net\nSubject: cron: job\n\n'; cat "$C/body"; } >"$C/busybox.in"
    content busybox-crond as_carol sendmail -ti <"$C/busybox.in" && there busybox-crond busybox --from carol@example.org --subject 'cron: job' --body "$C/body"
}

# at writes to its caller alone
at_case() {
    begin at atd -f
    if as_carol sh -c 'i=0; until [ -s /run/atd.pid ] || [ $i -gt 100 ]; do i=$((i + 1)); sleep 0.1; done; cd && echo "cat /home/carol/body" | at now' >"$C/at.out" 2>&1; then
        if why=$(python3 "$here/arrived.py" "$MAILDIR" --to carol@example.org --from carol@example.org --body "$C/body" --wait 40); then good at; else wrong at "$why"; fi
    else
        wrong at "$(cat "$C/at.out")"
    fi
    end at
}

git_case() {
    as_carol sh -c 'cd && git init -q repo && cd repo && git config user.name "Carol Cäller" && git config user.email carol@example.org &&
        for n in one two; do printf "%s\n.\nGrüße\n" $n >f && git add f && git commit -qm "Grüße $n"; done &&
        git format-patch -q -o ../patches --root' >"$C/git.out" 2>&1 || { wrong git "$(cat "$C/git.out")"; return; }
    # git names each message it sent, however quiet
    as_carol sh -c 'cd ~/repo && git send-email --quiet --confirm=never --suppress-cc=all --envelope-sender=bounces@example.org \
        --to git@example.net --bcc git-hidden@example.net ../patches/0001*' >"$C/git.out" 2>&1 || { wrong git "$(cat "$C/git.out")"; return; }
    there git git --from bounces@example.org --subject '[PATCH 1/2] Grüße one' --has '+Grüße' &&
        there git git-hidden --from bounces@example.org
}

php_case() {
    content php as_carol php -r '$ok = mail("php@example.net", "=?UTF-8?B?" . base64_encode("Grüße, schöne") . "?=", file_get_contents("/home/carol/body"),
        "Bcc: php-hidden@example.net\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", "-fphp-back@example.org"); exit($ok ? 0 : 1);' &&
        there php php --from php-back@example.org --subject "$umlauts" --body "$C/body-and-line" &&
        there php php-hidden --from php-back@example.org
}

symfony_case() {
    cp "$here/symfony.php" "$D/root/home/carol/"
    content symfony-bs as_carol php /home/carol/symfony.php 'sendmail://default' symfony &&
        for n in 1 2 3; do there symfony-bs symfony$n --from symfony-back@example.org --subject "$umlauts $n" --body "$C/body-and-line"; done
    content symfony-t as_carol php /home/carol/symfony.php 'sendmail://default?command=/usr/sbin/sendmail%20-t' symfony-t &&
        for n in 1 2 3; do there symfony-t symfony-t$n --from symfony-back@example.org --subject "$umlauts $n" --body "$C/body"; done
}

perl_case() {
    content mime-lite as_carol perl -MMIME::Lite -e 'my $m = MIME::Lite->new(From => q(Carol <carol@example.org>), To => q(lite@example.net), Bcc => q(lite-hidden@example.net),
        Subject => q(lite), Type => q(multipart/mixed)); $m->attach(Type => q(text/plain; charset=utf-8), Path => q(/home/carol/body), Encoding => q(8bit));
        $m->attach(Type => q(application/octet-stream), Path => q(/home/carol/blob)); exit($m->send ? 0 : 1)' &&
        there mime-lite lite --from carol@example.org --subject lite --body "$C/body" --attachment "$C/blob" &&
        there mime-lite lite-hidden --from carol@example.org
    content email-sender as_carol perl -MEmail::Sender::Simple=sendmail -MEmail::Sender::Transport::Sendmail -e 'local $/; open my $b, "<", "/home/carol/body"; my $text = <$b>;
        sendmail("To: sender\@example.net\nFrom: carol\@example.org\nSubject: sender\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n$text",
        { to => [qw(sender@example.net sender-two@example.net)], from => q(perl-back@example.org), transport => Email::Sender::Transport::Sendmail->new })' &&
        there email-sender sender --from perl-back@example.org --subject sender --body "$C/body" &&
        there email-sender sender-two --from perl-back@example.org
}

python_case() {
    content python as_carol python3 -c '
import email.message, subprocess
m = email.message.EmailMessage()
m["To"], m["Bcc"], m["From"], m["Subject"] = "python@example.net", "python-hidden@example.net", "Cäröl <carol@example.org>", "Grüße, schöne"
m.set_content(open("/home/carol/body").read())
m.add_attachment(open("/home/carol/blob", "rb").read(), maintype="application", subtype="octet-stream", filename="blöb")
subprocess.run(["/usr/sbin/sendmail", "-t", "-oi"], input=m.as_bytes(), check=True)' &&
        there python python --from carol@example.org --subject "$umlauts" --body "$C/body" --attachment "$C/blob" &&
        there python python-hidden --from carol@example.org
}

ruby_case() {
    content ruby as_carol ruby -W0 -rmail -e 'm = Mail.new(to: "ruby@example.net", bcc: "ruby-hidden@example.net", from: "carol@example.org", subject: "Grüße, schöne",
        body: File.read("/home/carol/body"), charset: "UTF-8"); m.smtp_envelope_from = "ruby-back@example.org"; m.delivery_method :sendmail; m.deliver!' &&
        there ruby ruby --from ruby-back@example.org --subject "$umlauts" --body "$C/body" &&
        there ruby ruby-hidden --from ruby-back@example.org
}

nodemailer_case() {
    content nodemailer as_carol env NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs node -e '
        const t = require("nodemailer").createTransport({ sendmail: true, path: "/usr/sbin/sendmail" });
        t.sendMail({ from: "carol@example.org", to: "node@example.net", bcc: "node-hidden@example.net", subject: "Grüße, schöne",
            text: require("fs").readFileSync("/home/carol/body", "utf8"), attachments: [{ path: "/home/carol/blob" }] })
            .catch(e => { console.error(e); process.exit(1); });' &&
        there nodemailer node --from carol@example.org --subject "$umlauts" --body "$C/body" --attachment "$C/blob" &&
        there nodemailer node-hidden --from carol@example.org
}

smartd_case() {
    content smartd chroot "$D/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin SMARTD_MAILER=/usr/bin/mail.mailutils SMARTD_ADDRESS=smartd@example.net SMARTD_DEVICE=/dev/sda \
        SMARTD_DEVICETYPE=sat SMARTD_DEVICESTRING=/dev/sda SMARTD_DEVICEINFO=disk SMARTD_FAILTYPE=EmailTest SMARTD_MESSAGE='TEST EMAIL from smartd' SMARTD_PREVCNT=0 \
        SMARTD_NEXTDAYS= SMARTD_TFIRST=now SMARTD_TFIRSTEPOCH=0 /usr/share/smartmontools/smartd_warning.sh &&
        there smartd smartd --has 'TEST EMAIL from smartd'
}

# mdadm writes only about an array it has: its command and its header
mdadm_case() {
    printf 'From: mdadm monitoring <root>\nTo: mdadm@example.net\nSubject: TestMessage event on /dev/md0:client\n\nThis is an automatically generated mail message.\n' >"$C/mdadm.in"
    content mdadm chroot "$D/root" env -i sh -c '/usr/sbin/sendmail -t' <"$C/mdadm.in" && there mdadm mdadm --subject 'TestMessage event on /dev/md0:client' --has 'automatically generated'
}

logwatch_case() {
    mkdir -p "$D/root/var/cache/logwatch"
    content logwatch chroot "$D/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin logwatch --output mail --mailto logwatch@example.net --service zz-sys --range today &&
        there logwatch logwatch --has 'Logwatch End'
}

fail2ban_case() {
    mkdir -p "$D/root/etc/fail2ban/jail.d" "$D/root/run/fail2ban"
    rm -f "$D"/root/etc/fail2ban/jail.d/*
    : >"$D/root/var/log/interop.log"
    cat >"$D/root/etc/fail2ban/jail.d/interop.conf" <<EOF
[DEFAULT]
allowipv6 = no
[interop]
enabled = true
backend = polling
filter = sshd
logpath = /var/log/interop.log
action = sendmail[name=interop, dest=fail2ban, sender=f2b]
EOF
    printf '[Definition]\nactionstart =\nactionstop =\n' >"$D/root/etc/fail2ban/action.d/sendmail.local"
    begin fail2ban fail2ban-server -f -x -s /run/fail2ban/s --pidfile /run/fail2ban/pid --logtarget /var/log/f2b.log start
    i=0
    until chroot "$D/root" fail2ban-client -s /run/fail2ban/s status interop >/dev/null 2>&1 || [ $i -gt 150 ]; do i=$((i + 1)); sleep 0.2; done
    chroot "$D/root" fail2ban-client -s /run/fail2ban/s set interop banip 192.0.2.7 >"$C/fail2ban.out" 2>&1
    if why=$(python3 "$here/arrived.py" "$MAILDIR" --to fail2ban@example.org --from f2b@example.org --has 192.0.2.7); then good fail2ban; else
        wrong fail2ban "$why $(cat "$C/fail2ban.out" "$D/root/var/log/f2b.log")"; fi
    end fail2ban
}

sudo_case() {
    printf 'Defaults mail_always, mailto="sudo@example.net", mailerpath=/usr/sbin/sendmail\ncarol ALL=(root) NOPASSWD: /bin/true\n' >"$D/root/etc/sudoers"
    chmod 440 "$D/root/etc/sudoers"
    content sudo as_carol sudo -n /bin/true && there sudo sudo --count 2 --has COMMAND=/bin/true # when it begins, and when it ends
}

swaks_case() {
    as_carol swaks --pipe '/usr/sbin/sendmail -bs' --from swaks-back@example.org --to swaks@example.net,swaks-two@example.net --h-Subject swaks --body 'one
.
two' >"$C/swaks.out" 2>&1 || { wrong swaks "$(cat "$C/swaks.out")"; return; }
    there swaks swaks --from swaks-back@example.org --subject swaks --has 'two'
    there swaks swaks-two --from swaks-back@example.org --subject swaks
}

# told NAME COMMAND...: when sendmail cannot reach the smarthost the caller fails, and does not hang
# (Ruby mail 2.7 of Debian is not here: it never asks for the exit status)
told() {
    name=told-$1
    shift
    timeout 60 chroot --userspec=4711:4711 "$D/root" env -i HOME=/home/carol XDG_CONFIG_HOME=/home/carol/unreachable PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        LANG=C.UTF-8 "$@" <"$C/body-no-dot" >"$C/$name.out" 2>&1
    rc=$?
    if [ $rc -ne 0 ] && [ $rc -ne 124 ] && [ -s "$C/$name.out" ]; then good "$name"; else wrong "$name" "exit $rc: $(cat "$C/$name.out")"; fi
}

told_case() {
    mkdir -p "$D/root/home/carol/unreachable/smtprelay"
    printf 'mailhub = "localhost:1";\nUseTLS = false;\nFromPolicy = "keep";\n' >"$D/root/home/carol/unreachable/smtprelay/config"
    chown -R 4711:4711 "$D/root/home/carol/unreachable"
    told sendmail sendmail -i lost@example.net
    told mailutils mail.mailutils -s lost lost@example.net
    told bsd-mailx bsd-mailx -s lost lost@example.net
    told s-nail s-nail -:/ -S sendwait -s lost lost@example.net
    told mutt mutt -n -e 'set copy=no' -s lost -- lost@example.net
    told php php -r 'if (!mail("lost@example.net", "lost", "lost")) { echo "mail() gave false"; exit(1); }'
    told symfony-bs php /home/carol/symfony.php 'sendmail://default' lost
    told symfony-t php /home/carol/symfony.php 'sendmail://default?command=/usr/sbin/sendmail%20-t' lost
    told mime-lite perl -MMIME::Lite -e 'MIME::Lite->new(From => q(carol@example.org), To => q(lost@example.net), Data => q(lost))->send or die "not sent"'
    told email-sender perl -MEmail::Sender::Simple=sendmail -MEmail::Sender::Transport::Sendmail \
        -e 'sendmail("To: lost\@example.net\n\nlost\n", { transport => Email::Sender::Transport::Sendmail->new })'
    told nodemailer env NODE_PATH=/usr/share/nodejs node -e 'require("nodemailer").createTransport({ sendmail: true, path: "/usr/sbin/sendmail" })
        .sendMail({ from: "carol@example.org", to: "lost@example.net", text: "lost" }).catch(e => { console.error(e); process.exit(1); });'
    as_carol sh -c 'cd && git init -q lost && cd lost && git config user.name C && git config user.email carol@example.org &&
        git commit -q --allow-empty -m lost && git format-patch -q --always --root -o ../lost-patches'
    told git sh -c 'cd ~/lost && git send-email --quiet --confirm=never --suppress-cc=all --to lost@example.net ../lost-patches/0001*'
}

# told is for the way without the daemon: there the caller hears of it
all_callers="cron at fail2ban logwatch git symfony mailutils bsd_mailx s_nail mutt cronie busybox_crond php perl python ruby nodemailer smartd mdadm sudo swaks"

# callers ROAD NAME...: all of them over this road, side by side
callers() {
    road=$1 pids=
    shift
    C=$D/$road
    mkdir "$C"
    rm -rf "$MAILDIR"/new/*
    # what callers remember of the road before
    (cd "$D/root" && rm -rf run/crond.reboot run/crond.pid run/atd.pid var/lib/fail2ban/fail2ban.sqlite3 home/carol/repo home/carol/patches)
    printf 'a line\n.\n..two dots\nGr\303\274\303\237e\nend\n' >"$C/body"
    { cat "$C/body"; echo; } >"$C/body-and-line" # some callers add one
    grep -v '^\.$' "$C/body" >"$C/body-no-dot"      # mailutils ends its input there itself
    head -c 20000 /dev/urandom >"$C/blob"
    cp "$C/body" "$C/blob" "$D/root/home/carol/"
    for c in "$@"; do
        case $c in *"$only"*) "${c}_case" & pids="$pids $!" ;; esac
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
