#!/bin/sh
# SPDX-License-Identifier: ISC
# A connection that is used for more than one message, and what its end means for the second one.
. "$(dirname "$0")/lib.sh"

letter

# say_message WHO COMMAND: in a session, behind that command
say_message() {
    printf '%s\r\nMAIL FROM:<alice@example.org>\r\nRCPT TO:<%s@example.net>\r\nDATA\r\nSubject: %s\r\n\r\nhi\r\n.\r\n' "$2" "$1" "$1"
}
has_message() { [ -e "$HUB_DIR/1.env" ]; }

# two_messages: by one `sendmail -bs`, so that the second finds a warm connection
two_messages() {
    {
        say_message bob 'EHLO x'
        say_message carol NOOP
        printf 'QUIT\r\n'
    } >"$T/dialog"
    timeout 60 "$SENDMAIL" -C "$T/conf" -bs <"$T/dialog" >"$T/out" 2>"$T/err"
}

sessions() {
    set -- "$HUB_DIR"/session-*.log
    echo $#
}

begin "a second message goes over the warm connection"
hub_start -
conf_tls false ''
two_messages
expect_messages 2
[ "$(sessions)" -eq 1 ] || fail "$(sessions) connections"
expect_manners
end

begin "a warm connection that is closed before any answer costs no message and no copy"
printf 'on MAIL nth 2\n    close\n' >"$T/script"
hub_start "$T/script"
conf_tls false ''
two_messages
expect_messages 2
[ "$(sessions)" -eq 2 ] || fail "$(sessions) connections"
end

begin "a warm connection that falls silent is not tried again at once: the message may have been taken"
printf 'on MAIL nth 2\n    sleep 50s\n' >"$T/script"
hub_start "$T/script"
conf_tls false '' Timeout=2s
two_messages
[ "$(sessions)" -eq 1 ] || fail "$(sessions) connections"
grep -q '^4.*no answer in time' "$T/out" || fail "the client is not told to try again later"
end

# The first recipient is told to wait while the other one is served, and gets a transaction of its own
begin "a warm connection that is closed behind a message that one recipient has costs no second copy"
printf '%s\n' 'on RCPT *carol* session 1' '    reply 452 4.2.2 mailbox full' 'on MAIL nth 3 session 1' '    close' >"$T/script"
hub_start "$T/script"
conf_tls false ''
{
    say_message bob 'EHLO x'
    say_message carol NOOP | sed 's/^RCPT TO.*/&\nRCPT TO:<dave@example.net>\r/'
    printf 'QUIT\r\n'
} >"$T/dialog"
timeout 60 "$SENDMAIL" -C "$T/conf" -bs <"$T/dialog" >"$T/out" 2>"$T/err"
[ "$(cat "$HUB_DIR"/*.env | grep -c '^rcpt: <dave@')" -eq 1 ] || fail "dave has it more than once"
end

# Its rules of confinement stand for the files that were there when it began
begin "a warm worker looks up names in a file that was put in /etc/hosts' place"
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    printf 'on accepted nth 1\n    close\n' >"$T/script"
    hub_start "$T/script"
    conf_tls false '' "mailhub=hub.test:$HUB_PORT"
    mkdir -p "$T/etc"
    cp /etc/passwd /etc/group "$T/etc"
    echo '127.0.0.1 localhost hub.test' >"$T/etc/hosts"
    # shellcheck disable=SC2016 # the inner shell's
    {
        say_message bob 'EHLO x'
        wait_for 30 has_message
        echo '127.0.0.1 localhost hub.test' >"$T/etc/hosts.new"
        mv "$T/etc/hosts.new" "$T/etc/hosts"
        say_message carol NOOP
        printf 'QUIT\r\n'
    } | timeout 60 unshare -m sh -c 'mount --bind "$1" /etc && shift && exec "$@"' sh "$T/etc" \
        "$SENDMAIL" -C "$T/conf" -bs >"$T/out" 2>"$T/err"
    expect_messages 2
fi
end
