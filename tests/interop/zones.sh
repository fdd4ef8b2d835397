# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# Signed and unsigned zones, an authoritative server (nsd) and a validating resolver (unbound) for them.  Sourced by tests/interop/names,
# in its network namespace.
#
#   names_start DIR CA-FILE CERT-FILE    what the TLSA records are about; false when a server does not come up
#   names_stop

NAME_PIDS=

# hash of a certificate's public key; the certificate itself
spki_of() { openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }
der_of() { openssl x509 -in "$1" -outform DER | od -An -v -tx1 | tr -d ' \n'; }

zone_head() { # ZONE
    cat <<EOF
\$ORIGIN $1.
\$TTL 60
@ IN SOA ns.$1. root.$1. 1 3600 600 86400 60
@ IN NS ns.$1.
ns IN A 127.0.0.2
EOF
}

# What is called NAME.example.net is a domain, what stands behind MX a host.
zone_net() { # DIR CA CERT
    zone_head example.net
    cat <<EOF
mx1 A 127.1.0.1
mx2 A 127.1.0.2
busy A 127.1.0.3
refused A 127.1.0.99
silent A 127.1.0.8
mute A 127.1.0.10
pausing A 127.1.0.11
grey A 127.1.0.12
grey2 A 127.1.0.12
closing A 127.1.0.13
six AAAA fd00::6
both AAAA fd00::99
both A 127.1.0.1
self A 127.0.0.1
bare A 127.1.0.4
broken A 127.1.0.5
hub A 127.1.0.1
cname CNAME mx1

prefer MX 20 mx2
prefer MX 10 mx1
next MX 10 refused
next MX 20 mx2
later MX 10 busy
later MX 20 mx2
nowhere MX 10 refused
dark MX 10 silent
dark MX 20 mx2
muted MX 10 mute
muted MX 20 mx2
paused MX 10 pausing
paused MX 20 mx2
putoff MX 10 grey
putoff MX 20 mx2
cut MX 10 closing
cut MX 20 mx2
greys MX 10 grey
greys MX 20 grey2
greys MX 30 mx2
greyself MX 10 grey
greyself MX 20 self
cutself MX 10 closing
cutself MX 20 self
greydark MX 10 grey
greydark MX 20 refused
null MX 0 .
implicit A 127.1.0.1
alias CNAME prefer
aliased MX 10 cname
onlysix MX 10 six
race MX 10 both
empty TXT "neither MX nor address"
missing MX 10 nobody
loop MX 10 self
behind MX 10 refused
behind MX 20 self
behind MX 30 mx2
clear MX 10 bare

out A 198.51.100.7
sender TXT "v=spf1 ip4:198.51.100.0/29 -all"
other TXT "v=spf1 ip4:192.0.2.1 -all"
include TXT "v=spf1 include:sender.example.net -all"
halftls MX 10 broken

_submission._tcp.srv SRV 20 1 25 mx2
_submission._tcp.srv SRV 10 1 25 refused
wrapped A 127.1.0.9
other A 127.1.0.7
_submissions._tcp.srv-both SRV 10 1 25 wrapped
_submission._tcp.srv-both SRV 10 1 25 mx2
_submissions._tcp.srv-dot SRV 0 0 0 .
_submission._tcp.srv-dot SRV 10 1 25 mx2
_submissions._tcp.srv-none SRV 0 0 0 .
_submission._tcp.srv-none SRV 0 0 0 .
_submission._tcp.srv-dark SRV 10 1 25 silent
_submission._tcp.srv-dark SRV 20 1 25 mx2
_submission._tcp.srv-mute SRV 10 1 25 mute
_submission._tcp.srv-mute SRV 20 1 25 mx2
_submission._tcp.srv-putoff SRV 10 1 25 grey
_submission._tcp.srv-putoff SRV 20 1 25 mx2
_submission._tcp.srv-name SRV 10 1 25 other
_submission._tcp.srv-weight SRV 10 5 25 mx1
_submission._tcp.srv-weight SRV 10 5 25 mx2
_submission._tcp.srv-weight SRV 20 100 25 busy
EOF
    for i in 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39; do
        echo "many MX $i a-long-name-of-a-host-$i"
        echo "a-long-name-of-a-host-$i A 127.1.0.1"
    done
    good=$(spki_of "$3")
    wrong=$(printf '%064d' 0)
    # HOST ADDRESS TLSA...: a domain dane-HOST with one host
    while read -r host address tlsa; do
        [ -n "$host" ] || continue
        echo "$host A $address"
        echo "dane-$host MX 10 $host"
        [ -z "$tlsa" ] || echo "_25._tcp.$host TLSA $tlsa"
    done <<EOF
ok 127.1.0.1 3 1 1 $good
wrong 127.1.0.1 3 1 1 $wrong
ca 127.1.0.1 2 0 0 $(der_of "$2")
caname 127.1.0.7 2 0 0 $(der_of "$2")
pkix 127.1.0.1 1 1 1 $wrong
odd 127.1.0.1 3 1 9 $wrong
bare2 127.1.0.4 3 1 1 $good
lame 127.1.0.1
EOF
    cat <<EOF
dane-alias MX 10 dcname
dcname CNAME wrong
dane-next MX 10 wrong
dane-next MX 20 ok
_tcp.lame NS ns.lame
ns.lame A 127.0.0.9
EOF
}

