/* SPDX-License-Identifier: ISC */
/* tcp: addresses in and out of text. */
#include "daemon/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/slice.h"
#include "base/tcpowner.h"

enum { BACKLOG = 1024 };

/* "ADDRESS:PORT" or "[ADDRESS]:PORT"; 0: it is neither */
static socklen_t
parse(const char *text, struct sockaddr_storage *to)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    struct slice all = slice_of(text);
    size_t colon = slice_find_last(all, ':');
    bool in_brackets =
        all.len > 1 && all.p[0] == '[' && colon > 1 && colon < all.len && all.p[colon - 1] == ']';
    struct slice ip = in_brackets ? slice_sub(all, 1, colon - 2) : slice_sub(all, 0, colon);
    char copy[INET6_ADDRSTRLEN];
    uint64_t port;

    memset(to, 0, sizeof *to);
    if (ip.len >= sizeof copy || !slice_number(slice_from(all, colon + 1), 65535, &port))
        return 0;
    memcpy(copy, ip.p, ip.len);
    copy[ip.len] = '\0';
    if (in_brackets && inet_pton(AF_INET6, copy, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return sizeof *v6;
    }
    if (!in_brackets && inet_pton(AF_INET, copy, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return sizeof *v4;
    }
    return 0;
}

int
tcp_listen(const char *text, struct error *err)
{
    struct sockaddr_storage to;
    socklen_t len = parse(text, &to);
    int fd, on = 1;

    if (len == 0) {
        error_set(err, ERROR_CONFIG, "Listen %s: \"ADDRESS:PORT\" or \"[ADDRESS]:PORT\" is wanted", text);
        return -1;
    }
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (to.ss_family == AF_INET || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, (const struct sockaddr *)&to, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    if (errno == EACCES)
        error_set(err, ERROR_CONFIG,
            "Listen %s: a port below 1024 is root's; let systemd open it (ListenStream=%s in "
            "smtprelay.socket)",
            text, text);
    else
        error_sys(err, errno == EADDRINUSE ? ERROR_TEMP : ERROR_CONFIG, errno, "Listen %s", text);
    file_close(&fd);
    return -1;
}

bool
tcp_is_listening_at(int fd, const char *text)
{
    struct sockaddr_storage want, at;
    socklen_t len = sizeof at, size = sizeof(int);
    int listening = 0;

    memset(&at, 0, sizeof at);
    if (parse(text, &want) == 0 || getsockname(fd, (struct sockaddr *)&at, &len) != 0 ||
        at.ss_family != want.ss_family || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
        !listening)
        return false;
    if (at.ss_family == AF_INET) {
        const struct sockaddr_in *a = (const struct sockaddr_in *)&at, *w = (const struct sockaddr_in *)&want;
        return a->sin_port == w->sin_port && a->sin_addr.s_addr == w->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *a = (const struct sockaddr_in6 *)&at, *w = (const struct sockaddr_in6 *)&want;
    return a->sin6_port == w->sin6_port && memcmp(&a->sin6_addr, &w->sin6_addr, sizeof a->sin6_addr) == 0;
}

/* ::ffff:192.0.2.1 is 192.0.2.1 */
static void
unmap(struct sockaddr_storage *a)
{
    struct sockaddr_in6 v6;
    struct sockaddr_in v4 = { .sin_family = AF_INET };

    memcpy(&v6, a, sizeof v6);
    if (a->ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return;
    v4.sin_port = v6.sin6_port;
    memcpy(&v4.sin_addr, v6.sin6_addr.s6_addr + 12, 4);
    memset(a, 0, sizeof *a);
    memcpy(a, &v4, sizeof v4);
}

static const void *
bytes_of(const struct sockaddr_storage *a, size_t *len)
{
    *len = a->ss_family == AF_INET ? 4 : 16;
    return a->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)a)->sin_addr
                                   : (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr;
}

static bool
is_loopback(const struct sockaddr_storage *a)
{
    static const unsigned char one[16] = { [15] = 1 };
    size_t len;
    const unsigned char *p = bytes_of(a, &len);

    return len == 4 ? p[0] == 127 : memcmp(p, one, sizeof one) == 0;
}

/* A machine has all addresses of its /64 */
static void
set_network(struct tcp_peer *peer)
{
    struct sockaddr_in6 v6;
    char text[INET6_ADDRSTRLEN];

    memcpy(peer->network, peer->literal, sizeof peer->network);
    if (peer->address.ss_family != AF_INET6 || peer->is_loopback)
        return;
    memcpy(&v6, &peer->address, sizeof v6);
    memset(v6.sin6_addr.s6_addr + 8, 0, 8);
    if (inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text))
        (void)snprintf(peer->network, sizeof peer->network, "[IPv6:%s/64]", text);
}

bool
tcp_identify(int fd, struct tcp_peer *peer)
{
    socklen_t len = sizeof peer->address;
    char text[INET6_ADDRSTRLEN];
    size_t n;

    memset(peer, 0, sizeof *peer);
    if (getpeername(fd, (struct sockaddr *)&peer->address, &len) != 0)
        return false;
    unmap(&peer->address);
    if (!inet_ntop(peer->address.ss_family, bytes_of(&peer->address, &n), text, sizeof text))
        return false;
    (void)snprintf(peer->literal, sizeof peer->literal, "[%s%s]",
        peer->address.ss_family == AF_INET6 ? "IPv6:" : "", text);
    peer->is_loopback = is_loopback(&peer->address);
    set_network(peer);
    return true;
}

void
tcp_hurry(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* else it is slower */
}

/* ADDRESS/BITS, or an address alone */
static bool
is_within(const struct sockaddr_storage *a, const char *network)
{
    struct slice all = slice_of(network), ip = slice_sub(all, 0, slice_find(all, '/'));
    unsigned char net[16];
    char copy[INET6_ADDRSTRLEN];
    size_t len;
    const unsigned char *p = bytes_of(a, &len);
    uint64_t bits = len * 8;

    if (ip.len >= sizeof copy)
        return false;
    memcpy(copy, ip.p, ip.len);
    copy[ip.len] = '\0';
    if (inet_pton(a->ss_family, copy, net) != 1 ||
        (ip.len < all.len && !slice_number(slice_from(all, ip.len + 1), len * 8, &bits)))
        return false;
    if (memcmp(p, net, (size_t)(bits / 8)) != 0)
        return false;
    return bits % 8 == 0 || (p[bits / 8] ^ net[bits / 8]) >> (8 - bits % 8) == 0;
}

bool
tcp_is_allowed(const struct tcp_peer *peer, const struct config_value *networks)
{
    if (peer->is_loopback)
        return true;
    for (size_t i = 0; i < networks->n; i++)
        if (is_within(&peer->address, networks->item[i]))
            return true;
    return false;
}

/* ---------------------------------------------------------------- whose socket it is */

int64_t
tcp_uid(int diag, int fd, const struct tcp_peer *peer)
{
    struct sockaddr_storage own;
    socklen_t len = sizeof own;

    if (getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return -1;
    unmap(&own);
    /* the socket at the other end has our peer's address as its own */
    return own.ss_family == peer->address.ss_family ? tcpowner_uid(diag, &peer->address, &own) : -1;
}
