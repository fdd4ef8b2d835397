#!/bin/sh
# SPDX-License-Identifier: ISC
# Names of recipients: aliases, `root`, MinUserId, own names, as the caller of `sendmail` sees them.
# shellcheck source-path=SCRIPTDIR
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

hub_options='--tls none'
ADMIN=$O/root/sbin/smtprelay
letter

# a_machine SENTENCE [settings]: a case with a hub and $T/aliases
a_machine() {
    begin "$1"
    shift
    # shellcheck disable=SC2086 # two words
    hub_start "${SCRIPT:--}" $hub_options
    conf UseTLS=false "aliases=$T/aliases" rewriteDomain=example.org QueueDir= "$@"
    [ -e "$T/aliases" ] || : >"$T/aliases"
    chmod 644 "$T/aliases"
}
# expect_to ADDRESS...: exactly these got the last message
expect_to() {
    for a; do echo "rcpt: <$a>"; done | sort >"$T/want"
    grep '^rcpt: ' "$HUB_DIR/$(count_messages).env" 2>/dev/null | sed 's/> .*/>/' | sort >"$T/got"
    cmp -s "$T/want" "$T/got" || fail "to $(tr '\n' ' ' <"$T/got")"
}

cat >"$T/aliases" <<'END'
staff: Bob <bob@example.net>,
# a comment in between
	carol@example.net
root: staff, root
"with blank": bob@example.net
pipe: bob@example.net, "|/bin/cat >/tmp/x"
file: /dev/null
one: two
two: one
some: bad@example.net, bob@example.net
all-bad: bad@example.net, bad2@example.net
END

a_machine "an alias leads to all its members, in header and envelope once each" root=admin@example.net
send -i staff STAFF@localhost '"with blank"'
expect_rc 0
expect_to bob@example.net carol@example.net
end

a_machine "aliases come first, then root for accounts of the system, then the domain" root=admin@example.net
send -i root
expect_rc 0
expect_to bob@example.net carol@example.net admin@example.net
send -i daemon zz-nobody-knows@localhost.localdomain zz-other@client.example.org dave@example.net
expect_rc 0
expect_to admin@example.net zz-nobody-knows@example.org zz-other@example.org dave@example.net
end

a_machine "MinUserId = 0 leaves accounts of the system what they are" root=admin@example.net MinUserId=0
send -i daemon
expect_rc 0
expect_to daemon@example.org
end

a_machine "programs and files are refused with the line that names them, and nobody gets the message"
send -i pipe dave@example.net
expect_rc 67
expect_one_line
expect_err "$T/aliases line 6: |/bin/cat >/tmp/x"
send -i file
expect_rc 67
expect_err "$T/aliases line 7: /dev/null"
send -i one
expect_rc 67
expect_err "circle"
expect_messages 0
end

printf '%s\n' 'on RCPT *<bad*' '    reply 550 5.1.1 no such user' >"$T/script"
SCRIPT=$T/script
a_machine "what an alias expanded is refused only if all its members are, and where no queue tells of one it is said at once"
send -i all-bad dave@example.net
expect_rc 67
expect_err all-bad
expect_to dave@example.net
send -i some
expect_rc 0
expect_to bob@example.net
expect_err 'some (bad@example.net)'
send -i -oeq some
expect_rc 0
[ ! -s "$T/err" ] || fail "-oeq is not silent"
send -i all-bad
expect_rc 67
expect_one_line
expect_messages 3
end
SCRIPT=-

printf 'a: b@example.net\nboth: first@example.net\n*: all@example.net\n' >"$T/aliases"
printf 'both: second@example.net\nlater: l@example.net\n' >"$T/aliases2"
chmod 644 "$T/aliases2"
a_machine "of several aliases files the first that has a name counts, and * is for names that none has" \
    "aliases=( \"$T/aliases\", \"$T/aliases2\" )" root=admin@example.net
send -i a both later daemon zz-else
expect_rc 0
expect_to b@example.net first@example.net l@example.net all@example.net
end

