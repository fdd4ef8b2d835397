#!/bin/sh
# SPDX-License-Identifier: ISC
# `smtprelay setup ADDRESS`: tried before it is written, asked for without echo, and never over what is there.
set -u
# shellcheck source=tests/blackbox/lib.sh
. "$(dirname "$0")/lib.sh"
SMTPRELAY=$O/root/sbin/smtprelay
TMPDIR=$T/tmp
export TMPDIR
mkdir -p "$TMPDIR"

# setup ARGUMENTS... with the password on standard input, for the hub
setup() {
    printf '%s\n' "${TYPED-$PASSWORD}" | timeout 100 "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup alice@example.org \
        --mailhub "127.0.0.1:$HUB_PORT" --tls starttls --ca-file "$CA" --user "$USER_NAME" "$@" >"$T/out" 2>"$T/err"
    rc=$?
}

# the same at a terminal: at_terminal ANSWERS ARGUMENTS...
at_terminal() {
    answers=$1
    shift
    timeout 100 python3 "$TESTS/blackbox/terminal.py" "$answers" "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup alice@example.org \
        --mailhub "127.0.0.1:$HUB_PORT" --tls starttls --ca-file "$CA" --user "$USER_NAME" "$@" >"$T/out" 2>"$T/err"
}

fresh() {
    rm -rf "$T/new"
    mkdir "$T/new"
}

good_hub() {
    hub_start - --tls starttls --auth 'PLAIN' --require-auth
}

expect_no_trace() {
    [ -z "$(ls -A "$TMPDIR")" ] || fail "a file is left: $(ls "$TMPDIR")"
    no_secret_in_clear
}

begin "an account is set up in one command, tried, and its test mail arrives"
good_hub
fresh
setup
expect_rc 0
expect_messages 1
expect_env 'rcpt: <alice@example.org>'
expect_env 'auth: PLAIN alice'
[ "$(grep -c '^ok  *connection' "$T/out")" -eq 1 ] || fail "the way is shown twice: $(cat "$T/out")"
expect_out 'ok: mail is taken'
expect_not_out 'smtprelay test ADDRESS'
for f in smtprelay.conf smtprelay.secret; do
    case $(stat -c %a "$T/new/$f") in
    600) ;;
    640) [ "$(stat -c %U:%G "$T/new/$f")" = root:smtprelay ] || fail "$f is for $(stat -c %U:%G "$T/new/$f")" ;;
    *) fail "$f has mode $(stat -c %a "$T/new/$f")" ;;
    esac
done
[ "$(cat "$T/new/smtprelay.secret")" = "$PASSWORD" ] || fail "the password is another"
"$SMTPRELAY" -C "$T/new/smtprelay.conf" check >"$T/out" 2>&1 || fail "the check refuses it"
expect_no_trace
end

begin "the same again changes nothing, and is no error"
good_hub
fresh
setup --no-test
before=$(cat "$T/new/smtprelay.conf" "$T/new/smtprelay.secret"; ls "$T/new")
setup
expect_rc 0
expect_out 'the same already'
[ "$before" = "$(cat "$T/new/smtprelay.conf" "$T/new/smtprelay.secret"; ls "$T/new")" ] || fail "something changed"
end

begin "with a wrong password nothing is written"
good_hub
fresh
TYPED=wrong
setup
unset TYPED
expect_rc 77
expect_err 'nothing was written'
expect_err 'with the right password'
if grep -q -e --ca-file "$T/err"; then fail "a CA is spoken of: $(cat "$T/err")"; fi
expect_out 'tried: PLAIN as alice'
[ -z "$(ls -A "$T/new")" ] || fail "there is $(ls "$T/new")"
expect_messages 0
expect_no_trace
end

begin "what cannot be is said before a password is asked for"
good_hub
fresh
at_terminal "Password=$PASSWORD\\n" --tls sometimes
expect_out 'exit 78'
expect_out 'UseTLS: "sometimes" will not do'
expect_not_out 'Password of'
printf 'mailhub = "other.example.org";\n' >"$T/new/smtprelay.conf"
setup --tls sometimes
expect_rc 78
expect_err 'UseTLS: "sometimes" will not do'
if grep -q 'nothing of it can be kept' "$T/err"; then fail "what is there is blamed: $(cat "$T/err")"; fi
end

