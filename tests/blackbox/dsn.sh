#!/bin/sh
# SPDX-License-Identifier: ISC
# What a sender is told when mail he believed gone could not be delivered: with the daemon, and by `sendmail -q` without one.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-dsn # the compiled-in paths of these programs lie below it
daemon_stage
DAEMON_SETTINGS='RetryMax=1s'

# A queue of one's own is not for -C: the compiled-in file, and nobody at the socket
no_daemon_conf() {
    rm -rf "$ROOT/run/smtprelay"
    conf UseTLS=false "$@"
    cp "$T/conf" "$ROOT/etc/smtprelay.conf"
}

files_in() { find "$QUEUE/$1" -type f 2>/dev/null | wc -l; }
is_in() { [ "$(files_in "$1")" -eq "$2" ]; }
expect_in() { wait_for 30 is_in "$1" "$2" || fail "$(files_in "$1") messages in $1/, not $2"; }
expect_arrived() {
    wait_for 30 arrived "$1" || fail "$(count_messages) messages came, not $1"
    [ "$(count_messages)" -eq "$1" ] || fail "$(count_messages) messages came, not $1"
}
finish() {
    daemon_stop
    expect_manners
    end || sed -n '1,12s/^/    daemon: /p' "$LOG"
}

# without -C: by the compiled-in socket
send() { run "$SENDMAIL" "$@" <"$MSG"; }

# The number of the report among what came: from the null sender
report_number() {
    grep -l -e '^mail: <>' "$HUB_DIR"/*.env 2>/dev/null | head -n 1 | sed 's,.*/\([0-9]*\)\.env,\1,'
}
has_report() { [ -n "$(report_number)" ]; }

# A report came and programs understand it
read_report() {
    wait_for 30 has_report || { fail "no report came"; return; }
    n=$(report_number)
    : >"$T/report"
    if command -v python3 >/dev/null; then
        python3 "$TESTS/blackbox/dsn.py" "$HUB_DIR/$n.msg" >"$T/report" 2>"$T/report.err" ||
            fail "the report cannot be read: $(cat "$T/report.err")"
    fi
}
# expect_report KEY VALUE, fixed words within it
expect_report() {
    command -v python3 >/dev/null || return 0
    grep -e "^$1=" "$T/report" | grep -qF -e "$2" || fail "no '$2' in $1 of the report: $(grep -e "^$1=" "$T/report")"
}
expect_no_report() {
    if has_report; then fail "a report came"; fi
}

# ---------------------------------------------------------------- refusals

script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here'
a_daemon "a queued message that is refused comes back to its sender in the smarthost's words" "$T/script"
send -odb -i -f alice@example.org bad@example.net
expect_rc 0
read_report
n=$(report_number)
grep -qF 'rcpt: <alice@example.org>' "$HUB_DIR/$n.env" || fail "it does not go to the sender"
expect_report from 'MAILER-DAEMON@client.example.org'
expect_report to 'alice@example.org'
expect_report auto 'auto-replied'
expect_report text 'could not be delivered'
expect_report text '550 5.1.1 no such user here'
expect_report 0.Reporting-MTA 'dns; client.example.org'
expect_report 1.Final-Recipient 'rfc822; bad@example.net'
expect_report 1.Action failed
expect_report 1.Status 5.1.1
expect_report 1.Remote-MTA 'dns; 127.0.0.1'
expect_report 1.Diagnostic-Code 'smtp; 550 5.1.1 no such user here'
expect_report original 'text/rfc822-headers'
expect_report body 'Subject: a letter'
expect_in queue 0
expect_in failed 0
finish

a_daemon "a refused recipient among others that are served is told of in a report, too" "$T/script"
send -i -f alice@example.org bob@example.net bad@example.net
expect_rc 0
expect_err 'bad@example.net'
read_report
expect_report 1.Final-Recipient 'rfc822; bad@example.net'
if grep -q '^2\.' "$T/report"; then fail "bob@ is in it"; fi
expect_arrived 2
expect_in queue 0
finish

a_daemon "a refusal that the caller was told of makes no report" "$T/script"
send -i -f alice@example.org bad@example.net
expect_rc 67
expect_in queue 0
expect_arrived 0
finish

script 'on dot nth 1' '    reply 554 5.7.1 we do not want it'
a_daemon "what the smarthost refuses at the end of data comes back" "$T/script"
send -odb -i -f alice@example.org bob@example.net carol@example.net
read_report
expect_report text 'we do not want it'
expect_report 1.Status 5.7.1
expect_report 2.Final-Recipient 'rfc822; carol@example.net'
expect_in queue 0
expect_in failed 0
finish

script 'on dot nth 1' '    sleep 6s' '    reply 554 5.6.0 too late to refuse'
a_daemon "a refusal after InteractiveTimeout comes back to the sender" "$T/script" InteractiveTimeout=1s Timeout=20s
send -i -f alice@example.org bob@example.net
expect_rc 0
read_report
expect_report text 'too late to refuse'
expect_in queue 0
expect_in failed 0
finish

