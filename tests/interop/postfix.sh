# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# A real Postfix with SASL by a real Dovecot, in a folder of its own, on free loopback ports.  Sourced, behind
# tests/wait.sh, with $here, this folder; needs root (Postfix does).
#
#   postfix_start DIR    sets SUBMISSION (STARTTLS) and SUBMISSIONS (implicit TLS) to port numbers, CA to a file, MAILDIR;
#                        the login is relay@example.org / "s3cret pass"
#   postfix_start DIR ADDRESS NAME [ALIAS]    at ports 587 and 465 of that address, with a certificate for these names
#   postfix_stop DIR
#   postfix_kill DIR FILTER    as a machine that loses its power; sets UNDER_WAY: how many connections it had, by ss(8)'s FILTER
#   postfix_again DIR ADDRESS PORT    start it after that; says why where it does not listen
#   come DIR...          the words behind "Subject: message" of all that has come there, one a line

free_port() { # [N]
    python3 "$here/ports.py" "$@"
}

make_ca() { # DIR [NAME ADDRESS [ALIAS]]: ca.pem, and hub.pem with hub.key, for localhost unless told otherwise
    (
        cd "$1" || exit 1
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj '/CN=smtprelay interop CA' \
            -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign' &&
            openssl req -newkey rsa:2048 -nodes -keyout hub.key -out hub.csr -subj "/CN=${2-localhost}" &&
            printf 'subjectAltName=DNS:%s,IP:%s\nextendedKeyUsage=serverAuth\n' "${2-localhost}${4:+,DNS:$4}" "${3-127.0.0.1}" >hub.ext &&
            openssl x509 -req -in hub.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile hub.ext -out hub.pem
    ) >"$1/openssl.log" 2>&1
}

dovecot_config() { # DIR
    cat <<EOF
base_dir = $1/dovecot/run
state_dir = $1/dovecot/state
log_path = $1/dovecot.log
protocols =
ssl = no
default_login_user = dovenull
default_internal_user = dovecot
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
passdb {
  driver = passwd-file
  args = scheme=PLAIN $1/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service auth {
  unix_listener $1/queue/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
# what somebody wants to have besides
!include_try $1/dovecot.more
EOF
}

postfix_config() { # DIR ADDRESS NAME
    cat <<EOF
compatibility_level = 3.6
queue_directory = $1/queue
data_directory = $1/data
mail_owner = postfix
setgid_group = postdrop
myhostname = $3
mydestination =
mynetworks =
inet_interfaces = $2
inet_protocols = ipv4
maillog_file = $1/mail.log
maillog_file_prefixes = /tmp, /var
virtual_mailbox_domains = example.net, example.org
virtual_mailbox_base = $1/mail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
message_size_limit = 60000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_tls_cert_file = $1/hub.pem
smtpd_tls_key_file = $1/hub.key
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{ { refused@example.net = 550 5.1.1 nobody of that name } },
  permit_sasl_authenticated, reject
header_size_limit = 3000000
EOF
}

master_config() { # SUBMISSION SUBMISSIONS ADDRESS
    cat <<EOF
$3:$1 inet n - n - - smtpd
$3:$2 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
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
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
EOF
}

postfix_start() {
    address=${2-127.0.0.1} CA=$1/ca.pem MAILDIR=$1/mail/all
    if [ $# -gt 1 ]; then
        SUBMISSION=587 SUBMISSIONS=465
    else
        SUBMISSION=$(free_port 2) SUBMISSIONS=${SUBMISSION#* } SUBMISSION=${SUBMISSION% *}
    fi
    mkdir -p "$1/queue/private" "$1/data" "$1/mail" "$1/etc" "$1/dovecot/run" "$1/dovecot/state"
    chmod 755 "$1"
    chown postfix "$1/data" "$1/queue/private"
    chown nobody "$1/mail"
    make_ca "$1" "${3-localhost}" "$address" "${4-}" || return 1
    printf 'relay@example.org:s3cret pass\n' >"$1/users"
    chmod 644 "$1/users"
    dovecot_config "$1" >"$1/dovecot.conf"
    postfix_config "$1" "$address" "${3-hub.example.net}" >"$1/etc/main.cf"
    master_config "$SUBMISSION" "$SUBMISSIONS" "$address" >"$1/etc/master.cf"
    dovecot -c "$1/dovecot.conf" || return 1
    postfix -c "$1/etc" start >"$1/start.log" 2>&1 || { cat "$1/start.log"; return 1; }
    postfix_listens "$address" "$SUBMISSION" || { cat "$1/mail.log"; return 1; }
}

postfix_listens() { # ADDRESS PORT
    wait_for 30 python3 -c "import socket; socket.create_connection(('$1', $2), 1)" 2>/dev/null
}

postfix_stop() {
    postfix -c "$1/etc" stop >/dev/null 2>&1
    dovecot -c "$1/dovecot.conf" stop >/dev/null 2>&1
}

# Stopped first, it makes no child that is missed here, keeps the port and goes on to serve
postfix_kill() {
    master=$(tr -d ' ' <"$1/queue/pid/master.pid")
    kill -STOP "$master"
    wait_for 30 grep -q '^State:.T' "/proc/$master/status"
    # shellcheck disable=SC2046 # pids
    kill -STOP $(pgrep -P "$master") 2>/dev/null || : # one that has just ended
    UNDER_WAY=$(ss -Htn state established "$2" | wc -l)
    # shellcheck disable=SC2046 # pids
    kill -KILL $(pgrep -P "$master") "$master" 2>/dev/null || :
    # or a zombie, where nobody waits for it
    wait_for 30 sh -c "! grep -qs '^State:.[^ZX]' /proc/$master/status"
}

postfix_again() {
    tries_again=6
    until postfix -c "$1/etc" start >"$1/start.log" 2>&1 && postfix_listens "$2" "$3"; do
        tries_again=$((tries_again - 1))
        if [ $tries_again -eq 0 ]; then
            tail -n 20 "$1/start.log" "$1/mail.log"
            return 1
        fi
        postfix -c "$1/etc" stop >/dev/null 2>&1
        sleep 2
    done
}

come() {
    for dir; do
        [ -d "$dir/mail/all/new" ] || continue
        find "$dir/mail/all/new" -type f -exec sed -n 's/^Subject: message \([^ ]*\)\.$/\1/p' {} +
    done
}
