/* SPDX-License-Identifier: ISC */
/* batch_content: the text, by DATA or by BDAT, and what is said while it goes. */
#include "smtp/batch.h"

#include "base/clock.h"
#include "mail/body.h"

#define CHUNK_BYTES (1u << 20)

/* Between the producer and the wire: neither a bare CR nor a bare LF ever goes out, unless BODY=BINARYMIME says so */
struct guard {
    transaction_sink *sink;
    void *ctx;
    bool binary;
    bool cr; /* the last byte was one */
    bool bare;
};

static bool
guard_sink(void *ctx, struct slice bytes)
{
    struct guard *g = ctx;

    for (size_t i = 0; i < bytes.len && !g->binary; i++) {
        if ((bytes.p[i] == '\n') != g->cr) {
            g->bare = true;
            return false;
        }
        g->cr = bytes.p[i] == '\r';
    }
    return g->sink(g->ctx, bytes);
}

bool
batch_write_content(struct batch *b, bool chunked, transaction_sink *sink, void *ctx, struct error *err)
{
    struct guard g = { .sink = sink, .ctx = ctx, .binary = b->t->binary && chunked };
    bool ok = b->t->write(b->t->ctx, guard_sink, &g, err);

    if (g.bare || (ok && g.cr))
        return error_set(err, ERROR_DATA, "message: a line that does not end in CR LF");
    return ok;
}

struct content {
    struct batch *b;
    struct buf pending;
    struct body_stuff stuff;
    bool chunked;
    bool stopped;
    uint64_t left; /* BDAT: still to be announced */
    enum stream_result result;
};

static bool
send_pending(struct content *c)
{
    if (!c->pending.len)
        return true;
    c->result =
        stream_write(&c->b->s->stream, buf_slice(&c->pending), clock_deadline(c->b->s->options->timeout_ms));
    buf_reset(&c->pending);
    /* an answer before the end: it will not be the one we want */
    if (c->result != STREAM_OK || (!c->chunked && stream_has_input(&c->b->s->stream)))
        c->stopped = true;
    return !c->stopped;
}

static void
stuffed(void *ctx, struct slice bytes)
{
    struct content *c = ctx;

    buf_add_slice(&c->pending, bytes);
}

static bool
data_sink(void *ctx, struct slice bytes)
{
    struct content *c = ctx;

    while (bytes.len && !c->stopped) {
        struct slice piece = slice_sub(bytes, 0, 32768);
        body_stuff_push(&c->stuff, piece);
        bytes = slice_from(bytes, piece.len);
        if (c->pending.len >= 65536)
            (void)send_pending(c);
    }
    return !c->stopped;
}

/* The connection went, or something was said, while content was written */
static void
content_stopped(struct content *c, struct reply *r)
{
    struct batch *b = c->b;
    struct status_fact fact;

    if (session_reply(
            b->s, STATUS_CONTENT, c->result == STREAM_OK ? b->s->options->timeout_ms : 100, r, &fact))
        session_fact_reply(&fact, STATUS_CONTENT, r);
    else if (c->result != STREAM_OK)
        session_fact(&fact, STATUS_CONTENT, STATUS_NETWORK, "message text: %s", stream_text(c->result));
    batch_hang_up(b);
    batch_settle_all(b, &fact);
}

void
batch_content_failed(struct batch *b, const struct error *err)
{
    session_fact(&b->fact, STATUS_LOCAL, err->class == ERROR_DATA ? STATUS_MALFORMED : STATUS_TROUBLE, "%s",
        err->text);
    batch_settle_all(b, &b->fact);
}

static void
send_data(struct batch *b, struct reply *r)
{
    struct content c = { .b = b };
    struct error err;

    buf_init(&c.pending, 1u << 20);
    body_stuff_init(&c.stuff, stuffed, &c);
    if (!batch_write_content(b, false, data_sink, &c, &err) && !c.stopped) {
        batch_content_failed(b, &err);
        batch_hang_up(b); /* in the middle of the text nothing else undoes it */
    } else if (c.stopped) {
        content_stopped(&c, r);
    } else {
        body_stuff_end(&c.stuff);
        c.chunked = true; /* an answer is wanted from here on, and one that is there already is not it */
        if (!stream_has_input(&b->s->stream) && send_pending(&c))
            batch_read_end(b, r);
        else
            content_stopped(&c, r);
    }
    buf_clear(&c.pending);
}

