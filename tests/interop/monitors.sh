# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154,SC2086
# monitoring-plugins at listener, queue and daemon; logwatch over the log of all that went before.  Sourced by listener.

plugins=/usr/lib/nagios/plugins

# plugin NAME EXIT WORDS COMMAND...: how it must end, and what it must say
plugin() {
    name=monitor-$1 want=$2 words=$3
    shift 3
    timeout 60 "$@" >"$D/plugin.out" 2>&1
    rc=$?
    if [ $rc -eq "$want" ] && grep -q -e "$words" "$D/plugin.out"; then ok "$name"; else bad "$name" "exit $rc: $(head -n 3 "$D/plugin.out")"; fi
}

# held N: so many messages lie in the queue that nobody tries
held() {
    i=0
    while [ $i -lt "$1" ]; do
        as_carol /usr/sbin/sendmail -odq -i held@example.net <"$C/body" || bad held "exit $?"
        i=$((i + 1))
    done
}

# what is being sent when the daemon has begun cannot be removed before that is over
queue_removed() {
    chroot "$D/root" /usr/sbin/smtprelay remove --all --yes >"$D/remove.out" 2>&1
    chroot "$D/root" /usr/bin/mailq | grep -q 'Mail queue is empty'
}

plugins_case() {
    plugin smtp 0 'SMTP OK' $plugins/check_smtp -H 127.0.0.1 -p "$PORT"
    plugin smtp-dialog 0 'SMTP OK' $plugins/check_smtp -H 127.0.0.1 -p "$PORT" -F client.example.org -f monitor@example.org -C 'RCPT TO:<bob@example.net>' -R '250 2.1.5'
    plugin smtp-slow 0 'SMTP OK' $plugins/check_smtp -H 127.0.0.1 -p "$PORT" -e '220 client.example.org ESMTP' -w 30 -c 40 -t 50
    # -M postfix: without it the plugin takes a machine without Postfix for one with Sendmail, whose form it is not
    queue="chroot --userspec=4711:4711 $D/root env -i PATH=/usr/bin:/bin $plugins/check_mailq -M postfix"
    plugin mailq-empty 0 'OK: .*mailq.* is empty' $queue -w 2 -c 4
    held 1
    plugin mailq-ok 0 'OK: .*mailq (1)' $queue -w 2 -c 4
    held 1
    plugin mailq-warning 1 'WARNING: .*mailq is 2' $queue -w 2 -c 4
    held 3
    plugin mailq-critical 2 'CRITICAL: .*mailq is 5' $queue -w 2 -c 4
    daemon_stop
    plugin smtp-down 2 'refused' $plugins/check_smtp -H 127.0.0.1 -p "$PORT"
    plugin mailq-down 2 'CRITICAL: Error code 75' $queue -w 2 -c 4
    plugin mailq-down-root 2 'CRITICAL: .*mailq is 5' chroot "$D/root" env -i PATH=/usr/bin:/bin $plugins/check_mailq -M postfix -w 2 -c 4
    daemon_start
    wait_for 60 queue_removed || bad remove "$(cat "$D/remove.out")"
}

# reports WORDS...: each stands in what logwatch says
reports() {
    for words; do
        if grep -q -e "$words" "$D/logwatch.out"; then ok "logwatch $words"; else bad "logwatch $words" "$(head -n 40 "$D/logwatch.out")"; fi
    done
}

logwatch_case() {
    # as syslogd frames it
    sed -n "s/^\\(smtprelay\\): /$(LC_ALL=C date '+%b %e %H:%M:%S') host \\1[4711]: /p" "$D/smtprelayd/log" >"$D/root/var/log/mail.log"
    mkdir -p "$D/root/var/cache/logwatch"
    chroot "$D/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin logwatch --output stdout --service smtprelay --range all --detail 10 >"$D/logwatch.out" 2>&1
    reports 'smtprelay Begin' "[0-9]  sent$" '[0-9]  taken into the queue$' 'nobody of that name' '[0-9]  carol$' 'MB sent' 'serves at'
    if grep -q -i -e unmatched -e 'uninitialized' -e ' line [0-9]' "$D/logwatch.out"; then bad logwatch-clean "$(cat "$D/logwatch.out")"; else ok logwatch-clean; fi
}

monitors() {
    plugins_case
    logwatch_case
}
