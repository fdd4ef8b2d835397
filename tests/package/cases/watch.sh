# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154,SC2016
# What watches a machine and writes to its administrator, mostly as root.  Sourced by callers.

needs smartmontools mdadm arpwatch logwatch logcheck fail2ban sudo unattended-upgrades apt-listchanges apticron cron-apt apcupsd nagios4-core
needs backupninja popularity-contest calendar reportbug rsyslog

# a disk for it, which it asks by ioctl: INQUIRY and the mode page of exceptions are answered, all else is good
smartd_disk() {
    cat >"$D/disk.c" <<'C'
#include <scsi/sg.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
int ioctl(int fd, unsigned long request, ...)
{
    va_list ap;
    va_start(ap, request);
    sg_io_hdr_t *h = va_arg(ap, void *);
    va_end(ap);
    (void)fd;
    if (request != SG_IO) return -1;
    h->status = h->host_status = h->driver_status = 0;
    h->sb_len_wr = 0;
    h->resid = 0;
    if (h->dxfer_len) memset(h->dxferp, 0, h->dxfer_len);
    if (h->cmdp[0] == 0x5a && h->dxfer_len >= 20) memcpy(h->dxferp, "\0\x12\0\0\0\0\0\0\x1c\x0a", 10);
    if (h->cmdp[0] == 0x1a && h->dxfer_len >= 16) memcpy(h->dxferp, "\x0f\0\0\0\x1c\x0a", 6);
    if (h->cmdp[0] == 0x12 && !(h->cmdp[1] & 1) && h->dxfer_len >= 36) memcpy(h->dxferp, "\0\0\6\2\x1f\0\0\0TESTERS DISK            1   ", 36);
    return 0;
}
C
    gcc -shared -fPIC -o "$TREE/srv/disk.so" "$D/disk.c" && : >"$TREE/dev/sda"
}
says smartd "smartd's test message arrives with the account's sender"
smartd_case() {
    smartd_disk || return 1
    echo '/dev/sda -d scsi -H -m smartd@example.net -M test' >"$TREE/etc/smartd.conf"
    inside env LD_PRELOAD=/srv/disk.so smartd -q onecheck >"$C.out" 2>&1
    there smartd $account $account --has 'TEST EMAIL from smartd' --has 'TEST EMAIL' || { cat "$C.out"; return 1; }
}

says mdadm "mdadm's test message arrives"
mdadm_case() {
    says_so inside mdadm --monitor --test --oneshot --mail=mdadm@example.net /dev/md0 &&
        there mdadm $account $account --subject 'TestMessage event on /dev/md0:client.example.org' --has 'automatically generated'
}

# a recording with one machine in it
says arpwatch "arpwatch tells of a new station"
arpwatch_case() {
    python3 -c '
import struct, sys
arp = b"\xff" * 6 + bytes.fromhex("020000000007") + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + bytes.fromhex("020000000007") + bytes([192, 0, 2, 7]) + bytes(6) + bytes([192, 0, 2, 1])
sys.stdout.buffer.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + struct.pack("<IIII", 1700000000, 0, len(arp), len(arp)) + arp)' >"$TREE/srv/arp.pcap"
    : >"$TREE/srv/arp.dat"
    says_so inside arpwatch -N -p -a -r /srv/arp.pcap -f /srv/arp.dat -m arpwatch@example.net
    there arpwatch $account $account --has '192.0.2.7'
}

says logwatch "logwatch's daily report arrives, and has this package's part"
logwatch_case() {
    printf 'MailTo = logwatch@example.net\nRange = all\n' >"$TREE/etc/logwatch/conf/logwatch.conf"
    mkdir -p "$TREE/var/cache/logwatch"
    daily 00logwatch && there logwatch $account $account --has 'smtprelay Begin' || { cat "$C.out"; return 1; }
}

