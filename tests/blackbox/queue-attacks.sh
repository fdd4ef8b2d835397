#!/bin/sh
# SPDX-License-Identifier: ISC
# What does not belong into the queue: links, pipes, folders, devices, other users' files.  None of it is read, sent, followed or
# waited for, and the mail beside it goes.
. "$(dirname "$0")/lib.sh"
own_file SENDMAIL

letter

# a case with a queue of our own and one good letter in it, for good@example.net
with_queue() {
    begin "$1"
    hub_start -
    Q=$T/queue
    rm -rf "$Q"
    mkdir -m 700 "$Q"
    conf_tls false '' "QueueDir=$Q"
    send -odq -f alice@example.org good@example.net
    expect_rc 0
    for f in "$Q"/queue/*; do GOOD=${f##*/}; done
}

# An id beside GOOD's
other_id() {
    printf '%sZ%s' "$GOOD" "$1"
}

# a record like the good one, for bad@example.net, at $1
forged() {
    sed 's/good@example.net/evil@example.net/' "$Q/queue/$GOOD" >"$1"
}

# Both programs that read the queue end in time, and the good letter is all that leaves.
only_good_goes() {
    timeout 60 "$SENDMAIL" -C "$T/conf" -bp >"$T/mailq" 2>"$T/err"
    rc=$?
    [ "$rc" -ne 124 ] || fail "mailq hangs"
    grep -qF good@example.net "$T/mailq" || fail "mailq does not show the good letter"
    if grep -qF -e evil@ -e 'SECRET' "$T/mailq"; then fail "mailq shows what it should not read"; fi
    if tr -d '\n' <"$T/mailq" | grep -q '[[:cntrl:]]'; then fail "a control character from mailq"; fi
    timeout 60 "$SENDMAIL" -C "$T/conf" -q >"$T/out" 2>"$T/err"
    rc=$?
    [ "$rc" -ne 124 ] || fail "sendmail -q hangs"
    expect_messages 1
    expect_env 'rcpt: <good@example.net>'
    [ ! -e "$Q/queue/$GOOD" ] || fail "the good letter is still there"
    if grep -qF -e SECRET -e evil@ "$HUB_DIR"/*.msg "$HUB_DIR"/*.env; then fail "something else was sent"; fi
}

with_queue "a symbolic link is not followed"
{ forged "$T/secret" && echo SECRET >>"$T/secret"; } || fail "no forged record"
cp "$T/secret" "$T/secret.before"
ln -s "$T/secret" "$Q/queue/$(other_id 1)"
ln -s /dev/zero "$Q/queue/$(other_id 2)"
ln -s nowhere "$Q/queue/$(other_id 3)"
ln -s "$Q/queue" "$Q/queue/$(other_id 4)"
only_good_goes
cmp -s "$T/secret" "$T/secret.before" || fail "the file behind the link was changed"
end

with_queue "a pipe, a folder and a socket are waited for by nobody"
mkfifo "$Q/queue/$(other_id 1)"
mkdir "$Q/queue/$(other_id 2)"
forged "$Q/queue/$(other_id 2)/$(other_id 3)"
if command -v python3 >/dev/null; then
    (cd "$Q/queue" && python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$(other_id 4)")
fi
only_good_goes
end

with_queue "a pipe in place of version or lock is refused at once"
for name in version lock; do
    rm -f "$Q/$name"
    mkfifo "$Q/$name"
    timeout 60 "$SENDMAIL" -C "$T/conf" -q >"$T/out" 2>"$T/err"
    rc=$?
    expect_rc 0,75,78
    timeout 60 "$SENDMAIL" -C "$T/conf" -bp >"$T/out" 2>"$T/err"
    rc=$?
    expect_rc 0,75,78
    rm -f "$Q/$name"
    echo precious >"$T/precious"
    ln -s "$T/precious" "$Q/$name"
    timeout 60 "$SENDMAIL" -C "$T/conf" -q >"$T/out" 2>"$T/err"
    rc=$?
    expect_rc 75,78
    [ "$(cat "$T/precious")" = precious ] || fail "the file behind $name was written to"
    rm -f "$Q/$name"
done
timeout 60 "$SENDMAIL" -C "$T/conf" -q || fail "afterwards -q ends with $?"
expect_messages 1
end

with_queue "folders of the queue that are links lead nowhere"
mkdir "$T/elsewhere"
for name in tmp failed corrupt; do
    rmdir "$Q/$name"
    ln -s "$T/elsewhere" "$Q/$name"
done
timeout 60 "$SENDMAIL" -C "$T/conf" -q >"$T/out" 2>"$T/err"
rc=$?
expect_rc 75,78
[ -z "$(ls -A "$T/elsewhere")" ] || fail "something was put there"
send -f alice@example.org bob@example.net
expect_rc 0
[ -z "$(ls -A "$T/elsewhere")" ] || fail "something was put there"
end

with_queue "names that are no ids are not touched and not printed"
evil=$(printf 'A\033[2JB')
forged "$Q/queue/$evil"
forged "$Q/queue/.hidden"
forged "$Q/queue/lower"
forged "$Q/queue/$(printf 'A\nB')"
forged "$Q/queue/$(awk 'BEGIN {for (i = 0; i < 200; i++) printf "A"}')"
only_good_goes
[ -e "$Q/queue/.hidden" ] || fail ".hidden was touched"
end

with_queue "a file that claims to be endless costs neither time nor memory"
printf 'smtprelay-record 1 %020d %020d\n' 999999999999999 999999999999999 >"$T/head"
cp "$T/head" "$Q/queue/$(other_id 1)"
truncate -s 1T "$Q/queue/$(other_id 1)" 2>/dev/null
sed 's/^smtprelay-record 1 [0-9]*/smtprelay-record 1 18446744073709551615/' "$Q/queue/$GOOD" >"$Q/queue/$(other_id 2)"
awk 'BEGIN {for (i = 0; i < 300000; i++) print "rcpt o evil@example.net - -"}' >"$Q/queue/$(other_id 3)"
: >"$Q/queue/$(other_id 4)"
truncate -s 5M "$Q/queue/$(other_id 5)"
only_good_goes
for n in 1 2 3 4 5; do
    [ -e "$Q/corrupt/$(other_id $n)" ] || fail "no. $n is not in corrupt/"
done
end

with_queue "an unreadable file stops nobody"
forged "$Q/queue/$(other_id 1)"
chmod 000 "$Q/queue/$(other_id 1)"
if [ "$(id -u)" -eq 0 ]; then
    # root reads it all the same: another user's queue
    chown -R nobody "$Q"
fi
only_good_goes
[ -e "$Q/corrupt/$(other_id 1)" ] || fail "it is not in corrupt/, where it would be noticed"
end

with_queue "another user's file is not sent, though it looks like a record"
if [ "$(id -u)" -eq 0 ]; then
    chown -R nobody "$Q"
    forged "$Q/queue/$(other_id 1)"
    chmod 644 "$Q/queue/$(other_id 1)"
    forged "$Q/queue/$(other_id 2)"
    chmod 644 "$Q/queue/$(other_id 2)"
    chown 64213 "$Q/queue/$(other_id 2)"
    forged "$T/roots-own"
    echo SECRET >>"$T/roots-own"
    chmod 644 "$T/roots-own"
    ln "$T/roots-own" "$Q/queue/$(other_id 3)" 2>/dev/null
    mknod "$Q/queue/$(other_id 4)" c 1 5 2>/dev/null
    only_good_goes
    grep -q SECRET "$T/roots-own" || fail "the file of the hard link was changed"
    end
else
    hub_stop
    echo "ok (skipped, needs root) $CASE"
fi

with_queue "a record with a second name is not sent twice"
ln "$Q/queue/$GOOD" "$Q/queue/$(other_id 1)"
timeout 60 "$SENDMAIL" -C "$T/conf" -q
timeout 60 "$SENDMAIL" -C "$T/conf" -q
n=$(count_messages)
[ "$n" -le 1 ] || fail "it was sent $n times"
[ -z "$(ls -A "$Q/queue")" ] || fail "it is still there, to be sent again and again"
end
