#!/bin/sh
# SPDX-License-Identifier: ISC
# Confinement seen from outside: what the kernel says about the running processes, and that nothing they need is out of reach.
if [ "$(id -u)" -eq 0 ] && [ -z "${CONFINE_INSIDE-}" ] && unshare --mount true 2>/dev/null; then
    # what is mounted here goes with this script
    CONFINE_INSIDE=yes exec unshare --mount --propagation private sh "$0"
fi
. "$(dirname "$0")/lib.sh"

field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" 2>/dev/null; }

is_below() { # PID ANCESTOR
    up=$1
    while [ "${up:-0}" -gt 1 ] && [ "$up" != "$2" ]; do up=$(field "$up" PPid); done
    [ "$up" = "$2" ]
}

# The process of this name (the kernel keeps 15 octets) that our own sendmail started, once it has entered its filter
find_confined() {
    for status in $(grep -l "^Name:[[:space:]]*$1\$" /proc/[0-9]*/status 2>/dev/null); do
        pid=${status#/proc/} pid=${pid%/status}
        [ "$(field "$pid" Seccomp)" = 2 ] && is_below "$pid" "$sender" && return 0
    done
    return 1
}

stalled_send() {
    hub_start accept-silent
    conf Timeout=60s ConnectTimeout=60s InteractiveTimeout=60s
    letter
    "$SENDMAIL" -C "$T/conf" -i bob@example.net <"$MSG" >"$T/out" 2>"$T/err" &
    sender=$!
}

if grep -q '^Seccomp:' /proc/self/status 2>/dev/null && case $(uname -m)-$(getconf LONG_BIT) in x86_64-64 | aarch64-64) ;; *) false ;; esac; then
    begin "a running worker and its daemon are filtered and gain no privileges"
    stalled_send
    if wait_for 30 find_confined smtprelay-worke; then
        [ "$(field "$pid" NoNewPrivs)" = 1 ] || fail "the worker may gain privileges"
    else
        fail "no confined worker"
    fi
    if wait_for 30 find_confined smtprelayd; then
        [ "$(field "$pid" NoNewPrivs)" = 1 ] || fail "the daemon may gain privileges"
    else
        fail "no confined daemon"
    fi
    hub_stop # which ends the stall
    wait "$sender" 2>/dev/null
    end
fi

begin "a confined worker reads /etc/hosts"
hub_start - --tls none
conf UseTLS=false "mailhub=localhost:$HUB_PORT"
letter
send -i bob@example.net
expect_rc 0
expect_messages 1
end

if command -v openssl >/dev/null; then
    begin "a confined worker finds a CA by its hash, behind links that lead out of TLS_CA_Dir"
    hub_start - --tls starttls
    mkdir -p "$T/hashed" "$T/elsewhere"
    cp "$CA" "$T/elsewhere/ca.pem"
    chmod 755 "$T" "$T/hashed" "$T/elsewhere" # workers of root run as another user
    chmod 644 "$T/elsewhere/ca.pem"
    ln -s ../elsewhere/ca.pem "$T/hashed/ours.pem"
    ln -s ours.pem "$T/hashed/$(openssl x509 -hash -noout -in "$CA").0"
    conf UseTLS=starttls "TLS_CA_Dir=$T/hashed"
    letter
    send -i bob@example.net
    expect_rc 0
    expect_messages 1
    end
fi

cat >"$T/openssl.cnf" <<'END'
openssl_conf = here
.include /etc/ssl/openssl-more.cnf
END
cat >"$T/openssl-more.cnf" <<'END'
[here]
ssl_conf = modules
[modules]
system_default = policy
[policy]
Ciphersuites = TLS_AES_128_GCM_SHA256
END
mkdir -p "$T/etc-ssl"
cp -RP /etc/ssl/certs "$T/openssl.cnf" "$T/openssl-more.cnf" "$T/etc-ssl" 2>/dev/null
if [ -n "${CONFINE_INSIDE-}" ] && [ "$(readlink -f "$(openssl version -d 2>/dev/null | cut -d '"' -f 2)/openssl.cnf")" = /etc/ssl/openssl.cnf ] &&
    chmod -R go+rX "$T/etc-ssl" && mount --bind "$T/etc-ssl" /etc/ssl 2>/dev/null; then
    begin "a confined worker goes by all that openssl.cnf includes"
    hub_start - --tls starttls
    conf_tls starttls ''
    letter
    send -v -i bob@example.net
    expect_rc 0
    expect_messages 1
    run "$O/root/sbin/smtprelay" -C "$T/conf" test
    expect_out TLS_AES_128_GCM_SHA256
    end
    umount /etc/ssl
fi

begin "a letter that outgrows memory goes through a confined daemon's temporary file"
hub_start - --tls none
conf UseTLS=false
big_letter 3000
send -i bob@example.net
expect_rc 0
expect_messages 1
end

begin "a confined daemon writes its LogFile"
hub_start - --tls none
conf UseTLS=false "LogFile=$T/log"
letter
send -i bob@example.net
# shellcheck disable=SC2154 # send sets it
if [ "$rc" -eq 0 ]; then
    grep -q 'status=sent' "$T/log" || fail "nothing in the log"
else
    expect_err LogFile # some callers may not choose one
fi
end
