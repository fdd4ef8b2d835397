# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# The tests of a script, counted.  Sourced, by sh and by bash.
#
#   ok SENTENCE                    it is true
#   bad SENTENCE [WHY]             it is not
#   is SENTENCE COMMAND...         a test: the command is silent about what is wrong, or says it; runs in a process of its own
#   check SENTENCE WHY COMMAND...  a test whose command is a question: WHY is what its failure means; runs here
#   tally                          the last line, "N passed, N failed"; true if there were tests and all passed
#   give_up SENTENCE [WHY]         bad, tally, and the script ends: without this the rest means nothing

passed=0 failed=0

ok() {
    passed=$((passed + 1))
    echo "ok $1"
}

bad() {
    failed=$((failed + 1))
    echo "not ok $1${2:+: $2}"
}

is() {
    tally_title=$1
    shift
    if tally_why=$("$@" 2>&1); then ok "$tally_title"; else bad "$tally_title" "$(printf %s "$tally_why" | tail -n 15)"; fi
}

check() {
    tally_title=$1 tally_why=$2
    shift 2
    if "$@"; then ok "$tally_title"; else bad "$tally_title" "$tally_why"; fi
}

tally() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

give_up() {
    bad "$@"
    tally
    exit 1
}
