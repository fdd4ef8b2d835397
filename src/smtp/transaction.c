/* SPDX-License-Identifier: ISC */
/* transaction: the dialog of one message, from top to bottom; what a reply means is mail/status's. */
#include "smtp/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/body.h"
#include "mail/command.h"

#define ONE_FLIGHT_MAX 65536 /* content up to here leaves with the envelope */
#define CHUNK_BYTES (1u << 20)
#define UNANSWERED_MAX 100 /* RFC 5321, 4.5.3.1.8 */

/* One attempt of some recipients: indices into t->rcpt */
struct batch {
    struct session *s;
    struct transaction *t;
    size_t *index;
    size_t n;
    size_t accepted;
    bool *ok; /* RCPT was accepted */
    bool mail_ok;
    struct buf out;
    bool usable;      /* the session still is */
    unsigned flights; /* of the stream, when the step under way began */
    struct status_fact fact;
};

static void
settle(struct batch *b, size_t i, const struct status_fact *fact)
{
    struct transaction_rcpt *r = &b->t->rcpt[b->index[i]];

    if (r->done)
        return;
    r->done = true;
    r->fact = *fact;
}

/* All of the batch that has no fact yet */
static void
settle_all(struct batch *b, const struct status_fact *fact)
{
    for (size_t i = 0; i < b->n; i++)
        settle(b, i, fact);
}

/* ---------------------------------------------------------------- commands */

static void
add_mail(struct batch *b)
{
    const struct transaction *t = b->t;
    const struct session_caps *c = &b->s->caps;

    buf_add_format(&b->out, "MAIL FROM:<%s>", t->sender);
    if (c->size)
        buf_add_format(&b->out, " SIZE=%llu", (unsigned long long)t->size);
    if (t->binary && c->binary && c->chunking)
        buf_add_str(&b->out, " BODY=BINARYMIME");
    else if (t->eight_bit && c->eightbit)
        buf_add_str(&b->out, " BODY=8BITMIME");
    if (t->smtputf8)
        buf_add_str(&b->out, " SMTPUTF8");
    if (c->dsn && t->ret != ENVELOPE_RET_NONE)
        buf_add_str(&b->out, t->ret == ENVELOPE_RET_FULL ? " RET=FULL" : " RET=HDRS");
    if (c->dsn && t->envid) {
        buf_add_str(&b->out, " ENVID=");
        command_xtext_encode(&b->out, slice_of(t->envid));
    }
    buf_add_str(&b->out, "\r\n");
}

/* addr-type of RFC 3461, 4.2, an atom. It came decoded from xtext, so a blank in it would be read as another parameter. */
static bool
is_addr_type(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-')
            return false;
    return s.len > 0;
}

static void
add_rcpt(struct batch *b, size_t i)
{
    const struct transaction_rcpt *r = &b->t->rcpt[b->index[i]];

    buf_add_format(&b->out, "RCPT TO:<%s>", r->path);
    if (b->s->caps.dsn && r->notify)
        buf_add_format(&b->out, " NOTIFY=%s", envelope_notify_text(r->notify));
    if (b->s->caps.dsn && r->orcpt) {
        struct slice all = slice_of(r->orcpt), type;
        if (slice_has(all, ';') && slice_cut(&all, ';', &type) && is_addr_type(type)) {
            buf_add_format(&b->out, " ORCPT=%.*s;", SLICE_ARG(type));
            command_xtext_encode(&b->out, all);
        }
    }
    buf_add_str(&b->out, "\r\n");
}

static bool
flush(struct batch *b, enum status_stage stage)
{
    bool ok = session_send(b->s, buf_slice(&b->out), stage, &b->fact);

    buf_reset(&b->out);
    return ok;
}

/* A reply that has to be there. False: the connection is of no use any more; b->fact says why. */
static bool
reply_to(struct batch *b, enum status_stage stage, int64_t ms, struct reply *r)
{
    if (!session_reply(b->s, stage, ms, r, &b->fact))
        return false;
    if (r->code != 421)
        return true;
    session_fact_reply(&b->fact, stage, r);
    return false;
}

