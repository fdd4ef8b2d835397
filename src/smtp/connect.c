/* SPDX-License-Identifier: ISC */
/* connect: the race of addresses and the proxy's dialog; says nothing about what is spoken afterwards. */
#include "smtp/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "smtp/resolve.h"

#define STAGGER_MS 250 /* RFC 8305, 5: Connection Attempt Delay */

#define ATTEMPTS_MAX 32

struct attempt {
    int fd;
    struct resolve_address a;
};

struct race {
    struct attempt attempts[ATTEMPTS_MAX];
    size_t n;       /* begun */
    size_t open;    /* still trying */
    struct buf why; /* what the failed ones said */
};

void
connect_address_text(const struct resolve_address *a, char *out, size_t size)
{
    const void *p = a->addr.ss_family == AF_INET6
                        ? (const void *)&((const struct sockaddr_in6 *)&a->addr)->sin6_addr
                        : (const void *)&((const struct sockaddr_in *)&a->addr)->sin_addr;

    if (!inet_ntop(a->addr.ss_family, p, out, (socklen_t)size))
        (void)snprintf(out, size, "?");
}

static void
note_failure(struct race *r, const struct resolve_address *a, int errno_value)
{
    char text[64];

    if (r->why.len > 200)
        return;
    connect_address_text(a, text, sizeof text);
    buf_add_format(&r->why, "%s%s (%s)", r->why.len ? ", " : "", strerror(errno_value), text);
}

static bool
bind_source(int fd, const char *source, sa_family_t family)
{
    struct resolve_address a;

    if (!source)
        return true;
    if (!resolve_literal(source, &a) || a.addr.ss_family != family) {
        errno = EADDRNOTAVAIL;
        return false;
    }
    return bind(fd, (const struct sockaddr *)&a.addr, a.len) == 0;
}

int
connect_begin(const struct resolve_address *a, uint16_t port, const char *source)
{
    struct sockaddr_storage to = a->addr;
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, saved;

    if (to.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&to)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&to)->sin_port = htons(port);
    if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0 &&
        bind_source(fd, source, to.ss_family) &&
        (connect(fd, (struct sockaddr *)&to, a->len) == 0 || errno == EINPROGRESS))
        return fd;
    saved = errno;
    file_close(&fd);
    errno = saved;
    return -1;
}

static void
begin_attempt(struct race *r, const struct resolve_address *a, uint16_t port, const char *source)
{
    int fd = connect_begin(a, port, source);

    r->attempts[r->n].a = *a;
    r->attempts[r->n].fd = fd;
    if (fd >= 0)
        r->open++;
    else
        note_failure(r, a, errno);
    r->n++;
}

/* The first that stands: its index, or -1 when none does */
static int
look(struct race *r, const struct pollfd *p)
{
    for (size_t i = 0; i < r->n; i++) {
        int e = 0;
        socklen_t len = sizeof e;
        if (r->attempts[i].fd < 0 || !p[i].revents)
            continue;
        if (getsockopt(r->attempts[i].fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0)
            return (int)i;
        note_failure(r, &r->attempts[i].a, e);
        file_close(&r->attempts[i].fd);
        r->open--;
    }
    return -1;
}

/* Wait for attempts and for names, `until` at the latest; see look() */
static int
wait_for_both(struct race *r, struct resolve *names, int64_t until)
{
    struct pollfd p[ATTEMPTS_MAX + RESOLVE_SOCKETS];
    size_t sockets;

    for (size_t i = 0; i < r->n; i++)
        p[i] = (struct pollfd){ .fd = r->attempts[i].fd, .events = POLLOUT };
    sockets = resolve_poll(names, p + r->n, &until);
    if (poll(p, (nfds_t)(r->n + sockets), clock_left(until)) < 0)
        return -1; /* a signal */
    resolve_step(names, p + r->n, sockets);
    return look(r, p);
}

/* One attempt after the other as names are found, STAGGER_MS apart or when none is open */
static int
run_race(struct race *r, struct resolve *names, const struct connect_options *o, uint16_t port,
    int64_t deadline, struct connect_info *info)
{
    int64_t start = clock_us(), next = clock_ms();
    struct resolve_address a;
    int winner = -1;

    while (winner < 0 && clock_left(deadline) != 0) {
        bool due = r->n < ATTEMPTS_MAX && (r->open == 0 || clock_left(next) == 0);
        if (due && resolve_next(names, &a)) {
            if (r->n == 0)
                info->resolve_us = clock_us() - start;
            begin_attempt(r, &a, port, o->source);
            next = clock_deadline(STAGGER_MS);
            continue;
        }
        if (r->open == 0 && (resolve_is_over(names) || r->n == ATTEMPTS_MAX))
            break;
        winner = wait_for_both(r, names, due ? deadline : clock_min(next, deadline));
    }
    info->connect_us = clock_us() - start - info->resolve_us;
    return winner;
}

static bool
is_same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET6)
        return IN6_ARE_ADDR_EQUAL(
            &((const struct sockaddr_in6 *)a)->sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr);
    return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)b)->sin_addr.s_addr;
}

