/* SPDX-License-Identifier: ISC */
/* batch: MAIL and RCPT and what is said to them; the order of it all is transaction's. */
#include "smtp/batch.h"

#include "mail/command.h"

void
batch_settle(struct batch *b, size_t i, const struct status_fact *fact)
{
    struct transaction_rcpt *r = &b->t->rcpt[b->index[i]];

    if (r->done)
        return;
    r->done = true;
    r->fact = *fact;
}

void
batch_settle_all(struct batch *b, const struct status_fact *fact)
{
    for (size_t i = 0; i < b->n; i++)
        batch_settle(b, i, fact);
}

/* ---------------------------------------------------------------- commands */

void
batch_add_mail(struct batch *b)
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

void
batch_add_rcpt(struct batch *b, size_t i)
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

bool
batch_flush(struct batch *b, enum status_stage stage)
{
    bool ok = session_send(b->s, buf_slice(&b->out), stage, &b->fact);

    buf_reset(&b->out);
    return ok;
}

bool
batch_reply(struct batch *b, enum status_stage stage, int64_t ms, struct reply *r)
{
    if (!session_reply(b->s, stage, ms, r, &b->fact))
        return false;
    if (r->code != 421)
        return true;
    session_fact_reply(&b->fact, stage, r);
    return false;
}

void
batch_tell(struct batch *b, const char *step, const struct reply *r)
{
    session_tell_reply(b->s, step, b->flights, r);
    b->flights = b->s->stream.flights;
}

static void
tell_rcpt(struct batch *b, size_t i, const struct reply *r)
{
    steps_text(b->s->options->steps, "recipient", slice_of(b->t->rcpt[b->index[i]].path));
    batch_tell(b, "rcpt", r);
}

void
batch_reset_peer(struct batch *b, struct reply *r)
{
    struct status_fact ignored; /* what became of the message is settled */

    b->usable = b->usable && session_send(b->s, slice_of("RSET\r\n"), STATUS_MAIL, &ignored) &&
                session_reply(b->s, STATUS_MAIL, b->s->options->timeout_ms, r, &ignored) &&
                r->code / 100 == 2;
}

void
batch_hang_up(struct batch *b)
{
    b->usable = false;
    b->s->stream.broken = true;
}

/* ---------------------------------------------------------------- replies to the envelope */

bool
batch_read_mail(struct batch *b, struct reply *r)
{
    if (!batch_reply(b, STATUS_MAIL, b->s->options->timeout_ms, r)) {
        b->usable = false;
        return false;
    }
    b->mail_ok = r->code >= 200 && r->code < 300;
    steps_text(b->s->options->steps, "sender", slice_of(b->t->sender));
    if (b->mail_ok) {
        batch_tell(b, "mail", r);
        return true;
    }
    session_fact_reply(&b->fact, STATUS_MAIL, r);
    batch_settle_all(b, &b->fact);
    return false;
}

bool
batch_read_rcpts(struct batch *b, size_t from, size_t to, struct reply *r)
{
    for (size_t i = from; i < to; i++) {
        if (!batch_reply(b, STATUS_RCPT, b->s->options->timeout_ms, r)) {
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
            batch_settle(b, i, &fact);
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
            batch_settle(b, i, fact);
}

void
batch_read_end(struct batch *b, struct reply *r)
{
    struct status_fact fact;

    if (session_reply(b->s, STATUS_END, b->s->options->end_ms, r, &fact)) {
        session_fact_reply(&fact, STATUS_END, r);
        if (r->code == 421 || r->code / 100 == 3)
            b->usable = false;
        if (r->code / 100 == 2)
            batch_tell(b, "message", r);
    } else {
        b->usable = false;
        fact.maybe_sent = true;
    }
    settle_accepted(b, &fact);
    b->fact = fact;
}
