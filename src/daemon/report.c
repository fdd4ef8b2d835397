/* SPDX-License-Identifier: ISC */
/* report: from members to a record; the words are mail/dsn's. */
#include "daemon/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/advice.h"
#include "daemon/delivery.h"
#include "daemon/feed.h"
#include "daemon/ownmail.h"
#include "daemon/report_cap.h"
#include "mail/dsn.h"

#define FULL_MAX (1u << 20)   /* a larger message comes back as its header, RET=FULL or not */
#define HEADER_MAX (1u << 18) /* looked at for its header */
#define REPORT_MAX (64u << 20)

struct report {
    const struct submission *about; /* NULL: a summary */
    struct dsn dsn;
    struct dsn_recipient *rcpt;
    size_t *index; /* of the members */
    char **advice; /* for each of rcpt; NULL: none */
    struct report_rest rest;
    struct ownmail own;
};

/* ---------------------------------------------------------------- what is told of whom */

static bool
is_told(const struct submission *s, size_t i, unsigned flags, struct dsn_recipient *out)
{
    const struct submission_member *m = &s->member[i];
    const struct recipient *r = &s->record.envelope.rcpt[i];
    enum envelope_state state = submission_state(m);

    if (r->state == ENVELOPE_RETURNED)
        return false;
    memset(out, 0, sizeof *out);
    if (state == ENVELOPE_DONE && m->is_relayed)
        out->action = DSN_RELAYED;
    else if (state == ENVELOPE_FAILED)
        out->action = DSN_FAILED;
    else if (state == ENVELOPE_OPEN && (flags & REPORT_EXPIRED))
        out->action = DSN_FAILED;
    else if (state == ENVELOPE_OPEN && (flags & REPORT_LATE))
        out->action = DSN_DELAYED;
    else
        return false;
    out->is_expired = out->action == DSN_FAILED && state == ENVELOPE_OPEN;
    return dsn_is_wanted(r->notify, out->action);
}

/* One that was not tried since the daemon was started has the words that stand in its file */
static void
add_words(const struct submission *s, size_t i, struct dsn_recipient *out)
{
    const struct submission_member *m = &s->member[i];
    const struct recipient *r = &s->record.envelope.rcpt[i];

    out->address = slice_of(r->address);
    out->orcpt = slice_of(r->orcpt);
    out->of_recipient = m->of_recipient;
    out->code = m->code;
    out->enhanced = slice_of(m->enhanced);
    out->relay = slice_of(m->relay);
    out->words = slice_of(m->words ? m->words : m->text ? m->text : s->record.reason);
    out->last_try = s->record.last_try ? s->record.last_try : (int64_t)clock_wall().tv_sec;
}

/* What helps; the report is written in a thread, when the table may be another, so it has copies */
static void
add_advice(struct core *c, struct report *r)
{
    r->advice = mem_array(r->dsn.n + 1, sizeof *r->advice);
    for (size_t i = 0; i < r->dsn.n; i++) {
        struct dsn_recipient *to = &r->rcpt[i];
        const struct explain_entry *e = to->action == DSN_FAILED && !to->is_expired
                                            ? explain_find(advice_table(c), slice_of(""), to->words, NULL)
                                            : NULL;
        if (e && e->sender.len)
            r->advice[i] = slice_dup(e->sender);
        to->advice = slice_of(r->advice[i]);
    }
}

static void
add_recipients(struct report *r, const struct submission *s, unsigned flags)
{
    size_t n = s->record.envelope.n;

    r->rcpt = mem_array(n ? n : 1, sizeof *r->rcpt);
    r->index = mem_array(n ? n : 1, sizeof *r->index);
    for (size_t i = 0; i < n; i++) {
        struct dsn_recipient *to = &r->rcpt[r->dsn.n];
        if (!is_told(s, i, flags, to))
            continue;
        add_words(s, i, to);
        r->index[r->dsn.n++] = i;
    }
}

