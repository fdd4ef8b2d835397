# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
# What runs jobs and mails what they print.  Sourced by callers.

own_cases+=" at"
needs cron anacron at

says cron "what a cron job prints comes to each address of MAILTO, and without MAILTO to root's address"
cron_case() {
    { echo 'MAILTO=cron@example.net,cron-two@example.net'; echo '@reboot cat /home/carol/body'; } | says_so as_carol crontab - || return 1
    printf '@reboot root echo of root\n' >"$TREE/etc/cron.d/interop"
    begin cron -f
    there cron $account $account --subject 'Cron <carol@client> cat /home/carol/body' --body "$D/body" &&
        there cron-two $account $account --body "$D/body" && there admin $account $account --about 'Cron <root@client> echo of root' --has 'of root'
}

# it leaves out -i
says anacron "what an anacron job prints comes to MAILTO"
anacron_case() {
    printf 'MAILTO=anacron@example.net\nSHELL=/bin/sh\nPATH=/usr/bin:/bin\n1 0 interop grep -v ^[.] /home/carol/body\n' >"$TREE/etc/anacrontab"
    content inside anacron -s -n -f && there anacron $account $account --subject 'Anacron job '"'interop'"' on client.example.org' --body "$D/body-no-dots"
}

# atd writes to its caller alone; jobs keep the environment they were given
says at "what at and batch jobs print comes back to who gave them"
at_case() {
    [ -n "$own" ] || begin atd -f -l 1000 -b 1
    soon test -s "$TREE/run/atd.pid" || { echo "no atd"; return 1; }
    says_so as_carol sh -c "cd && echo 'cat /home/carol/body; echo from-at$r.' | at now && echo 'echo from-batch$r.' | batch" || return 1
    for how in at batch; do
        there carol@client.example.org $account $account --about "from-$how$r." || return 1
    done
}