# by its own line of cron.d
says logcheck "logcheck's report, of the user logcheck, arrives at root's address"
logcheck_case() {
    inside logger -t interop 'something is wrong here'
    printf '/var/log/syslog\n' >"$TREE/etc/logcheck/logcheck.logfiles"
    rm -f "$TREE"/etc/logcheck/logcheck.logfiles.d/*
    soon grep -q 'wrong here' "$TREE/var/log/syslog"
    says_so inside setpriv --reuid logcheck --regid logcheck --init-groups env -i HOME=/var/lib/logcheck LOGNAME=logcheck PATH=/usr/sbin:/usr/bin:/sbin:/bin nice -n10 /usr/sbin/logcheck &&
        there admin $account $account --about 'something is wrong here'
}

says fail2ban "fail2ban tells of a ban, by its sendmail action"
fail2ban_case() {
    printf '[DEFAULT]\nallowipv6 = no\n[sshd]\nenabled = false\n[interop]\nenabled = true\nbackend = polling\nfilter = sshd\nlogpath = /var/log/auth.log\nmaxretry = 3\naction = sendmail[name=interop, dest=fail2ban@example.net, sender=f2b]\n' \
        >"$TREE/etc/fail2ban/jail.local"
    mkdir -p "$TREE/run/fail2ban"
    inside logger -p auth.info -t 'sshd[4711]' 'Server listening on 0.0.0.0 port 22.'
    soon test -s "$TREE/var/log/auth.log"
    begin fail2ban-server -f -x start
    soon inside fail2ban-client status interop || { cat "$C.daemon"; return 1; }
    for _ in 1 2 3 4; do inside logger -p auth.info -t 'sshd[4711]' 'Failed password for root from 192.0.2.7 port 4711 ssh2'; done
    there fail2ban $account $account --about 'banned 192.0.2.7' --has 192.0.2.7 || { tail "$TREE/var/log/fail2ban.log"; return 1; }
}

# as Debian configures it
says sudo_badpass "sudo reports wrong passwords to root's address"
sudo_badpass_case() {
    soon test -S "$TREE/dev/log"
    printf 'Defaults mail_badpass\nroot ALL=(ALL:ALL) ALL\ndave ALL=(root) ALL\n' >"$TREE/etc/sudoers"
    inside useradd -m -u 4713 dave && echo dave:secret | inside chpasswd || return 1
    printf 'wrong\nwrong\nwrong\n' | inside setpriv --reuid dave --regid dave --init-groups sudo -S true >"$C.out" 2>&1 && return 1
    there admin $account $account --about 'incorrect password attempts' --has dave || { cat "$C.out"; return 1; }
}

# a package that is older than the repository's, and the news of the newer
local_package() { # NAME VERSION
    local t=$D/package
    rm -rf "$t" && mkdir -p "$t/DEBIAN" "$t/usr/share/doc/$1"
    printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a thing\n' "$1" "$2" >"$t/DEBIAN/control"
    printf '%s (%s) stable; urgency=high\n\n  It is different now.\n\n -- Nobody <nobody@example.org>  Fri, 20 Nov 2026 12:00:00 +0000\n' "$1" "$2" | gzip -9n >"$t/usr/share/doc/$1/NEWS.Debian.gz"
    dpkg-deb --root-owner-group -b "$t" "$TREE/srv/repository/${1}_$2.deb" >/dev/null
}
local_repository() {
    mkdir -p "$TREE/srv/repository"
    for n in thing other; do local_package $n 1 && local_package $n 2 || return 1; done
    inside dpkg -i /srv/repository/thing_1.deb /srv/repository/other_1.deb >"$C.out" 2>&1 || { cat "$C.out"; return 1; }
    (
        cd "$TREE/srv/repository" || exit 1
        for f in *.deb; do
            dpkg-deb -f "$f"
            printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$f" "$(stat -c %s "$f")" "$(sha256sum <"$f" | cut -d' ' -f1)"
        done >Packages
        printf 'Origin: Interop\nSuite: stable\nCodename: bookworm\nSHA256:\n %s %s Packages\n' "$(sha256sum <Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" >Release
    ) || return 1
    echo 'deb [trusted=yes] file:/srv/repository ./' >"$TREE/etc/apt/sources.list"
    says_so inside apt-get update -qq
}
says apt "apticron, cron-apt, unattended-upgrades and apt-listchanges tell of upgrades, before and after"
apt_case() {
    local_repository || return 1
    echo 'EMAIL="apticron@example.net"' >"$TREE/etc/apticron/apticron.conf"
    says_so inside apticron && there apticron $account $account --about 'package update' --has thing || return 1
    printf 'MAILTO=cron-apt@example.net\nMAILON=always\nRUNSLEEP=0\n' >"$TREE/etc/cron-apt/config"
    says_so inside cron-apt && there cron-apt $account $account --about 3-download --has thing || return 1
    printf 'Unattended-Upgrade::Origins-Pattern { "origin=Interop"; };\nUnattended-Upgrade::Package-Blacklist { "other"; };\nUnattended-Upgrade::Mail "unattended@example.net";\nUnattended-Upgrade::MailReport "always";\n' \
        >"$TREE/etc/apt/apt.conf.d/52interop"
    printf '[apt]\nfrontend=mail\nwhich=news\nemail_address=listchanges@example.net\nsave_seen=/var/lib/apt/listchanges.db\n' >"$TREE/etc/apt/listchanges.conf"
    says_so inside unattended-upgrade && there unattended $account $account --about 'unattended-upgrades result' --has 'thing' &&
        there listchanges $account $account --about 'news for client' --has 'It is different now'
}

says apcupsd "apcupsd tells of a power failure, by its own script"
apcupsd_case() {
    says_so inside /etc/apcupsd/apccontrol onbattery ups 0 1
    there admin $account $account --about 'Power Failure'
}

says nagios "Nagios notifies of a service that fails"
nagios_case() {
    mkdir -p "$TREE/srv/nagios" "$TREE/var/lib/nagios4/spool/checkresults"
    printf '#!/bin/sh\necho CRITICAL - the disk is full\nexit 2\n' >"$TREE/srv/fails"
    chmod 755 "$TREE/srv/fails"
    cat >"$TREE/srv/nagios/all.cfg" <<'CFG'
define timeperiod {
 timeperiod_name always
 alias always
 sunday 00:00-24:00
 monday 00:00-24:00
 tuesday 00:00-24:00
 wednesday 00:00-24:00
 thursday 00:00-24:00
 friday 00:00-24:00
 saturday 00:00-24:00
}
define contact {
 contact_name admin
 email nagios@example.net
 host_notification_period always
 service_notification_period always
 host_notification_options d,u,r
 service_notification_options w,u,c,r
 host_notification_commands notify-host-by-email
 service_notification_commands notify-service-by-email
}
define command {
 command_name fails
 command_line /srv/fails
}
define host {
 host_name client
 address 127.0.0.1
 max_check_attempts 1
 contacts admin
 check_period always
 notification_period always
 notification_interval 0
}
define service {
 host_name client
 service_description disk
 check_command fails
 check_interval 1
 retry_interval 1
 max_check_attempts 1
 contacts admin
 check_period always
 notification_period always
 notification_interval 0
}
CFG
    sed -e '/^cfg_/d' -e 's/^interval_length=.*/interval_length=1/' "$TREE/etc/nagios4/nagios.cfg" >"$TREE/srv/nagios/nagios.cfg"
    printf 'cfg_file=/etc/nagios4/objects/commands.cfg\ncfg_file=/srv/nagios/all.cfg\n' >>"$TREE/srv/nagios/nagios.cfg"
    begin nagios4 /srv/nagios/nagios.cfg
    there nagios $account $account --about 'client/disk is CRITICAL' --has 'the disk is full' || { cat "$C.daemon" "$TREE/var/log/nagios4/nagios.log"; return 1; }
}

