#!/bin/sh
# SPDX-License-Identifier: ISC
# Presets: provider = "gmail" in place of host, port and rules, shown by check, overridden by every setting, extended by the administrator.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ROOT=$O/root-provider # the compiled-in paths of these programs lie below it
daemon_stage
OWN_TABLE=$ROOT/etc/smtprelay/providers

# A table of our own with one entry at the hub: own_table VALUES
own_table() {
    mkdir -p "$ROOT/etc/smtprelay"
    printf 'providers = ( { names = ( "own", "our own" ); mailhub = "127.0.0.1:%s"; UseTLS = "false"; %s } );\n' "$HUB_PORT" "$1" >"$OWN_TABLE"
}
check() {
    timeout 60 "$ADMIN" -C "$T/conf" check >"$T/out" 2>"$T/err"
    rc=$?
}
rm -f "$OWN_TABLE"

begin "check shows what came from the preset, and what the file says stands"
conf mailhub= provider=gmail AuthUser=me@gmail.com "AuthPass=$PASSWORD"
check
expect_rc 0
expect_out 'mailhub = "smtp.gmail.com:465";  # preset gmail'
expect_out "provider = \"gmail\";  # $T/conf line"
expect_out '# sends as From and FromAllowed only  # preset gmail'
conf mailhub=localhost:2525 provider=office365 AuthUser=me@corp.example "AuthPass=$PASSWORD" RateLimit=5/m
check
expect_rc 0
expect_out "mailhub = \"localhost:2525\";  # $T/conf line"
expect_out "RateLimit = \"5/m\";  # $T/conf line"
expect_out '# at most 3 connections at a time  # preset office365'
end

begin "a preset of one account shows with it"
cat >"$T/conf" <<END
mailhub = "localhost"; hostname = "client.example.org";
accounts = ( { name = "bulk"; sender = "@corp.example"; provider = "office365"; } );
END
chmod 600 "$T/conf"
check
expect_rc 0
expect_out 'mailhub = "smtp.office365.com:587";  # preset office365'
expect_out 'RateLimit = "30/m";  # preset office365'
[ "$(grep -c 'preset' "$T/out")" -eq 4 ] || fail "$(grep preset "$T/out")"
end

begin "an address at a provider of many allows no other there, without a preset, too"
conf mailhub=localhost From=me@gmail.com
check
expect_rc 0
expect_out '# sends as From and FromAllowed only  # preset gmail'
end

begin "a provider nobody knows is an error that names the nearest"
conf mailhub= provider=fastmial
check
expect_rc 78
expect_err "$T/conf line"
expect_err 'provider: "fastmial" is not known; did you mean "fastmail"?'
end

begin "an entry of the administrator's own brings mail to the smarthost, with its rules"
hub_start - --tls none
own_table 'OwnSender = true; NoNullSender = true;'
conf mailhub= provider=own From=alerts@example.org
timeout 60 "$SENDMAIL" -C "$T/conf" -i -f alice@example.org bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_messages 1
expect_env 'mail: <alerts@example.org>'
timeout 60 "$SENDMAIL" -C "$T/conf" -i -f '' bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_messages 2
expect_env 'mail: <alerts@example.org>'
expect_no_dialog 'MAIL FROM:<>'
end

begin "an entry of the administrator's own comes before the installed one, and a wrong one is named"
hub_start - --tls none
own_table ''
sed -i 's/"our own"/"gmail"/' "$OWN_TABLE"
conf mailhub= provider=gmail
timeout 60 "$SENDMAIL" -C "$T/conf" -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_messages 1
own_table 'Conections = 1;'
check
expect_rc 78
expect_err "$OWN_TABLE line 1: Conections: unknown setting; did you mean Connections?"
end

# Each message takes half a second: with four workers there would be four connections
cat >"$T/script" <<'END'
on dot
    sleep 500ms
    default
END
begin "the daemon opens no more connections to an account's smarthost than its preset says"
rm -rf "$QUEUE"
hub_start "$T/script" --tls none
own_table 'Connections = 1;'
daemon_conf mailhub= provider=own Workers=4
daemon_start
for i in 1 2 3 4; do
    timeout 60 "$SENDMAIL" -odb -i "user$i@example.net" <"$MSG" || fail "not taken"
done
four() { [ "$(count_messages)" -eq 4 ]; }
wait_for 60 four || fail "$(count_messages) messages came"
set -- "$HUB_DIR"/session-*.log
[ $# -eq 1 ] || fail "$# connections"
finish

rm -f "$OWN_TABLE"
