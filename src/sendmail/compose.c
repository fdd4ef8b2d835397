/* SPDX-License-Identifier: ISC */
/* compose: see compose.h. What is added here is only what the caller alone knows: the date in its zone. */
#include "sendmail/compose.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/zone.h"
#include "mail/address.h"
#include "mail/addrlist.h"
#include "mail/body.h"
#include "mail/header.h"
#include "mail/stamp.h"

#define RECEIVED_MAX 100
#define HEADER_ADDED 200 /* what add_date() and the blank line may add */
#define READ_BYTES 65536
#define NO_RECIPIENT "no recipient: name one, or use -t with To, Cc or Bcc in the message"

/* Addresses of one kind, and the first thing wrong among them. */
struct found {
    struct compose_rcpts rcpts;
    struct error err;
    bool utf8; /* a local part has bytes over 127: only SMTPUTF8 can carry it */
};

struct compose_state {
    struct compose *c;
    int fd;
    struct header header;
    struct body body;
    struct addrlist list;
    struct error err;   /* what makes the message impossible, whoever gets it */
    size_t field_start; /* in c->header */
    size_t resent_at;   /* in c->header: where the topmost block of Resent- fields begins */
    enum header_field field;
    bool resent_begun;             /* a Resent- field was seen */
    bool resent_over;              /* the topmost block of them has ended */
    bool seen[HEADER_FIELD_COUNT]; /* Resent- fields: in the topmost block */
    size_t received;
    struct found arguments, plain, resent; /* plain: of To, Cc, Bcc; resent: of the topmost Resent- block */
    struct buf piece;                      /* what was read last */
};

/* ---------------------------------------------------------------- recipients */

static void
add_rcpt(struct compose_rcpts *r, const char *address)
{
    if (addrset_has(&r->seen, address))
        return;
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 8;
        r->address = mem_resize(r->address, r->cap, sizeof(char *));
    }
    r->address[r->n] = mem_dup(address);
    (void)addrset_add(&r->seen, r->address[r->n++]); /* it is not there */
}

static void
clear_rcpts(struct compose_rcpts *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->address[i]);
    free(r->address);
    addrset_clear(&r->seen);
    memset(r, 0, sizeof *r);
}

static void
found_rcpt(void *ctx, const struct addrlist_item *item)
{
    struct found *f = ctx;
    struct buf b;

    if (item->error) {
        if (f->err.class == ERROR_NONE)
            f->err = *item->error;
        return;
    }
    f->utf8 = f->utf8 || item->address.is_utf8_local;
    buf_init(&b, 1000);
    address_format(&b, &item->address);
    add_rcpt(&f->rcpts, buf_str(&b));
    buf_clear(&b);
}

static void
read_list(struct compose_state *s, struct slice text, unsigned flags, struct found *f)
{
    addrlist_init(&s->list, flags, found_rcpt, f);
    addrlist_push(&s->list, text);
    addrlist_end(&s->list);
}

static bool
add_arguments(struct compose_state *s, const struct options *o, struct error *err)
{
    struct found *f = &s->arguments;

    for (size_t i = 0; i < o->nrecipients; i++) {
        if (!*o->recipients[i])
            return error_set(err, ERROR_DATA, "recipient: an empty address");
        read_list(s, slice_of(o->recipients[i]), ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, f);
    }
    if (f->err.class != ERROR_NONE) {
        *err = f->err;
        return error_context(err, "recipient");
    }
    return f->rcpts.n > 0 || o->from_header || error_set(err, ERROR_USAGE, NO_RECIPIENT);
}

/* The arguments, and with -t what the header names */
static bool
settle_rcpts(struct compose_state *s, struct error *err)
{
    struct compose *c = s->c;
    const struct found *of = s->resent_begun ? &s->resent : &s->plain;

    c->rcpts = s->arguments.rcpts;
    memset(&s->arguments.rcpts, 0, sizeof s->arguments.rcpts);
    if (c->options->from_header && of->err.class != ERROR_NONE) {
        *err = of->err;
        return error_context(err, "recipient");
    }
    for (size_t i = 0; c->options->from_header && i < of->rcpts.n; i++)
        add_rcpt(&c->rcpts, of->rcpts.address[i]);
    c->utf8 = c->utf8 || s->arguments.utf8 || s->plain.utf8 || s->resent.utf8;
    return c->rcpts.n > 0 || error_set(err, ERROR_USAGE, NO_RECIPIENT);
}

/* ---------------------------------------------------------------- sender */

static bool
take_sender(struct compose *c, const char *text, struct error *err)
{
    struct address a;
    struct buf b;

    if (!text)
        return true;
    if (!address_parse(slice_of(text), ADDRESS_NULL | ADDRESS_MAILBOX, &a, err))
        return error_context(err, "sender");
    buf_init(&b, 1000);
    address_format(&b, &a);
    c->utf8 = a.is_utf8_local;
    c->sender = buf_steal(&b);
    return true;
}

