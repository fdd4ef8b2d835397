#!/bin/sh
# SPDX-License-Identifier: ISC
# What a shell completes is what the program takes: each command and option of --help, ids of what waits, nothing else.
# shellcheck disable=SC2034,SC2154 # lib.sh reads and sets some
. "$(dirname "$0")/lib.sh"

ADMIN=$O/root/sbin/smtprelay
BASH_COMPLETION=$TESTS/../packaging/completion/smtprelay.bash
ZSH_COMPLETION=$TESTS/../packaging/completion/_smtprelay
command -v bash >/dev/null || skip_all "bash is not there"

# what bash offers for the words, the last of which is not complete
offered() {
    PATH=$T/bin:$PATH bash -c '
        . "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _smtprelay
        [ "${#COMPREPLY[@]}" -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$BASH_COMPLETION" "$@" >"$T/out" 2>"$T/err" || fail "bash: $(cat "$T/err")"
    [ ! -s "$T/err" ] || fail "bash says: $(head -n 1 "$T/err")"
}
expect_offer() { grep -qxF -e "$1" "$T/out" || fail "'$1' is not offered: $(tr '\n' ' ' <"$T/out")"; }
expect_no_offer() { if grep -qxF -e "$1" "$T/out"; then fail "'$1' is offered"; fi; }

mkdir -p "$T/bin"
cat >"$T/bin/smtprelay" <<'END'
#!/bin/sh
case $1 in
queue) printf 'ID AGE\n0ABC12 5m 1.0K <a@x> <b@y> why\n0ABD34 5m 1.0K <a@x> <b@y> why\n' ;;
status) printf 'queue: 2 messages\naccount default: ok, 2 messages\naccount other: why: x\naccount $(touch ran): ok\naccount `touch ran`: ok\n' ;;
esac
END
chmod 755 "$T/bin/smtprelay"
"$ADMIN" --help >"$T/help"

begin "bash completes each command and each option of --help"
offered smtprelay ''
for word in $(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' "$T/help" | sort -u); do expect_offer "$word"; done
offered smtprelay st
[ "$(cat "$T/out")" = status ] || fail "'st' becomes $(cat "$T/out")"
: >"$T/all"
for word in $(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' "$T/help" | sort -u) ''; do
    offered smtprelay ${word:+"$word"} -
    cat "$T/out" >>"$T/all"
done
cp "$T/all" "$T/out"
for word in $(grep -o -- '--[a-z][a-z-]*' "$T/help" | sort -u); do expect_offer "$word"; done
for word in $(grep -e '^--' "$T/all" | grep -v -x -e --version -e --help | sort -u); do
    grep -qF -e "$word" "$T/help" || fail "$word is offered, --help does not know it"
done
end

begin "bash completes ids and accounts"
offered smtprelay show ''
expect_offer 0ABC12
expect_offer 0ABD34
expect_no_offer ID
offered smtprelay -C /etc/x remove 0ABC
[ "$(cat "$T/out")" = 0ABC12 ] || fail "0ABC becomes $(cat "$T/out")"
offered smtprelay queue --account ''
expect_offer default
expect_offer other
[ ! -e ran ] || fail "a name was run as a command: $(rm ran)"
end

begin "in logwatch's report no reply of a smarthost makes sent of refused"
if command -v perl >/dev/null; then
    printf 'id=0ABC11 uid=-1 client=[192.0.2.9] from=<a@x> to=<b@y> size=9 relay=z status=sent\n' |
        LOGWATCH_DETAIL_LEVEL=5 perl "$TESTS/../packaging/logwatch/smtprelay" >"$T/out" 2>&1
    grep -q 'TCP from \[192.0.2.9\]' "$T/out" || fail "it does not say from where: $(cat "$T/out")"
    printf 'id=0ABC12 uid=0 from=<a@x> to=<b@y> size=9 relay=z status=refused why="550 no status=sent why="x"\n' |
        perl "$TESTS/../packaging/logwatch/smtprelay" >"$T/out" 2>&1
    grep -qF 'refused: from <a@x> to <b@y>: 550 no status=sent' "$T/out" || fail "$(cat "$T/out")"
fi
end

begin "zsh knows each command of --help, and both files are shell"
bash -n "$BASH_COMPLETION" || fail "bash -n"
for word in $(sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' "$T/help" | sort -u); do
    grep -q "^        '$word:" "$ZSH_COMPLETION" || fail "zsh does not know $word"
done
if command -v zsh >/dev/null; then zsh -n "$ZSH_COMPLETION" || fail "zsh -n"; fi
end
