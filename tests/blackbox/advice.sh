#!/bin/sh
# SPDX-License-Identifier: ISC
# What is known of an error (conf/explanations, and a table of the administrator's) is said where the error is shown: status, mailq -v,
# why, the log, the TroubleCommand, and in plain words in what comes back to the sender.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-advice # the compiled-in paths of these programs lie below it
daemon_stage
DAEMON_SETTINGS='RetryMax=1h'
OWN=$ROOT/etc/smtprelay/explanations
rm -rf "$ROOT/etc/smtprelay"
send() { run "$SENDMAIL" -i "$@" <"$MSG"; }

begin "a frozen account says everywhere what to do about what the smarthost said"
rm -rf "$QUEUE"
script 'option tls starttls' 'option auth PLAIN' 'on login' '    reply 535 5.7.8 Username and Password not accepted - gsmtp'
hub_start "$T/script" --tls starttls --auth PLAIN
cat >"$T/tell" <<END
#!/bin/sh
exec cat >>"$T/told"
END
chmod 755 "$T/tell"
: >"$T/told"
chmod 666 "$T/told"
daemon_conf UseTLS=starttls "TLS_CA_File=$CA" "AuthUser=$USER_NAME" "AuthPass=$PASSWORD" "TroubleCommand=$T/tell"
daemon_start
send -f alice@example.org bob@example.net
expect_rc 0
shows 'account default: frozen, 1 message, ' "$ADMIN" status
expect_out 'account default: do: Gmail takes no ordinary password'
expect_out '(smtprelay-guide(7), LOGIN REFUSED)'
expect_out ', frozen for '
expect_out ', process '
run "$ADMIN" status --json
expect_rc 2
expect_out '"advice":"Gmail takes no ordinary password'
run "$SENDMAIL" -bp -v
expect_out '(do: Gmail takes no ordinary password'
expect_out '-- 0 Kbytes in 1 Request.'
run "$SENDMAIL" -bp
expect_not_out '(do: '
run "$ADMIN" why --last
expect_out 'do: Gmail takes no ordinary password'
grep -q 'account default is frozen: .*535.*; do: Gmail takes' "$LOG" || fail "the log does not say what to do"
wait_for 30 grep -q 'Gmail takes no ordinary password' "$T/told" || fail "the command is not told what to do"
finish

begin "an error that is over and one without an account's trouble show under the last errors, once"
rm -rf "$QUEUE"
script 'on RCPT *<bad@*' '    reply 550 5.2.2 mailbox of bad is full'
hub_start "$T/script"
daemon_conf
daemon_start
for i in 1 2; do
    send -f alice@example.org bad@example.net
    expect_rc 67
done
run "$ADMIN" status
expect_out 'RCPT TO: 550 5.2.2 mailbox of bad is full'
[ "$(grep -c '^error .* ago: ' "$T/out")" -eq 1 ] || fail "not one line for the same error"
expect_out "error: do: The recipient's mailbox is full"
finish

one_put_off() { # over the first connection nothing goes
    rm -rf "$QUEUE"
    script 'on RCPT session 1' '    reply 451 4.3.0 not just now'
    hub_start "$T/script" --tls none
    daemon_conf RetryMin=1h RetryMax=2h
    daemon_start
    send -f alice@example.org bob@example.net
    expect_rc 0
}

begin "an error of a message that has gone after all shows no longer"
one_put_off
run "$ADMIN" status
expect_out '451 4.3.0 not just now'
daemon_conf RetryMin=1h RetryMax=3h # another connection
kill -HUP "$D"
wait_for 30 arrived 1 || fail "it did not come"
gone() { ! "$ADMIN" status | grep -q '451 4.3.0'; }
wait_for 30 gone || fail "status still tells of it: $("$ADMIN" status)"
finish