begin "what failed says how it is run again"
fresh
HUB_PORT=1 # nobody listens there
setup
expect_rc 75
expect_err '--mailhub HOST:465 or HOST:587'
hub_start - --tls starttls --cert untrusted --auth PLAIN
setup --tls starttls
expect_rc 77
expect_err '--ca-file FILE'
if grep -q 'right password' "$T/err"; then fail "the password is spoken of: $(cat "$T/err")"; fi
[ -z "$(ls -A "$T/new")" ] || fail "there is $(ls "$T/new")"
end

begin "what the user has written stays, and the new one lies beside it"
good_hub
fresh
printf '# mine\nmailhub = "other.example.org"; AuthUser = "a"; AuthPass = "hidden";\n' >"$T/new/smtprelay.conf"
chmod 600 "$T/new/smtprelay.conf"
setup
expect_rc 78
expect_err 'is left as it is'
expect_out '- AuthPass... ***'
expect_out "+ mailhub = \"127.0.0.1:$HUB_PORT\";"
if grep -q '^[-+] # mine' "$T/out"; then fail "a comment would go"; fi
if grep -q hidden "$T/out" "$T/err"; then fail "the former password is shown"; fi
grep -q '^# mine' "$T/new/smtprelay.conf" || fail "it was replaced"
grep -q "127.0.0.1:$HUB_PORT" "$T/new/smtprelay.conf.new" || fail "there is no new one"
grep -q '^# mine' "$T/new/smtprelay.conf.new" || fail "the new one has lost a comment"
expect_messages 0
end

begin "--force changes it, keeps what else was written and the former"
good_hub
fresh
printf '# mine\nmailhub = "other.example.org"; # why\nWorkers = 2;\n' >"$T/new/smtprelay.conf"
cp "$T/new/smtprelay.conf" "$T/mine"
setup --force
expect_rc 0
cmp -s "$T/mine" "$T/new/smtprelay.conf.bak" || fail "the former is not kept"
grep -qF "mailhub = \"127.0.0.1:$HUB_PORT\"; # why" "$T/new/smtprelay.conf" || fail "a comment is gone"
grep -q '^Workers = 2;' "$T/new/smtprelay.conf" || fail "another setting is gone"
expect_messages 1
end

begin "what is no configuration is replaced as a whole, and kept"
good_hub
fresh
printf "root=postmaster\n" >"$T/new/smtprelay.conf"
setup --force
expect_rc 0
expect_err 'nothing of it can be kept'
[ "$(cat "$T/new/smtprelay.conf.bak")" = root=postmaster ] || fail "the former is not kept"
expect_messages 1
end

begin "a password that a run left which was broken off is used when it is the same, and named else"
good_hub
fresh
TYPED=former
setup --no-test
unset TYPED
printf '# mine\nmailhub = "other.example.org";\n' >"$T/new/smtprelay.conf" # what was there when that run began
printf 'broken off\n' >"$T/new/smtprelay.secret2"
chmod 600 "$T/new/smtprelay.secret2"
: >"$T/new/smtprelay.conf.bak" # it speaks of nothing
setup --force
expect_rc 0
expect_out "$T/new/smtprelay.secret2: a password that no configuration here names"
grep -q 'smtprelay.secret3"' "$T/new/smtprelay.conf" || fail "it names another one: $(grep Pass "$T/new/smtprelay.conf")"
grep -q 'broken off' "$T/new/smtprelay.secret2" || fail "it is gone"
printf '# mine\nmailhub = "other.example.org";\n' >"$T/new/smtprelay.conf"
rm -f "$T/new"/*.bak* "$T/new/smtprelay.secret3"
TYPED='broken off'
setup --force --no-test
unset TYPED
expect_rc 0
grep -q 'smtprelay.secret2"' "$T/new/smtprelay.conf" || fail "it is not used: $(grep Pass "$T/new/smtprelay.conf")"
[ ! -e "$T/new/smtprelay.secret3" ] || fail "there is one more"
expect_not_out 'no configuration here names'
end

begin "another password changes the password alone, and the former is kept"
good_hub
fresh
TYPED=former
setup --no-test
unset TYPED
echo '# by hand' >>"$T/new/smtprelay.conf"
sed -i 's/^AuthUser = .*/& # her login/' "$T/new/smtprelay.conf"
cp "$T/new/smtprelay.conf" "$T/mine"
printf '%s\n' "$PASSWORD" | timeout 100 "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup alice@example.org >"$T/out" 2>"$T/err"
rc=$?
expect_rc 0
expect_env 'auth: PLAIN alice'
expect_out "the former is $T/new/smtprelay.secret.bak"
[ "$(cat "$T/new/smtprelay.secret.bak")" = former ] || fail "the former password is not kept"
[ "$(cat "$T/new/smtprelay.secret")" = "$PASSWORD" ] || fail "the password is another"
cmp -s "$T/mine" "$T/new/smtprelay.conf" || fail "the configuration was changed"
end

