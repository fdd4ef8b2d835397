/* SPDX-License-Identifier: ISC */
/* socks: the few octets of RFC 1928, 3 to 6, without a login. */
#include "smtp/socks.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "smtp/resolve.h"

static bool
move_bytes(int fd, void *data, size_t len, bool reading, int64_t deadline)
{
    char *p = data;

    while (len) {
        struct pollfd w = { .fd = fd, .events = reading ? POLLIN : POLLOUT };
        if (poll(&w, 1, clock_left(deadline)) <= 0)
            return false;
        ssize_t n = reading ? recv(fd, p, len, 0) : send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* CONNECT: an IP literal as what it is, a name as a name, which the proxy resolves (RFC 1928, 4) */
static size_t
make_request(const struct connect_options *o, unsigned char out[300])
{
    struct resolve_address a;
    size_t n = strlen(o->host), at = 4;

    memcpy(out, "\5\1\0\3", 4);
    if (resolve_literal(o->host, &a)) {
        bool six = a.addr.ss_family == AF_INET6;
        n = six ? 16 : 4;
        out[3] = six ? 4 : 1;
        memcpy(out + at,
            six ? (const void *)&((const struct sockaddr_in6 *)&a.addr)->sin6_addr
                : (const void *)&((const struct sockaddr_in *)&a.addr)->sin_addr,
            n);
    } else {
        if (n > 255)
            return 0;
        out[at++] = (unsigned char)n;
        memcpy(out + at, o->host, n);
    }
    at += n;
    out[at++] = (unsigned char)(o->port >> 8);
    out[at++] = (unsigned char)o->port;
    return at;
}

bool
socks_ask(int fd, const struct connect_options *o, int64_t deadline, const char **why)
{
    static const char *const refusals[] = { "", "general failure", "not allowed by its rules",
        "network unreachable", "host unreachable", "connection refused", "TTL expired",
        "command not supported", "address type not supported" };
    unsigned char hello[] = { 5, 1, 0 }, request[300], in[262];
    size_t n = make_request(o, request), more;

    *why = "it does not speak SOCKS5";
    if (!n || !move_bytes(fd, hello, sizeof hello, false, deadline) ||
        !move_bytes(fd, in, 2, true, deadline) || in[0] != 5)
        return false;
    if (in[1] != 0) {
        *why = "it wants a login";
        return false;
    }
    if (!move_bytes(fd, request, n, false, deadline) || !move_bytes(fd, in, 2, true, deadline) || in[0] != 5)
        return false;
    if (in[1] != 0) { /* some say no more than that */
        *why = in[1] < 9 ? refusals[in[1]] : "unknown refusal";
        return false;
    }
    if (!move_bytes(fd, in + 2, 3, true, deadline))
        return false;
    more = in[3] == 1 ? 3 + 2 : in[3] == 4 ? 15 + 2 : in[3] == 3 ? (size_t)in[4] + 2 : 0;
    return more && move_bytes(fd, in, more, true, deadline);
}
