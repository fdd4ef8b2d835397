/* SPDX-License-Identifier: ISC */
/*
 * connect: a TCP connection to a host by the fastest of its addresses (RFC 8305), or through a SOCKS5 proxy (RFC 1928).
 */
#ifndef SMTP_CONNECT_H
#define SMTP_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "smtp/answer.h"

struct resolve_address;

enum { CONNECT_PEER_SIZE = 64, CONNECT_PEERS_MAX = 4 };

/* Some addresses of a host, as connect_address_text() has them */
struct connect_peers {
    char peer[CONNECT_PEERS_MAX][CONNECT_PEER_SIZE];
    size_t n;
};

struct connect_options {
    const char *host; /* A-labels or an IP literal */
    uint16_t port;
    const char *source;     /* SourceAddress, NULL = any */
    const char *proxy_host; /* NULL = none */
    uint16_t proxy_port;
    const char *name_servers;            /* "ip:port,…" in place of those of resolv.conf; NULL = those */
    const struct connect_peers *without; /* addresses of the host that are left out; NULL: none */
};

struct connect_info {
    char peer[CONNECT_PEER_SIZE]; /* the address that answered */
    int64_t resolve_us, connect_us;
    bool is_secure;                   /* DNSSEC has proved that address, and that may be believed */
    bool is_absent;                   /* on failure: surely there is no such host, or it has no address */
    bool is_here;                     /* it is this very machine that has answered */
    bool has_others;                  /* the host has other addresses, too, as far as is known by now */
    char canonical[ANSWER_NAME_SIZE]; /* where the host's CNAMEs lead to; "" behind a proxy */
};

/* A non-blocking, close-on-exec descriptor with TCP_NODELAY, or -1 with err ("HOST:PORT: why (address)"; ERROR_TEMP). */
int connect_host(
    const struct connect_options *o, int64_t deadline, struct connect_info *info, struct error *err);

/* One attempt: a descriptor that becomes writable when it stands or fails (SO_ERROR), or -1 with errno. */
int connect_begin(const struct resolve_address *a, uint16_t port, const char *source);
/* What is known of a connection to that address: peer, is_secure, is_here */
void connect_note_peer(int fd, const struct resolve_address *a, struct connect_info *info);
/*
 * "HOST:PORT: WHAT; what to look at" for a failure of errno (0: none answered in time); `what` is that of all addresses, NULL: the
 * system's word. ERROR_TEMP.
 */
void connect_explain(const struct connect_options *o, const char *host, uint16_t port, int errno_value,
    const char *what, struct error *err);
/* "192.0.2.1", "2001:db8::1" */
void connect_address_text(const struct resolve_address *a, char *out, size_t size);

#endif
