#!/bin/sh
# SPDX-License-Identifier: ISC
# What a new user reads when something is wrong, word for word: one line that says what, where, why and what to look at.
set -u
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/lib.sh"
SBIN=$O/root/sbin
HOME=$T
export HOME
unset XDG_CONFIG_HOME
letter

trim() { printf %s "$1" | sed 's/^ *//; s/ *$//'; }

# line PATTERN with HUB and WHERE in it
expect_line() {
    pattern=$(printf %s "$1" | sed "s|WHERE|$T/conf|; s|HUB|127.0.0.1:$HUB_PORT|")
    [ "$(wc -l <"$T/err")" -eq 1 ] || fail "$(wc -l <"$T/err") lines, not one"
    # shellcheck disable=SC2254 # a pattern
    case $(cat "$T/err") in
    $pattern) ;;
    *) fail "'$pattern' is not what it says" ;;
    esac
}

try_hub() {
    login=$1 what=$2
    # shellcheck disable=SC2046 # options
    set -- $(printf %s "$what" | sed "s|-s |-s $TESTS/hub/scripts/|; s|\(scripts/[a-z0-9-]*\)|\1.hub|")
    hub_start - -u alice "$@"
    if [ "$login" = yes ]; then
        conf_tls starttls login ConnectTimeout=1s
    else
        conf UseTLS=false ConnectTimeout=1s
    fi
    send bob@example.net
}

try() {
    who=$1 what=$2
    case $who in
    check)
        printf '%s\n' "$what" >"$T/conf"
        chmod 600 "$T/conf"
        run "$SBIN/smtprelay" -C "$T/conf" check
        ;;
    way) try_hub no "$what" ;;
    login) try_hub yes "$what" ;;
    to)
        # shellcheck disable=SC2046 # settings
        conf UseTLS=false ConnectTimeout=1s $(printf %s "$what" | sed 's/\[\[\]/[/; s/\[\]\]/]/' | tr , ' ')
        send bob@example.net
        ;;
    *)
        # shellcheck disable=SC2086 # arguments
        run "$SBIN/$who" $what
        ;;
    esac
}

while IFS='|' read -r who what code line; do
    case $who in '' | '#'*) continue ;; esac
    who=$(trim "$who") what=$(trim "$what")
    begin "$who $what"
    try "$who" "$what" </dev/null
    expect_rc "$(trim "$code")"
    expect_line "$(trim "$line")"
    end
done <"$(dirname "$0")/messages.table"
