#!/bin/sh
# smtprelay explain: what a reply means, from the table, the administrator's own, or by the codes alone.
# shellcheck disable=SC2034 # lib.sh reads some
. "$(dirname "$0")/lib.sh"

SMTPRELAY=$O/root/sbin/smtprelay

explain() {
    timeout 20 "$SMTPRELAY" explain "$@" >"$T/out" 2>"$T/err" </dev/null
    rc=$?
}

expect_out() {
    grep -qiF -e "$1" "$T/out" || fail "stdout does not say '$1': $(head -n 3 "$T/out")"
}

begin "a reply that is known is explained with what to do and where that is known from"
explain '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.'
expect_rc 0
expect_out 'do:     SMTP AUTH is switched off at Microsoft 365'
expect_out 'see:    smtprelay-guide(7), '
expect_out 'source: https://'
expect_out '535: name or password are wrong'
end

begin "several words are one text, and so is standard input with several lines"
explain 535 5.7.8 Username and Password not accepted. gsmtp
expect_rc 0
expect_out 'app password'
printf '535-5.7.8 Username and Password not\r\n535 5.7.8 accepted. - gsmtp\r\n' >"$T/reply"
timeout 20 "$SMTPRELAY" explain <"$T/reply" >"$T/out" 2>"$T/err" || fail "exit code $?"
expect_out 'app password'
end

begin "a reply nobody wrote an entry for is explained by its codes"
explain '599 5.4.6 Bouclage'
expect_rc 0
expect_out '5.4.6: the mail goes in a loop'
end

begin "what has no code and no entry ends with 1 and says so"
explain 'quite another thing'
expect_rc 1
expect_err 'no entry fits'
[ ! -s "$T/out" ] || fail "there is output"
end

begin "a user's own explanations come before those of the program"
mkdir -p "$T/own/smtprelay"
printf '[ours]\ncode: 535\nadvice: ask Bob\n' >"$T/own/smtprelay/explanations"
: >"$T/own/smtprelay/config"
if [ "$(id -u)" -ne 0 ]; then
    XDG_CONFIG_HOME=$T/own explain '535 5.7.139 SmtpClientAuthentication is disabled'
    expect_rc 0
    expect_out 'ask Bob'
    printf '[ours]\ncode: 535\nadvise: ask Bob\n' >"$T/own/smtprelay/explanations"
    XDG_CONFIG_HOME=$T/own explain '535 5.7.139 SmtpClientAuthentication is disabled'
    expect_rc 0
    expect_out 'Microsoft 365'
    expect_err 'explanations line 3'
fi
end

begin "for programs there is JSON, and no byte a terminal obeys ever goes out"
explain --json "$(printf '550 5.1.1 \033]0;x\007')"
expect_rc 0
grep -q '^{.*"codes": *"550: .*}$' "$T/out" || fail "no JSON: $(cat "$T/out")"
if LC_ALL=C grep -q "$(printf '\033')" "$T/out"; then fail "an escape in it"; fi
end