says backupninja "backupninja reports on a backup"
backupninja_case() {
    mkdir -p "$TREE/etc/backup.d"
    printf 'info "all is saved"\n' >"$TREE/etc/backup.d/10-interop.sh"
    chmod 600 "$TREE/etc/backup.d/10-interop.sh"
    sed -i 's/^reportemail.*/reportemail = backupninja@example.net/' "$TREE/etc/backupninja.conf"
    says_so inside backupninja --now && there backupninja $account $account --about 'backupninja: client' --has '10-interop.sh'
}

says popcon "popularity-contest's report arrives whole"
popcon_case() {
    printf 'MY_HOSTID="0fc0010749734b8ea95a6a3492d1d58f"\nPARTICIPATE="yes"\nUSEHTTP="no"\nENCRYPT=no\nDAY="%s"\n' "$(date +%w)" >"$TREE/etc/popularity-contest.conf"
    rm -f "$TREE"/var/log/popularity-contest*
    says_so inside env -i HOME=/root LOGNAME=root PATH=/usr/bin:/bin:/usr/sbin:/sbin sh -c 'cd / && /etc/cron.daily/popularity-contest --crond' &&
        there survey@popcon.debian.org $account $account --subject 'popularity-contest submission' --has 'END-POPULARITY-CONTEST-0'
}

says calendar "calendar -a reminds a user of the day"
calendar_case() {
    inside useradd -m -u 4714 erin || return 1
    printf '%s\tErins day\n' "$(date +%m/%d)" "$(date -d tomorrow +%m/%d)" >"$TREE/home/erin/calendar"
    inside chown erin /home/erin/calendar
    echo RUN_DAILY=true >"$TREE/etc/default/calendar"
    daily calendar && there erin@client.example.org $account $account --has 'Erins day'
}

says reportbug "reportbug sends a report by sendmail"
reportbug_case() {
    python3 -B "$src/tests/blackbox/terminal.py" 'Submit this report=y\r' \
        /usr/sbin/chroot --userspec=4711:4711 "$TREE" /usr/bin/env -i HOME=/home/carol USER=carol EDITOR=true TERM=dumb PATH=/usr/sbin:/usr/bin:/bin LANG=C.UTF-8 reportbug --ui=text --no-query-bts --no-check-available --no-verify \
        --no-cc-menu --no-tags-menu --no-bug-script --offline --email=carol@home.arpa --realname=Carol --severity=minor --mta=/usr/sbin/sendmail --subject='a small thing' --body='It squeaks.' bsd-mailx >"$C.screen" 2>&1
    grep -q '^exit 0' "$C.screen" || { cat -v "$C.screen"; return 1; }
    there submit@bugs.debian.org $account $account --about 'a small thing' --has 'It squeaks.' || { cat -v "$C.screen"; return 1; }
}