bool
report_has_failure(const struct report *r, size_t i)
{
    for (size_t k = 0; r && k < r->dsn.n && r->index[k] <= i; k++)
        if (r->index[k] == i)
            return r->rcpt[k].action == DSN_FAILED;
    return false;
}

/* ---------------------------------------------------------------- its record */

static const char *
host_of(const struct core *c)
{
    return config_text(&c->config, 0, CONFIG_HOSTNAME);
}

static struct report *
report_new(struct core *c, const char *to, const char *account, int64_t uid, const char *login)
{
    struct report *r = mem_alloc(sizeof *r);

    ownmail_begin(&r->own, c, to, account, uid, login);
    return r;
}

static void
fill_in(struct core *c, struct report *r, const struct submission *s)
{
    const struct record *old = &s->record;
    struct dsn *d = &r->dsn;

    d->hostname = slice_of(host_of(c));
    d->from = slice_of(r->own.from);
    d->to = slice_of(old->envelope.sender);
    d->id = slice_of(r->own.record.id);
    d->now = r->own.record.time;
    d->zone_minutes = (int)r->own.record.zone_min;
    d->original_id = slice_of(old->id);
    d->original_message_id = slice_of(old->message_id);
    d->envid = slice_of(old->envelope.envid);
    d->arrival = old->time;
    d->retry_until = old->time + config_number(&c->config, 0, CONFIG_QUEUE_LIFETIME) / 1000;
    add_advice(c, r);
    d->rcpt = r->rcpt;
    d->full =
        old->envelope.ret == ENVELOPE_RET_FULL && s->size <= FULL_MAX && r->rcpt[0].action == DSN_FAILED;
}

static void on_summary(void *ctx);

static void
arm(struct core *c)
{
    int64_t wait = report_cap_wait(c->told, clock_ms());

    loop_cancel(c->summary);
    c->summary = wait >= 0 ? loop_at(c->loop, clock_deadline(wait), on_summary, c) : NULL;
}

/* False: not this one; it is in the summary */
static bool
is_within_cap(struct core *c, const struct submission *s, const struct report *r, const char *account)
{
    const struct record *old = &s->record;

    if (!c->told)
        c->told = report_cap_new();
    if (report_cap_take(c->told, old->uid, account, clock_ms()))
        return true;
    log_line(LOG_LEVEL_WARNING, "id=%s: its sender is told with others: more than %d reports in an hour",
        old->id, REPORT_CAP);
    if (r->rcpt[0].action == DSN_FAILED) {
        report_cap_drop(c->told, old->uid, account, old->envelope.sender, old->id,
            old->envelope.rcpt[r->index[0]].address);
        arm(c);
    }
    return false;
}

static void
report_free(struct report *r)
{
    report_rest_clear(&r->rest);
    for (size_t i = 0; i < r->dsn.n; i++)
        free(r->advice ? r->advice[i] : NULL);
    free(r->advice);
    free(r->rcpt);
    free(r->index);
    free(r);
}

struct report *
report_begin(struct core *c, const struct submission *s, unsigned flags)
{
    const struct record *old = &s->record;
    struct report found = { .about = s }, *r;
    const char *account;

    if (!c->spool || !old->envelope.sender || !*old->envelope.sender)
        return NULL;
    add_recipients(&found, s, flags);
    account = found.dsn.n ? delivery_account(c, s->member[found.index[0]].account) : NULL;
    if (!account || !is_within_cap(c, s, &found, account)) {
        free(found.rcpt);
        free(found.index);
        return NULL;
    }
    r = report_new(c, old->envelope.sender, account, old->uid, old->login);
    r->about = s;
    r->rcpt = found.rcpt;
    r->index = found.index;
    r->dsn.n = found.dsn.n;
    fill_in(c, r, s);
    return r;
}

/* ---------------------------------------------------------------- into the queue */

