/* compose: see compose.h. What is added here is only what the caller alone knows: the date in its zone. */
#include "sendmail/compose.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/addrlist.h"
#include "mail/body.h"
#include "mail/header.h"
#include "mail/stamp.h"

#define RECEIVED_MAX 100
#define READ_BYTES 65536

struct compose_state {
    struct compose *c;
    int fd;
    struct header header;
    struct body lines; /* line ends of the whole text; without -i also its end */
    struct body body;
    struct addrlist list;
    struct error err; /* the first thing wrong */
    struct buf name;
    size_t field_start; /* in c->header */
    enum header_field field;
    bool in_body;
    bool resent;      /* a Resent- field was seen */
    bool resent_over; /* the topmost block has ended */
    bool has_date, has_resent_date;
    size_t received;
    struct compose_rcpts plain, again; /* of To, Cc, Bcc; of the topmost Resent- block */
    struct compose_rcpts *into;
};

/* ---------------------------------------------------------------- recipients */

static uint64_t
hash_of(const char *s)
{
    uint64_t h = 1469598103934665603u;

    for (; *s; s++)
        h = (h ^ (unsigned char)ascii_lower(*s)) * 1099511628211u;
    return h;
}

static bool
is_same(const char *a, const char *b)
{
    struct slice x = slice_of(a), y = slice_of(b);
    size_t i = slice_find_last(x, '@'), j = slice_find_last(y, '@');

    return i == j && slice_eq(slice_sub(x, 0, i), slice_sub(y, 0, j)) &&
           slice_eq_nocase(slice_from(x, i), slice_from(y, j));
}

static void insert_seen(struct compose_rcpts *r, size_t index);

static void
grow_seen(struct compose_rcpts *r)
{
    free(r->seen);
    r->nseen = r->nseen ? r->nseen * 4 : 64;
    r->seen = mem_array(r->nseen, sizeof(size_t));
    for (size_t i = 0; i < r->n; i++)
        insert_seen(r, i);
}

static void
insert_seen(struct compose_rcpts *r, size_t index)
{
    size_t *table = r->seen, at = hash_of(r->address[index]) % r->nseen;

    while (table[at])
        at = (at + 1) % r->nseen;
    table[at] = index + 1;
}

static void
add_rcpt(struct compose_rcpts *r, const char *address)
{
    if (r->nseen < 2 * (r->n + 1))
        grow_seen(r);
    size_t *table = r->seen, at = hash_of(address) % r->nseen;
    for (; table[at]; at = (at + 1) % r->nseen)
        if (is_same(r->address[table[at] - 1], address))
            return;
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 8;
        r->address = mem_resize(r->address, r->cap, sizeof(char *));
    }
    r->address[r->n++] = mem_dup(address);
    insert_seen(r, r->n - 1);
}

static void
clear_rcpts(struct compose_rcpts *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->address[i]);
    free(r->address);
    free(r->seen);
    memset(r, 0, sizeof *r);
}

static void
keep_error(struct compose_state *s, const struct error *err)
{
    if (s->err.class == ERROR_NONE)
        s->err = *err;
}

static void
found_rcpt(void *ctx, const struct addrlist_item *item)
{
    struct compose_state *s = ctx;
    struct buf b;

    if (item->error) {
        keep_error(s, item->error);
        return;
    }
    buf_init(&b, 1000);
    address_format(&b, &item->address);
    if (item->address.is_utf8_local || item->address.is_utf8_domain)
        s->c->utf8 = true;
    if (b.len)
        add_rcpt(s->into, buf_str(&b));
    buf_clear(&b);
}

static bool
add_arguments(struct compose_state *s, const struct options *o, struct error *err)
{
    s->into = &s->c->rcpts;
    for (size_t i = 0; i < o->nrecipients; i++) {
        size_t before = s->into->n;
        addrlist_init(&s->list, ADDRLIST_ARGUMENT, found_rcpt, s);
        addrlist_push(&s->list, slice_of(o->recipients[i]));
        addrlist_end(&s->list);
        if (s->err.class == ERROR_NONE && s->into->n == before && !*o->recipients[i])
            return error_set(err, ERROR_DATA, "recipient: an empty address");
    }
    if (s->err.class == ERROR_NONE)
        return true;
    *err = s->err;
    return error_context(err, "recipient");
}

/* ---------------------------------------------------------------- sender */

struct only {
    char *address;
    bool bad, utf8;
};

