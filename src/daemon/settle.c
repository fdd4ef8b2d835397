/* settle: marks, hints, removal; what is final and what waits is told by the members' states. */
#include "daemon/settle.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define ATTEMPTS_MIN 3 /* expiry without the schedule's knowledge (--run) */

enum settlement { SETTLE_KEEP, SETTLE_REMOVE, SETTLE_FAIL };

struct settling {
    struct delivery *d;
    enum settlement what;
    bool ok, changed;
    struct error err;
};

static void
settle_run(void *arg)
{
    struct settling *s = arg;
    struct delivery *d = s->d;
    struct spool *spool = d->core->spool;
    struct record *r = &d->sub->record;

    s->ok = true;
    if (s->what == SETTLE_REMOVE) {
        s->ok = spool_remove(spool, r->id, &s->err);
        return;
    }
    (void)spool_note(spool, d->fd, r); /* a hint */
    if (s->changed || s->what == SETTLE_FAIL)
        s->ok = spool_mark(spool, d->fd, r, &s->err);
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

/* The states of the members go into the record; how many are still to be tried, and were refused */
static bool
write_states(struct delivery *d, size_t *open, size_t *refused)
{
    struct envelope *e = &d->sub->record.envelope;
    bool changed = false;

    *open = *refused = 0;
    for (size_t i = 0; i < e->n; i++) {
        char state = (char)submission_state(&d->sub->member[i]);
        changed = changed || e->rcpt[i].state != state;
        e->rcpt[i].state = state;
        *open += state == ENVELOPE_OPEN;
        *refused += state == ENVELOPE_FAILED;
    }
    return changed;
}

void
settle_begin(struct delivery *d)
{
    struct settling *s = mem_alloc(sizeof *s);
    struct record *r = &d->sub->record;
    const char *why = delivery_trouble(d);
    size_t open, refused;

    s->d = d;
    s->changed = write_states(d, &open, &refused);
    r->attempts++;
    r->last_try = clock_wall().tv_sec;
    if (why) {
        free(r->reason);
        r->reason = mem_dup(why);
    }
    if (d->core->schedule && d->entry && open > 0)
        schedule_tried(d->core->schedule, d->entry, clock_ms());
    if (open == 0 && refused == 0) {
        s->what = SETTLE_REMOVE;
        delivery_log(d, "sent", NULL);
    } else if (open == 0 || is_expired(d)) {
        s->what = SETTLE_FAIL;
        delivery_log(d, open ? "expired" : "refused", why);
    } else {
        delivery_log(d, "deferred", why);
    }
    work_start(d->core->work, settle_run, settle_done, s);
}