/* "::ffff:127.0.0.2" is 127.0.0.2 */
static void
unmap(struct resolve_address *a)
{
    struct sockaddr_in four = { .sin_family = AF_INET };
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&a->addr;

    if (a->addr.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return;
    memcpy(&four.sin_addr, six->sin6_addr.s6_addr + 12, sizeof four.sin_addr);
    memcpy(&a->addr, &four, sizeof four);
    a->len = sizeof four;
}

/* Who speaks with himself has the same address at both ends; all of 127.0.0.0/8 is one */
static bool
is_here(int fd, const struct resolve_address *peer)
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)&peer->addr;
    struct resolve_address own;
    socklen_t len = sizeof own.addr;

    if (peer->addr.ss_family == AF_INET && ntohl(four->sin_addr.s_addr) >> 24 == 127)
        return true;
    if (getsockname(fd, (struct sockaddr *)&own.addr, &len) != 0)
        return false;
    unmap(&own);
    return is_same_address(&own.addr, &peer->addr);
}

/* Not the address that was asked for is who answers: 0.0.0.0 and :: are this machine */
void
connect_note_peer(int fd, const struct resolve_address *a, struct connect_info *info)
{
    struct resolve_address peer = *a;
    socklen_t len = sizeof peer.addr;

    if (getpeername(fd, (struct sockaddr *)&peer.addr, &len) != 0)
        peer = *a;
    unmap(&peer);
    connect_address_text(&peer, info->peer, sizeof info->peer);
    info->is_secure = a->is_secure;
    info->is_here = is_here(fd, &peer);
}

/* The winner's descriptor, or -1 */
static int
end_race(struct race *r, int winner, struct connect_info *info)
{
    int fd = -1;

    for (size_t i = 0; i < r->n; i++) {
        if ((int)i == winner) {
            fd = r->attempts[i].fd;
            connect_note_peer(fd, &r->attempts[i].a, info);
        } else {
            file_close(&r->attempts[i].fd);
        }
    }
    return fd;
}

static int
connect_direct(const struct connect_options *o, const char *host, uint16_t port, int64_t deadline,
    struct connect_info *info, struct error *err)
{
    struct race race = { .n = 0 };
    struct resolve *names = resolve_new(host, o->name_servers, err);
    int fd;

    if (!names)
        return -1;
    buf_init(&race.why, 600);
    fd = end_race(&race, run_race(&race, names, o, port, deadline, info), info);
    if (fd < 0 && !resolve_has_failed(names, err)) {
        if (race.why.len)
            error_set(err, ERROR_TEMP, "%s:%u: %s", host, port, buf_str(&race.why));
        else
            error_set(err, ERROR_TEMP, "%s:%u: no connection in time", host, port);
    }
    info->is_absent = fd < 0 && resolve_is_absent(names);
    resolve_canonical(names, info->canonical);
    buf_clear(&race.why);
    resolve_free(names);
    return fd;
}

/* ---------------------------------------------------------------- SOCKS5 */

static bool
proxy_bytes(int fd, void *data, size_t len, bool reading, int64_t deadline)
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
proxy_request(const struct connect_options *o, unsigned char out[300])
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

static bool
proxy_dialog(int fd, const struct connect_options *o, int64_t deadline, const char **why)
{
    static const char *const refusals[] = { "", "general failure", "not allowed by its rules",
        "network unreachable", "host unreachable", "connection refused", "TTL expired",
        "command not supported", "address type not supported" };
    unsigned char hello[] = { 5, 1, 0 }, request[300], in[262];
    size_t n = proxy_request(o, request), more;

    *why = "it does not speak SOCKS5";
    if (!n || !proxy_bytes(fd, hello, sizeof hello, false, deadline) ||
        !proxy_bytes(fd, in, 2, true, deadline) || in[0] != 5)
        return false;
    if (in[1] != 0) {
        *why = "it wants a login";
        return false;
    }
    if (!proxy_bytes(fd, request, n, false, deadline) || !proxy_bytes(fd, in, 2, true, deadline) ||
        in[0] != 5)
        return false;
    if (in[1] != 0) { /* some say no more than that */
        *why = in[1] < 9 ? refusals[in[1]] : "unknown refusal";
        return false;
    }
    if (!proxy_bytes(fd, in + 2, 3, true, deadline))
        return false;
    more = in[3] == 1 ? 3 + 2 : in[3] == 4 ? 15 + 2 : in[3] == 3 ? (size_t)in[4] + 2 : 0;
    return more && proxy_bytes(fd, in, more, true, deadline);
}

int
connect_host(const struct connect_options *o, int64_t deadline, struct connect_info *info, struct error *err)
{
    const char *why;
    int fd;

    memset(info, 0, sizeof *info);
    if (!o->proxy_host)
        return connect_direct(o, o->host, o->port, deadline, info, err);
    fd = connect_direct(o, o->proxy_host, o->proxy_port, deadline, info, err);
    if (fd < 0) {
        info->is_absent = false;
        error_context(err, "proxy");
        return -1;
    }
    info->is_secure = info->is_here = info->is_absent = false; /* that was the proxy */
    info->canonical[0] = '\0';
    if (proxy_dialog(fd, o, deadline, &why))
        return fd;
    error_set(err, ERROR_TEMP, "%s:%u: the proxy %s:%u refuses: %s", o->host, o->port, o->proxy_host,
        o->proxy_port, why);
    file_close(&fd);
    return -1;
}
