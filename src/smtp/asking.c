/* SPDX-License-Identifier: ISC */
/* asking: one c-ares channel an attempt, and our own query. */
#include "smtp/asking.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ares.h>

#include "base/clock.h"
#include "base/mem.h"

static void
answered(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
    struct query *q = arg;

    (void)timeouts;
    q->done = true;
    q->status = status;
    if (answer && len > 0) {
        q->answer = mem_alloc((size_t)len);
        memcpy(q->answer, answer, (size_t)len);
        q->len = len;
    }
}

/* A query with RD and AD set (RFC 6840, 5.7), EDNS left to the library's defaults; 0 when the name is malformed */
static size_t
build_query(const char *name, int type, unsigned char *out, size_t size)
{
    static const unsigned char head[] = { 0, 0, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 0 };
    struct slice rest = slice_of(name), label;
    size_t n = sizeof head;
    struct timespec now = clock_wall();
    unsigned id = (unsigned)(now.tv_nsec >> 4);
    unsigned char random[2];

    if (getentropy(random, sizeof random) == 0)
        id = (unsigned)random[0] << 8 | random[1];
    memcpy(out, head, sizeof head);
    out[0] = (unsigned char)(id >> 8);
    out[1] = (unsigned char)id;
    if (rest.len && rest.p[rest.len - 1] == '.')
        rest.len--;
    while (slice_cut(&rest, '.', &label)) {
        if (label.len == 0 || label.len > 63 || n + label.len + 6 > size || n + label.len > 12 + 253)
            return 0;
        out[n++] = (unsigned char)label.len;
        memcpy(out + n, label.p, label.len);
        n += label.len;
    }
    out[n++] = 0;
    out[n++] = (unsigned char)(type >> 8);
    out[n++] = (unsigned char)type;
    out[n++] = 0;
    out[n++] = 1;
    return n;
}

bool
asking_begin(struct asking *a, const char *name, const char *servers, struct error *err)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP, .timeout = 2000, .tries = 3
    };
    unsigned char packet[600];
    int r = ares_init_options(&a->channel, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);

    a->open = r == ARES_SUCCESS;
    if (a->open && servers)
        r = ares_set_servers_ports_csv(a->channel, servers);
    if (r != ARES_SUCCESS)
        return error_set(err, ERROR_TEMP, "%s: no name service: %s", name, ares_strerror(r));
    for (size_t i = 0; i < a->n; i++) {
        size_t len = build_query(name, a->q[i].type, packet, sizeof packet);
        if (len)
            ares_send(a->channel, packet, (int)len, answered, &a->q[i]);
        else
            a->q[i].done = true, a->q[i].status = ARES_EBADNAME;
    }
    return true;
}

void
asking_end(struct asking *a)
{
    if (a->open)
        ares_destroy(a->channel);
    a->open = false;
    for (size_t i = 0; i < a->n; i++)
        free(a->q[i].answer);
}

bool
asking_is_over(const struct asking *a)
{
    for (size_t i = 0; a->open && i < a->n; i++)
        if (!a->q[i].done)
            return false;
    return true;
}

size_t
asking_poll(const struct asking *a, struct pollfd p[RESOLVE_SOCKETS], int64_t *until)
{
    ares_socket_t socks[ARES_GETSOCK_MAXNUM];
    struct timeval tv, *t;
    size_t n = 0;
    unsigned bits;

    _Static_assert(RESOLVE_SOCKETS >= ARES_GETSOCK_MAXNUM, "room for all sockets of c-ares");
    if (asking_is_over(a))
        return 0;
    /* not by the library's macros, whose last bit overflows an int */
    bits = (unsigned)ares_getsock(a->channel, socks, ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        short events =
            (short)((bits >> i & 1 ? POLLIN : 0) | (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
        if (events)
            p[n++] = (struct pollfd){ .fd = socks[i], .events = events };
    }
    t = ares_timeout(a->channel, NULL, &tv);
    if (t)
        *until = clock_min(*until, clock_deadline(t->tv_sec * 1000 + t->tv_usec / 1000 + 1));
    return n;
}

void
asking_step(struct asking *a, const struct pollfd *p, size_t n)
{
    if (asking_is_over(a))
        return;
    for (size_t i = 0; i < n; i++)
        if (p[i].revents)
            ares_process_fd(a->channel,
                p[i].revents & (POLLIN | POLLHUP | POLLERR) ? p[i].fd : ARES_SOCKET_BAD,
                p[i].revents & POLLOUT ? p[i].fd : ARES_SOCKET_BAD);
    ares_process_fd(a->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* its own time-outs */
}

struct slice
asking_message(const struct query *q)
{
    return slice_make((const char *)q->answer, q->answer ? (size_t)q->len : 0);
}
