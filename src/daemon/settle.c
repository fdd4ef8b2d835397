/* SPDX-License-Identifier: ISC */
/* settle: marks, hints, removal; what is final and what waits is told by the members' states. */
#include "daemon/settle.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/report.h"
#include "mail/dsn.h"

#define ATTEMPTS_MIN 3 /* expiry without the schedule's knowledge (--run) */

enum settlement { SETTLE_KEEP, SETTLE_REMOVE, SETTLE_FAIL };

struct settling {
    struct delivery *d;
    struct report *report; /* to its sender; NULL: there is none */
    enum settlement what;
    bool ok, changed, untold, hold;
    struct error err, report_err;
};

/* Better one more attempt than a failure that nobody hears of: it stays as it was before this one */
static void
keep_untold(struct settling *s)
{
    struct record *r = &s->d->sub->record;

    s->untold = true;
    r->is_warned = false;
    for (size_t i = 0; i < r->envelope.n; i++) {
        if (!report_has_failure(s->report, i))
            continue;
        r->envelope.rcpt[i].state = ENVELOPE_OPEN;
        s->what = SETTLE_KEEP;
    }
}

static void
settle_run(void *arg)
{
    struct settling *s = arg;
    struct delivery *d = s->d;
    struct spool *spool = d->core->spool;
    struct record *r = &d->sub->record;

    s->ok = true;
    if (s->report && !report_store(s->report, spool, &s->report_err))
        keep_untold(s);
    if (s->what == SETTLE_REMOVE) {
        s->ok = spool_remove(spool, r->id, &s->err);
        return;
    }
    (void)spool_note(spool, d->fd, r); /* a hint */
    if (s->hold)
        s->ok = spool_hold(spool, d->fd, r, &s->err);
    if (s->changed || s->what == SETTLE_FAIL)
        s->ok = s->ok && spool_mark(spool, d->fd, r, &s->err);
    if (s->what == SETTLE_FAIL)
        s->ok = s->ok && spool_fail(spool, r->id, &s->err);
}

static void
settle_done(void *arg)
{
    struct settling *s = arg;
    struct delivery *d = s->d;
    struct core *c = d->core;

    if (!s->ok)
        log_line(LOG_LEVEL_ERROR, "id=%s: %s", d->sub->record.id, s->err.text);
    if (s->untold)
        log_line(LOG_LEVEL_ERROR, "id=%s: its sender is not told: %s", d->sub->record.id, s->report_err.text);
    report_end(c, s->report);
    if (c->schedule && d->entry && s->untold && s->what == SETTLE_KEEP && schedule_is_active(d->entry))
        schedule_tried(c->schedule, d->entry, clock_ms());
    if (c->schedule && d->entry && s->what != SETTLE_KEEP) {
        if (s->ok)
            schedule_remove(c->schedule, d->entry);
        else
            schedule_activate(c->schedule, d->entry); /* for ever: it must not go out again */
    }
    free(s);
    delivery_free(d);
}

static bool
is_expired(const struct delivery *d)
{
    const struct core *c = d->core;
    const struct record *r = &d->sub->record;

    if (d->expired || d->frozen)
        return d->expired;
    if (c->is_daemon)
        return d->entry && schedule_is_expired(c->schedule, d->entry, clock_ms());
    return r->attempts >= ATTEMPTS_MIN &&
           delivery_age_ms(r) >= config_number(&c->config, 0, CONFIG_QUEUE_LIFETIME);
}

/* Is it to be held from now on, because somebody said so meanwhile, or because it is dangerous? */
static char *
hold_reason(const struct delivery *d)
{
    if (d->hold)
        return mem_dup(d->hold);
    if (d->sub->record.deaths < RECORD_DEATHS_MAX)
        return NULL;
    return mem_dup("held: too many workers ended unexpectedly over it");
}

static void
hold(struct settling *s, char *reason)
{
    struct delivery *d = s->d;
    struct record *r = &d->sub->record;

    s->hold = true;
    r->is_held = true;
    free(r->hold_reason);
    r->hold_reason = reason;
    if (d->core->schedule && d->entry)
        schedule_hold(d->core->schedule, d->entry);
    log_line(LOG_LEVEL_WARNING, "id=%s: %s", r->id, reason);
}