static void
found_only(void *ctx, const struct addrlist_item *item)
{
    struct only *o = ctx;
    struct buf b;

    if (item->error || o->address) {
        o->bad = o->bad || item->error;
        return;
    }
    buf_init(&b, 1000);
    address_format(&b, &item->address);
    o->utf8 = item->address.is_utf8_local || item->address.is_utf8_domain;
    o->address = buf_steal(&b);
}

static bool
take_sender(struct compose *c, const char *text, struct error *err)
{
    struct address a;
    struct buf b;

    if (!text)
        return true;
    if (!address_parse(slice_trim(slice_of(text)), ADDRESS_NULL | ADDRESS_MAILBOX, &a, err))
        return error_context(err, "sender");
    if (slice_has(slice_of(text), '\n') || slice_has(slice_of(text), '\r'))
        return error_set(err, ERROR_DATA, "sender: line breaks are not allowed");
    buf_init(&b, 1000);
    address_format(&b, &a);
    c->utf8 = c->utf8 || a.is_utf8_local || a.is_utf8_domain;
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

static bool
is_removed(enum header_field f)
{
    return f == HEADER_BCC || f == HEADER_RESENT_BCC || f == HEADER_RETURN_PATH || f == HEADER_CONTENT_LENGTH;
}

static void
begin_field(struct compose_state *s, struct slice name)
{
    struct compose *c = s->c;

    s->field = header_identify(name);
    s->field_start = c->header.len;
    buf_add_slice(&c->header, name);
    buf_add_char(&c->header, ':');
    /* the topmost block of Resent- fields ends at the first Received field below it, or where another one begins */
    if (header_is_resent(s->field))
        s->resent = true;
    else if (s->resent && (s->field == HEADER_RECEIVED || s->field == HEADER_RETURN_PATH))
        s->resent_over = true;
    s->has_date = s->has_date || s->field == HEADER_DATE;
    s->has_resent_date = s->has_resent_date || s->field == HEADER_RESENT_DATE;
    if (s->field == HEADER_RECEIVED && ++s->received > RECEIVED_MAX) {
        struct error err;
        error_set(
            &err, ERROR_REFUSED, "message: more than %d Received fields: it goes in a loop", RECEIVED_MAX);
        keep_error(s, &err);
    }
}

static void
end_field(struct compose_state *s)
{
    struct compose *c = s->c;
    struct slice all = slice_from(buf_slice(&c->header), s->field_start), value;
    struct error saved = s->err;

    value = slice_from(all, slice_find(all, ':') + 1);
    if (is_rcpt_field(s->field) || (is_resent_rcpt_field(s->field) && !s->resent_over)) {
        s->into = is_rcpt_field(s->field) ? &s->plain : &s->again;
        addrlist_init(&s->list, 0, found_rcpt, s);
        addrlist_push(&s->list, value);
        addrlist_end(&s->list);
        if (!c->options->from_header)
            s->err = saved; /* without -t the field is only text */
    } else if (s->field == HEADER_FROM && !c->from_address) {
        struct only o = { NULL, false, false };
        addrlist_init(&s->list, 0, found_only, &o);
        addrlist_push(&s->list, value);
        addrlist_end(&s->list);
        c->from_address = o.address;
    }
    if (is_removed(s->field))
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

static void
add_date(struct compose_state *s)
{
    struct timespec now = clock_wall();
    struct tm tm;
    struct buf b;
    int zone = localtime_r(&now.tv_sec, &tm) ? (int)(tm.tm_gmtoff / 60) : 0;

    if (s->resent ? s->has_resent_date : s->has_date)
        return;
    buf_init(&b, 100);
    buf_add_str(&b, s->resent ? "Resent-Date: " : "Date: ");
    stamp_date(&b, now.tv_sec, zone);
    buf_add_str(&b, "\r\n");
    if (s->resent) {
        /* in front, where the block is */
        struct buf all;
        buf_init(&all, s->c->header.max + 100);
        buf_add_slice(&all, buf_slice(&b));
        buf_add_slice(&all, buf_slice(&s->c->header));
        buf_clear(&s->c->header);
        s->c->header = all;
    } else {
        buf_add_slice(&s->c->header, buf_slice(&b));
    }
    buf_clear(&b);
}

static bool
finish_header(struct compose_state *s, struct error *err)
{
    struct compose *c = s->c;

    if (s->header.has_nul)
        return error_set(err, ERROR_DATA, "message: a NUL byte in the header");
    if (c->header.overflow)
        return error_set(err, ERROR_DATA, "message: its header is larger than %u bytes", COMPOSE_HEADER_MAX);
    if (s->err.class != ERROR_NONE) {
        *err = s->err;
        return err->class == ERROR_REFUSED ? false : error_context(err, "recipient");
    }
    add_date(s);
    buf_add_str(&c->header, "\r\n");
    c->eight_bit = !text_is_ascii(buf_slice(&c->header));
    s->in_body = true;
    if (s->header.state == HEADER_NO_FIELD)
        body_push(&s->body, header_rest(&s->header));
    return true;
}

static bool
settle_rcpts(struct compose_state *s, struct error *err)
{
    struct compose *c = s->c;
    const struct compose_rcpts *of = s->resent ? &s->again : &s->plain;

    for (size_t i = 0; c->options->from_header && i < of->n; i++)
        add_rcpt(&c->rcpts, of->address[i]);
    return c->rcpts.n > 0 ||
           error_set(err, ERROR_USAGE, "no recipient: name one, or use -t with To, Cc or Bcc in the message");
}

/* ---------------------------------------------------------------- bytes */

static void
on_body(void *ctx, struct slice text)
{
    struct compose_state *s = ctx;

    buf_add_slice(&s->c->body, text);
}

/* Raw input without the end mark of a message without -i */
static void
on_lines(void *ctx, struct slice text)
{
    struct compose_state *s = ctx;

    if (!s->in_body && s->header.state == HEADER_OPEN) {
        size_t n = header_push(&s->header, text);
        text = slice_from(text, n);
        if (s->header.state == HEADER_OPEN)
            return;
        struct error err;
        if (!finish_header(s, &err))
            keep_error(s, &err);
        s->in_body = true;
    }
    body_push(&s->body, text);
}

static bool
read_some(struct compose_state *s, struct error *err)
{
    char piece[READ_BYTES];
    ssize_t n = file_read_some(s->fd, piece, sizeof piece);

    if (n < 0)
        return error_sys(err, ERROR_IO, errno, "standard input: cannot be read");
    if (n > 0 && !(s->lines.ended_by_dot)) {
        if (s->c->options->keep_dots)
            on_lines(s, slice_make(piece, (size_t)n));
        else
            body_push(&s->lines, slice_make(piece, (size_t)n));
    }
    if (n == 0 || s->lines.ended_by_dot) {
        s->c->ended = true;
        if (!s->c->options->keep_dots)
            body_end(&s->lines);
        if (!s->in_body) {
            header_end(&s->header);
            if (!finish_header(s, err))
                return false;
        }
        body_end(&s->body);
    }
    s->c->eight_bit = s->c->eight_bit || s->body.has_8bit || s->body.has_nul;
    if (s->err.class != ERROR_NONE && s->in_body) {
        *err = s->err;
        return false;
    }
    return true;
}

bool
compose_more(struct compose *c, struct error *err)
{
    while (!c->ended && c->body.len < COMPOSE_BODY_MAX - READ_BYTES * 2)
        if (!read_some(c->state, err))
            return false;
    return true;
}

bool
compose_begin(struct compose *c, const struct options *o, int fd, struct error *err)
{
    struct compose_state *s = mem_alloc(sizeof *s);

    memset(c, 0, sizeof *c);
    c->options = o;
    c->state = s;
    buf_init(&c->header, COMPOSE_HEADER_MAX);
    buf_init(&c->body, COMPOSE_BODY_MAX + 4 * READ_BYTES);
    s->c = c;
    s->fd = fd;
    header_init(&s->header, on_header, s);
    body_init(&s->lines, BODY_DOT, on_lines, s);
    body_init(&s->body, 0, on_body, s);
    if (!take_sender(c, o->sender, err) || !add_arguments(s, o, err))
        return false;
    if (!o->from_header && c->rcpts.n == 0)
        return error_set(
            err, ERROR_USAGE, "no recipient: name one, or use -t with To, Cc or Bcc in the message");
    return compose_more(c, err) && settle_rcpts(s, err);
}

void
compose_clear(struct compose *c)
{
    clear_rcpts(&c->rcpts);
    if (c->state) {
        clear_rcpts(&c->state->plain);
        clear_rcpts(&c->state->again);
        buf_clear(&c->state->name);
    }
    free(c->state);
    free(c->sender);
    free(c->from_address);
    buf_clear(&c->header);
    buf_clear(&c->body);
}