script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here' 'on RCPT *<slow@* nth 1-2' '    reply 451 4.2.0 later'
a_daemon "one refused, one deferred: each has its own end, and the report comes once" "$T/script"
send -odb -i -f alice@example.org bad@example.net slow@example.net
read_report
expect_report 1.Final-Recipient 'rfc822; bad@example.net'
expect_in queue 0
expect_in failed 0
expect_arrived 2
finish

# ---------------------------------------------------------------- no report

script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here' 'on RCPT *<alice@*' '    reply 550 5.1.1 not here either'
a_daemon "mail from the null sender, and a report that is refused, are kept and answered by nobody" "$T/script"
send -odb -i -f '' bad@example.net
expect_in failed 1
send -odb -i -f alice@example.org bad@example.net
expect_in failed 2
expect_in queue 0
expect_arrived 0
says 'the null sender gets no report' || fail "the log does not say why it is kept"
finish

a_daemon "NOTIFY=NEVER: neither report nor file" "$T/script"
send -odb -i -N never -f carol@example.org bad@example.net
send -odb -i -N success -f carol@example.org bad@example.net
expect_in queue 0
expect_in failed 0
expect_arrived 0
finish

# ---------------------------------------------------------------- what was asked for

script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here'
a_daemon "ENVID and RET=FULL: the report names the one and has the whole message" "$T/script"
send -odb -i -R full -V QQ314 -N failure -f alice@example.org bad@example.net
read_report
expect_report 0.Original-Envelope-Id QQ314
expect_report original 'message/rfc822'
expect_report inner 'a letter'
expect_report body 'This is the text.'
finish

begin "NOTIFY=SUCCESS at a smarthost that tells nobody: the sender hears that it was passed on"
rm -rf "$QUEUE"
hub_start - --tls none -o "-DSN"
daemon_conf
daemon_start
send -i -N success -f alice@example.org bob@example.net
expect_rc 0
read_report
expect_report 1.Action relayed
expect_report 1.Status 2.
expect_report text 'was passed on'
expect_arrived 2
expect_in queue 0
finish

a_daemon "NOTIFY=SUCCESS at a smarthost with DSN is the smarthost's business" -
send -i -N success -f alice@example.org bob@example.net
send -odb -i -N success -f alice@example.org bob@example.net
expect_arrived 2
expect_in queue 0
expect_no_report
finish

script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here'
a_daemon "8-bit text in header and report is told as it was" "$T/script"
cp "$MSG" "$T/msg.kept"
printf 'Subject: \303\244rger\nMessage-ID: <orig@example.org>\n\ntext\n' >"$MSG"
send -odb -i -f alice@example.org bad@example.net
read_report
expect_report text "$(printf '\303\244rger')"
expect_report references '<orig@example.org>'
finish
mv "$T/msg.kept" "$MSG"

# ---------------------------------------------------------------- time

script 'on RCPT *<slow@*' '    reply 451 4.3.0 come back later'
a_daemon "what waits for WarnAfter is told once, and what waits too long comes back" "$T/script" WarnAfter=1s QueueLifetime=10s
send -odb -i -f alice@example.org slow@example.net
read_report
expect_report 1.Action delayed
expect_report 1.Status 4.3.0
expect_report text 'need not send it again'
expect_report text '451 4.3.0 come back later'
expect_report text 'The server 127.0.0.1 said'
daemon_stop
daemon_start
wait_for 60 is_in queue 0 || fail "it does not expire"
expect_arrived 2
if command -v python3 >/dev/null; then
    python3 "$TESTS/blackbox/dsn.py" "$HUB_DIR/2.msg" >"$T/report" || fail "it cannot be read"
fi
expect_report 1.Action failed
expect_report 1.Status 4.4.7
expect_report text 'without success'
expect_report text '451 4.3.0 come back later'
expect_in failed 0
finish

# ---------------------------------------------------------------- who is told

script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here'
printf 'carol: carol@example.com, dave@example.com\n' >"$T/aliases"
chmod 644 "$T/aliases"
a_daemon "a local sender is told where his mail goes" "$T/script" "aliases=$T/aliases"
send -odb -i -f carol bad@example.net
read_report
expect_report to 'carol@client.example.org'
n=$(report_number)
grep -qF 'rcpt: <carol@example.com>' "$HUB_DIR/$n.env" || fail "not by the alias"
grep -qF 'rcpt: <dave@example.com>' "$HUB_DIR/$n.env" || fail "not to all of the alias"
finish

a_daemon "a report comes from the account's own address, which its provider takes" "$T/script" From=box@provider.example
send -odb -i -f alice@example.org bad@example.net
read_report
expect_report from 'box@provider.example'
finish

# ---------------------------------------------------------------- without a daemon

