/* SPDX-License-Identifier: ISC */
/* connect: one attempt, and what is known of who answers; says nothing about what is spoken afterwards. */
#include "smtp/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "smtp/race.h"
#include "smtp/resolve.h"

void
connect_address_text(const struct resolve_address *a, char *out, size_t size)
{
    const void *p = a->addr.ss_family == AF_INET6
                        ? (const void *)&((const struct sockaddr_in6 *)&a->addr)->sin6_addr
                        : (const void *)&((const struct sockaddr_in *)&a->addr)->sin_addr;

    if (!inet_ntop(a->addr.ss_family, p, out, (socklen_t)size))
        (void)snprintf(out, size, "?");
}

/* What to look at: for who sees no more than this line */
static const char *
find_hint(int errno_value, bool has_source)
{
    switch (errno_value) {
    case 0:
    case ETIMEDOUT:
        return "; a wrong port, a firewall, or the server is down";
    case ECONNREFUSED:
        return "; nothing listens on that port, or a firewall refuses";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return "; this machine has no way there: is its network up?";
    case EADDRNOTAVAIL:
        return has_source ? "; is SourceAddress an address of this machine?"
                          : "; this machine has no address of that kind";
    case EACCES:
    case EPERM:
        return "; a firewall of this machine forbids it";
    default:
        return "";
    }
}

void
connect_explain(const struct connect_options *o, const char *host, uint16_t port, int errno_value,
    const char *what, struct error *err)
{
    if (!what)
        what = errno_value ? strerror(errno_value) : "no connection in time";
    error_set(err, ERROR_TEMP, strchr(host, ':') ? "[%s]:%u: %s%s" : "%s:%u: %s%s", host, port, what,
        find_hint(errno_value, o->source != NULL));
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

int
connect_host(const struct connect_options *o, int64_t deadline, struct connect_info *info, struct error *err)
{
    struct race *race = race_new();
    const struct race_goal connection = { .word = false };
    struct race_result r = { .fd = -1 };

    if (race_add(race, 0, o, &connection, deadline, &r))
        while (race_wait(race, CLOCK_NEVER, &r) == RACE_WAITING)
            ;
    race_free(race);
    *info = r.info;
    if (r.fd < 0)
        *err = r.err;
    return r.fd;
}
