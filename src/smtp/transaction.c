/* SPDX-License-Identifier: ISC */
/* transaction: the dialog of one message, from top to bottom; what a reply means is mail/status's. */
#include "smtp/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "smtp/batch.h"

#define ONE_FLIGHT_MAX 65536 /* content up to here leaves with the envelope */
#define UNANSWERED_MAX 100   /* RFC 5321, 4.5.3.1.8 */

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
    sent = batch_flush(b, STATUS_MAIL);
    b->s->stream.hook = hook;
    return sent;
}

static void
read_flight(struct batch *b, struct reply *r)
{
    struct status_fact ignored;

    (void)batch_read_mail(b, r);
    if (!b->usable || !batch_read_rcpts(b, 0, b->n, r)) {
        b->fact.maybe_sent = b->fact.cause != STATUS_REPLY;
        batch_settle_all(b, &b->fact);
    } else if (b->mail_ok && b->accepted) {
        batch_read_end(b, r);
        if (b->usable && r->code / 100 != 2)
            batch_reset_peer(b, r); /* not every server takes a refused BDAT for the end of the transaction */
    } else if (session_reply(b->s, STATUS_END, b->s->options->timeout_ms, r, &ignored)) {
        batch_reset_peer(b, r); /* BDAT without recipients: 503 or 554 */
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

    batch_add_mail(b);
    for (size_t i = 0; i < b->n; i++)
        batch_add_rcpt(b, i);
    buf_add_format(&b->out, "BDAT %llu LAST\r\n", (unsigned long long)b->t->size);
    commands = b->out.len;
    if (!batch_write_content(b, true, buf_sink, &b->out, &err)) {
        buf_reset(&b->out);
        batch_content_failed(b, &err);
        return;
    }
    ensure(!b->out.overflow && b->out.len == commands + b->t->size);
    if (send_flight(b, commands)) {
        read_flight(b, r);
    } else {
        b->usable = false;
        batch_settle_all(b, &b->fact);
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
            batch_add_mail(b);
        for (size_t i = from; i < to; i++)
            batch_add_rcpt(b, i);
        if (to == b->n && !chunks)
            buf_add_str(&b->out, "DATA\r\n");
        if (!batch_flush(b, STATUS_MAIL)) {
            b->usable = false;
            batch_settle_all(b, &b->fact);
            return;
        }
        if (from == 0)
            (void)batch_read_mail(b, r);
        if (!b->usable || !batch_read_rcpts(b, from, to, r)) {
            batch_settle_all(b, &b->fact);
            return;
        }
        if (!b->mail_ok && to < b->n) {
            b->usable = false; /* simplest: the rest was refused with it */
            return;
        }
        from = to;
    }
    if (!chunks)
        batch_read_data(b, r); /* also for nobody: 503, or 354 */
    else if (b->mail_ok && b->accepted)
        batch_send_chunks(b, r);
    else
        batch_reset_peer(b, r);
}

/* MAIL, then each RCPT, each awaited; `probe`: what is said to a RCPT is its end. False: all is settled. */
static bool
ask_one_by_one(struct batch *b, bool probe, struct reply *r)
{
    batch_add_mail(b);
    if (!batch_flush(b, STATUS_MAIL) || !batch_read_mail(b, r)) {
        if (b->fact.cause != STATUS_REPLY || b->fact.code == 421)
            b->usable = false;
        batch_settle_all(b, &b->fact);
        return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        batch_add_rcpt(b, i);
        if (!batch_flush(b, STATUS_RCPT) || !batch_read_rcpts(b, i, i + 1, r)) {
            b->usable = false;
            batch_settle_all(b, &b->fact);
            return false;
        }
        if (!probe)
            continue;
        session_fact_reply(&b->fact, STATUS_RCPT, r);
        batch_settle(b, i, &b->fact);
    }
    return true;
}

static void
run_step_by_step(struct batch *b, struct reply *r)
{
    if (!ask_one_by_one(b, false, r))
        return;
    if (!b->accepted) {
        batch_reset_peer(b, r);
        return;
    }
    if (b->s->caps.chunking) {
        batch_send_chunks(b, r);
        return;
    }
    buf_add_str(&b->out, "DATA\r\n");
    if (!batch_flush(b, STATUS_DATA)) {
        b->usable = false;
        batch_settle_all(b, &b->fact);
        return;
    }
    batch_read_data(b, r);
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
    if (!text_is_ascii(slice_of(t->sender)))
        return t->sender;
    return t->utf8_address ? t->utf8_address : "message";
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
    batch_reset_peer(b, r);
    if (b->usable && b->accepted == b->n)
        batch_tell(b, "reset", r);
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
