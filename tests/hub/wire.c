/* SPDX-License-Identifier: ISC */
/* wire: octets between hub and client, counted, written down, and looked at for bad manners. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/hub.h"

#define LINE_MAX_OCTETS (1024 * 1024)
#define PIECE 65536

void
wire_log(struct session *s, const char *mark, struct slice text)
{
    fprintf(s->log, "%s", mark);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c < 32 || c > 126)
            fprintf(s->log, "\\x%02x", c);
        else
            putc(c, s->log);
    }
    putc('\n', s->log);
}

void
wire_note(struct session *s, const char *format, ...)
{
    va_list ap;

    fputs("== ", s->log);
    va_start(ap, format);
    vfprintf(s->log, format, ap);
    va_end(ap);
    putc('\n', s->log);
}

void
wire_odd(struct session *s, const char *format, ...)
{
    char *path = mem_format("%s/odd", s->opt->out);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    struct buf line;
    va_list ap;

    buf_init(&line, 4096);
    va_start(ap, format);
    buf_add_vformat(&line, format, ap);
    va_end(ap);
    fprintf(s->log, "ODD: %s\n", buf_str(&line));
    if (fd >= 0)
        dprintf(fd, "ODD: session %u: %s\n", s->number, buf_str(&line));
    file_close(&fd);
    buf_clear(&line);
    free(path);
}

/* Watch the reply code go by: the first three octets of the last line. */
static void
watch_code(struct session *s, char c)
{
    if (s->column == 0)
        s->code = 0;
    if (s->column < 3 && ascii_is_digit(c))
        s->code = s->code * 10 + (c - '0');
    s->column = c == '\n' ? 0 : s->column + 1;
}

void
wire_send(struct session *s, const void *data, size_t len)
{
    const char *p = data;

    for (size_t i = 0; i < len; i++)
        if (s->column || (p[i] != '\r' && p[i] != '\n'))
            watch_code(s, p[i]);
    if (s->listening)
        buf_add(&s->said, data, len);
    buf_add(&s->out, data, len);
    if (s->out.len > PIECE)
        wire_flush(s);
}

void
wire_reply(struct session *s, const char *format, ...)
{
    struct buf line;
    va_list ap;

    buf_init(&line, LINE_MAX_OCTETS);
    va_start(ap, format);
    buf_add_vformat(&line, format, ap);
    va_end(ap);
    buf_add_str(&line, "\r\n");
    wire_send(s, line.data, line.len);
    buf_clear(&line);
}

static void
write_all(struct session *s, const char *p, size_t len)
{
    if (s->ssl ? SSL_write(s->ssl, p, (int)len) <= 0 : !file_write(s->fd, p, len))
        session_end(s, "the client has gone while the hub wrote");
}

static void
log_lines(struct session *s, const char *mark, struct slice text)
{
    struct slice line;

    while (slice_cut(&text, '\n', &line)) {
        if (line.len && line.p[line.len - 1] == '\r')
            line.len--;
        wire_log(s, mark, line);
    }
}

void
wire_flush(struct session *s)
{
    size_t len = s->out.len;
    char *data;

    if (!len)
        return;
    log_lines(s, "S: ", buf_slice(&s->out));
    s->wrote = true;
    data = buf_steal(&s->out); /* session_end() flushes, too */
    for (size_t at = 0; at < len; at += PIECE)
        write_all(s, data + at, len - at < PIECE ? len - at : PIECE);
    free(data);
}

void
wire_sleep(struct session *s, int64_t ms)
{
    struct timespec t;

    wire_flush(s);
    ms /= s->opt->hurry ? s->opt->hurry : 1;
    t = (struct timespec){ .tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000) };
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

void
wire_drip(struct session *s, const char *data, size_t len, int64_t ms)
{
    for (size_t i = 0; i < len; i++) {
        wire_send(s, data + i, 1);
        wire_sleep(s, ms);
    }
}

void
wire_fill(struct session *s)
{
    char *room;
    ssize_t n;

    wire_flush(s);
    room = buf_reserve(&s->in, 16384);
    if (!room)
        session_end(s, "the client sent an endless line");
    n = s->ssl ? SSL_read(s->ssl, room, 16384) : file_read_some(s->fd, room, 16384);
    if (n <= 0)
        session_end(
            s, n == 0 || s->ssl ? "the client closed the connection" : "the client reset the connection");
    s->in.len += (size_t)n;
    s->flights += s->wrote;
    s->wrote = false;
}

void
wire_take(struct session *s, size_t n)
{
    buf_consume(&s->in, n);
}

/* Drop the line that was read last. */
static void
release(struct session *s)
{
    buf_consume(&s->in, s->taken);
    s->taken = 0;
}

struct slice
wire_octets(struct session *s)
{
    release(s);
    if (!s->in.len)
        wire_fill(s);
    return buf_slice(&s->in);
}

bool
wire_is_pending(struct session *s)
{
    char c;

    if (s->in.len > s->taken)
        return true;
    if (s->ssl)
        return SSL_pending(s->ssl) > 0;
    return recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void
look_at_line(struct session *s, struct slice line, bool crlf)
{
    if (!crlf)
        wire_odd(s, "a line ends in a bare LF");
    if (slice_has(line, '\r'))
        wire_odd(s, "a bare CR in a command");
    if (slice_has(line, '\0'))
        wire_odd(s, "a NUL in a command");
}

struct slice
wire_line(struct session *s)
{
    struct slice line;
    size_t end;
    bool crlf;

    release(s);
    while ((end = slice_find(buf_slice(&s->in), '\n')) == s->in.len) {
        if (s->in.len > LINE_MAX_OCTETS)
            session_end(s, "the client sent an endless line");
        wire_fill(s);
    }
    s->taken = end + 1;
    crlf = end > 0 && s->in.data[end - 1] == '\r';
    line = slice_make(s->in.data, end - crlf);
    wire_log(s, "C: ", line);
    look_at_line(s, line, crlf);
    return line;
}