zone_plain() { # WRONG-HASH: nobody has signed this
    zone_head plain.example
    cat <<EOF
@ MX 10 mx
mx A 127.1.0.1
_25._tcp.mx TLSA 3 1 1 $(printf '%064d' 0)
EOF
}

zone_reverse() {
    zone_head 100.51.198.in-addr.arpa
    echo '7 PTR out.example.net.'
    echo '8 PTR mx1.example.net.'
}

zone_bogus() {
    zone_head bogus.example
    echo '@ MX 10 mx'
    echo 'mx A 127.1.0.1'
}

sign() { # DIR ZONE: DIR/ZONE.signed, and its key in DIR/anchors
    (
        cd "$1" || exit 1
        key=$(ldns-keygen -a ECDSAP256SHA256 -k "$2") && ldns-signzone -f "$2.signed" "$2.zone" "$key" &&
            grep DNSKEY "$key.key" >>anchors
    )
}

names_config() { # DIR
    cat >"$1/nsd.conf" <<EOF
server:
    ip-address: 127.0.0.2
    username: ""
    chroot: ""
    zonesdir: "$1"
    database: ""
    pidfile: "$1/nsd.pid"
    xfrdfile: "$1/xfrd.state"
    zonelistfile: "$1/zone.list"
    logfile: "$1/nsd.log"
    server-count: 1
remote-control:
    control-enable: no
zone:
    name: "example.net"
    zonefile: "example.net.signed"
zone:
    name: "100.51.198.in-addr.arpa"
    zonefile: "reverse.zone"
zone:
    name: "plain.example"
    zonefile: "plain.example.zone"
zone:
    name: "bogus.example"
    zonefile: "bogus.example.signed"
EOF
    cat >"$1/unbound.conf" <<EOF
server:
    interface: 127.0.0.1
    interface: 10.9.9.9
    access-control: 0.0.0.0/0 allow
    do-not-query-localhost: no
    do-ip6: no
    username: ""
    chroot: ""
    directory: "$1"
    pidfile: "$1/unbound.pid"
    use-syslog: no
    logfile: "$1/unbound.log"
    module-config: "validator iterator"
    trust-anchor-file: "$1/anchors"
    harden-dnssec-stripped: no
    local-zone: "100.51.198.in-addr.arpa." nodefault
remote-control:
    control-enable: no
stub-zone:
    name: "example.net"
    stub-addr: 127.0.0.2
stub-zone:
    name: "100.51.198.in-addr.arpa"
    stub-addr: 127.0.0.2
stub-zone:
    name: "plain.example"
    stub-addr: 127.0.0.2
stub-zone:
    name: "bogus.example"
    stub-addr: 127.0.0.2
stub-zone:
    name: "dead.example"
    stub-addr: 127.0.0.9
EOF
}

names_start() {
    zone_net "$1" "$2" "$3" >"$1/example.net.zone"
    zone_plain >"$1/plain.example.zone"
    zone_reverse >"$1/reverse.zone"
    zone_bogus >"$1/bogus.example.zone"
    sign "$1" example.net && sign "$1" bogus.example || return 1
    # what was signed is another address
    sed 's/127\.1\.0\.1/127.1.0.2/' "$1/bogus.example.signed" >"$1/tampered" && mv "$1/tampered" "$1/bogus.example.signed"
    names_config "$1"
    nsd -d -c "$1/nsd.conf" >"$1/nsd.err" 2>&1 &
    NAME_PIDS="$NAME_PIDS $!"
    unbound -d -c "$1/unbound.conf" >"$1/unbound.err" 2>&1 &
    NAME_PIDS="$NAME_PIDS $!"
    wait_for 30 sh -c 'drill -Q @127.0.0.1 mx1.example.net A | grep -qx 127.1.0.1'
}

names_stop() {
    for pid in $NAME_PIDS; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    NAME_PIDS=
}
