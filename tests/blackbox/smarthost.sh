#!/bin/sh
# SPDX-License-Identifier: ISC
# A good smarthost of every kind: certificates, mechanisms, and whatever it does not offer.
. "$(dirname "$0")/lib.sh"

ALL="PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS XOAUTH2 OAUTHBEARER EXTERNAL"
letter

# certificate NAME CODE MODE [settings]: what the certificate NAME leads to
certificate() {
    name=$1 code=$2 mode=$3
    shift 3
    begin "with $mode the certificate '$name' ends with $code${1:+ (${1%%=*})}"
    hub_start - --tls "$mode" --cert "$name" --auth PLAIN
    conf_tls "$mode" yes "$@"
    send -f alice@example.org bob@example.net
    expect_rc "$code"
    expect_one_line
    no_secret_in_clear
    if [ "$code" = 0 ]; then expect_messages 1; else expect_messages 0; fi
    if [ "$code" != 0 ]; then expect_no_dialog "AUTH PLAIN "; fi
    end
}

# pin NAME WHICH: the hexadecimal digest of a certificate or its key
pin() {
    sed -n "s/^$2 //p" "$CERTS/$1.pin"
}

for mode in starttls implicit; do
    certificate valid 0 $mode
    certificate expired 77 $mode
    certificate wronghost 77 $mode
    certificate untrusted 77 $mode
done
certificate intermediate 0 implicit
certificate notyet 77 implicit
certificate clienteku 77 implicit
certificate selfsigned 77 implicit
certificate wildcard 77 implicit
certificate untrusted 0 implicit "TLSFingerprint=$(pin untrusted certificate)"
certificate selfsigned 0 implicit "TLSFingerprint=$(pin selfsigned spki)"
certificate valid 77 implicit "TLSFingerprint=$(pin client spki)"
certificate expired 0 implicit TLSVerify=false

# mechanism OFFERED USED [settings]
mechanism() {
    offered=$1 used=$2
    shift 2
    begin "where '$offered' is offered, $used is used"
    hub_start - --tls starttls --auth "$offered" --require-auth --client-cert
    conf_tls starttls yes "$@"
    send -f alice@example.org bob@example.net
    expect_rc 0
    expect_one_line
    expect_messages 1
    expect_env "auth: $used $USER_NAME"
    expect_manners
    no_secret_in_clear
    end
}

mechanism "$ALL" SCRAM-SHA-256-PLUS
mechanism "PLAIN SCRAM-SHA-256 LOGIN" SCRAM-SHA-256
mechanism "LOGIN SCRAM-SHA-1" SCRAM-SHA-1
mechanism "LOGIN PLAIN CRAM-MD5" PLAIN
mechanism "LOGIN" LOGIN
mechanism "CRAM-MD5" CRAM-MD5
mechanism "$ALL" XOAUTH2 AuthMethod=xoauth2
mechanism "$ALL" OAUTHBEARER AuthMethod=oauthbearer
mechanism "$ALL" EXTERNAL AuthMethod=external AuthPass= "TLSCert=$CERTS/client.crt" "TLSKey=$CERTS/client.key"

begin "without TLS no login is tried"
hub_start - --auth "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256" --auth-clear
conf_tls false yes
send -f alice@example.org bob@example.net
expect_rc 77
expect_messages 0
expect_one_line
expect_no_dialog "C: AUTH"
no_secret_in_clear
end

# without CAPABILITIES: three recipients all the same, and nothing used that was not offered
without() {
    begin "a smarthost that is told '$*' gets the message in good manners"
    hub_start - "$@"
    conf_tls false ''
    send -i -f alice@example.org -N success,failure a@example.net b@example.net c@example.net
    expect_rc 0
    expect_one_line
    expect_messages 1
    expect_env 'rcpt: <a@example.net>'
    expect_env 'rcpt: <c@example.net>'
    expect_manners
    grep -q '^\.\.and this line' "$HUB_DIR/1.msg" || fail "the dots are not those of the letter"
    end
}

without --offer none
without --offer "-PIPELINING" --delay 20ms
without --offer "-CHUNKING" --delay 20ms
without --offer "-CHUNKING -BINARYMIME -PIPELINING"
without --offer "-DSN"
without --offer "-SIZE -8BITMIME -SMTPUTF8 -ENHANCEDSTATUSCODES"
without --delay 20ms

begin "more recipients than LIMITS allows go in several transactions"
hub_start - --offer "LIMITS RCPTMAX=2"
conf_tls false ''
send -f alice@example.org a@example.net b@example.net c@example.net d@example.net e@example.net
expect_rc 0
expect_messages 3
expect_manners
end

begin "where SMTPUTF8 is not offered only the recipients are refused whose addresses need it, by name"
hub_start - --offer "-SMTPUTF8"
conf_tls false ''
printf 'From: J\303\266rg <alice@example.org>\nTo: list@example.net\nSubject: gr\303\274n\n\ntext\n' >"$MSG"
send -f alice@example.org bob@example.net eve@example.net "$(printf 'j\303\266rg@example.net')"
expect_rc 67
expect_messages 1
expect_env 'rcpt: <bob@example.net>'
expect_env 'rcpt: <eve@example.net>'
expect_err "$(printf 'j\303\266rg@example.net'): needs SMTPUTF8, which the server does not offer"
! grep -q '[^ -~[:cntrl:]]' "$HUB_DIR/1.msg" || fail "the header is not encoded"
expect_manners
end