/* The states of the members go into the record. True when one is another than before */
static bool
write_states(struct delivery *d)
{
    struct envelope *e = &d->sub->record.envelope;
    bool changed = false;

    for (size_t i = 0; i < e->n; i++) {
        char state = (char)submission_state(&d->sub->member[i]);
        if (e->rcpt[i].state == ENVELOPE_RETURNED)
            continue;
        changed = changed || e->rcpt[i].state != state;
        e->rcpt[i].state = state;
    }
    return changed;
}

static size_t
count_state(const struct delivery *d, enum envelope_state state)
{
    const struct envelope *e = &d->sub->record.envelope;
    size_t n = 0;

    for (size_t i = 0; i < e->n; i++)
        n += e->rcpt[i].state == (char)state;
    return n;
}

/* Nothing more is to be told of them: the caller was, the report does, or the sender does not want to hear it */
static void
mark_returned(struct settling *s, bool expired)
{
    struct envelope *e = &s->d->sub->record.envelope;

    for (size_t i = 0; i < e->n; i++) {
        char state = e->rcpt[i].state;
        if (state != ENVELOPE_FAILED && !(expired && state == ENVELOPE_OPEN))
            continue;
        if (!s->d->refused && dsn_is_wanted(e->rcpt[i].notify, DSN_FAILED) &&
            !report_has_failure(s->report, i))
            continue;
        e->rcpt[i].state = ENVELOPE_RETURNED;
        s->changed = true;
    }
}

/*
 * Has it waited so long that its sender is warned? Not while the account is down: the warning would wait behind what it is about, and
 * arrive with it.
 */
static bool
is_late(const struct delivery *d)
{
    const struct record *r = &d->sub->record;
    int64_t after = config_number(&d->core->config, 0, CONFIG_WARN_AFTER);

    return !r->is_warned && d->reached && after > 0 && delivery_age_ms(r) >= after;
}

static void
tell_sender(struct settling *s, bool expired)
{
    struct delivery *d = s->d;
    bool late = !expired && count_state(d, ENVELOPE_OPEN) > 0 && is_late(d);

    if (d->refused)
        return;
    s->report = report_begin(d->core, d->sub, (expired ? REPORT_EXPIRED : 0u) | (late ? REPORT_LATE : 0u));
    if (late)
        d->sub->record.is_warned = true;
}

static void
choose(struct settling *s, size_t open, bool expired)
{
    struct delivery *d = s->d;
    const char *why = delivery_trouble(d);
    const char *sender = d->sub->record.envelope.sender;
    size_t kept;

    if (open > 0 && !expired) {
        s->what = SETTLE_KEEP;
        delivery_log(d, "deferred", why);
        return;
    }
    kept = count_state(d, ENVELOPE_FAILED) + count_state(d, ENVELOPE_OPEN);
    s->what = kept ? SETTLE_FAIL : SETTLE_REMOVE;
    delivery_log(d,
        expired                                     ? "expired"
        : kept || count_state(d, ENVELOPE_RETURNED) ? "refused"
                                                    : "sent",
        expired || kept || count_state(d, ENVELOPE_RETURNED) ? why : NULL);
    if (kept)
        log_line(LOG_LEVEL_ERROR, "id=%s: kept under failed/: %s", d->sub->record.id,
            sender && *sender ? "its sender cannot be told" : "the null sender gets no report");
}

/* What went by settings of before is tried by those in force at once */
static void
deactivate(struct delivery *d)
{
    if (delivery_is_outdated(d))
        schedule_let(d->core->schedule, d->entry, clock_ms());
    else
        schedule_tried(d->core->schedule, d->entry, clock_ms());
}

void
settle_begin(struct delivery *d)
{
    struct settling *s = mem_alloc(sizeof *s);
    struct record *r = &d->sub->record;
    const char *why = delivery_trouble(d);
    char *held = hold_reason(d);
    size_t open;
    bool expired;

    s->d = d;
    s->changed = write_states(d);
    open = count_state(d, ENVELOPE_OPEN);
    r->attempts++;
    r->last_try = clock_wall().tv_sec;
    if (why) {
        free(r->reason);
        r->reason = mem_dup(why);
    }
    if (d->core->schedule && d->entry && open > 0)
        deactivate(d);
    expired = open > 0 && is_expired(d);
    if (held && open > 0 && !expired)
        hold(s, held);
    else
        free(held);
    tell_sender(s, expired);
    mark_returned(s, expired);
    choose(s, open, expired);
    work_start(d->core->work, settle_run, settle_done, s);
}
