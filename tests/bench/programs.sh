# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# The programs: how each is installed into R, told to send to 127.0.0.1:$PORT, started and stopped.  Sourced by run.
#
#   NAME_install     false after `missing` if that cannot be; sets VERSION
#   NAME_configure   writes what it reads
#   NAME_command     prints its sendmail, by which the message is sent
#   NAME_daemon      if there is one: becomes it, in the foreground, by exec; NAME_ready: it serves
#   NAME_fill N      if there is one: puts N messages into its queue
#   NAME_unprotect   if there is one: lets valgrind run it, which runs no set-id and no unreadable program; the last thing done.
#                    VALGRIND_BY=in_root where it then needs root, VALGRIND_CHILDREN=no where valgrind can only count its first

PROGRAMS="smtprelay smtprelay_alone postfix opensmtpd nullmailer dma msmtp ssmtp esmtp"

has() { command -v "$1" >/dev/null 2>&1; }

# The package, also where the machine has it, and what it needs and the machine has not, unpacked into R; nothing is configured or started
install_debs() {
    if ! has apt-get || ! has dpkg-deb; then
        missing "not measured: only packages of Debian and its like can be unpacked here"
        return 1
    fi
    debs=$O/bench-debs/$1
    mkdir -p "$debs"
    if [ ! -e "$debs/done" ]; then
        need=$(apt-get install -s --reinstall --no-install-recommends "$1" 2>/dev/null | awk '$1 == "Inst" {print $2}')
        # shellcheck disable=SC2086 # a list
        if [ -z "$need" ] || ! (cd "$debs" && apt-get -o APT::Sandbox::User=root download -qq $need >"$W/apt.log" 2>&1); then
            missing "not measured: package $1 cannot be downloaded"
            return 1
        fi
        : >"$debs/done"
    fi
    # a folder in a package must not replace a link to one (/lib)
    for d in "$debs"/*.deb; do dpkg-deb --fsys-tarfile "$d" | tar -x --keep-directory-symlink -C "$R" || return 1; done
    VERSION=$(dpkg-deb -f "$debs/$1"_*.deb Version)
}

# ---------------------------------------------------------------- smtprelay, with its daemon and without

smtprelay_install() {
    if [ -n "$R" ]; then
        if ! make -s O="$O" install DESTDIR="$R" >"$W/install.log" 2>&1; then
            missing "not measured: make install: $(tail -n 1 "$W/install.log")"
            return 1
        fi
        BIN=$sbindir LIBEXEC=$libexecdir ETC=$sysconfdir RUN=$runstatedir
        user_add smtprelay 4712
        mkdir -p "$R$ETC"
        DAEMON_USER=smtprelay
    else
        DAEMON_USER=nobody # counts only for root
        BIN=$O/bench/sbin LIBEXEC=$O/bench/libexec ETC=$O/bench/etc RUN=$O/bench/run
    fi
    VERSION=$("$O/sendmail" --version | awk '{print $NF}')
}

smtprelay_configure() {
    cat >"$R$ETC/smtprelay.conf" <<END
mailhub = "127.0.0.1:$PORT"; UseTLS = false; hostname = "client.example.org"; IdleTimeout = "${IDLE:-60s}";
User = "$DAEMON_USER"; $SETTINGS
END
    chmod 644 "$R$ETC/smtprelay.conf"
}

smtprelay_command() { echo "$BIN/sendmail"; }
smtprelay_daemon() { if [ -n "$R" ]; then exec chroot "$R" $CLEAN $TRACED "$BIN/smtprelayd"; else exec $CLEAN $TRACED "$BIN/smtprelayd"; fi; }
smtprelay_ready() { [ -S "$R$RUN/smtprelay/socket" ]; }

# A queue of $1 messages, as if they had waited since the daemon ran last
smtprelay_fill() {
    mkdir -m 700 "$R$D/queue" && "$O/tests/bench/scan" --fill "$R$D/queue" "$1" || return 1
    [ "$(id -u)" -ne 0 ] || in_root chown -R "$DAEMON_USER" "$D/queue" || return 1
    SETTINGS="QueueDir = \"$D/queue\"; MinFree = \"1M\";"
    smtprelay_configure
    SETTINGS=''
}

smtprelay_alone_install() { smtprelay_install; }
smtprelay_alone_configure() { smtprelay_configure; }
smtprelay_alone_unprotect() {
    VALGRIND_CHILDREN=no
    missing "instructions: of sendmail alone; the other processes are confined, and valgrind cannot live with that"
}
smtprelay_alone_command() { smtprelay_command; }

# ---------------------------------------------------------------- Postfix

postfix_install() {
    if ! has postfix; then
        missing "not measured: it is not installed (sh packaging/deps --interop)"
        return 1
    fi
    VERSION=$(postconf -h mail_version)
}

postfix_configure() {
    rm -rf "$R/etc/postfix/main.cf" "$R/etc/postfix/master.cf" "$R/var/spool/postfix"
    cat >"$R/etc/postfix/main.cf" <<END
compatibility_level = 3.6
myhostname = client.example.org
mydestination =
relayhost = [127.0.0.1]:$PORT
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = /var/log/postfix.log
max_idle = ${IDLE:-100s}
END
    cat >"$R/etc/postfix/master.cf" <<END
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
END
    : >"$R/etc/aliases"
    mkdir -p "$R/var/spool/postfix" "$R/var/lib/postfix"
    in_root postfix set-permissions >"$W/postfix.log" 2>&1
    in_root newaliases >>"$W/postfix.log" 2>&1
}

postfix_unprotect() { VALGRIND_BY=in_root && chmod a-s "$R/usr/sbin/postdrop"; }
postfix_command() { echo /usr/sbin/sendmail; }
postfix_daemon() { exec chroot "$R" $CLEAN $TRACED /usr/lib/postfix/sbin/master -c /etc/postfix -s; }
postfix_ready() { [ -S "$R/var/spool/postfix/public/pickup" ] && [ -s "$R/var/spool/postfix/pid/master.pid" ]; }

# ---------------------------------------------------------------- OpenSMTPD

opensmtpd_install() {
    install_debs opensmtpd || return 1
    user_add opensmtpd 4713
    user_add opensmtpq 4714
}

opensmtpd_configure() {
    cat >"$R/etc/smtpd.conf" <<END
listen on socket
action "out" relay host "smtp://127.0.0.1:$PORT"
match from any for any action "out"
END
    chmod 644 "$R/etc/smtpd.conf"
    mkdir -p "$R/run" "$R/var/spool/smtpd"
    chmod 711 "$R/var/spool/smtpd"
    in_root chgrp opensmtpq /usr/sbin/smtpctl
    in_root chmod 2755 /usr/sbin/smtpctl
}

opensmtpd_unprotect() { VALGRIND_BY=as_opensmtpq && chmod a-s "$R/usr/sbin/smtpctl"; }
# shellcheck disable=SC2086 # a list of words
as_opensmtpq() { chroot --userspec=$CALLER:4714 "$R" $CLEAN "$@"; }
opensmtpd_command() { echo /usr/sbin/sendmail; }
opensmtpd_daemon() { exec chroot "$R" $CLEAN $TRACED /usr/sbin/smtpd -d; }
opensmtpd_ready() { [ -S "$R/run/smtpd.sock" ] || [ -S "$R/var/run/smtpd.sock" ]; }

# ---------------------------------------------------------------- nullmailer

nullmailer_install() { install_debs nullmailer; }

nullmailer_configure() {
    echo "127.0.0.1 smtp --port=$PORT" >"$R/etc/nullmailer/remotes"
    [ -p "$R/var/spool/nullmailer/trigger" ] || mkfifo "$R/var/spool/nullmailer/trigger"
    in_root chown -R mail:mail /etc/nullmailer/remotes /var/spool/nullmailer
    chmod 622 "$R/var/spool/nullmailer/trigger"
}

nullmailer_unprotect() { VALGRIND_BY=in_root && chmod a-s "$R/usr/sbin/nullmailer-queue"; }
nullmailer_command() { echo /usr/sbin/sendmail; }
nullmailer_daemon() { exec chroot --userspec=mail:mail "$R" $CLEAN $TRACED /usr/sbin/nullmailer-send; }
nullmailer_ready() { [ -n "$(processes)" ]; }

# ---------------------------------------------------------------- programs without a daemon

dma_install() { install_debs dma; }
dma_configure() {
    printf 'SMARTHOST 127.0.0.1\nPORT %s\nMAILNAME client.example.org\n' "$PORT" >"$R/etc/dma/dma.conf"
    chmod 644 "$R/etc/dma/dma.conf"
    chgrp mail "$R/usr/sbin/dma" "$R/var/spool/dma"
    chmod 2755 "$R/usr/sbin/dma"
}
dma_unprotect() { chmod a-s "$R/usr/sbin/dma" && chmod 777 "$R/var/spool/dma"; }
dma_command() { echo /usr/sbin/sendmail; }

msmtp_install() { install_debs msmtp; }
msmtp_configure() {
    printf 'account default\nhost 127.0.0.1\nport %s\ntls off\nauth off\nfrom carol@example.org\n' "$PORT" >"$R/etc/msmtprc"
}
msmtp_command() { echo /usr/bin/msmtp; }

ssmtp_install() { install_debs ssmtp; }
ssmtp_configure() {
    chmod 755 "$R/etc/ssmtp"
    printf 'mailhub=127.0.0.1:%s\nhostname=client.example.org\nFromLineOverride=YES\n' "$PORT" >"$R/etc/ssmtp/ssmtp.conf"
}
ssmtp_unprotect() { chmod a-s "$R/usr/sbin/ssmtp"; }
ssmtp_command() { echo /usr/sbin/sendmail; }

esmtp_install() { install_debs esmtp; }
esmtp_configure() {
    printf 'hostname = 127.0.0.1:%s\nstarttls = disabled\n' "$PORT" >"$R/etc/esmtprc"
}
esmtp_command() { echo /usr/bin/esmtp; }