/* Into the steps: it was taken, with these words */
static void
tell(struct batch *b, const char *step, const struct reply *r)
{
    session_tell_reply(b->s, step, b->flights, r);
    b->flights = b->s->stream.flights;
}

static void
tell_rcpt(struct batch *b, size_t i, const struct reply *r)
{
    steps_text(b->s->options->steps, "recipient", slice_of(b->t->rcpt[b->index[i]].path));
    tell(b, "rcpt", r);
}

/* End a transaction that is still open: the next MAIL would be "nested" (RFC 5321, 4.1.4). */
static void
reset_peer(struct batch *b, struct reply *r)
{
    struct status_fact ignored; /* what became of the message is settled */

    b->usable = b->usable && session_send(b->s, slice_of("RSET\r\n"), STATUS_MAIL, &ignored) &&
                session_reply(b->s, STATUS_MAIL, b->s->options->timeout_ms, r, &ignored) &&
                r->code / 100 == 2;
}

/* Hang up without a word: QUIT would be taken for a line of the text */
static void
hang_up(struct batch *b)
{
    b->usable = false;
    b->s->stream.broken = true;
}

/* ---------------------------------------------------------------- replies to the envelope */

/* MAIL: true when it was accepted. Otherwise all are settled; b->usable tells whether to go on reading. */
static bool
read_mail(struct batch *b, struct reply *r)
{
    if (!reply_to(b, STATUS_MAIL, b->s->options->timeout_ms, r)) {
        b->usable = false;
        return false;
    }
    b->mail_ok = r->code >= 200 && r->code < 300;
    steps_text(b->s->options->steps, "sender", slice_of(b->t->sender));
    if (b->mail_ok) {
        tell(b, "mail", r);
        return true;
    }
    session_fact_reply(&b->fact, STATUS_MAIL, r);
    settle_all(b, &b->fact);
    return false;
}

static bool
read_rcpts(struct batch *b, size_t from, size_t to, struct reply *r)
{
    for (size_t i = from; i < to; i++) {
        if (!reply_to(b, STATUS_RCPT, b->s->options->timeout_ms, r)) {
            b->usable = false;
            return false;
        }
        if (r->code >= 200 && r->code < 300) {
            b->ok[i] = true;
            b->accepted++;
            tell_rcpt(b, i, r);
        } else {
            struct status_fact fact;
            session_fact_reply(&fact, STATUS_RCPT, r);
            settle(b, i, &fact);
        }
    }
    return true;
}

/* The answer to the last byte counts for all that were accepted */
static void
settle_accepted(struct batch *b, const struct status_fact *fact)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->ok[i])
            settle(b, i, fact);
}

static void
read_end(struct batch *b, struct reply *r)
{
    struct status_fact fact;

    if (session_reply(b->s, STATUS_END, b->s->options->end_ms, r, &fact)) {
        session_fact_reply(&fact, STATUS_END, r);
        if (r->code == 421 || r->code / 100 == 3)
            b->usable = false;
        if (r->code / 100 == 2)
            tell(b, "message", r);
    } else {
        b->usable = false;
        fact.maybe_sent = true;
    }
    settle_accepted(b, &fact);
    b->fact = fact;
}

/* ---------------------------------------------------------------- content */

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

static bool
write_content(struct batch *b, bool chunked, transaction_sink *sink, void *ctx, struct error *err)
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
    hang_up(b);
    settle_all(b, &fact);
}

static void
content_failed(struct batch *b, const struct error *err)
{
    session_fact(&b->fact, STATUS_LOCAL, err->class == ERROR_DATA ? STATUS_MALFORMED : STATUS_TROUBLE, "%s",
        err->text);
    settle_all(b, &b->fact);
}