begin "an account goes into the configuration that is there, and is tried as such"
hub_start - --tls none
OTHER=$HUB_PORT
good_hub
fresh
printf '# mine\nmailhub = "127.0.0.1:%s"; UseTLS = false; # inside\nhostname = "client.example.org";\n' "$OTHER" >"$T/new/smtprelay.conf"
setup --account work
expect_rc 78
expect_out '+ name = "work";'
cmp -s "$T/new/smtprelay.conf.new" "$T/new/smtprelay.conf" && fail "there is nothing new"
setup --account work --force
expect_rc 0
expect_env 'auth: PLAIN alice'
expect_env 'rcpt: <alice@example.org>'
grep -q '^# mine' "$T/new/smtprelay.conf" || fail "a comment is gone"
[ "$(cat "$T/new/smtprelay.secret-work")" = "$PASSWORD" ] || fail "its password is not there"
setup --account work
expect_rc 0
expect_out 'the same already'
TYPED=wrong
setup --account work --force
unset TYPED
expect_rc 77
[ "$(cat "$T/new/smtprelay.secret-work")" = "$PASSWORD" ] || fail "a wrong password was written"
printf '%s\n' "$PASSWORD" | timeout 100 "$SMTPRELAY" -C "$T/none.conf" setup alice@example.org --account work >"$T/out" 2>"$T/err"
rc=$?
expect_rc 78
expect_one_line
expect_err 'no configuration yet'
expect_no_trace
end

begin "what is tried is called by the name it will have"
hub_start - --tls starttls --auth 'PLAIN' --require-auth
fresh
setup --ca-file "$T/no-such.pem"
expect_rc 78
expect_err "$T/new/smtprelay.conf line"
if grep -q '/proc\|/tmp/smtprelay-setup' "$T/out" "$T/err"; then fail "another file is named"; fi
TYPED=wrong
setup
unset TYPED
expect_rc 77
expect_out "$T/new/smtprelay.conf: account default"
if grep -q '/proc\|/tmp/smtprelay-setup' "$T/out" "$T/err"; then fail "another file is named"; fi
end

begin "killed at any step of it, no file with the password is left"
hub_start - --listen blackhole
fresh
printf '%s\n' "$PASSWORD" | "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup alice@example.org --mailhub "127.0.0.1:$HUB_PORT" \
    --tls starttls --user "$USER_NAME" >"$T/out" 2>"$T/err" &
pid=$!
wait_for 30 grep -q connection "$T/out"
{ kill -9 "$pid" && wait "$pid"; } 2>/dev/null
[ -z "$(ls -A "$T/new")" ] || fail "there is $(ls "$T/new")"
if grep -rqsF -e "$PASSWORD" "$TMPDIR" /dev/shm; then fail "the password is left in a file"; fi
expect_no_trace
end

