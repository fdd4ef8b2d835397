/*
 * resolve: names to addresses, through /etc/hosts and DNS, with a deadline of our own. The only code that knows c-ares.
 */
#ifndef SMTP_RESOLVE_H
#define SMTP_RESOLVE_H

#include <netinet/in.h>
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
    struct resolve_address a[RESOLVE_MAX]; /* IPv6 and IPv4 take turns, IPv6 first (RFC 8305, 4) */
    size_t n;
};

struct resolve_target {
    char host[256];
    uint16_t port, priority, weight;
};

/* `host` as A-labels, or an IP literal, which never leaves the machine. False with err (ERROR_TEMP). */
bool resolve_host(const char *host, int64_t deadline, struct resolve_addresses *out, struct error *err);
/*
 * SRV records of `name` ("_submission._tcp.example.org"), in the order to try them (RFC 2782). At most `max`; *n may be 0 when
 * there are none. False with err when it is not known whether there are any.
 */
bool resolve_srv(
    const char *name, int64_t deadline, struct resolve_target *out, size_t max, size_t *n, struct error *err);

#endif
