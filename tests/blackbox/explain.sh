#!/bin/sh
# SPDX-License-Identifier: ISC
# smtprelay explain: what a reply means, from the table, the administrator's own, or by the codes alone.
# shellcheck disable=SC2034 # lib.sh reads some
. "$(dirname "$0")/lib.sh"

SMTPRELAY=$O/root/sbin/smtprelay

explain() {
    timeout 60 "$SMTPRELAY" explain "$@" >"$T/out" 2>"$T/err" </dev/null
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
timeout 60 "$SMTPRELAY" explain <"$T/reply" >"$T/out" 2>"$T/err" || fail "exit code $?"
expect_out 'app password'
end

begin "a reply nobody wrote an entry for is explained by its codes"
explain '599 5.4.6 Bouclage'
expect_rc 0
expect_out '5.4.6: the mail goes in a loop'
end

begin "codes without words show what servers say with them and what helps then"
for codes in '535 5.7.139' 535-5.7.139 5.7.139; do
    explain "$codes"
    expect_rc 0
    expect_out 'like:   smtp.office365.com:587: AUTH: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication'
    expect_out 'do:     SMTP AUTH is switched off at Microsoft 365'
    expect_out 'codes:  5'
done
explain 550
expect_rc 0
expect_out 'paste the whole reply'
explain --json '535 5.7.139'
expect_rc 0
[ "$(grep -c '"like":' "$T/out")" -eq 4 ] || fail "not an object for each: $(cat "$T/out")"
end

begin "the reply is found in a log line, in a whole log and in a bounce, and the mail that came back leads nobody astray"
cat >"$T/bounce" <<END
From: MAILER-DAEMON@example.org
Subject: Undelivered Mail Returned to Sender

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; client.example.org

Final-Recipient: rfc822; bob@example.net
Action: failed
Status: 5.7.139
Remote-MTA: dns; smtp.office365.com
Diagnostic-Code: smtp; 535 5.7.139 Authentication unsuccessful,
    SmtpClientAuthentication is disabled for the Tenant.

--x
Content-Type: message/rfc822

Subject: mailbox is full
$(awk 'BEGIN {for (i = 0; i < 30000; i++) print "552 5.2.2 over quota, a line of the mail that came back"}')
END
for how in '' -; do
    # shellcheck disable=SC2086 # one word, or none
    timeout 60 "$SMTPRELAY" explain $how <"$T/bounce" >"$T/out" 2>"$T/err" || fail "exit code $?"
    expect_out 'reply:  535 5.7.139 Authentication unsuccessful,'
    expect_out 'do:     SMTP AUTH is switched off at Microsoft 365'
done
# the same as some servers write it: the part encoded
awk '/^Reporting-MTA/ {at = 1} /^--x/ {at = 0} at' "$T/bounce" | base64 >"$T/part"
awk -v part="$T/part" '/^Content-Type: message.delivery/ {print; print "Content-Transfer-Encoding: base64\n"; while ((getline line <part) > 0) print line; skip = 1; next}
    /^--x/ {skip = 0} !skip' "$T/bounce" >"$T/encoded"
if grep -q 535 "$T/encoded"; then fail "nothing was encoded"; fi
timeout 60 "$SMTPRELAY" explain <"$T/encoded" >"$T/out" 2>"$T/err" || fail "exit code $?"
expect_out 'reply:  535 5.7.139 Authentication unsuccessful,'
expect_out 'do:     SMTP AUTH is switched off at Microsoft 365'
explain 'Nov 21 14:02:04 mx postfix/smtp[9]: 4Y: to=<bob@example.net>, relay=smtp.gmail.com[1.2.3.4]:587, delay=2, dsn=5.7.8, status=deferred (SASL authentication failed; server smtp.gmail.com[1.2.3.4] said: 535-5.7.8 Username and Password not accepted. 535 5.7.8 - gsmtp)'
expect_rc 0
expect_out 'app password'
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

# ---------------------------------------------------------------- what a new user meets

letter
met() { # NAME [sendmail arguments]: what sendmail says is explained by that entry
    name=$1
    shift
    send -i -f alice@example.org "${@:-bob@example.net}"
    expect_one_line
    timeout 60 "$SMTPRELAY" explain --json <"$T/err" >"$T/out" 2>&1
    grep -qF "\"name\":\"$name\"" "$T/out" || fail "not $name: $(cat "$T/err"): $(cut -c1-120 "$T/out")"
}

begin "each certificate that is not trusted is explained by what is wrong with it"
for pair in expired:cert-expired notyet:cert-not-yet wronghost:cert-name untrusted:cert-ca-missing selfsigned:cert-self-signed clienteku:cert-other; do
    hub_start - --tls starttls --cert "${pair%:*}"
    conf UseTLS=starttls "TLS_CA_File=$CA"
    met "${pair#*:}"
    hub_stop
done
hub_start - --tls starttls
conf UseTLS=starttls "TLSFingerprint=$(printf '%064d' 0 | tr 0 a)"
met cert-pin
hub_stop
end

begin "what goes wrong before the first word is explained: ports, names, TLS where there is none"
HUB_PORT=1
conf UseTLS=false
met connection-refused
conf UseTLS=false mailhub=no-such-host.invalid:25
send -i -f alice@example.org bob@example.net
timeout 60 "$SMTPRELAY" explain <"$T/err" >"$T/out" 2>&1
expect_out 'do: '
hub_start - --tls starttls
conf UseTLS=implicit
met tls-not-spoken
hub_stop
hub_start - --tls none
conf UseTLS=starttls
met starttls-missing
conf UseTLS=false AuthUser=alice AuthPass=x
met our-no-login-without-tls
hub_stop
end

begin "logins, senders and recipients that are refused are explained"
hub_start - --tls starttls --auth PLAIN
conf_tls starttls login AuthPass=wrong
met login-refused
conf_tls starttls login AuthMethod=cram-md5
met our-mechanism-missing
hub_stop
hub_start rcpt-mixed
conf UseTLS=false
met no-such-user-words bad@example.net
hub_stop
conf UseTLS=false AuthUser=alice AuthPassFile=/nonexistent/secret
met secret-missing
conf UseTLS=false AuthUser=alice "AuthPassCommand=/bin/false"
met password-command
conf UseTLS=false MaxMessageSize=10
met our-larger-than-max
end

begin "a slip of the pen in a command, an option or the configuration is named with what was meant"
run_admin() {
    timeout 60 "$@" >"$T/out" 2>"$T/err" </dev/null
    rc=$?
}
run_admin "$SMTPRELAY" statsu
expect_rc 64
expect_err 'unknown command statsu; did you mean status?'
run_admin "$SMTPRELAY" --frob
expect_rc 64
expect_err '--frob: a command is missing'
run_admin "$O/root/sbin/smtprelayd" --frob
expect_rc 64
expect_err 'smtprelayd: unknown option --frob'
printf 'mailhub = "127.0.0.1:1";\nUseTLS = maybe;\n' >"$T/conf"
run_admin "$SMTPRELAY" -C "$T/conf" check
expect_rc 78
expect_err 'conf line 2: syntax error; a setting is NAME = VALUE; with texts in quotes'
conf UseTLS=true TLS_CA_File=/no/such/ca.pem
send -i -f alice@example.org bob@example.net
expect_rc 78
expect_err "$T/conf line "
expect_err 'TLS_CA_File: cannot open /no/such/ca.pem'
end

begin "smtprelay help is the same as --help"
run_admin "$SMTPRELAY" --help
cp "$T/out" "$T/help"
run_admin "$SMTPRELAY" help
expect_rc 0
cmp -s "$T/out" "$T/help" || fail "it says: $(cat "$T/out" "$T/err")"
end

begin "--help behind a command is about that one, and no option of it is unknown to --help alone"
sed -n "s/^  \([a-z][a-z]*\) .*/\1/p" "$T/help" | sort -u >"$T/commands"
[ "$(wc -l <"$T/commands")" -ge 14 ] || fail "the commands: $(cat "$T/commands")"
while read -r command <&3; do
    run_admin "$SMTPRELAY" "$command" --help
    expect_rc 0
    grep -q "^usage: smtprelay \[-C FILE\] $command" "$T/out" || fail "$command: $(cat "$T/out")"
    [ "$(wc -l <"$T/out")" -lt 20 ] || fail "$command: all is printed"
    grep -oE -e '--[a-z-]+' "$T/out" | sort -u >"$T/options"
    while read -r option <&4; do
        grep -qF -e "$option" "$T/help" || fail "$command: $option is not in --help"
    done 4<"$T/options"
done 3<"$T/commands"
run_admin "$SMTPRELAY" help setup
expect_out 'usage: smtprelay [-C FILE] setup ADDRESS'
end