begin "what somebody changes while the password is being typed is not lost, nor is the password"
fresh
echo work >"$T/password"
TYPED=first setup --no-test --force
expect_rc 0
for other in change account remove; do
    mkfifo "$T/typing"
    : >"$T/err" # what the one before said; the new one empties it only once the pipe is open
    "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup bob@gmail.com --no-test --force <"$T/typing" >"$T/out" 2>"$T/err" &
    pid=$!
    exec 7>"$T/typing"
    rm "$T/typing"
    wait_for 30 grep -q 'provider gmail' "$T/err" || fail "$(cat "$T/err")" # it has read the configuration
    case $other in
    change) echo '# by hand' >>"$T/new/smtprelay.conf" ;;
    account)
        "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup eve@example.org --account work --mailhub h.example --no-test \
            --force <"$T/password" >/dev/null 2>&1 || fail "the account cannot be added"
        ;;
    remove) mv "$T/new/smtprelay.conf" "$T/new/elsewhere" ;;
    esac
    before=$(cd "$T/new" && md5sum ./*)
    echo second >&7
    exec 7>&-
    wait "$pid"
    rc=$?
    expect_rc 75
    expect_err 'changed it meanwhile'
    [ "$before" = "$(cd "$T/new" && md5sum ./*)" ] || fail "$other: something changed: $(ls "$T/new")"
done
end

begin "where the configuration cannot be written the former password stays with it"
fresh
TYPED=first setup --no-test
expect_rc 0
for n in '' $(seq 2 999); do : >"$T/new/smtprelay.conf.bak$n"; done
TYPED=second setup --no-test --force --user somebody
[ "$rc" -ne 0 ] || fail "it says it was written"
[ "$(cat "$T/new/smtprelay.secret")" = first ] || fail "the secret is the new one, the configuration is not"
rm -f "$T/new/smtprelay.secret"
TYPED=second setup --no-test --force --user somebody
[ ! -e "$T/new/smtprelay.secret" ] || fail "a secret is left that nothing names"
end

begin "an ordinary user gets a file of his own, and his own command for the password works"
if [ "$(id -u)" -eq 0 ]; then
    good_hub
    rm -rf "${T:?}/home"
    mkdir -p "$T/home"
    chown 65534 "$T/home"
    cp "$CA" "$T/ca.pem"
    chmod 644 "$T/ca.pem"
    as_nobody() {
        timeout 100 setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH="$PATH" HOME="$T/home" MY_WAY="$PASSWORD" \
            "$SMTPRELAY" setup alice@example.org --mailhub "127.0.0.1:$HUB_PORT" --tls starttls --ca-file "$T/ca.pem" \
            --user "$USER_NAME" "$@" >"$T/out" 2>"$T/err" </dev/null
        rc=$?
    }
    as_nobody --password-command "/usr/bin/printenv MY_WAY"
    expect_rc 0
    [ "$(stat -c %a:%u "$T/home/.config/smtprelay/config")" = 600:65534 ] || fail "$(stat -c %a:%u "$T/home/.config/smtprelay/config")"
    expect_messages 1
    printf '%s\n' "$PASSWORD" >"$T/password"
    chmod 644 "$T/password"
    as_nobody --password-file "$T/password" --force
    expect_rc 0
    expect_messages 2
    [ "$(stat -c %a:%u "$T/home/.config/smtprelay/config.secret")" = 600:65534 ] || fail "its secret is not his alone"
    as_nobody
    expect_rc 64
    expect_err 'no password'
fi
end

begin "a password from a file, and one from a command"
good_hub
fresh
printf '%s\nsecond line\n' "$PASSWORD" >"$T/password"
TYPED=wrong
setup --password-file "$T/password"
expect_rc 0
if [ "$(id -u)" -eq 0 ]; then
    fresh
    setup --password-command "/bin/cat $T/password"
    expect_rc 0
    grep -qF "AuthPassCommand = \"/bin/cat $T/password\";" "$T/new/smtprelay.conf" || fail "the command is not there"
    [ ! -e "$T/new/smtprelay.secret" ] || fail "there is a secret, too"
    expect_messages 2
fi
unset TYPED
expect_no_trace
end

begin "at a terminal the password is asked for and not shown"
good_hub
fresh
at_terminal "Password=$PASSWORD\\n"
expect_out 'exit 0'
expect_out 'echo on'
if grep -qF -e "$PASSWORD" "$T/out"; then fail "it is shown"; fi
expect_messages 1
[ "$(cat "$T/new/smtprelay.secret")" = "$PASSWORD" ] || fail "the password is another"
end

begin "Ctrl-C at the password gives the terminal back and writes nothing"
good_hub
fresh
at_terminal 'Password=half\x03'
expect_out 'signal 2'
expect_out 'echo on'
if grep -qF half "$T/out"; then fail "what was typed is shown"; fi
[ -z "$(ls -A "$T/new")" ] || fail "there is $(ls "$T/new")"
expect_no_trace
end

begin "at a terminal one is asked before a configuration is replaced"
good_hub
fresh
printf '# mine\n' >"$T/new/smtprelay.conf"
at_terminal "Password=$PASSWORD\\n
Change it?=n\\n"
expect_out 'exit 78'
[ "$(cat "$T/new/smtprelay.conf")" = '# mine' ] || fail "it was replaced"
at_terminal "Password=$PASSWORD\\n
Change it?=y\\n"
expect_out 'exit 0'
[ "$(cat "$T/new/smtprelay.conf.bak")" = '# mine' ] || fail "the former is not kept"
end

# The pair that the configuration is: its login and the password in the file that it names
pair() {
    name=$(sed -n 's/^AuthPassFile = "\(.*\)";.*/\1/p' "$T/new/smtprelay.conf")
    echo "$(sed -n 's/^AuthUser = "\(.*\)";.*/\1/p' "$T/new/smtprelay.conf") $(cat "$name")"
}

