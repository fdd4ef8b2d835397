/* SPDX-License-Identifier: ISC */
/* feed: takes up what the schedule says is due, as far as workers and rates allow. */
#include "daemon/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/attempt.h"
#include "daemon/delivery.h"
#include "daemon/settle.h"

/* It cannot be taken: gone, in another process's hands, or unreadable */
static void
pass_over(struct core *c, struct schedule_entry *e, const struct error *err)
{
    struct record r;
    struct error ignored;

    if (err->class != ERROR_TEMP)
        log_line(LOG_LEVEL_ERROR, "%s", err->text);
    if (err->class == ERROR_TEMP && spool_head(c->spool, schedule_id(e), &r, &ignored))
        record_clear(&r); /* another process has it */
    else if (err->class != ERROR_IO) {
        schedule_remove(c->schedule, e);
        return;
    }
    schedule_untried(c->schedule, e, clock_ms());
}

/* A delivery of an active entry, NULL where there is none to be had */
static struct delivery *
take_up(struct core *c, struct schedule_entry *e)
{
    struct submission *s;
    struct delivery *d;
    struct record r;
    struct error err;
    int fd = spool_take(c->spool, schedule_id(e), &r, &err);

    if (fd < 0) {
        pass_over(c, e, &err);
        return NULL;
    }
    if (r.is_held) {
        record_clear(&r);
        file_close(&fd);
        schedule_hold(c->schedule, e);
        return NULL;
    }
    s = mem_alloc(sizeof *s);
    submission_init(s);
    if (!submission_take(s, &r, fd)) {
        log_line(LOG_LEVEL_ERROR, "id=%s: cannot be read: %s", schedule_id(e), strerror(errno));
        submission_clear(s);
        free(s);
        file_close(&fd);
        schedule_untried(c->schedule, e, clock_ms());
        return NULL;
    }
    delivery_find_roads(c, s);
    d = delivery_new(c, s);
    d->from_queue = d->answered = true;
    d->entry = e;
    d->fd = fd;
    return d;
}

static void
try_entry(struct core *c, struct schedule_entry *e)
{
    struct delivery *d = take_up(c, e);

    if (d)
        attempt_next(d);
}

/* Each has descriptors open until it is settled: a queue that expires as a whole is not taken up at once */
enum { EXPIRE_AT_ONCE = 16 };

static size_t
count_expired(const struct core *c)
{
    size_t n = 0;

    for (const struct delivery *d = c->deliveries; d; d = d->next)
        n += d->expired;
    return n;
}

bool
feed_expire(struct core *c)
{
    size_t n = count_expired(c);
    struct schedule_entry *next;

    for (struct schedule_entry *e = schedule_first(c->schedule); e; e = next) {
        struct delivery *d;
        next = schedule_after(e);
        if (schedule_is_active(e) || !schedule_is_expired(c->schedule, e, clock_ms()))
            continue;
        if (n >= EXPIRE_AT_ONCE)
            return true;
        schedule_activate(c->schedule, e);
        d = take_up(c, e);
        if (!d)
            continue;
        d->expired = true;
        settle_begin(d);
        n++;
    }
    return false;
}

/* One worker is left to callers who wait, whatever a slow smarthost does to the queue */
static bool
is_queue_busy(const struct core *c)
{
    size_t max = (size_t)config_number(&c->config, 0, CONFIG_WORKERS), n = 0;

    for (const struct delivery *d = c->deliveries; d; d = d->next)
        n += d->from_queue && d->job && !pool_is_aside(d->job);
    return max > 1 && n + 1 >= max;
}

/* Else it is remembered when it will be */
static bool
is_within_rate(struct core *c, const char *road, bool reserve)
{
    const char *account = delivery_account(c, road);
    int64_t wait =
        c->rates ? rates_wait(c->rates, account, attempt_rate(c, account), reserve, clock_ms()) : 0;

    if (wait > 0 && (c->rate_wait < 0 || wait < c->rate_wait))
        c->rate_wait = wait;
    return wait == 0;
}

static bool
may_go_on(void *ctx, const char *road, bool reserve)
{
    struct core *c = ctx;

    return !is_queue_busy(c) && pool_is_warm(c->pool, delivery_account(c, road)) &&
           is_within_rate(c, road, reserve);
}

static bool
may_start(void *ctx, const char *road, bool reserve)
{
    struct core *c = ctx;

    return !is_queue_busy(c) && pool_has_room(c->pool, delivery_account(c, road)) &&
           is_within_rate(c, road, reserve);
}

/* Where a connection is there first, or accounts would close each other's connections by turns */
static struct schedule_entry *
take_next(struct core *c)
{
    struct schedule_entry *e = schedule_take(c->schedule, clock_ms(), may_go_on, c);

    return e ? e : schedule_take(c->schedule, clock_ms(), may_start, c);
}

static void
on_due(void *ctx)
{
    struct core *c = ctx;

    c->due = NULL;
    feed_pump(c);
}

void
feed_pump(struct core *c)
{
    struct schedule_entry *e;
    int64_t wait;

    if (!c->schedule || !c->spool || c->stopping || c->pumping)
        return;
    c->rate_wait = -1;
    c->pumping = true; /* what ends at once comes back here */
    while ((e = take_next(c)))
        try_entry(c, e);
    c->pumping = false;
    loop_cancel(c->due);
    c->due = NULL;
    wait = schedule_wait(c->schedule, clock_ms());
    if (c->rate_wait >= 0 && (wait < 0 || c->rate_wait < wait))
        wait = c->rate_wait;
    if (wait >= 0)
        c->due = loop_at(c->loop, clock_deadline(wait), on_due, c);
}