begin "an error shows as long as one of the messages it befell has not gone"
one_put_off
send -f alice@example.org carol@example.net
expect_rc 0
run "$ADMIN" hold --recipient bob@example.net
expect_rc 0
daemon_conf RetryMin=1h RetryMax=3h # another connection
kill -HUP "$D"
has_gone() { "$ADMIN" why carol@example.net | grep -q 'sent to all'; }
wait_for 30 has_gone || fail "it was not sent: $("$ADMIN" why carol@example.net)"
run "$ADMIN" status
expect_out '451 4.3.0 not just now'
finish

begin "what the administrator wrote comes first, after SIGHUP without a restart; a wrong file is named and costs nothing"
rm -rf "$QUEUE"
hub_start greet-421
daemon_conf
daemon_start
send -f alice@example.org bob@example.net
expect_rc 0
shows 'account default: down, 1 message, ' "$ADMIN" status
expect_not_out 'pull the plug'
mkdir -p "${OWN%/*}"
printf '[ours]\ncode: 421\nadvice: pull the plug and put it in again\n[wrong]\ncode: 421\n' >"$OWN"
chmod 755 "${OWN%/*}"
chmod 644 "$OWN"
kill -HUP "$D"
shows 'account default: do: pull the plug' "$ADMIN" status
grep -q 'explanations line 5: the entry has no advice' "$LOG" || fail "the wrong entry is not named: $(tail -n 3 "$LOG")"
run "$ADMIN" check
expect_rc 0
expect_err 'warning: '
expect_err 'explanations line 5: the entry has no advice'
rm -rf "$ROOT/etc/smtprelay"
finish

begin "a report says in plain words what the table has for the sender"
rm -rf "$QUEUE"
script 'on RCPT *<bad@*' '    reply 550 5.7.1 message rejected as spam'
hub_start "$T/script"
daemon_conf
daemon_start
send -odb -f alice@example.org bad@example.net
expect_rc 0
has_report() { grep -qs -l -e '^mail: <>' "$HUB_DIR"/*.env; }
wait_for 30 has_report || fail "no report came"
cat "$HUB_DIR"/*.msg | tr -d '\r\n' | tr -s ' ' >"$T/out"
expect_out 'takes the message for unwanted mail. Write it differently'
finish

if command -v python3 >/dev/null; then
    # keys, then a command, on a terminal of its own; what it leaves of the terminal is the last line
    on_terminal() {
        python3 - "$@" >"$T/out" 2>&1 <<'END'
import os, pty, signal, sys, termios
signal.alarm(60)
master, slave = pty.openpty()
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.setsid()
    os.dup2(slave, 0), os.dup2(slave, 1), os.dup2(slave, 2)
    import fcntl
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.close(master)
    os.execv(sys.argv[2], sys.argv[2:])
out = b""
while b"q ends" not in out:
    out += os.read(master, 4096)
os.write(master, sys.argv[1].encode().decode("unicode_escape").encode())
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
os.set_blocking(master, False)
try:
    out += os.read(master, 65536)
except OSError:
    pass
sys.stdout.write(out.decode() + "\nterminal %s\n" % ("restored" if termios.tcgetattr(slave) == before else "spoilt"))
sys.exit(code)
END
        rc=$?
    }
    a_daemon "status --watch shows itself on the second screen until q or ^C, and leaves the terminal as it was" greet-421
    send -f alice@example.org bob@example.net
    shows 'account default: down, 1 message, ' "$ADMIN" status
    longest=$(awk 'length > length(l) {l = $0} END {print l}' "$T/out")
    [ "${#longest}" -gt 90 ] || fail "no line is longer than the screen is wide: $longest"
    for key in q '\x03'; do
        on_terminal "$key" "$ADMIN" status --watch
        [ "$rc" -eq 1 ] || fail "exit code $rc after $key"
        expect_out 'account default: down, 1 message'
        expect_out "${longest##* }" # no advice is cut off
        expect_out "$(printf '\033[?1049h')"
        expect_out "$(printf '\033[?1049l')"
        expect_out 'terminal restored'
    done
    run "$ADMIN" status --watch
    expect_rc 64
    finish
fi