begin "killed between the password and the configuration, the former login still has the former password"
fresh
TYPED=first setup --no-test --user former
expect_rc 0
awk 'BEGIN {for (i = 0; i < 40; i++) print "# a comment that makes the configuration longer than what may be written"}' >>"$T/new/smtprelay.conf"
# the password fits into the limit of a file's size, the configuration does not: the kernel ends it there
(
    cd "$T" || exit
    ulimit -f 1
    TYPED=second
    printf '%s\n' "$TYPED" | "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup alice@example.org --mailhub "127.0.0.1:1" \
        --user later --no-test --force 2>&1 | cat >/dev/null
)
[ "$(pair)" = 'former first' ] || fail "the pair is $(pair)"
grep -q second "$T"/new/smtprelay.secret* || fail "it was not ended between the two"
TYPED=third setup --no-test --force --user later
expect_rc 0
[ "$(pair)" = 'later third' ] || fail "the pair is $(pair)"
expect_out "$T/new/smtprelay.secret: left as it is, for $T/new/smtprelay.conf.bak"
[ "$(cat "$T/new/smtprelay.secret")" = first ] || fail "the former configuration has lost its password"
TYPED=fourth setup --no-test --user later
expect_rc 0
[ "$(pair)" = 'later fourth' ] || fail "the pair is $(pair)"
end

begin "killed while it writes the password, no part of it is left"
fresh
(
    cd "$T" || exit
    ulimit -f 1 # 512 bytes: the password is longer
    awk 'BEGIN {for (i = 0; i < 100; i++) printf "long-password-%d-", i; print ""}' |
        "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup alice@example.org --mailhub "127.0.0.1:1" --no-test 2>&1 | cat >/dev/null
)
# where the file system has files without a name
if python3 -c 'import os, sys; os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR)' "$T/new" 2>/dev/null; then
    [ -z "$(ls -A "$T/new")" ] || fail "there is $(ls -A "$T/new")"
fi
end

begin "the configuration that lies beside goes with the password that was written, under the names that were shown"
fresh
TYPED=first setup --no-test --user former
TYPED=second setup --no-test --user later
expect_rc 78
shown=$(sed -n 's/^+ AuthPassFile = "\(.*\)";$/\1/p' "$T/out")
[ "$(cat "${shown:-/dev/null}")" = second ] || fail "the password is not in '$shown', as shown"
[ "$(pair)" = 'former first' ] || fail "the pair is $(pair)"
mv "$T/new/smtprelay.conf.new" "$T/new/smtprelay.conf"
[ "$(pair)" = 'later second' ] || fail "taken over, the pair is $(pair)"
end

