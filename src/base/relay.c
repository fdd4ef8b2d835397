/* SPDX-License-Identifier: ISC */
/* relay: two buffers and poll(2). */
#include "base/relay.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One direction */
struct flow {
    char buffer[65536];
    size_t from, to; /* what is still to be written */
    bool ended;      /* there is no more to read */
};

static bool
is_for_later(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static void
fill(struct flow *f, int fd)
{
    ssize_t n = read(fd, f->buffer, sizeof f->buffer);

    if (is_for_later(n))
        return;
    if (n <= 0)
        f->ended = true;
    else
        f->to = (size_t)n;
}

static bool
drain(struct flow *f, int fd)
{
    ssize_t n = write(fd, f->buffer + f->from, f->to - f->from);

    if (is_for_later(n))
        return true;
    if (n <= 0)
        return false;
    f->from += (size_t)n;
    if (f->from == f->to)
        f->from = f->to = 0;
    return true;
}

static short
reading(const struct flow *f)
{
    return !f->ended && f->to == 0 ? POLLIN : 0;
}

static short
writing(const struct flow *f)
{
    return f->to > f->from ? POLLOUT : 0;
}

/* poll(2) reports POLLHUP even where nothing is asked for */
static int
only_if(int fd, short events)
{
    return events ? fd : -1;
}

bool
relay(int in, int out, int sock)
{
    struct flow there = { .from = 0 }, back = { .from = 0 };
    bool told = false; /* sock knows of the end of in */

    while (!back.ended || back.to) {
        short of_sock = (short)(reading(&back) | writing(&there));
        struct pollfd p[3] = { { only_if(in, reading(&there)), POLLIN, 0 },
            { only_if(out, writing(&back)), POLLOUT, 0 }, { only_if(sock, of_sock), of_sock, 0 } };
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return false;
        if (p[0].revents)
            fill(&there, in);
        if ((p[2].revents & (POLLOUT | POLLERR)) && writing(&there) && !drain(&there, sock))
            there.ended = true, there.from = there.to = 0; /* it may still have something to say */
        if ((p[2].revents & ~POLLOUT) && reading(&back))
            fill(&back, sock);
        if (p[1].revents && !drain(&back, out))
            return false;
        if (there.ended && !there.to && !told) {
            told = true;
            (void)shutdown(sock, SHUT_WR); /* one that is gone needs no word */
        }
    }
    return true;
}

enum { GREETING_MS = 10000, LINE_MAX_BYTES = 2048 };

/* A line with its ending, no byte more; its length, 0: there was none in time */
static size_t
read_line(int sock, char line[LINE_MAX_BYTES])
{
    size_t n = 0;

    while (n < LINE_MAX_BYTES) {
        struct pollfd p = { sock, POLLIN, 0 };
        if (poll(&p, 1, GREETING_MS) <= 0)
            return 0;
        ssize_t r = read(sock, line + n, 1);
        if (is_for_later(r))
            continue;
        if (r <= 0)
            return 0;
        if (line[n++] == '\n')
            return n;
    }
    return 0;
}

bool
relay_session(int in, int out, int sock)
{
    static const char word[] = "X-BS\r\n";
    char line[LINE_MAX_BYTES];
    size_t n = read_line(sock, line);

    if (n < 4)
        return false;
    if (memcmp(line, "220 ", 4) != 0) {
        (void)!write(out, line, n); /* there is nobody else to tell */
        return false;
    }
    return send(sock, word, sizeof word - 1, MSG_NOSIGNAL) == (ssize_t)sizeof word - 1 &&
           relay(in, out, sock);
}