{ printf 'crowd: '; awk 'BEGIN {for (i = 0; i < 10000; i++) printf "%sr%d@example.net", i ? ",\n " : "", i; print ""}'; } >"$T/aliases"
a_machine "an alias may lead to ten thousand addresses, and naming it in other ways adds none" Timeout=60s
send -i crowd Crowd CROWD@localhost
expect_rc 0
n=$(cat "$HUB_DIR"/*.env | grep -c '^rcpt: ')
[ "$n" -eq 10000 ] || fail "$n recipients"
end

rm -f "$T/aliases"
mkfifo "$T/fifo"
a_machine "an aliases file that is no file stops mail to names of this machine, and no other" "aliases=$T/fifo"
send -i root
expect_rc 75,78
expect_err "$T/fifo"
expect_one_line
send -i bob@example.net
expect_rc 0
end

printf 'l: :include:%s\nm: :include:%s\nn: :include:%s\nok: :include:%s\n' "$T/dangling" "$T/open" "$T/foreign" "$T/list" >"$T/aliases"
ln -s "$T/nowhere" "$T/dangling"
for f in open foreign list; do echo "x@example.net" >"$T/$f"; done
chmod 666 "$T/open"
chmod 644 "$T/foreign" "$T/list"
a_machine "lists that are missing, anybody's to write or not root's lead nowhere, and the line says which"
if [ "$(id -u)" -eq 0 ]; then
    chown 1 "$T/foreign"
    send -i ok
    expect_rc 0
    expect_to x@example.net
fi
send -i l
expect_rc 67
expect_err "$T/aliases line 1: cannot open $T/dangling"
send -i m
expect_rc 67
expect_err "$T/aliases line 2: $T/open: the list is not root's alone to write"
send -i n
expect_rc 67
expect_err "$T/foreign"
end

awk 'BEGIN {printf "long: "; for (i = 0; i < 1000000; i++) printf "x"; print "@example.net"}' >"$T/aliases"
printf 'nul: a@example.net\000b\nok: o@example.net\n' >>"$T/aliases"
a_machine "a line of a million octets and one with a NUL spoil neither the others nor the terminal"
send -i ok
expect_rc 0
expect_to o@example.net
send -i long
expect_rc 67
expect_one_line
[ "$(wc -c <"$T/err")" -lt 1200 ] || fail "$(wc -c <"$T/err") octets on stderr"
end

# ---------------------------------------------------------------- the way of an address

# run PROGRAM ARGUMENTS...
run() {
    timeout 60 "$@" >"$T/out" 2>"$T/err" </dev/null
    rc=$?
}
cat >"$T/aliases" <<'END'
staff: bob, carol@partner.example
pipe: |prog
END
accounts='( { name = "partners"; recipient = "@partner.example"; mailhub = ( "a.example:25", "b.example:25" ); fallback = "spare"; From = "p@example.com"; },
  { name = "shop"; sender = "@shop.example"; mailhub = "shop.example:25"; },
  { name = "spare"; user = "4711"; mailhub = "spare.example:25"; } )'
a_machine "sendmail -bv says in a line where mail for each address goes, or 67" root=admin@example.net "accounts=$accounts"
run "$SENDMAIL" -C "$T/conf" -bv dave@example.net staff daemon
expect_rc 0
expect_out "dave@example.net: dave@example.net by 127.0.0.1:$HUB_PORT"
expect_out "staff: bob@example.org by 127.0.0.1:$HUB_PORT, carol@partner.example by a.example:25"
expect_out "daemon: admin@example.net by"
run "$SENDMAIL" -C "$T/conf" -bv dave@example.net pipe
expect_rc 67
expect_one_line
expect_out "dave@example.net: dave@example.net by"
expect_out "pipe: refused: $T/aliases line 2: |prog"
expect_messages 0
end

a_machine "smtprelay check ADDRESS shows each step, the account with its key, the smarthosts and what takes over" root=admin@example.net \
    "accounts=$accounts"
run "$ADMIN" -C "$T/conf" check staff
expect_rc 0
expect_out "staff: the alias, $T/aliases line 1: bob, carol@partner.example"
expect_out "bob: no alias, and no user of this machine"
expect_out "> bob@example.org"
expect_out "by account default (no account's keys match): 127.0.0.1:$HUB_PORT"
expect_out "> carol@partner.example"
expect_out "by account partners (recipient @partner.example for carol@partner.example): a.example:25, else b.example:25"
expect_out "else by account spare: not for uid $(id -u)"
expect_out "which goes out as <p@example.com> (FromPolicy auto)"
run "$ADMIN" -C "$T/conf" check --from me@shop.example daemon
expect_rc 0
expect_out "is below MinUserId (1000), so its mail is root's"
expect_out "> admin@example.net"
expect_out "by account shop (sender @shop.example for me@shop.example): shop.example:25"
# in the domain of the account's own
run "$ADMIN" -C "$T/conf" check --from x@example.com bob@partner.example
expect_out "from <x@example.com>, which goes out as <x@example.com>"
run "$ADMIN" -C "$T/conf" check --from "<>" bob@partner.example
expect_out "from <>, which goes out as <>"
run "$ADMIN" -C "$T/conf" check pipe
expect_rc 67
expect_one_line
run "$ADMIN" -C "$T/conf" check --nonsense pipe
expect_rc 64
run "$ADMIN" -C "$T/conf" check --user zz-no-such bob
expect_rc 67
# as many words as the command line takes: sender and user take the place of two
# shellcheck disable=SC2046 # a list of addresses
run "$ADMIN" -C "$T/conf" check $(seq -f 'a%g@partner.example' 999)
expect_rc 64
expect_err "too many words"
# without the daemon it is the caller's own business
run "$ADMIN" -C "$T/conf" check --user=4711 carol@partner.example
expect_rc 0
expect_out "else by account spare: spare.example:25"
expect_messages 0
end
