#!/bin/sh
# SPDX-License-Identifier: ISC
# Line breaks, controls and escape sequences in whatever a caller may pass: refused, or harmless text. inject.table has the arguments.
. "$(dirname "$0")/table-run"

printf 'To: bob@example.net\nSubject: a letter\n\ntext\n' >"$T/in/letter"
: >"$T/in/empty"
printf 'To: bob@example.net\rX-Injected: 1\nSubject: a\r\rX-Injected: 2\n\ntext\n' >"$T/in/cr-header"
printf 'To: bob@example.net\nSubject: a\000\n\ntext\n' >"$T/in/nul-header"
printf 'To: bob@example.net\n\na\000b\n' >"$T/in/nul-body"
printf 'To: bob@example.net\n\na\r.\rMAIL FROM:<evil@example.com>\r\n.\r\nRCPT TO:<evil@example.com>\n.\nQUIT\n' >"$T/in/smuggle"
printf 'a\r\n.\r\nMAIL FROM:<evil@example.com>\r\n.\r\nRCPT TO:<evil@example.com>\r\n.\r\nQUIT\r\n' >"$T/body/smuggle"
printf 'To: "evil\n <x@example.com>" <bob@example.net>\nSubject: x\n\ntext\n' >"$T/in/folded-quote"
printf 'To: bob@example.net>\n RCPT TO:<evil@example.com\nSubject: x\n\ntext\n' >"$T/in/folded-rcpt"
printf 'To: bob@example.net\nFrom: x>\n RCPT TO:<evil@example.com\nSubject: x\n\ntext\n' >"$T/in/folded-from"

# No command, header or address that the arguments smuggled in, in anything the hub has seen
nothing_injected() {
    begin "nothing of the table became a command or a header field"
    if grep -qiE '^C: *(RCPT TO:<evil|MAIL FROM:<evil|X-Injected)' "$HUB_DIR"/session-*.log; then fail "a command was smuggled in"; fi
    for msg in "$HUB_DIR"/*.msg; do
        if header_of "$msg" | grep -qi '^X-Injected'; then fail "a field in $msg"; fi
        if header_of "$msg" | LC_ALL=C tr -d '\n\t' | LC_ALL=C grep -q '[[:cntrl:]]'; then fail "a control character in the header of $msg"; fi
    done
    [ ! -e "$T/never" ] || fail "a file was written"
    end
}

# The same user with another GECOS field, where a mount namespace can be had
with_gecos() {
    printf 'root:x:0:0:%s:/root:/bin/sh\n' "$1" >"$T/passwd"
    timeout 60 unshare -m sh -c 'mount --bind "$1" /etc/passwd && shift && exec "$@"' sh "$T/passwd" \
        "$SENDMAIL" -C "$T/conf" bob@example.net <"$T/in/letter" >"$T/out" 2>"$T/err"
    # shellcheck disable=SC2034 # expect_rc reads it
    rc=$?
}

gecos() {
    begin "the GECOS field '$(printf %s "$1" | tr -c '[:print:]' '?')' makes $2"
    if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
        echo "ok (skipped: no mount namespace) $CASE"
        return
    fi
    before=$(count_messages)
    with_gecos "$1"
    expect_rc 0
    expect_messages $((before + 1))
    # shellcheck disable=SC2034 # row_check reads it
    now=$(count_messages)
    [ -n "$WHY" ] || row_check "head=$2"
    if [ -z "$WHY" ]; then echo "ok $CASE"; else echo "not ok $CASE: $WHY"; fi
}

hub_start -
table_conf
table_run "$TESTS/blackbox/inject.table"
gecos 'Root, The <evil@example.com>' 'From: "Root" <root@example.org>'
gecos 'Ro"ot\ <evil@example.com>' 'From: "Ro\"ot\\ <evil@example.com>" <root@example.org>'
gecos "Ro${CR}X-Injected${ESC}[2J" 'From: "Ro X-Injected [2J" <root@example.org>'
gecos 'Root &,room' 'From: "Root Root" <root@example.org>'
nothing_injected

begin "neither an address nor what the smarthost says makes a field of its own in the log"
hub_stop
printf 'on accepted\n    default\non dot\n    reply 250 2.0.0 ok" status=failed why="never\n' >"$T/script"
hub_start "$T/script" --tls none
table_conf
printf 'LogFile = "-";\n' >>"$T/conf"
timeout 60 "$SENDMAIL" -C "$T/conf" -i -f '"x> to=<y@z.example> size=1 status=failed"@a.example' '"q> status=failed"@example.net' \
    <"$T/in/letter" >"$T/out" 2>"$T/err"
# shellcheck disable=SC2034 # expect_rc reads it
rc=$?
expect_rc 0
expect_messages 1
tr ' ' '\n' <"$T/err" >"$T/words"
[ "$(grep -c '^from=<.*>$' "$T/words")-$(grep -c '^to=<.*>$' "$T/words")-$(grep -c '^size=' "$T/words")" = 1-1-1 ] || fail "$(cat "$T/err")"
[ "$(sed -n 's/.* reply="\([^"]*\)".*/\1/p' "$T/err")" = "250 2.0.0 ok' status=failed why='never" ] || fail "$(cat "$T/err")"
end
