# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
# Mail programs, as a user runs them.  Sourced by callers; $own is not empty where carol's own configuration serves, $r is then part
# of the recipient.

own_cases+=" bsd_mailx s_nail mailutils mutt neomutt mpack nmh alpine"
needs bsd-mailx s-nail mailutils mutt neomutt mpack nmh alpine

says bsd_mailx "what bsd-mailx sends arrives byte for byte, also for Bcc, and with the sender of -r"
bsd_mailx_case() {
    content as_carol bsd-mailx -s "$umlauts" -b "bsd-hidden$r@example.net" "bsd$r@example.net" <"$D/body" &&
        there "bsd$r" $account $account --subject "$umlauts" --body "$D/body" && there "bsd-hidden$r" $account $account &&
        content as_carol bsd-mailx -r news@example.org -s 'from another' "bsd-r$r@example.net" <"$D/body" &&
        there "bsd-r$r" news@example.org news@example.org --body "$D/body"
}

says s_nail "s-nail's text and attachment arrive, also for Bcc, with the sender of -r"
s_nail_case() {
    content as_carol s-nail -:/ -s "$umlauts" -a /home/carol/blob -b "nail-hidden$r@example.net" -r news@example.org "nail$r@example.net" <"$D/body" &&
        there "nail$r" news@example.org news@example.org --subject "$umlauts" --body "$D/body" --attachment "$D/blob" &&
        there "nail-hidden$r" news@example.org news@example.org
}

says mailutils "what GNU mail sends arrives from the account, an attachment with the sender of -r"
mailutils_case() {
    content as_carol mail.mailutils -s "$umlauts" "mailutils$r@example.net" <"$D/body-no-dot" &&
        there "mailutils$r" $account $account --subject "$umlauts" --body "$D/body-no-dot" &&
        content as_carol mail.mailutils -r news@example.org -s blob -A /home/carol/blob "mailutils-a$r@example.net" <"$D/body" &&
        there "mailutils-a$r" news@example.org news@example.org --subject blob --attachment "$D/blob"
}

# the notice of success proves that -N and -R reached the smarthost
mutts() { # PROGRAM
    content as_carol "$1" -n -e "set copy=no from=carol@example.org use_envelope_from=yes envelope_from_address=$1-back$r@example.org send_charset=utf-8 dsn_notify='success,failure' dsn_return=hdrs" \
        -s "$umlauts" -a /home/carol/blob -- "$1$r@example.net" <"$D/body" &&
        there "$1$r" "$1-back$r@example.org" carol@example.org --subject "$umlauts" --body "$D/body" --attachment "$D/blob" &&
        there "$1-back$r@example.org" '' '' --has 'successfully delivered'
}
says mutt "mutt -s sends text and attachment, and the notice it asked for comes back"
mutt_case() { mutts mutt; }
says neomutt "neomutt sends text and attachment, and the notice it asked for comes back"
neomutt_case() { mutts neomutt; }

says mpack "mpack's file arrives whole"
mpack_case() {
    content as_carol mpack -s 'a blob' -d /home/carol/body /home/carol/blob "mpack$r@example.net" &&
        there "mpack$r" $account $account --subject 'a blob' --attachment "$D/blob"
}

says nmh "the MH send command hands over a draft, and its Bcc"
nmh_case() {
    as_carol sh -c "mkdir -p ~/Mail$r && echo 'Path: Mail$r' >~/mh_profile$r &&
        { printf 'From: Carol <carol@example.org>\nTo: nmh$r@example.net\nBcc: nmh-hidden$r@example.net\nSubject: a draft\n--------\n'; grep -v Gr ~/body; } >~/Mail$r/draft"
    grep -v Gr "$D/body" >"$C.body"
    content as_carol env MH="/home/carol/mh_profile$r" /usr/bin/mh/send "/home/carol/Mail$r/draft" &&
        there "nmh$r" $account carol@example.org --subject 'a draft' --body "$C.body" && there "nmh-hidden$r" $account carol@example.org
}

# it wants a screen, and somebody who types
says alpine "alpine sends what was typed into it"
alpine_case() {
    as_carol sh -c "echo 'default-fcc=\"\"' >~/pinerc$r"
    python3 -B "$src/tests/blackbox/terminal.py" 'Message Text=typed\r
typed=\x18
Send message=y' /usr/sbin/chroot --userspec=4711:4711 "$TREE" /usr/bin/env -i HOME=/home/carol ${own:+XDG_CONFIG_HOME=/home/carol/$own} USER=carol TERM=xterm PATH=/usr/bin:/bin LANG=C.UTF-8 \
        alpine -p "/home/carol/pinerc$r" "-sendmail-path=/usr/sbin/sendmail -oem -t -oi" -url "mailto:alpine$r@example.net?subject=a%20letter" >"$C.screen" 2>&1
    grep -q '^exit 0' "$C.screen" || { cat -v "$C.screen"; return 1; }
    there "alpine$r" $account '' --subject 'a letter' --has typed
}