/* ---------------------------------------------------------------- header fields */

static bool
is_rcpt_field(enum header_field f)
{
    return f == HEADER_TO || f == HEADER_CC || f == HEADER_BCC;
}

static bool
is_resent_rcpt_field(enum header_field f)
{
    return f == HEADER_RESENT_TO || f == HEADER_RESENT_CC || f == HEADER_RESENT_BCC;
}

/* The address in a From field, for what depends on the sender; a malformed one counts as none */
static void
found_from(void *ctx, const struct addrlist_item *item)
{
    struct compose *c = ctx;
    struct buf b;

    if (item->error || c->from_address)
        return;
    c->utf8 = c->utf8 || item->address.is_utf8_local;
    buf_init(&b, 1000);
    address_format(&b, &item->address);
    c->from_address = buf_steal(&b);
}

/*
 * Blocks of Resent- fields are put in front of what is there (RFC 5322, 3.6.6). The topmost one ends at a trace field, or where a
 * field that a block has only once comes again; recipients may go on in the next line.
 */
static void
note_resent(struct compose_state *s, enum header_field field)
{
    bool again =
        s->seen[field] && field != HEADER_RESENT_OTHER && !(is_resent_rcpt_field(field) && s->field == field);

    if (!header_is_resent(field)) {
        if (s->resent_begun && (field == HEADER_RECEIVED || field == HEADER_RETURN_PATH))
            s->resent_over = true;
        s->seen[field] = true;
        return;
    }
    s->resent_over = s->resent_over || again;
    if (!s->resent_begun)
        s->resent_at = s->c->header.len;
    s->resent_begun = true;
    if (!s->resent_over)
        s->seen[field] = true;
}

static void
begin_field(struct compose_state *s, struct slice name)
{
    struct compose *c = s->c;
    enum header_field field = header_identify(name);

    note_resent(s, field);
    s->field = field;
    s->field_start = c->header.len;
    buf_add_slice(&c->header, name);
    buf_add_char(&c->header, ':');
    if (field == HEADER_RECEIVED && ++s->received > RECEIVED_MAX)
        error_set(
            &s->err, ERROR_REFUSED, "message: more than %d Received fields: it goes in a loop", RECEIVED_MAX);
}

static void
end_field(struct compose_state *s)
{
    struct compose *c = s->c;
    struct slice all = slice_from(buf_slice(&c->header), s->field_start), value;

    value = slice_from(all, slice_find(all, ':') + 1);
    if (header_is_removed(s->field) && !c->options->from_header) {
        /* nobody will read it */
    } else if (is_rcpt_field(s->field)) {
        read_list(s, value, ADDRLIST_BLANKS, &s->plain);
    } else if (is_resent_rcpt_field(s->field) && !s->resent_over) {
        read_list(s, value, ADDRLIST_BLANKS, &s->resent);
    } else if (s->field == HEADER_FROM && !c->from_address) {
        addrlist_init(&s->list, 0, found_from, c);
        addrlist_push(&s->list, value);
        addrlist_end(&s->list);
    }
    if (header_is_removed(s->field))
        buf_truncate(&c->header, s->field_start);
    else
        buf_add_str(&c->header, "\r\n");
}

static void
on_header(void *ctx, enum header_event event, struct slice text)
{
    struct compose_state *s = ctx;

    if (event == HEADER_FIELD)
        begin_field(s, text);
    else if (event == HEADER_VALUE)
        buf_add_slice(&s->c->header, text);
    else
        end_field(s);
}

/* Resent-Date goes where the block begins: in front of a Received field above it, it would be a block of its own */
static void
add_date(struct compose_state *s)
{
    struct buf *header = &s->c->header, all;
    struct timespec now = clock_wall();
    int zone = zone_seconds(now.tv_sec) / 60;

    if (s->seen[s->resent_begun ? HEADER_RESENT_DATE : HEADER_DATE])
        return;
    buf_init(&all, header->max);
    size_t at = s->resent_begun ? s->resent_at : header->len;
    buf_add_slice(&all, slice_sub(buf_slice(header), 0, at));
    buf_add_str(&all, s->resent_begun ? "Resent-Date: " : "Date: ");
    stamp_date(&all, now.tv_sec, zone);
    buf_add_str(&all, "\r\n");
    buf_add_slice(&all, slice_from(buf_slice(header), at));
    buf_clear(header);
    *header = all;
}

