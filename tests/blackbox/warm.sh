#!/bin/sh
# SPDX-License-Identifier: ISC
# A connection that is used for more than one message, and what its end means for the second one.
. "$(dirname "$0")/lib.sh"

letter

# two_messages: by one `sendmail -bs`, so that the second finds a warm connection
two_messages() {
    {
        printf 'EHLO x\r\n'
        for r in bob carol; do
            printf 'MAIL FROM:<alice@example.org>\r\nRCPT TO:<%s@example.net>\r\nDATA\r\nSubject: %s\r\n\r\nhi\r\n.\r\n' $r $r
        done
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
conf_tls false ''
two_messages
[ "$(sessions)" -eq 1 ] || fail "$(sessions) connections"
grep -q '^4.*no answer in time' "$T/out" || fail "the client is not told to try again later"
end
