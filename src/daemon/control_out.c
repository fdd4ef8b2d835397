/* SPDX-License-Identifier: ISC */
/* control_out: buffers lines and writes them with a limit of time; what they say it does not know. */
#include "daemon/control_out.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

enum {
    PIECE = 65536,
    ALIVE_MS = 2000,   /* well below what a client waits */
    STALL_MS = 10000,  /* a client that takes nothing for so long, */
    TOTAL_MS = 600000, /* or is not through after that, does not keep a thread */
};

void
control_out_begin(struct control_out *o, int fd)
{
    o->fd = fd;
    o->is_broken = false;
    o->deadline = clock_deadline(TOTAL_MS);
    o->alive = clock_ms();
    buf_init(&o->b, 64u << 20); /* one line: a message of many recipients */
}

static ssize_t
write_some(int fd, struct slice s)
{
    ssize_t n = send(fd, s.p, s.len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n >= 0 || errno != ENOTSOCK)
        return n;
    return write(fd, s.p, s.len); /* a terminal or a pipe, of someone who plays client */
}

static void
write_out(struct control_out *o)
{
    struct slice rest = buf_slice(&o->b);

    while (rest.len && !o->is_broken) {
        struct pollfd p = { .fd = o->fd, .events = POLLOUT };
        int r = poll(&p, 1, clock_left(clock_min(o->deadline, clock_deadline(STALL_MS))));
        ssize_t n = r > 0 ? write_some(o->fd, rest) : -1;
        if (r < 0 && errno == EINTR)
            continue;
        if (n < 0 && (r <= 0 || (errno != EAGAIN && errno != EINTR)))
            o->is_broken = true;
        rest = slice_from(rest, n < 0 ? 0 : (size_t)n);
    }
    buf_reset(&o->b);
    o->alive = clock_ms();
}

void
control_out_all(struct control_out *o, struct slice text)
{
    buf_add_slice(&o->b, text);
    write_out(o);
    buf_clear(&o->b);
}

void
control_line_begin(struct control_out *o)
{
    buf_add_char(&o->b, ' ');
}

void
control_line_end(struct control_out *o)
{
    buf_add_char(&o->b, '\n');
    if (o->b.len >= PIECE || o->b.overflow)
        write_out(o);
}

void
control_line(struct control_out *o, const char *format, ...)
{
    va_list ap;

    control_line_begin(o);
    va_start(ap, format);
    buf_add_vformat(&o->b, format, ap);
    va_end(ap);
    control_line_end(o);
}

void
control_add_text(struct control_out *o, const char *text)
{
    text_add_escaped(&o->b, slice_of(text));
}

static void
word(struct control_out *o, char type, const char *key, const char *value)
{
    buf_add_format(&o->b, "%c.%s=", type, key);
    text_percent_encode(&o->b, slice_of(value));
    buf_add_char(&o->b, ' ');
}

void
control_word_text(struct control_out *o, const char *key, const char *text)
{
    if (text)
        word(o, 's', key, text);
}

void
control_word_number(struct control_out *o, const char *key, int64_t number)
{
    buf_add_format(&o->b, "n.%s=%lld ", key, (long long)number);
}

void
control_word_bool(struct control_out *o, const char *key, bool truth)
{
    word(o, 'b', key, truth ? "1" : "0");
}

void
control_word_object(struct control_out *o, const char *key)
{
    word(o, '+', key, "");
}

bool
control_alive(struct control_out *o)
{
    if (clock_ms() - o->alive >= ALIVE_MS) {
        buf_add_char(&o->b, '\n');
        write_out(o);
    }
    return !o->is_broken;
}

void
control_out_end(struct control_out *o, enum error_class class, const char *text)
{
    control_end(&o->b, class, text);
    write_out(o);
    buf_clear(&o->b);
}

/* ---------------------------------------------------------------- numbers for people */

void
control_add_duration(struct buf *b, int64_t seconds)
{
    long long s = seconds > 0 ? seconds : 0;

    if (s < 60)
        buf_add_format(b, "%llds", s);
    else if (s < 3600)
        buf_add_format(b, "%lldm", s / 60);
    else if (s < 86400)
        buf_add_format(b, s / 60 % 60 ? "%lldh%lldm" : "%lldh", s / 3600, s / 60 % 60);
    else
        buf_add_format(b, s / 3600 % 24 ? "%lldd%lldh" : "%lldd", s / 86400, s / 3600 % 24);
}

void
control_add_size(struct buf *b, uint64_t bytes)
{
    static const char units[] = "KMGTPE";
    uint64_t unit = 1024;
    size_t i = 0;

    if (bytes < 1024) {
        buf_add_format(b, "%llu", (unsigned long long)bytes);
        return;
    }
    while (units[i + 1] && bytes / 1024 >= unit) {
        unit *= 1024;
        i++;
    }
    buf_add_format(b, "%llu.%llu%c", (unsigned long long)(bytes / unit),
        (unsigned long long)(bytes % unit / (unit / 10 + 1)), units[i]);
}

void
control_add_count(struct buf *b, uint64_t n, const char *what)
{
    buf_add_format(b, "%llu %s%s", (unsigned long long)n, what, n == 1 ? "" : "s");
}
