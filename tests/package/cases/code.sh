# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
# Libraries of languages, and programs for those who write programs.  Sourced by callers.

own_cases+=" php phpmailer symfony_bs symfony_t mime_lite email_sender mail_mailer ruby nodemailer send_email"
needs git-email php-cli php-fpm libfcgi-bin php-symfony-mailer libphp-phpmailer libmime-lite-perl libemail-sender-perl libmailtools-perl
needs ruby-mail nodejs node-nodemailer

says send_email "git send-email's patches arrive with their From, under its envelope sender, also for Bcc"
send_email_case() {
    # git names each message it sent, however quiet
    says_so as_carol sh -c "cd && git init -q repo$r && cd repo$r && git config user.name 'Carol Cäller' && git config user.email carol@example.org &&
        for n in one two; do printf '%s\n.\nGrüße\n' \$n >f && git add f && git commit -qm \"Grüße \$n\"; done &&
        git format-patch -q -o ../patches$r --root && git send-email --quiet --confirm=never --suppress-cc=all --envelope-sender=bounces@example.org \
        --to git$r@example.net --bcc git-hidden$r@example.net ../patches$r/*" &&
        there "git$r" bounces@example.org carol@example.org --about 'PATCH 1/2' --subject '[PATCH 1/2] Grüße one' --has '+Grüße' &&
        there "git$r" bounces@example.org carol@example.org --about 'PATCH 2/2' &&
        there "git-hidden$r" bounces@example.org carol@example.org --count 2
}

says git_hook "git's post-receive-email tells of a push"
git_hook_case() {
    says_so as_carol sh -c 'cd && git init -q --bare pushed.git && cd pushed.git && git config hooks.mailinglist hook@example.net && git config hooks.envelopesender hook-back@example.org &&
        echo "a project" >description && printf "#!/bin/sh\nexec sh /usr/share/git-core/contrib/hooks/post-receive-email\n" >hooks/post-receive && chmod 755 hooks/post-receive &&
        cd && git init -q pushing && cd pushing && git config user.name Carol && git config user.email carol@example.org &&
        echo x >f && git add f && git commit -qm "Schönes" && git push -q ../pushed.git HEAD:refs/heads/main' &&
        there hook hook-back@example.org '' --about 'a project' --has 'Schönes'
}

says php "PHP's mail() gives true and the message arrives, with the sender of -f"
php_case() {
    content as_carol php -r '$ok = mail($argv[1] . "@example.net", "=?UTF-8?B?" . base64_encode("Grüße, schöne") . "?=", file_get_contents("/home/carol/body"),
        "Bcc: " . $argv[1] . "-hidden@example.net\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", "-fphp-back@example.org"); exit($ok ? 0 : 1);' \
        "php$r" && there "php$r" php-back@example.org '' --subject "$umlauts" --body "$D/body-and-line" && there "php$r-hidden" php-back@example.org ''
}

says php_fpm "PHP-FPM's mail() sends for a request, as www-data"
php_fpm_case() {
    local fpm
    cat >"$TREE/srv/mail.php" <<'PHP'
<?php var_dump(mail("fpm@example.net", "a form", file_get_contents("/home/carol/body"), ["Reply-To" => "visitor@example.net",
    "MIME-Version" => "1.0", "Content-Type" => "text/plain; charset=utf-8"]));
PHP
    chmod 755 "$TREE/home/carol"
    chmod 644 "$TREE/home/carol/body" "$TREE/srv/mail.php"
    mkdir -p "$TREE/run/php"
    fpm=$(cd "$TREE/usr/sbin" && ls -d php-fpm[78]*)
    begin "$fpm" --nodaemonize
    soon inside sh -c 'test -S /run/php/php*-fpm.sock' || { echo "no php-fpm"; return 1; }
    says_so inside sh -c 'SCRIPT_FILENAME=/srv/mail.php REQUEST_METHOD=GET cgi-fcgi -bind -connect /run/php/php*-fpm.sock' &&
        grep -q 'bool(true)' "$C.out" || { cat "$C.out"; return 1; }
    there fpm $account $account --subject 'a form' --body "$D/body-and-line"
}

says phpmailer "PHPMailer sends by mail() and by sendmail"
phpmailer_case() {
    content as_carol php -r 'require "/usr/share/php/libphp-phpmailer/autoload.php";
        foreach (["isMail", "isSendmail"] as $how) {
            $m = new PHPMailer\PHPMailer\PHPMailer(true);
            $m->$how(); $m->CharSet = "utf-8"; $m->setFrom("phpmailer@example.org", "Cäröl"); $m->addAddress(strtolower($how) . $argv[1] . "@example.net"); $m->addBCC(strtolower($how) . "-hidden" . $argv[1] . "@example.net");
            $m->Subject = "Grüße, schöne"; $m->Body = file_get_contents("/home/carol/body"); $m->addAttachment("/home/carol/blob"); $m->send();
        }' -- "$r" && for how in ismail issendmail; do
        there $how"$r" phpmailer@example.org phpmailer@example.org --subject "$umlauts" --has 'end' --attachment "$D/blob" &&
            there "$how-hidden$r" phpmailer@example.org phpmailer@example.org || return 1
    done
}

symfony() { # DSN PREFIX BODY
    content as_carol php /home/carol/symfony.php "$1" "$2" && for n in 1 2 3; do
        there "$2$n" symfony-back@example.org carol@example.org --subject "$umlauts $n" --body "$3" || return 1
    done
}
says symfony_bs "Symfony sends three messages through one sendmail -bs"
symfony_bs_case() { symfony 'sendmail://default' "symfony$r" "$D/body-and-line"; }
says symfony_t "Symfony sends with sendmail -t"
symfony_t_case() { symfony 'sendmail://default?command=/usr/sbin/sendmail%20-t' "symfony-t$r" "$D/body"; }

says mime_lite "Perl's MIME::Lite sends text and attachment, also for Bcc"
mime_lite_case() {
    content as_carol perl -MMIME::Lite -e 'my $m = MIME::Lite->new(From => q(Carol <carol@example.org>), To => "lite$ARGV[0]\@example.net", Bcc => "lite-hidden$ARGV[0]\@example.net",
        Subject => q(lite), Type => q(multipart/mixed)); $m->attach(Type => q(text/plain; charset=utf-8), Path => q(/home/carol/body), Encoding => q(8bit));
        $m->attach(Type => q(application/octet-stream), Path => q(/home/carol/blob)); exit($m->send ? 0 : 1)' -- "$r" &&
        there "lite$r" carol@example.org carol@example.org --subject lite --body "$D/body" --attachment "$D/blob" && there "lite-hidden$r" carol@example.org carol@example.org
}

says email_sender "Perl's Email::Sender sends to the envelope it is told"
email_sender_case() {
    content as_carol perl -MEmail::Sender::Simple=sendmail -MEmail::Sender::Transport::Sendmail -e 'local $/; open my $b, "<", "/home/carol/body"; my $text = <$b>;
        sendmail("To: sender\@example.net\nFrom: carol\@example.org\nSubject: sender\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n$text",
        { to => ["sender$ARGV[0]\@example.net", "sender-two$ARGV[0]\@example.net"], from => q(perl-back@example.org), transport => Email::Sender::Transport::Sendmail->new })' -- "$r" &&
        there "sender$r" perl-back@example.org carol@example.org --subject sender --body "$D/body" &&
        there "sender-two$r" perl-back@example.org carol@example.org
}

# it leaves out -i
says mail_mailer "Perl's Mail::Mailer sends"
mail_mailer_case() {
    content as_carol perl -MMail::Mailer -e 'my $m = Mail::Mailer->new("sendmail"); $m->open({ To => "mailer$ARGV[0]\@example.net", Subject => "mailer", "MIME-Version" => "1.0",
        "Content-Type" => "text/plain; charset=utf-8" }); open my $b, "<", "/home/carol/body"; print {$m} grep !/^[.]/, <$b>; exit($m->close ? 0 : 1)' -- "$r" &&
        there "mailer$r" $account $account --subject mailer --body "$D/body-no-dots"
}

says ruby "Ruby's mail library sends with its own envelope sender, also for Bcc"
ruby_case() {
    content as_carol ruby -W0 -rmail -e 'm = Mail.new(to: "ruby#{ARGV[0]}@example.net", bcc: "ruby-hidden#{ARGV[0]}@example.net", from: "carol@example.org", subject: "Grüße, schöne",
        body: File.read("/home/carol/body"), charset: "UTF-8"); m.smtp_envelope_from = "ruby-back@example.org"; m.delivery_method :sendmail; m.deliver!' -- "$r" &&
        there "ruby$r" ruby-back@example.org carol@example.org --subject "$umlauts" --body "$D/body" &&
        there "ruby-hidden$r" ruby-back@example.org carol@example.org
}

says nodemailer "nodemailer's sendmail transport sends, and its Bcc goes"
nodemailer_case() {
    content as_carol env NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs node -e '
        const t = require("nodemailer").createTransport({ sendmail: true, path: "/usr/sbin/sendmail" }), r = process.argv[1] || "";
        t.sendMail({ from: "carol@example.org", to: "node" + r + "@example.net", bcc: "node-hidden" + r + "@example.net", subject: "Grüße, schöne",
            text: require("fs").readFileSync("/home/carol/body", "utf8"), attachments: [{ path: "/home/carol/blob" }] })
            .catch(e => { console.error(e); process.exit(1); });' -- "$r" &&
        there "node$r" carol@example.org carol@example.org --subject "$umlauts" --body "$D/body" --attachment "$D/blob" &&
        there "node-hidden$r" carol@example.org carol@example.org
}
