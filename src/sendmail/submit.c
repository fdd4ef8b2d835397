/* SPDX-License-Identifier: ISC */
/* submit: writes commands and content, reads replies meanwhile; what a message is, it does not know. */
#include "sendmail/submit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/command.h"
#include "mail/envelope.h"

#define READ_BYTES 4096
#define PIECES 3 /* commands, header, body */
/* of a server that has hung up */
#define LAST_WORDS_MS 1000

struct submission {
    int fd;
    struct compose *c;
    struct buf in;
    bool greeted;
    bool gone;      /* the server hung up */
    bool all_out;   /* the last byte was written */
    bool done;      /* the last reply is there */
    size_t pending; /* replies still to come */
    int code;       /* exit code */
    struct error *err;
    struct buf refused; /* of the last reply */
    size_t nrefused;
    char *last;      /* text of the last reply */
    int64_t wait_ms; /* after the last byte; CLOCK_NEVER: as long as it takes */
};

/* ---------------------------------------------------------------- replies */

/* "EX67 text" -> 67 and text */
static enum error_class
exit_code(struct slice *text, enum error_class otherwise)
{
    struct slice word = slice_sub(*text, 0, slice_find(*text, ' '));
    uint64_t v;

    if (!slice_starts(word, "EX") || !slice_number(slice_from(word, 2), 78, &v) || v < 64)
        return otherwise;
    *text = slice_trim(slice_from(*text, word.len));
    return (enum error_class)v;
}

/* Behind the code and the enhanced code */
static struct slice
reply_text(struct slice line)
{
    struct slice text = slice_trim(slice_from(line, 4));
    size_t blank = slice_find(text, ' ');

    if (text.len && ascii_is_digit(text.p[0]) && slice_has(slice_sub(text, 0, blank), '.'))
        text = slice_trim(slice_from(text, blank));
    return text;
}

static void
fail(struct submission *s, struct slice line)
{
    struct slice text = reply_text(line);
    enum error_class class = exit_code(&text, line.p[0] == '4' ? ERROR_TEMP : ERROR_REFUSED);

    if (s->code != 0)
        return; /* the first one counts */
    s->code = (int)class;
    error_set(s->err, class, "%.*s", SLICE_ARG(text));
}

static void
take_greeting(struct submission *s, struct slice line)
{
    const char *wait = memmem(line.p, line.len, "wait=", 5);
    uint64_t seconds;

    if (line.p[0] != '2') {
        fail(s, line);
        s->done = true;
        return;
    }
    s->greeted = true;
    s->wait_ms = CLOCK_NEVER;
    if (wait) {
        struct slice rest = slice_from(line, (size_t)(wait - line.p) + 5);
        if (slice_number(slice_sub(rest, 0, slice_find(rest, ' ')), 1000000, &seconds) && seconds > 0)
            s->wait_ms = (int64_t)seconds * 1000;
    }
}

static void
take_line(struct submission *s, struct slice line)
{
    struct slice text;
    bool last;

    if (line.len < 3)
        return;
    last = line.len == 3 || line.p[3] == ' ';
    if (slice_starts(line, "150")) {
        if (s->c->options->verbose) {
            text = slice_from(line, 4);
            fprintf(stderr, "%.*s\n", SLICE_ARG(text));
        }
        return;
    }
    if (!s->greeted) {
        if (last)
            take_greeting(s, line);
        return;
    }
    text = reply_text(line);
    if (!last && s->pending == 1) {
        (void)exit_code(&text, ERROR_NOUSER);
        buf_add_format(&s->refused, "%s%.*s", s->nrefused++ ? "; " : "", SLICE_ARG(text));
    }
    if (!last)
        return;
    if (line.p[0] != '2')
        fail(s, line);
    if (slice_starts(line, "421"))
        s->done = true;
    if (s->pending > 0 && --s->pending == 0) {
        free(s->last);
        s->last = slice_dup(text);
        s->done = s->all_out;
    }
}

static void
take_input(struct submission *s)
{
    struct slice in, line;
    size_t used = 0;
    char *room = buf_reserve(&s->in, READ_BYTES);
    ssize_t n = room ? recv(s->fd, room, READ_BYTES, MSG_DONTWAIT) : 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        s->gone = true;
        return;
    }
    s->in.len += (size_t)n;
    in = buf_slice(&s->in);
    while (!s->done) {
        size_t end = slice_find(slice_from(in, used), '\n');
        if (used + end >= in.len)
            break;
        line = slice_sub(in, used, end);
        if (line.len && line.p[line.len - 1] == '\r')
            line.len--;
        used += end + 1;
        take_line(s, line);
    }
    buf_consume(&s->in, used);
}

