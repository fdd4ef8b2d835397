#!/bin/sh
# SPDX-License-Identifier: ISC
# Smarthosts that accept the connection and then say nothing, or take their time, while there are others.
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-silent # the compiled-in paths of these programs lie below it
daemon_stage

messages_at() { find "$1" -name '*.msg' | wc -l; }
has_messages() { [ "$(messages_at "$1")" -ge "$2" ]; }
tried() { grep -cF -e "trying the next mailhub" "$LOG"; }

# two SENTENCE SCRIPT1 SCRIPT2 [options of both] : two smarthosts, $FIRST and $SECOND, their folders $D1 and $D2
two() {
    begin "$1"
    first_script=$2 second_script=$3
    shift 3
    rm -rf "$QUEUE"
    hub_start "$first_script" "$@"
    FIRST=$HUB_PORT D1=$HUB_DIR
    hub_start "$second_script" "$@"
    SECOND=$HUB_PORT D2=$HUB_DIR
    hubs="( \"127.0.0.1:$FIRST\", \"127.0.0.1:$SECOND\" )"
}

goes_by_second() {
    conf "mailhub=$hubs" "TLS_CA_File=$CA" Timeout=300s LogFile=- QueueDir= "$@"
    send -i -f alice@example.org bob@example.net
    expect_rc 0
    has_messages "$D2" 1 || fail "it did not come"
}

# by_second WORDS [KEY=VALUE ...] : it goes by the second, and these words are said of the first. Times are such that who waits for a
# time-out is found out.
by_second() {
    words=$1
    shift
    goes_by_second ConnectTimeout=300s "$@"
    expect_err "127.0.0.1:$FIRST: $words for "
}

two "a smarthost that accepts the connection and never greets costs no more than its head start" accept-silent - --tls starttls
by_second "no greeting" UseTLS=starttls
end

script 'option tls implicit' 'on connect' '    hang'
two "a smarthost that never answers our TLS costs no more than its head start" "$T/script" - --tls implicit
by_second "no answer to the TLS handshake" UseTLS=implicit
end

script 'option tls implicit' 'option drip-handshake 5s'
two "a smarthost whose TLS handshake does not come to an end costs no more than its head start" "$T/script" - --tls implicit
by_second "no answer to the TLS handshake" UseTLS=implicit
end

script 'option tls implicit' 'on greeting' '    hang'
two "a smarthost that is silent behind its TLS costs no more than its head start" "$T/script" - --tls implicit
by_second "no greeting" UseTLS=implicit
end

# behind its head start, and well within the ten seconds of who is known to be late
printf '%s\n' 'on greeting' '    sleep 6s' '    default' >"$T/late"
two "a smarthost that is late gets the mail when the one behind it says nothing" "$T/late" accept-silent
conf "mailhub=$hubs" UseTLS=false ConnectTimeout=300s Timeout=300s QueueDir=
send -i -f alice@example.org bob@example.net
expect_rc 0
has_messages "$D1" 1 || fail "it did not come"
end

two "and by TLS, too" "$T/late" accept-silent --tls implicit
conf "mailhub=$hubs" UseTLS=implicit "TLS_CA_File=$CA" ConnectTimeout=300s Timeout=300s QueueDir=
send -i -f alice@example.org bob@example.net
expect_rc 0
has_messages "$D1" 1 || fail "it did not come"
end

script 'on greeting' '    reply 220-hub.example.net asks you to wait' '    sleep 4s' '    default'
two "a smarthost that has begun to greet is waited for" "$T/script" -
conf "mailhub=$hubs" UseTLS=false ConnectTimeout=300s Timeout=300s QueueDir=
send -i -f alice@example.org bob@example.net
expect_rc 0
has_messages "$D1" 1 || fail "it went by the other one"
end

two "when no smarthost greets, each is named, and the mail waits" accept-silent accept-silent
conf "mailhub=$hubs" UseTLS=false ConnectTimeout=1s Timeout=1s LogFile=- QueueDir=
send -i -f alice@example.org bob@example.net
expect_rc 75
expect_err "127.0.0.1:$FIRST: greeting: no answer in time"
expect_err "127.0.0.1:$SECOND: greeting: no answer in time"
end

# Behind the greeting nothing races, but nobody waits there until Timeout while there is another one
# by_second_after STAGE [KEY=VALUE ...]
by_second_after() {
    stage=$1
    shift
    goes_by_second ConnectTimeout=4s "$@"
    expect_err "127.0.0.1:$FIRST: $stage: no answer in time; trying the next mailhub"
    end
}
script 'on EHLO' '    hang'
two "a smarthost that does not answer EHLO costs ConnectTimeout, not Timeout" "$T/script" -
by_second_after EHLO UseTLS=false
script 'on STARTTLS' '    hang'
two "nor does one that does not answer STARTTLS" "$T/script" - --tls starttls
by_second_after STARTTLS UseTLS=starttls
script 'on AUTH' '    hang'
two "nor does one that does not answer the login" "$T/script" - --auth PLAIN --auth-clear
by_second_after AUTH UseTLS=false AllowPlaintextAuth=true "AuthUser=$USER_NAME" "AuthPass=$PASSWORD"

script 'on EHLO' '    sleep 3s' '    default'
two "the only smarthost has until Timeout for each answer" "$T/script" -
conf "mailhub=127.0.0.1:$FIRST" UseTLS=false ConnectTimeout=1s Timeout=300s QueueDir=
send -i -f alice@example.org bob@example.net
expect_rc 0
has_messages "$D1" 1 || fail "it did not come"
end

two "a certificate that is not trusted is said of the smarthost that has it, though it raced" - - --tls implicit --cert untrusted
conf "mailhub=$hubs" UseTLS=implicit "TLS_CA_File=$CA" LogFile=- QueueDir=
send -i -f alice@example.org bob@example.net
expect_rc 77
expect_err "127.0.0.1:$FIRST: certificate of 127.0.0.1 not trusted"
end

# ---------------------------------------------------------------- what the daemon remembers of them

daemon_send() {
    timeout 60 "$ROOT/sbin/sendmail" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
    rc=$?
}

two "later mail does not wait at all for a smarthost that never greets" accept-silent -
daemon_conf "mailhub=$hubs" ConnectTimeout=300s Timeout=300s InteractiveTimeout=300s RetryMin=100s RetryMax=100s
daemon_start
for i in 1 2 3; do
    daemon_send
    expect_rc 0
    has_messages "$D2" "$i" || fail "message $i did not go by the second"
done
says "127.0.0.1:$FIRST: no greeting for " || fail "nothing is said of the first"
[ "$(tried)" -eq 1 ] || fail "the first was tried $(tried) times"
run "$ADMIN" status
expect_out "account default: smarthost 127.0.0.1:$FIRST: failed of late"
finish

two "a first smarthost that is only late is the first again, once it is known" "$T/late" -
daemon_conf "mailhub=$hubs" ConnectTimeout=300s Timeout=300s InteractiveTimeout=300s RetryMin=1s RetryMax=1s
daemon_start
daemon_send
expect_rc 0
has_messages "$D2" 1 || fail "the first message did not go by the second"
by_first() { daemon_send && [ "$rc" -eq 0 ] && has_messages "$D1" 1; }
wait_for 30 by_first || fail "no mail goes by the first one"
daemon_send
has_messages "$D1" 2 || fail "it does not stay there"
[ "$(tried)" -eq 1 ] || fail "it was given up $(tried) times"
finish