/* What cannot be mended by reading on */
static bool
check_header(struct compose_state *s, struct error *err)
{
    if (s->header.has_nul)
        return error_set(err, ERROR_DATA, "message: a NUL byte in the header");
    if (s->c->header.len > COMPOSE_HEADER_MAX || s->c->header.overflow)
        return error_set(err, ERROR_DATA, "message: its header is larger than %u bytes", COMPOSE_HEADER_MAX);
    if (s->err.class != ERROR_NONE)
        *err = s->err;
    return s->err.class == ERROR_NONE;
}

static bool
finish_header(struct compose_state *s, struct error *err)
{
    struct compose *c = s->c;

    if (!settle_rcpts(s, err))
        return false;
    add_date(s);
    buf_add_str(&c->header, "\r\n");
    c->eight_bit = !text_is_ascii(buf_slice(&c->header));
    body_push(&s->body, header_rest(&s->header));
    return true;
}

/* ---------------------------------------------------------------- bytes */

static void
on_body(void *ctx, struct slice text)
{
    struct compose_state *s = ctx;

    buf_add_slice(&s->c->body, text);
}

bool
compose_init(struct compose *c, const struct options *o, struct error *err)
{
    struct compose_state *s = mem_alloc(sizeof *s);

    memset(c, 0, sizeof *c);
    c->options = o;
    c->state = s;
    buf_init(&c->header, COMPOSE_HEADER_MAX + HEADER_ADDED);
    buf_init(&c->body, COMPOSE_BODY_MAX + 4 * READ_BYTES);
    buf_init(&s->piece, READ_BYTES);
    s->c = c;
    s->fd = -1;
    header_init(&s->header, on_header, s);
    /* a lone dot is no field: where the header still stands open, it ends that first */
    body_init(&s->body, o->keep_dots ? 0 : BODY_DOT, on_body, s);
    return take_sender(c, o->sender, err) && add_arguments(s, o, err);
}

bool
compose_push(struct compose *c, struct slice bytes, struct error *err)
{
    struct compose_state *s = c->state;

    if (s->header.state == HEADER_OPEN) {
        bytes = slice_from(bytes, header_push(&s->header, bytes));
        if (!check_header(s, err))
            return false;
        if (s->header.state == HEADER_OPEN)
            return true;
        if (!finish_header(s, err))
            return false;
    }
    body_push(&s->body, bytes);
    c->eight_bit = c->eight_bit || s->body.has_8bit || s->body.has_nul;
    if (s->body.ended_by_dot)
        return compose_end(c, err);
    return true;
}

bool
compose_end(struct compose *c, struct error *err)
{
    struct compose_state *s = c->state;

    if (s->header.state == HEADER_OPEN) {
        header_end(&s->header);
        if (!check_header(s, err) || !finish_header(s, err))
            return false;
    }
    body_end(&s->body);
    c->eight_bit = c->eight_bit || s->body.has_8bit || s->body.has_nul;
    c->ended = true;
    return true;
}

void
compose_clear(struct compose *c)
{
    clear_rcpts(&c->rcpts);
    if (c->state) {
        clear_rcpts(&c->state->arguments.rcpts);
        clear_rcpts(&c->state->plain.rcpts);
        clear_rcpts(&c->state->resent.rcpts);
        buf_clear(&c->state->piece);
    }
    free(c->state);
    free(c->sender);
    free(c->from_address);
    buf_clear(&c->header);
    buf_clear(&c->body);
}

/* ---------------------------------------------------------------- standard input */

/* A caller may have left its end of a socket or terminal non-blocking: a pause is no error and no end */
static ssize_t
read_patiently(int fd, void *data, size_t len)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n;

    for (;;) {
        n = file_read_some(fd, data, len);
        if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            return n;
        if (poll(&p, 1, -1) < 0 && errno != EINTR)
            return -1;
    }
}

static bool
read_some(struct compose *c, struct error *err)
{
    char *piece = buf_reserve(&c->state->piece, READ_BYTES);
    ssize_t n = read_patiently(c->state->fd, piece, READ_BYTES);

    if (n < 0 && errno == EBADF)
        return error_set(err, ERROR_IO, "standard input: it is closed");
    if (n < 0)
        return error_sys(err, ERROR_IO, errno, "standard input: cannot be read");
    return n > 0 ? compose_push(c, slice_make(piece, (size_t)n), err) : compose_end(c, err);
}

bool
compose_more(struct compose *c, struct error *err)
{
    while (!c->ended && c->body.len < COMPOSE_BODY_MAX - READ_BYTES * 2)
        if (!read_some(c, err))
            return false;
    ensure(!c->body.overflow);
    return true;
}

bool
compose_begin(struct compose *c, const struct options *o, int fd, struct error *err)
{
    if (!compose_init(c, o, err))
        return false;
    c->state->fd = fd;
    return compose_more(c, err);
}