static bool
read_content(const struct submission *s, bool full, struct buf *out, struct error *err)
{
    size_t n = !full && s->size > HEADER_MAX ? HEADER_MAX : (size_t)s->size;
    char *room;

    buf_init(out, FULL_MAX);
    room = n ? buf_reserve(out, n) : NULL;
    if (room && !file_pread(s->fd_read, room, n, (off_t)s->record.content_offset))
        return error_sys(err, ERROR_IO, errno, "cannot read the message");
    out->len = n;
    return true;
}

static bool
write_report(struct report *r, struct buf *out, struct error *err)
{
    struct buf content;
    bool ok;

    if (!r->about) {
        struct dsn_summary s = { .hostname = r->dsn.hostname,
            .from = r->dsn.from,
            .to = r->dsn.to,
            .id = r->dsn.id,
            .now = r->dsn.now,
            .zone_minutes = r->dsn.zone_minutes,
            .count = r->rest.count,
            .listed = buf_slice(&r->rest.listed) };
        dsn_write_summary(&s, out);
        return true;
    }
    ok = read_content(r->about, r->dsn.full, &content, err);
    if (ok) {
        r->dsn.content = buf_slice(&content);
        dsn_write(&r->dsn, out);
        r->dsn.content = slice_make(NULL, 0);
    }
    buf_clear(&content);
    return ok && (!out->overflow || error_set(err, ERROR_REFUSED, "report: too large"));
}

bool
report_store(struct report *r, struct spool *spool, struct error *err)
{
    struct buf text;
    bool ok;

    buf_init(&text, REPORT_MAX);
    ok = write_report(r, &text, err) && ownmail_store(&r->own, spool, buf_slice(&text), err);
    buf_clear(&text);
    return ok;
}

void
report_end(struct core *c, struct report *r)
{
    static const char *const told[] = {
        [DSN_FAILED] = "failed", [DSN_DELAYED] = "delayed", [DSN_RELAYED] = "relayed"
    };

    if (!r)
        return;
    if (r->own.stored)
        log_line(LOG_LEVEL_INFO, "id=%s report=%s of=%s to=<%s>", r->own.record.id,
            r->about ? told[r->rcpt[0].action] : "summary", r->about ? r->about->record.id : "many",
            r->own.record.envelope.rcpt[0].address);
    ownmail_end(&r->own, c, r->about ? r->about->record.id : NULL);
    report_free(r);
}

/* ---------------------------------------------------------------- what the cap held back */

struct summary {
    struct core *core;
    struct report *report;
    struct error err;
};

static void
summary_run(void *arg)
{
    struct summary *s = arg;

    (void)report_store(s->report, s->core->spool, &s->err); /* summary_done sees */
}

static void
summary_done(void *arg)
{
    struct summary *s = arg;

    if (!s->report->own.stored)
        log_line(LOG_LEVEL_ERROR, "summary of reports: %s", s->err.text);
    report_end(s->core, s->report);
    feed_pump(s->core);
    free(s);
}

static void
send_rest(struct core *c, bool all)
{
    struct report_rest rest;

    while (report_cap_rest(c->told, clock_ms(), all, &rest)) {
        struct summary *s = mem_alloc(sizeof *s);
        struct report *r = report_new(c, rest.to, rest.account, rest.uid, NULL);
        r->rest = rest;
        r->dsn.hostname = slice_of(host_of(c));
        r->dsn.from = slice_of(r->own.from);
        r->dsn.to = slice_of(r->rest.to);
        r->dsn.id = slice_of(r->own.record.id);
        r->dsn.now = r->own.record.time;
        r->dsn.zone_minutes = (int)r->own.record.zone_min;
        s->core = c;
        s->report = r;
        work_start(c->work, summary_run, summary_done, s);
    }
}

static void
on_summary(void *ctx)
{
    struct core *c = ctx;

    c->summary = NULL;
    send_rest(c, false);
    arm(c);
}

void
report_finish(struct core *c)
{
    if (!c->told)
        return;
    loop_cancel(c->summary);
    c->summary = NULL;
    if (c->spool)
        send_rest(c, true);
    report_cap_free(c->told);
    c->told = NULL;
}