static bool
wait_for(struct submission *s, bool (*enough)(const struct submission *), int64_t deadline)
{
    while (!s->done && !s->gone && !enough(s)) {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };
        int r = poll(&p, 1, clock_left(deadline));
        if (r == 0 || (r < 0 && clock_left(deadline) == 0))
            return false;
        if (r > 0)
            take_input(s);
    }
    return true;
}

static bool
is_greeted(const struct submission *s)
{
    return s->greeted;
}

static bool
is_done(const struct submission *s)
{
    return s->done;
}

/* ---------------------------------------------------------------- writing */

/* One system call for all pieces; what has gone is taken from them. -1 with errno. */
static ssize_t
send_pieces(int fd, struct slice pieces[PIECES])
{
    struct iovec iov[PIECES];
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = PIECES };
    ssize_t sent;
    size_t gone;

    for (size_t i = 0; i < PIECES; i++) /* sendmsg does not write through iov_base */
        iov[i] = (struct iovec){ .iov_base = (void *)(size_t)pieces[i].p, .iov_len = pieces[i].len };
    sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    gone = sent > 0 ? (size_t)sent : 0;
    for (size_t i = 0; i < PIECES; i++) {
        size_t part = gone < pieces[i].len ? gone : pieces[i].len;
        pieces[i] = slice_from(pieces[i], part);
        gone -= part;
    }
    return sent;
}

/* Until there is room for more; false: for too long there is none, or nobody reads any more */
static bool
wait_for_room(struct submission *s, int64_t deadline)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN | POLLOUT };
    int r = poll(&p, 1, clock_left(deadline));

    if (r < 0 && errno == EINTR)
        return true;
    if (r > 0 && p.revents & (POLLIN | POLLHUP))
        take_input(s);
    return r > 0;
}

/* No more can be written; what it says of that, or said before, counts. Always false. */
static bool
give_up(struct submission *s, int why)
{
    bool hung_up = why == EPIPE || why == ECONNRESET;

    if (!wait_for(s, is_done, clock_deadline(hung_up ? LAST_WORDS_MS : 0)) && s->code == 0)
        error_sys(s->err, ERROR_TEMP, why, "smtprelayd: takes nothing");
    return false;
}

/* Write all of it, reading replies where there is no room. False when that is of no use any more. */
static bool
write_all(struct submission *s, struct slice pieces[PIECES], int stall_ms)
{
    int64_t deadline = clock_deadline(stall_ms);

    while (!s->done && !s->gone) {
        ssize_t sent = send_pieces(s->fd, pieces);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return give_up(s, errno);
        if (pieces[0].len + pieces[1].len + pieces[2].len == 0)
            return true;
        if (sent > 0)
            deadline = clock_deadline(stall_ms);
        if (!wait_for_room(s, deadline)) {
            if (s->code == 0)
                error_set(s->err, ERROR_TEMP, "smtprelayd: takes nothing for %d s", stall_ms / 1000);
            return false;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- commands */

static void
add_param(struct buf *b, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    buf_add_format(b, " %s=", name);
    text_percent_encode(b, slice_of(value));
}

/* The full name: one line of text, whatever it was; blanks alone are none */
static void
add_name(struct buf *b, const struct options *o)
{
    const char *name = o->full_name ? o->full_name : getenv("NAME");
    char *copy;

    if (!name || strlen(name) >= 500 || !name[strspn(name, " \t\r\n")])
        return;
    copy = mem_dup(name);
    for (char *c = copy; *c; c++)
        if (ascii_is_control(*c))
            *c = ' ';
    add_param(b, "X-NAME", copy);
    free(copy);
}

static void
add_mail(struct buf *b, const struct compose *c)
{
    const struct options *o = c->options;
    char *cwd = getcwd(NULL, 0);

    buf_add_format(b, "MAIL FROM:<%s>", c->sender ? c->sender : "");
    if (!c->sender)
        buf_add_str(b, " X-LOGIN");
    if (c->eight_bit)
        buf_add_str(b, " BODY=8BITMIME");
    if (c->utf8)
        buf_add_str(b, " SMTPUTF8");
    if (o->ret)
        buf_add_format(b, " RET=%s", strcasecmp(o->ret, "full") == 0 ? "FULL" : "HDRS");
    if (o->envid && *o->envid) {
        buf_add_str(b, " ENVID=");
        command_xtext_encode(b, slice_of(o->envid));
    }
    if (o->mode)
        buf_add_format(b, " X-MODE=%c", o->mode);
    else
        buf_add_str(b, " X-MODE=default");
    if (o->verbose)
        buf_add_str(b, " X-VERBOSE");
    add_name(b, o);
    add_param(b, "X-FROM", c->from_address);
    add_param(b, "X-TAG", o->tag && strlen(o->tag) < 100 ? o->tag : NULL);
    if (cwd && strlen(cwd) < 1000)
        add_param(b, "X-CWD", cwd);
    free(cwd);
    buf_add_str(b, "\r\n");
}

static void
add_envelope(struct submission *s, struct buf *b)
{
    const struct compose *c = s->c;
    unsigned notify = 0;

    buf_add_str(b, "EHLO sendmail\r\n");
    add_mail(b, c);
    if (c->options->notify)
        (void)envelope_notify_parse(
            c->options->notify, strlen(c->options->notify), &notify); /* was checked */
    for (size_t i = 0; i < c->rcpts.n; i++) {
        buf_add_format(b, "RCPT TO:<%s>", c->rcpts.address[i]);
        if (notify)
            buf_add_format(b, " NOTIFY=%s", envelope_notify_text(notify));
        buf_add_str(b, "\r\n");
    }
    s->pending = 2 + c->rcpts.n;
}

/* From the last byte on a signal must not leave it open whether the message was sent */
static void
hold_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set); /* these fail for wrong numbers only */
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL); /* it has not long to live */
}