/* Send what is collected as one chunk and hear what is said to it, unless it is the last */
static bool
send_chunk(struct content *c, bool last, struct reply *r)
{
    struct batch *b = c->b;
    struct status_fact fact;

    if (stream_has_input(&b->s->stream)) { /* one reply too many: whose would the next be? */
        c->stopped = true;
        content_stopped(c, r);
        return false;
    }
    buf_add_format(&b->out, "BDAT %zu%s\r\n", c->pending.len, last ? " LAST" : "");
    if (!batch_flush(b, STATUS_CONTENT)) {
        batch_settle_all(b, &b->fact);
        b->usable = false;
        c->stopped = true;
        return false;
    }
    if (!send_pending(c)) {
        content_stopped(c, r);
        return false;
    }
    if (last)
        return true;
    if (!session_reply(b->s, STATUS_CONTENT, b->s->options->timeout_ms, r, &fact)) {
        b->usable = false;
    } else if (r->code / 100 == 2) {
        return true;
    } else {
        session_fact_reply(&fact, STATUS_CONTENT, r);
        b->usable = false; /* RSET would do, but this is rare */
    }
    batch_settle_all(b, &fact);
    c->stopped = true;
    return false;
}

struct chunk_sink {
    struct content *c;
    struct reply *r;
};

static bool
chunk_sink(void *ctx, struct slice bytes)
{
    struct chunk_sink *k = ctx;

    while (bytes.len && !k->c->stopped) {
        struct slice piece = slice_sub(bytes, 0, CHUNK_BYTES - k->c->pending.len);
        buf_add_slice(&k->c->pending, piece);
        bytes = slice_from(bytes, piece.len);
        if (k->c->pending.len == CHUNK_BYTES && !send_chunk(k->c, false, k->r))
            return false;
    }
    return !k->c->stopped;
}

void
batch_send_chunks(struct batch *b, struct reply *r)
{
    struct content c = { .b = b, .chunked = true };
    struct chunk_sink k = { &c, r };
    struct error err;

    buf_init(&c.pending, CHUNK_BYTES);
    if (!batch_write_content(b, true, chunk_sink, &k, &err) && !c.stopped) {
        batch_content_failed(b, &err);
        batch_hang_up(b);
    } else if (!c.stopped && send_chunk(&c, true, r)) {
        batch_read_end(b, r);
    }
    buf_clear(&c.pending);
}

/* All refused, but 354: an empty message ends it, and nobody gets it (RFC 2920, 3.1) */
static void
send_nothing(struct batch *b, struct reply *r)
{
    struct status_fact ignored;

    if (!session_send(b->s, slice_of(".\r\n"), STATUS_END, &ignored) ||
        !session_reply(b->s, STATUS_END, b->s->options->timeout_ms, r, &ignored))
        b->usable = false;
}

void
batch_read_data(struct batch *b, struct reply *r)
{
    if (!batch_reply(b, STATUS_DATA, b->s->options->timeout_ms, r)) {
        b->usable = false;
        batch_settle_all(b, &b->fact);
    } else if (r->code == 354) {
        batch_tell(b, "data", r);
        if (!b->accepted)
            send_nothing(b, r);
        else if (b->mail_ok)
            send_data(b, r);
        else
            batch_hang_up(
                b); /* the sender was refused, recipients were not: they would get an empty message */
    } else {
        session_fact_reply(&b->fact, STATUS_DATA, r);
        batch_settle_all(b, &b->fact);
        if (r->code < 400)
            b->usable = false; /* 250 in place of 354: who knows what it waits for */
        else
            batch_reset_peer(b, r);
    }
}
