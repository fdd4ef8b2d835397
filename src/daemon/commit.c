/* SPDX-License-Identifier: ISC */
/* commit: making records and reports durable in threads; what goes into them is park's and report's. */
#include "daemon/commit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/dispatch.h"
#include "daemon/park.h"
#include "daemon/report.h"

/* ---------------------------------------------------------------- what waits */

struct storing {
    struct delivery *d;
    struct spool *spool;
    enum park_which which;
    enum schedule_due due;
    struct parcel *list;
    struct park_limits limits;
    int fd;
    uint64_t offset, size;
    bool ok;
    struct error err;
};

static void
store_run(void *arg)
{
    struct storing *s = arg;

    if (s->ok)
        s->ok = park_store(s->spool, s->list, &s->limits, s->fd, s->offset, s->size, &s->err);
}

/* What is in the queue now is known to the schedule */
static void
schedule_parcels(struct storing *s)
{
    struct delivery *d = s->d;
    struct core *c = d->core;

    c->has_added = c->has_added || (!c->schedule && s->due != SCHEDULE_AT_RUN);
    for (struct parcel *p = s->list; p; p = p->next) {
        struct schedule_entry *e =
            !c->schedule ? NULL
                         : schedule_add(c->schedule, p->id, p->record.account, delivery_age_ms(&p->record),
                               p->record.attempts, s->due, clock_ms());
        if (e && delivery_is_of_system(c, p->record.uid))
            schedule_alert(c->schedule, e, p->record.uid);
        if (s->which == PARK_DEFERRED)
            continue;
        /* the attempt that is under way is the file's */
        d->entry = e;
        d->fd = p->draft.fd;
        p->draft.fd = -1;
        if (e)
            schedule_activate(c->schedule, e);
        d->sub->record.hint_offset = p->record.hint_offset;
        d->sub->record.hold_offset = p->record.hold_offset;
        for (size_t i = 0; i < p->record.envelope.n; i++)
            d->sub->record.envelope.rcpt[i].mark = p->record.envelope.rcpt[i].mark;
    }
}

static void
store_done(void *arg)
{
    struct storing *s = arg;
    struct delivery *d = s->d;
    enum park_which which = s->which;

    d->storing = false;
    d->store_failed = !s->ok;
    if (s->ok) {
        schedule_parcels(s);
        submission_queued(d->sub);
    } else {
        log_line(LOG_LEVEL_ERROR, "id=%s: %s", d->sub->record.id, s->err.text);
        free(d->unqueued);
        d->unqueued = mem_dup(s->err.text);
    }
    park_free(s->spool, s->list);
    free(s);
    dispatch_stored(d, which);
}

void
commit_begin(struct delivery *d, enum park_which which, enum schedule_due due)
{
    struct storing *s = mem_alloc(sizeof *s);
    const struct config *config = &d->core->config;

    s->d = d;
    s->spool = d->core->spool;
    s->which = which;
    s->due = due;
    s->fd = d->sub->fd_read;
    s->offset = d->sub->record.content_offset;
    s->size = d->sub->size;
    s->limits = (struct park_limits){ config_size(config, CONFIG_MIN_FREE),
        config_size(config, CONFIG_MAX_QUEUE_SIZE) };
    s->list = park_pack(d->sub, which, d->reason, &s->ok);
    if (!s->ok)
        error_set(&s->err, ERROR_REFUSED, "message: for too many accounts");
    d->storing = true;
    work_start(d->core->work, store_run, store_done, s);
}

/* ---------------------------------------------------------------- what the sender has to hear */

struct telling {
    struct delivery *d;
    struct report *report;
    bool ok;
    struct error err;
};

static void
tell_run(void *arg)
{
    struct telling *t = arg;

    t->ok = report_store(t->report, t->d->core->spool, &t->err);
}

static void
tell_done(void *arg)
{
    struct telling *t = arg;
    struct delivery *d = t->d;

    if (!t->ok)
        log_line(LOG_LEVEL_ERROR, "id=%s: its sender is not told: %s", d->sub->record.id, t->err.text);
    d->storing = false;
    report_end(d->core, t->report);
    free(t);
    dispatch_told(d);
}

static bool
has_news(const struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        if (d->sub->member[i].is_relayed || submission_state(&d->sub->member[i]) == ENVELOPE_FAILED)
            return true;
    return false;
}

/* What the sender is to hear besides the caller is durable before the caller has its 250 */
bool
commit_report(struct delivery *d)
{
    struct report *r = has_news(d) ? report_begin(d->core, d->sub, 0) : NULL;
    struct telling *t;

    if (!r)
        return false;
    t = mem_alloc(sizeof *t);
    t->d = d;
    t->report = r;
    d->storing = true;
    work_start(d->core->work, tell_run, tell_done, t);
    return true;
}
