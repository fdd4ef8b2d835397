# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
# What takes long to install or to run.  Sourced by callers --long.

needs emacs-nox rkhunter

says emacs "Emacs sends by its sendmail-send-it"
emacs_case() {
    as_carol sh -c 'echo "(setq user-mail-address \"carol@example.org\" send-mail-function (quote sendmail-send-it) mail-specify-envelope-from t) (compose-mail \"emacs@example.net\" \"by emacs\")
        (goto-char (point-max)) (insert-file-contents \"/home/carol/body\") (message-send-mail)" >~/send.el'
    says_so as_carol emacs --batch -l message -l /home/carol/send.el && there emacs carol@example.org carol@example.org --subject 'by emacs' --body "$D/body"
}

says rkhunter "rkhunter warns by mail"
rkhunter_case() {
    printf 'MAIL-ON-WARNING=rkhunter@example.net\nWEB_CMD=""\n' >>"$TREE/etc/rkhunter.conf.local"
    # it finds what it does not know
    mkdir -p "$TREE/dev/shm" && printf '#!/bin/sh\n' >"$TREE/dev/.hidden"
    inside rkhunter --check --sk --cronjob --report-warnings-only --enable filesystem >"$C.out" 2>&1
    there rkhunter $account $account --about rkhunter || { tail "$C.out"; return 1; }
}
