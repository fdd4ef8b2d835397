/*
 * resolve: names to addresses, through /etc/hosts and DNS, with a deadline of our own. The only code that knows c-ares.
 */
#ifndef SMTP_RESOLVE_H
#define SMTP_RESOLVE_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define RESOLVE_MAX 32

struct resolve_address {
    struct sockaddr_storage addr; /* port 0 */
    socklen_t len;
};

struct resolve_addresses {
    struct resolve_address a[RESOLVE_MAX];
    size_t n;
};

struct resolve_target {
    char host[256];
    uint16_t port, priority, weight;
};

/* An IP literal, which never leaves the machine; false when it is none. */
bool resolve_literal(const char *text, struct resolve_address *out);

/* The search for a host's addresses, which goes on while the first of them are tried. */
struct resolve;
enum { RESOLVE_SOCKETS = 16 };

/*
 * `host` as A-labels or an IP literal; an entry in /etc/hosts is the answer. `servers`: name servers ("ip:port,…") in place of those of
 * resolv.conf, NULL = those. NULL with err (ERROR_TEMP) when there is no name service.
 */
struct resolve *resolve_new(const char *host, const char *servers, struct error *err);
void resolve_free(struct resolve *r);
/* The next address to try, each once, IPv6 and IPv4 in turn (RFC 8305, 4). False: none at present. */
bool resolve_next(struct resolve *r, struct resolve_address *out);
/* No more addresses will be found. */
bool resolve_is_over(const struct resolve *r);
/* What poll(2) has to watch, and in *until when to go on at the latest. Then resolve_step(), whatever poll says. */
size_t resolve_poll(const struct resolve *r, struct pollfd p[RESOLVE_SOCKETS], int64_t *until);
void resolve_step(struct resolve *r, const struct pollfd *p, size_t n);
/* Was no address found so far? err (ERROR_TEMP) says why. */
bool resolve_has_failed(const struct resolve *r, struct error *err);

/*
 * SRV records of `name` ("_submission._tcp.example.org"), in the order to try them (RFC 2782). At most `max`; *n may be 0 when
 * there are none. False with err when it is not known whether there are any.
 */
bool resolve_srv(
    const char *name, int64_t deadline, struct resolve_target *out, size_t max, size_t *n, struct error *err);

#endif
