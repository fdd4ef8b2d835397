#!/bin/sh
# SPDX-License-Identifier: ISC
# Several smarthosts, one of which puts mail off (4yz, 530) that another one takes.
# shellcheck disable=SC2034 # lib.sh reads some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-putoff # the compiled-in paths of these programs lie below it
daemon_stage

messages_at() { find "$1" -name '*.msg' | wc -l; }
sessions_at() { find "$1" -name 'session-*.log' | wc -l; }
has_messages() { [ "$(messages_at "$1")" -ge "$2" ]; }
expect_at() {
    wait_for 30 has_messages "$@" # it may be written down a moment after the caller has its answer
    [ "$(messages_at "$1")" -eq "$2" ] || fail "$(messages_at "$1") messages at ${1##*/}, not $2"
}

# two SENTENCE SCRIPT1 SCRIPT2 [options of both] : two smarthosts, $FIRST and $SECOND, their folders $D1 and $D2; $hubs are both
two() {
    begin "$1"
    first_script=$2 second_script=$3
    shift 3
    rm -rf "$QUEUE"
    hub_start "$first_script" --tls none "$@"
    FIRST=$HUB_PORT D1=$HUB_DIR
    hub_start "$second_script" --tls none "$@"
    SECOND=$HUB_PORT D2=$HUB_DIR
    hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:$SECOND\" )"
}