begin "where no provider can be found that is said before a password is asked for"
fresh
timeout 100 python3 "$TESTS/blackbox/terminal.py" 'Password=typed\n' "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup me@nobody.invalid \
    >"$T/out" 2>"$T/err"
expect_out 'nobody.invalid'
expect_out '--mailhub HOST:PORT'
expect_not_out 'Password of'
expect_not_out 'exit 0'
end

begin "at a terminal a refused password can be typed again"
good_hub
fresh
at_terminal "Password=wrong\\n
Password=$PASSWORD\\n"
expect_out 'exit 0'
expect_out 'Type the password again'
[ "$(cat "$T/new/smtprelay.secret")" = "$PASSWORD" ] || fail "the password is another"
expect_messages 1
end

begin "a refused password is asked for three times at most, and the same one is not sent twice"
good_hub
fresh
at_terminal "Password=one\\n
Password=two\\n
Password=three\\n
Password=four\\n"
expect_out 'exit 77'
expect_out 'nothing was written'
[ "$(cat "$HUB_DIR"/session-*.log | grep -c 'C: AUTH\|> AUTH\|AUTH PLAIN [^ ]')" -eq 3 ] || fail "the logins: $(cat "$HUB_DIR"/session-*.log | grep AUTH)"
hub_stop
good_hub
at_terminal "Password=one\\n
Password=one\\n
Password=two\\n"
expect_out 'exit 77'
expect_out 'the same password'
[ "$(cat "$HUB_DIR"/session-*.log | grep -c 'AUTH PLAIN [^ ]')" -eq 1 ] || fail "the logins: $(cat "$HUB_DIR"/session-*.log | grep AUTH)"
[ -z "$(ls -A "$T/new")" ] || fail "there is $(ls "$T/new")"
end

begin "the login that a provider wants of everybody is left to its preset"
fresh
printf 'p\n' | "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup me@example.org --provider sendgrid --no-test >"$T/out" 2>"$T/err" ||
    fail "it failed"
"$SMTPRELAY" -C "$T/new/smtprelay.conf" check 2>&1 | grep -q '^AuthUser = "apikey";' || fail "another login"
end

begin "who has addresses at a known provider gets its preset, others their domain's own records"
fresh
printf 'p\n' | "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup me@gmail.com --no-test >"$T/out" 2>"$T/err" || fail "it failed"
grep -qF 'provider = "gmail";' "$T/new/smtprelay.conf" || fail "no preset"
grep -qF 'AuthUser = "me@gmail.com";' "$T/new/smtprelay.conf" || fail "no login"
fresh
printf 'p\n' | "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup me@example.org --no-test >"$T/out" 2>"$T/err" || fail "it failed"
grep -qF 'mailhub = "srv:example.org";' "$T/new/smtprelay.conf" || fail "no SRV"
"$SMTPRELAY" -C "$T/new/smtprelay.conf" check >"$T/out" 2>&1 || fail "the check refuses it"
end

begin "what is said wrongly is named"
for words in '' 'nobody' 'a@example.org --provider gmial' 'a@example.org b@example.org' 'a@example.org --user' 'a@example.org --account x/y' 'a@example.org --account='; do
    # shellcheck disable=SC2086
    "$SMTPRELAY" -C "$T/new/smtprelay.conf" setup $words >"$T/out" 2>"$T/err" </dev/null
    rc=$?
    expect_rc 64
    expect_one_line
done
end

if [ "$(id -u)" -eq 0 ]; then
    begin "at its end root is told how the daemon is started, where none runs"
    own=$O/root-setup # the compiled-in paths of these programs lie below it
    rm -rf "${own:?}/etc" "${own:?}/run"
    mkdir -p "$own/etc" "$own/run"
    good_hub
    SMTPRELAY=$own/sbin/smtprelay
    printf '%s\n' "$PASSWORD" | timeout 100 "$SMTPRELAY" setup alice@example.org --mailhub "127.0.0.1:$HUB_PORT" --no-test >"$T/out" 2>"$T/err"
    rc=$?
    SMTPRELAY=$O/root/sbin/smtprelay
    expect_rc 0
    expect_out 'systemctl enable --now smtprelay.socket smtprelay.service'
    end
fi