static void
send_data(struct batch *b, struct reply *r)
{
    struct content c = { .b = b };
    struct error err;

    buf_init(&c.pending, 1u << 20);
    body_stuff_init(&c.stuff, stuffed, &c);
    if (!write_content(b, false, data_sink, &c, &err) && !c.stopped) {
        content_failed(b, &err);
        hang_up(b); /* in the middle of the text nothing else undoes it */
    } else if (c.stopped) {
        content_stopped(&c, r);
    } else {
        body_stuff_end(&c.stuff);
        c.chunked = true; /* an answer is wanted from here on, and one that is there already is not it */
        if (!stream_has_input(&b->s->stream) && send_pending(&c))
            read_end(b, r);
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
    if (!flush(b, STATUS_CONTENT)) {
        settle_all(b, &b->fact);
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
    settle_all(b, &fact);
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

static void
send_chunks(struct batch *b, struct reply *r)
{
    struct content c = { .b = b, .chunked = true };
    struct chunk_sink k = { &c, r };
    struct error err;

    buf_init(&c.pending, CHUNK_BYTES);
    if (!write_content(b, true, chunk_sink, &k, &err) && !c.stopped) {
        content_failed(b, &err);
        hang_up(b);
    } else if (!c.stopped && send_chunk(&c, true, r)) {
        read_end(b, r);
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

static void
read_data(struct batch *b, struct reply *r)
{
    if (!reply_to(b, STATUS_DATA, b->s->options->timeout_ms, r)) {
        b->usable = false;
        settle_all(b, &b->fact);
    } else if (r->code == 354) {
        tell(b, "data", r);
        if (!b->accepted)
            send_nothing(b, r);
        else if (b->mail_ok)
            send_data(b, r);
        else
            hang_up(b); /* the sender was refused, recipients were not: they would get an empty message */
    } else {
        session_fact_reply(&b->fact, STATUS_DATA, r);
        settle_all(b, &b->fact);
        if (r->code < 400)
            b->usable = false; /* 250 in place of 354: who knows what it waits for */
        else
            reset_peer(b, r);
    }
}

/* ---------------------------------------------------------------- the ways through a batch */

static bool
buf_sink(void *ctx, struct slice bytes)
{
    buf_add_slice(ctx, bytes);
    return true;
}

/* The hook is shown commands only, not the text behind them */
static bool
send_flight(struct batch *b, size_t commands)
{
    stream_hook *hook = b->s->stream.hook;
    struct slice lines = slice_sub(buf_slice(&b->out), 0, commands), line;
    bool sent;

    while (hook && slice_cut(&lines, '\n', &line))
        hook(b->s->stream.hook_ctx, 'C', slice_trim(line));
    b->s->stream.hook = NULL;
    sent = flush(b, STATUS_MAIL);
    b->s->stream.hook = hook;
    return sent;
}

static void
read_flight(struct batch *b, struct reply *r)
{
    struct status_fact ignored;

    (void)read_mail(b, r);
    if (!b->usable || !read_rcpts(b, 0, b->n, r)) {
        b->fact.maybe_sent = b->fact.cause != STATUS_REPLY;
        settle_all(b, &b->fact);
    } else if (b->mail_ok && b->accepted) {
        read_end(b, r);
        if (b->usable && r->code / 100 != 2)
            reset_peer(b, r); /* not every server takes a refused BDAT for the end of the transaction */
    } else if (session_reply(b->s, STATUS_END, b->s->options->timeout_ms, r, &ignored)) {
        reset_peer(b, r); /* BDAT without recipients: 503 or 554 */
    } else {
        b->usable = false;
    }
}

/* MAIL, RCPT..., BDAT LAST and the text in one write; then all replies */
static void
run_one_flight(struct batch *b, struct reply *r)
{
    struct error err;
    size_t commands;

    add_mail(b);
    for (size_t i = 0; i < b->n; i++)
        add_rcpt(b, i);
    buf_add_format(&b->out, "BDAT %llu LAST\r\n", (unsigned long long)b->t->size);
    commands = b->out.len;
    if (!write_content(b, true, buf_sink, &b->out, &err)) {
        buf_reset(&b->out);
        content_failed(b, &err);
        return;
    }
    ensure(!b->out.overflow && b->out.len == commands + b->t->size);
    if (send_flight(b, commands)) {
        read_flight(b, r);
    } else {
        b->usable = false;
        settle_all(b, &b->fact);
    }
}

/* MAIL and RCPT, at most a hundred unanswered, with DATA behind the last; BDAT waits for their answers */
static void
run_pipelined(struct batch *b, struct reply *r)
{
    bool chunks = b->s->caps.chunking;

    for (size_t from = 0; from < b->n;) {
        size_t to = b->n - from > UNANSWERED_MAX ? from + UNANSWERED_MAX : b->n;
        if (from == 0)
            add_mail(b);
        for (size_t i = from; i < to; i++)
            add_rcpt(b, i);
        if (to == b->n && !chunks)
            buf_add_str(&b->out, "DATA\r\n");
        if (!flush(b, STATUS_MAIL)) {
            b->usable = false;
            settle_all(b, &b->fact);
            return;
        }
        if (from == 0)
            (void)read_mail(b, r);
        if (!b->usable || !read_rcpts(b, from, to, r)) {
            settle_all(b, &b->fact);
            return;
        }
        if (!b->mail_ok && to < b->n) {
            b->usable = false; /* simplest: the rest was refused with it */
            return;
        }
        from = to;
    }
    if (!chunks)
        read_data(b, r); /* also for nobody: 503, or 354 */
    else if (b->mail_ok && b->accepted)
        send_chunks(b, r);
    else
        reset_peer(b, r);
}

/* MAIL, then each RCPT, each awaited; `probe`: what is said to a RCPT is its end. False: all is settled. */
static bool
ask_one_by_one(struct batch *b, bool probe, struct reply *r)
{
    add_mail(b);
    if (!flush(b, STATUS_MAIL) || !read_mail(b, r)) {
        if (b->fact.cause != STATUS_REPLY || b->fact.code == 421)
            b->usable = false;
        settle_all(b, &b->fact);
        return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        add_rcpt(b, i);
        if (!flush(b, STATUS_RCPT) || !read_rcpts(b, i, i + 1, r)) {
            b->usable = false;
            settle_all(b, &b->fact);
            return false;
        }
        if (!probe)
            continue;
        session_fact_reply(&b->fact, STATUS_RCPT, r);
        settle(b, i, &b->fact);
    }
    return true;
}

static void
run_step_by_step(struct batch *b, struct reply *r)
{
    if (!ask_one_by_one(b, false, r))
        return;
    if (!b->accepted) {
        reset_peer(b, r);
        return;
    }
    if (b->s->caps.chunking) {
        send_chunks(b, r);
        return;
    }
    buf_add_str(&b->out, "DATA\r\n");
    if (!flush(b, STATUS_DATA)) {
        b->usable = false;
        settle_all(b, &b->fact);
        return;
    }
    read_data(b, r);
}

/* ---------------------------------------------------------------- batches */

/* The recipients without a fact, at most `limit` */
static size_t
collect(struct batch *b, size_t limit)
{
    b->n = 0;
    for (size_t i = 0; i < b->t->n && b->n < limit; i++)
        if (!b->t->rcpt[i].done)
            b->index[b->n++] = i;
    memset(b->ok, 0, b->t->n * sizeof *b->ok);
    b->accepted = 0;
    b->mail_ok = false;
    return b->n;
}

/* RCPT limits (452, 552; RFC 5321, 4.5.3.1.10): with some accepted the others get another transaction */
static bool
reopen_limited(struct batch *b)
{
    bool any = false;

    if (!b->accepted || !b->usable)
        return false;
    for (size_t i = 0; i < b->n; i++) {
        struct transaction_rcpt *r = &b->t->rcpt[b->index[i]];
        if (r->done && r->fact.stage == STATUS_RCPT && (r->fact.code == 452 || r->fact.code == 552)) {
            r->done = false;
            any = true;
        }
    }
    return any;
}

/* Those without a fact get this one */
static void
settle_rest(struct transaction *t, const struct status_fact *fact)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!t->rcpt[i].done)
            t->rcpt[i].fact = *fact;
        t->rcpt[i].done = true;
    }
}

/* The address that made SMTPUTF8 necessary */
static const char *
utf8_address(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (!text_is_ascii(slice_of(t->rcpt[i].path)))
            return t->rcpt[i].path;
    return text_is_ascii(slice_of(t->sender)) ? "message" : t->sender;
}

static bool
fits(struct session *s, struct transaction *t)
{
    struct status_fact fact;

    if (s->caps.size_max && t->size > s->caps.size_max) {
        session_fact(&fact, STATUS_MAIL, STATUS_REFUSED, "message: %llu bytes, the server takes at most %llu",
            (unsigned long long)t->size, (unsigned long long)s->caps.size_max);
    } else if (t->smtputf8 && !s->caps.smtputf8) {
        session_fact(&fact, STATUS_MAIL, STATUS_REFUSED,
            "%s: needs SMTPUTF8, which the server does not offer", utf8_address(t));
    } else {
        return true;
    }
    settle_rest(t, &fact);
    return false;
}

/* Is something wanted that the server has not offered? */
static bool
wants_more(const struct session_caps *c, const struct transaction *t)
{
    bool dsn = t->ret != ENVELOPE_RET_NONE || t->envid;

    for (size_t i = 0; i < t->n && !dsn; i++)
        dsn = t->rcpt[i].notify || t->rcpt[i].orcpt;
    return (dsn && !c->dsn) || (t->smtputf8 && !c->smtputf8) || (c->size_max && t->size > c->size_max);
}

/* MAIL, then each RCPT, then RSET */
static void
run_probe(struct batch *b, struct reply *r)
{
    if (!ask_one_by_one(b, true, r))
        return;
    reset_peer(b, r);
    if (b->usable && b->accepted == b->n)
        tell(b, "reset", r);
}

static void
run_batch(struct batch *b)
{
    struct reply r;

    reply_init(&r);
    memset(&b->fact, 0, sizeof b->fact);
    b->flights = b->s->stream.flights;
    if (b->t->probe)
        run_probe(b, &r);
    else if (b->s->caps.pipelining && b->s->caps.chunking && b->t->size <= ONE_FLIGHT_MAX &&
             b->n <= UNANSWERED_MAX)
        run_one_flight(b, &r);
    else if (b->s->caps.pipelining)
        run_pipelined(b, &r);
    else
        run_step_by_step(b, &r);
    reply_clear(&r);
    b->s->mails++;
}

bool
transaction_run(struct session *s, struct transaction *t)
{
    struct batch b = { .s = s, .t = t, .usable = true };
    size_t limit;

    if (wants_more(&s->caps, t) && !session_ask_again(s, &b.fact)) {
        settle_rest(t, &b.fact);
        return false;
    }
    if (!fits(s, t))
        return true;
    limit = s->caps.rcpt_max ? (size_t)s->caps.rcpt_max : t->n;
    b.index = mem_array(t->n, sizeof *b.index);
    b.ok = mem_array(t->n, sizeof *b.ok);
    buf_init(&b.out, 4u << 20);
    while (collect(&b, limit)) {
        run_batch(&b);
        if (!b.usable) {
            /* those that were not begun: the same trouble, but surely not sent */
            b.fact.maybe_sent = false;
            if (b.fact.cause == STATUS_REPLY && b.fact.code < 400)
                session_fact(&b.fact, STATUS_MAIL, STATUS_NETWORK, "connection given up");
            settle_rest(t, &b.fact);
            break;
        }
        if (reopen_limited(&b) && b.accepted < limit)
            limit = b.accepted;
    }
    free(b.index);
    free(b.ok);
    buf_clear(&b.out);
    return b.usable;
}
