/* SPDX-License-Identifier: ISC */
/* stream: poll, read, write; knows lines, not replies. */
#include "smtp/stream.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define LINE_MAX_BYTES 16384
#define IN_MAX (1u << 20)
#define SLOW_MS 5000

void
stream_init(struct stream *s, int fd, stream_hook *hook, void *ctx)
{
    memset(s, 0, sizeof *s);
    s->fd = fd;
    s->hook = hook;
    s->hook_ctx = ctx;
    buf_init(&s->in, IN_MAX);
}

void
stream_close(struct stream *s)
{
    tls_free(s->tls);
    s->tls = NULL;
    file_close(&s->fd);
    buf_clear(&s->in);
    s->at = 0;
}

/* of TLS alone, between two messages */
enum { QUIET_RECORDS = 100 };
enum { WANT_READ = -2, WANT_WRITE = -3 };

static ssize_t
from_tls(enum tls_io io, size_t done)
{
    switch (io) {
    case TLS_IO_DONE:
        return (ssize_t)done;
    case TLS_IO_WANT_READ:
        return WANT_READ;
    case TLS_IO_WANT_WRITE:
        return WANT_WRITE;
    case TLS_IO_EOF:
        return 0;
    case TLS_IO_ERROR:
        break;
    }
    return -1;
}

/* One read: bytes, 0 = closed or broken, WANT_READ, WANT_WRITE */
static ssize_t
read_some(struct stream *s)
{
    char piece[16384];
    ssize_t n;

    if (s->tls) {
        struct error ignored; /* lost is lost; the caller words it */
        size_t done = 0;
        enum tls_io io = tls_read_some(s->tls, piece, sizeof piece, &done, &ignored);
        n = from_tls(io, done);
    } else {
        n = recv(s->fd, piece, sizeof piece, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return WANT_READ;
    }
    if (n == WANT_READ || n == WANT_WRITE)
        return n;
    if (n <= 0) {
        s->broken = true;
        return 0;
    }
    if (!s->heard_ms)
        s->heard_ms = clock_ms();
    if (s->at && s->at == s->in.len) {
        buf_reset(&s->in);
        s->at = 0;
    }
    buf_add(&s->in, piece, (size_t)n);
    if (s->in.overflow)
        s->broken = true; /* a flood of replies */
    return s->broken ? 0 : n;
}

static bool
next_line(struct stream *s, struct slice *line, bool *crlf)
{
    struct slice rest = slice_from(buf_slice(&s->in), s->at);
    size_t n = slice_find(rest, '\n');

    if (n == rest.len)
        return false;
    s->at += n + 1;
    *crlf = n > 0 && rest.p[n - 1] == '\r';
    *line = slice_sub(rest, 0, *crlf ? n - 1 : n);
    if (s->hook)
        s->hook(s->hook_ctx, 'S', *line);
    return true;
}

static bool
wait_for(struct stream *s, short events, int64_t deadline)
{
    struct pollfd p = { .fd = s->fd, .events = events };
    int r;

    do
        r = poll(&p, 1, clock_left(deadline));
    while (r < 0 && errno == EINTR && clock_left(deadline) != 0);
    return r > 0 && clock_left(deadline) != 0; /* what comes may be TLS without a word in it, for ever */
}

/* For the next piece of a line. Who looks on hears once that it takes long, at *slow. */
static bool
wait_patiently(struct stream *s, short events, int64_t *slow, int64_t deadline)
{
    if (!s->slow || *slow >= deadline)
        return wait_for(s, events, deadline);
    if (wait_for(s, events, *slow))
        return true;
    *slow = CLOCK_NEVER;
    s->slow(s->hook_ctx);
    return wait_for(s, events, deadline);
}

enum stream_result
stream_line(struct stream *s, int64_t deadline, struct slice *line, bool *crlf)
{
    int64_t slow = clock_deadline(SLOW_MS);
    bool waited = false;

    for (;;) {
        if (next_line(s, line, crlf))
            return STREAM_OK;
        if (s->in.len - s->at > LINE_MAX_BYTES)
            return STREAM_TOO_LONG;
        if (s->broken)
            return STREAM_CLOSED;
        if (s->at) {
            buf_consume(&s->in, s->at);
            s->at = 0;
        }
        ssize_t n = read_some(s);
        if (n > 0 || (n == 0 && s->broken))
            continue;
        if (!waited)
            s->flights++;
        waited = true;
        if (!wait_patiently(s, n == WANT_WRITE ? POLLOUT : POLLIN, &slow, deadline))
            return STREAM_TIMEOUT;
    }
}

static ssize_t
write_some(struct stream *s, struct slice data)
{
    ssize_t n;

    if (s->tls) {
        struct error ignored; /* as in read_some */
        size_t done = 0;
        enum tls_io io = tls_write_some(s->tls, data.p, data.len, &done, &ignored);
        return from_tls(io, done);
    }
    n = send(s->fd, data.p, data.len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return WANT_WRITE;
    return n;
}

/* Wait until more can be written; what the peer says meanwhile is read. */
static bool
wait_writable(struct stream *s, ssize_t why, int64_t deadline)
{
    struct pollfd p = { .fd = s->fd, .events = (short)(why == WANT_READ ? POLLIN : POLLOUT | POLLIN) };
    int r;

    if (s->in.len - s->at > IN_MAX / 2)
        p.events = POLLOUT; /* it talks and does not listen */
    r = poll(&p, 1, clock_left(deadline));
    if (r == 0 || clock_left(deadline) == 0)
        return false;
    if (r > 0 && (p.revents & (POLLIN | POLLHUP)) && !s->broken)
        (void)read_some(s); /* what it says will be read as a line; its end shows at the next write */
    return true;
}

enum stream_result
stream_write(struct stream *s, struct slice data, int64_t deadline)
{
    while (data.len) {
        ssize_t n = s->broken ? -1 : write_some(s, data);
        if (n == WANT_READ || n == WANT_WRITE) {
            if (!wait_writable(s, n, deadline)) {
                s->broken = true; /* cut in the middle: nothing may be written behind it */
                return STREAM_TIMEOUT;
            }
            continue;
        }
        if (n <= 0) {
            while (!s->broken && read_some(s) > 0)
                ; /* why it went may have been said */
            s->broken = true;
            return STREAM_CLOSED;
        }
        data = slice_from(data, (size_t)n);
    }
    return STREAM_OK;
}

bool
stream_has_input(struct stream *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    bool has = s->at < s->in.len || s->broken;

    /* what TLS says between times is no input, so many records of it are */
    for (int i = 0; i < QUIET_RECORDS && !has; i++) {
        has = read_some(s) >= 0 || s->broken;
        if (!has && poll(&p, 1, 0) <= 0)
            return false;
    }
    return true;
}

const char *
stream_text(enum stream_result r)
{
    static const char *const texts[] = { "ok", "connection closed by the server", "no answer in time",
        "a line without end" };

    return texts[r];
}
