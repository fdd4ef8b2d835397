/* SPDX-License-Identifier: ISC */
/*
 * resolve: names to addresses, through /etc/hosts and DNS, with a deadline of our own. c-ares is known to smtp/asking alone.
 */
#ifndef SMTP_RESOLVE_H
#define SMTP_RESOLVE_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/error.h"
#include "smtp/answer.h"

#define RESOLVE_MAX 32
#define RESOLVE_ANSWER_MAX 65536 /* of resolve_ask(), its end included */

struct resolve_address {
    struct sockaddr_storage addr; /* port 0 */
    socklen_t len;
    bool is_secure; /* DNSSEC has proved it */
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
/* There surely is none: the name does not exist, or has no address. */
bool resolve_is_absent(const struct resolve *r);
/* Where the host's CNAMEs lead to, as far as answers have come; the host itself where there are none. */
void resolve_canonical(const struct resolve *r, char out[ANSWER_NAME_SIZE]);

/* Has /etc/hosts an address for it? */
bool resolve_is_in_hosts(const char *host);
/*
 * May a name server's word that DNSSEC has proved an answer be believed (RFC 7672, 2.2; resolv.conf(5), trust-ad)? `servers` as above:
 * only those on this machine; without, also those whose resolv.conf says so.
 */
bool resolve_trusts_ad(const char *servers);
/*
 * One question, waited for. `answer` (empty, of RESOLVE_ANSWER_MAX) gets the message as it came; UNKNOWN with err (ERROR_TEMP) when
 * none came that says something. *secure (may be NULL): DNSSEC has proved it, and that may be believed.
 */
enum answer_outcome resolve_ask(const char *name, int type, const char *servers, int64_t deadline,
    struct buf *answer, bool *secure, struct error *err);
/* 0 to n - 1, by chance */
uint32_t resolve_random(uint32_t n);

/* 0 to n - 1 */
typedef uint32_t resolve_chance(void *ctx, uint32_t n);
/*
 * Targets in the order to try them: by priority, and of equal ones each next one by chance in proportion to its weight (RFC 2782); one
 * of weight 0 beside others hardly ever, those that have 0 all alike.
 */
void resolve_order(struct resolve_target *t, size_t n, resolve_chance *chance, void *ctx);
/*
 * SRV records of `name` ("_submission._tcp.example.org"), in the order to try them (RFC 2782). At most `max`; *n may be 0 when
 * there are none. False with err when it is not known whether there are any.
 */
bool resolve_srv(
    const char *name, int64_t deadline, struct resolve_target *out, size_t max, size_t *n, struct error *err);

#endif
