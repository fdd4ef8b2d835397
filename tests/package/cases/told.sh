# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
# A caller whose mail cannot be taken fails and says so, and does not hang.  (Ruby mail 2.7 of Debian is not here: it never asks for
# the exit status.)  Sourced by callers.

told() { # COMMAND...
    local rc own=unreachable
    as_carol timeout 60 "$@" <"$D/body-no-dot" >"$C.out" 2>&1
    rc=$?
    [ $rc -ne 0 ] && [ $rc -ne 124 ] && [ -s "$C.out" ] || { echo "exit $rc: $(cat "$C.out")"; return 1; }
}
says told_mailutils "GNU mail fails and says why when its mail cannot be taken"
told_mailutils_case() { told mail.mailutils -s lost lost@example.net; }
says told_bsd_mailx "bsd-mailx fails and says why when its mail cannot be taken"
told_bsd_mailx_case() { told bsd-mailx -s lost lost@example.net; }
says told_s_nail "s-nail fails and says why when its mail cannot be taken"
told_s_nail_case() { told s-nail -:/ -S sendwait -s lost lost@example.net; }
says told_mutt "mutt and neomutt fail and say why when their mail cannot be taken"
told_mutt_case() { told mutt -n -e 'set copy=no' -s lost -- lost@example.net && told neomutt -n -e 'set copy=no' -s lost -- lost@example.net; }
says told_php "PHP's mail() gives false when its mail cannot be taken"
told_php_case() { told php -r 'if (!mail("lost@example.net", "lost", "lost")) { echo "mail() gave false"; exit(1); }'; }
says told_symfony "Symfony throws when its mail cannot be taken"
told_symfony_case() {
    told php /home/carol/symfony.php 'sendmail://default' lost && told php /home/carol/symfony.php 'sendmail://default?command=/usr/sbin/sendmail%20-t' lost
}
says told_perl "MIME::Lite and Email::Sender die when their mail cannot be taken"
told_perl_case() {
    told perl -MMIME::Lite -e 'MIME::Lite->new(From => q(carol@example.org), To => q(lost@example.net), Data => q(lost))->send or die "not sent"' &&
        told perl -MEmail::Sender::Simple=sendmail -MEmail::Sender::Transport::Sendmail \
            -e 'sendmail("To: lost\@example.net\n\nlost\n", { transport => Email::Sender::Transport::Sendmail->new })'
}
says told_nodemailer "nodemailer rejects when its mail cannot be taken"
told_nodemailer_case() {
    told env NODE_PATH=/usr/share/nodejs node -e 'require("nodemailer").createTransport({ sendmail: true, path: "/usr/sbin/sendmail" })
        .sendMail({ from: "carol@example.org", to: "lost@example.net", text: "lost" }).catch(e => { console.error(e); process.exit(1); });'
}
says told_git "git send-email stops when its mail cannot be taken"
told_git_case() {
    as_carol sh -c 'cd && git init -q lost && cd lost && git config user.name C && git config user.email carol@example.org &&
        git commit -q --allow-empty -m lost && git format-patch -q --always --root -o ../lost-patches' &&
        told sh -c 'cd ~/lost && git send-email --quiet --confirm=never --suppress-cc=all --to lost@example.net ../lost-patches/0001*'
}