/* The commands, the header and BDAT chunks until standard input has ended well; the last chunk says so */
static bool
write_content(struct submission *s, struct buf *b, int stall_ms)
{
    struct compose *c = s->c;
    struct slice header = buf_slice(&c->header);

    for (;;) {
        buf_add_format(b, "BDAT %zu%s\r\n", header.len + c->body.len, c->ended ? " LAST" : "");
        s->pending++;
        if (c->ended)
            hold_signals();
        struct slice pieces[PIECES] = { buf_slice(b), header, buf_slice(&c->body) };
        if (!write_all(s, pieces, stall_ms))
            return false;
        s->all_out = c->ended;
        if (c->ended)
            return true;
        take_input(s);
        if (s->code != 0)
            return false; /* refused already: its producer may never end */
        buf_reset(b);
        buf_reset(&c->body);
        header.len = 0;
        if (!compose_more(c, s->err)) {
            s->code = (int)s->err->class; /* nothing is sent: the last chunk never comes */
            return false;
        }
    }
}

static int
conclude(struct submission *s, char **note)
{
    if (s->code != 0)
        return s->code;
    if (s->done) {
        if (s->nrefused)
            *note = mem_format("some recipients were refused: %s", buf_str(&s->refused));
        else if (s->c->options->verbose && s->last)
            *note = mem_dup(s->last);
        return 0;
    }
    if (s->err->class == ERROR_NONE)
        error_set(s->err, ERROR_TEMP,
            s->all_out ? "smtprelayd: ended without an answer; the message may have been sent"
                       : "smtprelayd: ended before it took the message");
    return (int)s->err->class;
}

int
submit(int fd, struct compose *c, int greeting_ms, int stall_ms, char **note, struct error *err)
{
    struct submission s = { .fd = fd, .c = c, .err = err };
    struct buf b;
    int code;

    error_init(err);
    *note = NULL;
    buf_init(&s.in, 4u << 20);
    buf_init(&s.refused, 3000);
    buf_init(&b, 64u << 20);
    add_envelope(&s, &b);
    if (!wait_for(&s, is_greeted, clock_deadline(greeting_ms))) {
        error_set(err, ERROR_TEMP, "smtprelayd: no greeting within %d s", greeting_ms / 1000);
    } else if (s.greeted && write_content(&s, &b, stall_ms)) {
        if (!wait_for(&s, is_done, s.wait_ms == CLOCK_NEVER ? CLOCK_NEVER : clock_deadline(s.wait_ms)) &&
            s.code == 0)
            error_set(err, ERROR_TEMP,
                "smtprelayd: no answer in the time it announced; the message may have been sent");
    }
    code = conclude(&s, note);
    buf_clear(&s.in);
    buf_clear(&s.refused);
    buf_clear(&b);
    free(s.last);
    return code;
}