# call [sendmail arguments] : without a daemon and a queue
call() {
    conf UseTLS=false "mailhub=$hubs" LogFile=- QueueDir=
    timeout 60 "$O/root/sbin/sendmail" -C "$T/conf" -i -f alice@example.org "$@" <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

# ---------------------------------------------------------------- what goes on

# goes_on STAGE WORDS [options of the hubs] : the first one says $T/script, and the second one has the message, once
goes_on() {
    stage=$1 words=$2
    shift 2
    two "a smarthost that says $words at $stage is passed over in the same attempt${1:+ ($*)}" "$T/script" - "$@"
    call bob@example.net eve@example.net
    expect_rc 0
    expect_at "$D1" 0
    expect_at "$D2" 1
    expect_err "127.0.0.1:$FIRST: $stage: $words; trying the next mailhub"
    expect_manners
    [ "$(cat "$D2"/*.env | grep -c '^rcpt: ')" -eq 2 ] || fail "not to both"
    HUB_DIR=$D1
    expect_manners
    end
}
for offer in '' -CHUNKING '-PIPELINING -CHUNKING'; do
    [ -z "$offer" ] || set -- --offer "$offer"
    script 'on MAIL' '    reply 451 4.3.0 not now'
    goes_on "MAIL FROM" "451 4.3.0 not now" "$@"
    script 'on RCPT' '    reply 450 4.2.1 not now'
    goes_on "RCPT TO" "450 4.2.1 not now" "$@"
    script 'on dot' '    reply 452 4.3.1 no space'
    goes_on "end of data" "452 4.3.1 no space" "$@"
done
script 'on DATA' '    reply 451 4.3.0 not now'
goes_on DATA "451 4.3.0 not now" --offer -CHUNKING
script 'on MAIL' '    reply 530 5.7.0 authentication required'
goes_on "MAIL FROM" "530 5.7.0 authentication required"
# what was put off may still be taken, says RFC 2920, 3.1, if a dot follows; nobody is to have it twice
script 'on MAIL' '    reply 451 4.3.0 not now' 'on RCPT' '    reply 250 2.1.5 ok' 'on DATA' '    reply 354 go on'
goes_on "MAIL FROM" "451 4.3.0 not now" --offer -CHUNKING

# lacking OFFER RECIPIENT... : the first one puts it off, and the next cannot carry it
lacking() {
    begin "what one smarthost puts off and the next cannot carry is put off, not refused ($1)"
    script 'on MAIL' '    reply 451 4.3.0 not now'
    hub_start "$T/script" --tls none
    FIRST=$HUB_PORT D1=$HUB_DIR
    hub_start - --tls none --offer "$1"
    shift
    hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:$HUB_PORT\" )"
    call "$@"
    expect_rc 75
    expect_err "127.0.0.1:$FIRST: MAIL FROM: 451 4.3.0 not now"
    expect_at "$D1" 0
    expect_messages 0
    end
}
lacking "SIZE 100" bob@example.net
lacking "-SMTPUTF8" 'jürgen@example.net' bob@example.net

begin "a chunk that is put off, and the text behind it, go to the next smarthost"
script 'on BDAT' '    reply 451 4.3.0 not now'
two "$CASE" "$T/script" -
big_letter 2500
call bob@example.net
letter
expect_rc 0
expect_at "$D1" 0
expect_at "$D2" 1
expect_err "451 4.3.0 not now; trying the next mailhub"
end

script 'on EHLO' '    reply 451 4.3.0 not now'
two "each of several is asked, until one takes it" "$T/script" "$T/script"
script 'on MAIL' '    reply 451 4.3.0 not now'
hub_start "$T/script" --tls none
third=$HUB_PORT
hub_start - --tls none
hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:$SECOND\", \"127.0.0.1:$third\", \"127.0.0.1:$HUB_PORT\" )"
call bob@example.net
expect_rc 0
expect_messages 1
[ "$(grep -c 'trying the next mailhub' "$T/err")" -eq 3 ] || fail "not each was named"
end

# ---------------------------------------------------------------- what does not

printf '%s\n' 'on MAIL' '    reply 452 4.3.1 no space' >"$T/second"
script 'on MAIL' '    reply 451 4.3.0 not now'
two "where all smarthosts put it off, the first one's words are the answer, and the log has all" "$T/script" "$T/second"
call bob@example.net
expect_rc 75
grep -q "^sendmail: .*127.0.0.1:$FIRST.*451 4.3.0 not now" "$T/err" || fail "not the first one's words"
expect_err "127.0.0.1:$FIRST: MAIL FROM: 451 4.3.0 not now; trying the next mailhub"
expect_err "127.0.0.1:$SECOND: MAIL FROM: 452 4.3.1 no space; no other mailhub is left"
end

two "so they are where the others cannot be reached" "$T/script" -
hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:1\" )"
call bob@example.net
expect_rc 75
grep -q "^sendmail: .*127.0.0.1:$FIRST.*451 4.3.0 not now" "$T/err" || fail "not the first one's words"
expect_err "127.0.0.1:1"
expect_err "no other mailhub is left"
end

printf '%s\n' 'on MAIL' '    reply 550 5.7.1 not you' >"$T/second"
two "a refusal by the next smarthost is the answer" "$T/script" "$T/second"
call bob@example.net
expect_rc 69
expect_err "550 5.7.1 not you"
end

printf '%s\n' 'on dot' '    take' '    close' >"$T/second"
two "a next smarthost that is lost behind the last byte may have it, and nobody else is asked" "$T/script" "$T/second"
call bob@example.net
expect_rc 75
expect_err "may have been sent"
expect_at "$D2" 1
[ "$(sessions_at "$D1")" -eq 1 ] || fail "the first one was asked again"
end

script 'on MAIL' '    reply 421 4.3.2 going down' '    close'
two "a smarthost that is named twice and hangs up is not asked for ever" "$T/script" -
hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:$FIRST\" )"
call bob@example.net
expect_rc 75
end

for stage in MAIL RCPT dot; do
    script "on $stage" '    reply 550 5.7.1 not you'
    two "a refusal is the answer, no other smarthost is asked ($stage)" "$T/script" -
    call bob@example.net
    expect_rc 67,69
    [ "$(sessions_at "$D2")" -eq 0 ] || fail "the second one was asked"
    end
done

script 'on RCPT *eve*' '    reply 450 4.2.1 not now'
two "of a message that a smarthost takes for one recipient the others wait for it" "$T/script" -
call bob@example.net eve@example.net
expect_rc 75
expect_at "$D1" 1
[ "$(sessions_at "$D2")" -eq 0 ] || fail "the second one was asked"
end

script 'on MAIL' '    reply 530 5.7.0 authentication required'
two "a login that one wants and a smarthost that is not there are both named" "$T/script" -
hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:1\" )"
call bob@example.net
expect_rc 75
grep -q "^sendmail: .*127.0.0.1:1.*; before that 127.0.0.1:$FIRST: 530 5.7.0" "$T/err" || fail "not both: $(cat "$T/err")"
end

two "where all want a login it is the administrator's" "$T/script" "$T/script"
call bob@example.net
expect_rc 77
end

script 'on MAIL' '    reply 451 4.3.0 not now'
two "smtprelay test shows what each of them says" "$T/script" -
conf UseTLS=false "mailhub=$hubs"
run "$O/root/sbin/smtprelay" -C "$T/conf" test
expect_rc 0
expect_out "451 4.3.0 not now"
expect_out "127.0.0.1:$SECOND"
conf UseTLS=false "mailhub=( \"127.0.0.1:$FIRST\", \"127.0.0.1:1\" )"
run "$O/root/sbin/smtprelay" -C "$T/conf" test
expect_rc 75
expect_out "said by 127.0.0.1:$FIRST; no other mailhub has taken it"
grep -q "failed at mail: .*451 4.3.0 not now" "$T/err" || fail "not the first one's words: $(cat "$T/err")"
end

# ---------------------------------------------------------------- what the daemon remembers of it

daemon_send() {
    timeout 60 "$SENDMAIL" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

# remembers WORDS : the first one says $T/script to all mail
remembers() {
    two "a smarthost that puts off what another one takes is left alone for a while: $1" "$T/script" -
    daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
    daemon_start
    for i in 1 2 3; do
        daemon_send
        expect_rc 0
        expect_at "$D2" "$i"
    done
    says "$1; trying the next mailhub" || fail "the log does not say why"
    [ "$(sessions_at "$D1")" -eq 1 ] || fail "the first was asked $(sessions_at "$D1") times"
    [ "$(sessions_at "$D2")" -eq 1 ] || fail "the second has no warm connection"
    run "$ADMIN" status
    expect_rc 0
    expect_out "account default: smarthost 127.0.0.1:$FIRST: failed of late"
    finish
}
script 'on MAIL' '    reply 452 4.3.1 no space'
remembers "452 4.3.1 no space"
script 'on MAIL' '    reply 530 5.7.0 authentication required'
remembers "530 5.7.0 authentication required"

script 'on dot' '    reply 451 4.7.1 not this one'
two "a message that all smarthosts put off waits, and says nothing of them" "$T/script" "$T/script"
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
daemon_start
daemon_send
expect_rc 0
run "$ADMIN" status
expect_out 'account default: ok'
expect_out '1 message'
expect_not_out 'failed of late'
run "$ADMIN" queue
expect_out '451 4.7.1 not this one'
finish

script 'on RCPT' '    reply 450 4.2.2 mailbox full'
two "what one says of a recipient says nothing of the smarthost" "$T/script" -
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
daemon_start
daemon_send
expect_rc 0
expect_at "$D2" 1
run "$ADMIN" status
expect_not_out 'failed of late'
finish

printf '%s\n' 'on MAIL nth 1 session 1' '    default' 'on MAIL' '    reply 451 4.3.0 not now' >"$T/script"
two "a warm connection over which mail is put off ends, and the next smarthost has it" "$T/script" -
daemon_conf "mailhub=$hubs" RetryMin=100s RetryMax=100s
daemon_start
daemon_send
expect_at "$D1" 1
daemon_send
expect_rc 0
expect_at "$D2" 1
finish