begin "where the header has such an address, all need it"
printf 'From: alice@example.org\nTo: j\303\266rg@example.net\n\ntext\n' >"$MSG"
hub_start - --offer "-SMTPUTF8"
conf_tls false ''
send -f alice@example.org bob@example.net "$(printf 'j\303\266rg@example.net')"
expect_rc 69
expect_messages 0
expect_err "needs SMTPUTF8"
letter
end

begin "where there is nobody but them it is refused"
hub_start - --offer "-SMTPUTF8"
conf_tls false ''
send -f alice@example.org "$(printf 'j\303\266rg@example.net')"
expect_rc 67,69
expect_messages 0
end

begin "a line of 5,000 octets goes as it is where the smarthost takes BINARYMIME"
hub_start -
conf_tls false ''
{ head -c 5000 /dev/zero | tr '\0' x; printf '\r\n'; } >"$T/long"
{ printf 'From: alice@example.org\nTo: bob@example.net\nSubject: long\n\n'; tr -d '\r' <"$T/long"; } >"$MSG"
send -i -f alice@example.org bob@example.net
expect_rc 0
expect_messages 1
expect_dialog "BODY=BINARYMIME"
expect_manners
tail -c "$(wc -c <"$T/long")" "$HUB_DIR/1.msg" | cmp -s - "$T/long" || fail "the text is not what was sent"
letter
end

begin "an ordinary text is not called binary"
hub_start -
conf_tls false ''
send -i -f alice@example.org bob@example.net
expect_rc 0
expect_no_dialog "BODY=BINARYMIME"
end

begin "with PIPELINING and CHUNKING a message is one flight"
hub_start -
conf_tls false ''
send -f alice@example.org a@example.net b@example.net
expect_rc 0
expect_env "via: BDAT"
grep -qx 'flights: 1' "$HUB_DIR/1.env" || fail "$(grep '^flights' "$HUB_DIR/1.env")"
end

begin "the log has one line a message, each word of it a key and a value"
hub_start - --tls starttls --auth PLAIN
conf_tls starttls yes LogFile=-
send -i -f alice@example.org bob@example.net
expect_rc 0
value='("[^"]*"|[^" ]+)'
[ "$(grep -c ' status=sent$' "$T/err")" -eq 1 ] || fail "not one line"
grep -qE "^smtprelay: [a-z]+=$value( [a-z]+=$value)*$" "$T/err" || fail "not keys and values: $(cat "$T/err")"
for key in id uid from to size delay reply relay tls auth delays; do
    grep -q " $key=" "$T/err" || fail "no $key"
done
expect_err 'to=<bob@example.net>'
expect_err 'auth=PLAIN'
end

# next_hub WORDS [hub options]: a hub that is passed by, with these words in the log, and the one behind it gets the message
next_hub() {
    words=$1
    shift
    begin "of several mailhubs the next is tried, and the log says why: $words"
    hub_start - "$@"
    first=$HUB_PORT
    hub_start - --tls starttls --auth PLAIN --require-auth
    conf_tls starttls yes "mailhub=( \"127.0.0.1:$first\", \"127.0.0.1:$HUB_PORT\" )" LogFile=-
    send -i -f alice@example.org bob@example.net
    expect_rc 0
    expect_messages 1
    expect_err "127.0.0.1:$first: $words"
    expect_err "trying the next mailhub"
    expect_not_err "127.0.0.1:$first: 127.0.0.1:$first"
    no_secret_in_clear
    end
}

next_hub "certificate of 127.0.0.1 not trusted" --tls starttls --cert untrusted --auth PLAIN
next_hub "STARTTLS: the server does not offer it" --auth PLAIN
next_hub "AUTH: 535" --tls starttls --auth PLAIN -w another-0ne
next_hub "Connection refused" --listen no

begin "where few descriptors may be open a name with more addresses than that is given up, not asked about for ever"
if [ "$(id -u)" -eq 0 ] && unshare --mount --pid --fork true 2>/dev/null; then
    { cat /etc/hosts; for i in $(seq 1 40); do echo "127.0.1.$i many.example"; done; } >"$T/hosts"
    conf mailhub=many.example:1 UseTLS=false "QueueDir=$T/none"
    # shellcheck disable=SC2016 # that shell's
    timeout -s KILL 60 unshare --mount --pid --fork --kill-child sh -c 'mount --bind "$1" /etc/hosts && ulimit -n 24 && shift && exec "$@"' \
        sh "$T/hosts" timeout 60 "$SENDMAIL" -C "$T/conf" bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    # shellcheck disable=SC2034 # expect_rc reads it
    rc=$?
    expect_rc 75
    expect_err 'Connection refused (127.0.1.1)'
fi
end

begin "without a name service the message can be tried again later"
if [ "$(id -u)" -eq 0 ] && unshare -n true 2>/dev/null; then
    conf UseTLS=false mailhub=hub.example.net:25 ConnectTimeout=30s
    timeout 60 unshare -n "$SENDMAIL" -C "$T/conf" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    # shellcheck disable=SC2034 # expect_rc reads it
    rc=$?
    expect_rc 75
    expect_one_line
    expect_err "hub.example.net: the name service does not answer"
    end
else
    echo "ok (skipped: no network namespace) $CASE"
fi