begin "sendmail -q makes reports as well, not more than so many, and one of the rest"
script 'on RCPT *<bad@*' '    reply 550 5.1.1 no such user here'
rm -rf "$QUEUE"
mkdir -m 700 "$QUEUE"
hub_start "$T/script" --tls none
no_daemon_conf "QueueDir=$QUEUE"
i=0
while [ $i -lt 103 ]; do
    timeout 60 "$SENDMAIL" -odq -i -f alice@example.org bad@example.net <"$MSG" || fail "exit code $?"
    i=$((i + 1))
done
is_in queue 103 || fail "$(files_in queue) in the queue"
timeout 120 "$SENDMAIL" -q 2>"$T/err" || fail "-q ends with $?"
expect_arrived 100
is_in failed 3 || fail "$(files_in failed) in failed/, not 3"
is_in queue 1 || fail "$(files_in queue) in the queue: no summary"
timeout 60 "$SENDMAIL" -q 2>"$T/err"
expect_arrived 101
grep -qF '3 more messages could not be delivered' "$HUB_DIR/101.msg" || fail "the summary does not count"
grep -qF 'Auto-Submitted: auto-replied' "$HUB_DIR/101.msg" || fail "the summary is not marked"
expect_env 'mail: <>'
read_report
expect_report 1.Action failed
expect_manners
end

begin "a report that cannot be written: the message stays, and is told of later"
rm -rf "$QUEUE"
mkdir -m 700 "$QUEUE"
[ "$(id -u)" -ne 0 ] || chown nobody "$QUEUE" # nothing is forbidden to root
hub_start "$T/script" --tls none
no_daemon_conf "QueueDir=$QUEUE"
timeout 60 "$SENDMAIL" -odq -i -f alice@example.org bad@example.net <"$MSG" 2>"$T/err" || fail "exit code $?"
if is_in queue 1; then
    chmod 500 "$QUEUE"/queue*
    timeout 60 "$SENDMAIL" -q 2>"$T/err"
    expect_arrived 0
    is_in queue 1 || fail "it is gone"
    is_in failed 0 || fail "it lies in failed/"
    chmod 700 "$QUEUE"/queue*
    timeout 60 "$SENDMAIL" -q 2>"$T/err"
    read_report
    expect_report 1.Action failed
    is_in queue 0 || fail "it is still there"
else
    fail "it is not in the queue"
fi
end

begin "without a daemon an interactive refusal of some is told in a report, where there is a queue"
rm -rf "$QUEUE"
mkdir -m 700 "$QUEUE"
hub_start "$T/script" --tls none
no_daemon_conf "QueueDir=$QUEUE"
timeout 60 "$SENDMAIL" -i -f alice@example.org bob@example.net bad@example.net <"$MSG" 2>"$T/err"
rc=$?
expect_rc 0
expect_err 'bad@example.net'
timeout 60 "$SENDMAIL" -q 2>"$T/err"
read_report
expect_report 1.Final-Recipient 'rfc822; bad@example.net'
expect_arrived 2
end

begin "without a queue the exit code is all there is"
hub_start "$T/script" --tls none
no_daemon_conf "QueueDir=$T/none"
timeout 60 "$SENDMAIL" -i -f alice@example.org bob@example.net bad@example.net <"$MSG" 2>"$T/err"
rc=$?
expect_rc 67
expect_arrived 1
expect_no_report
end

# ---------------------------------------------------------------- a crash in between

count_reports() { grep -l -e '^mail: <>' "$HUB_DIR"/*.env 2>/dev/null | wc -l; }

# killed_at CALL N: a run that dies as it begins its N-th CALL, then runs that do not
killed_at() {
    before=$(count_reports)
    timeout 60 "$SENDMAIL" -odq -i -f alice@example.org bad@example.net <"$MSG" || fail "exit code $?"
    timeout 60 strace -f -q -o "$T/strace" -e "trace=$1" -e "inject=$1:signal=KILL:when=$2" "$SENDMAIL" -q 2>"$T/err"
    tries=100
    until is_in queue 0 || [ "$tries" -eq 0 ]; do
        tries=$((tries - 1))
        timeout 60 "$SENDMAIL" -q 2>"$T/err"
    done
    n=$(($(count_reports) - before))
    [ "$n" -eq 1 ] || [ "$n" -eq 2 ] || fail "$n reports when killed at $1 $2"
    is_in failed 0 || fail "killed at $1 $2 it lies in failed/"
}

if command -v strace >/dev/null && ! nm -D "$DAEMON" 2>/dev/null | grep -q __asan; then
    begin "killed between refusal and report: the sender hears of it, at worst twice"
    rm -rf "$QUEUE"
    mkdir -m 700 "$QUEUE"
    hub_start "$T/script" --tls none
    no_daemon_conf "QueueDir=$QUEUE"
    for call in pwrite64 fdatasync linkat renameat fsync unlinkat sendmsg; do
        for k in 1 2 3 4; do
            killed_at $call $k
        done
    done
    end
fi
