/* SPDX-License-Identifier: ISC */
/* dispatch: from the client to the workers, the queue and back; what a failure means is mail/status's. */
#include "daemon/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/attempt.h"
#include "daemon/breaker.h"
#include "daemon/client.h"
#include "daemon/commit.h"
#include "daemon/metrics.h"
#include "daemon/settle.h"
#include "daemon/story.h"

/* ---------------------------------------------------------------- the end */

void
dispatch_abandon(struct core *c)
{
    c->stopping = true;
    c->rest = NULL;
    while (c->deliveries)
        delivery_free(c->deliveries);
}

bool
dispatch_is_idle(const struct core *c)
{
    return !c->deliveries;
}

void
dispatch_leave(struct delivery *d)
{
    d->client = NULL;
}

/* ---------------------------------------------------------------- the answer */

static bool
is_any_queued(const struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        if (d->sub->member[i].queued)
            return true;
    return false;
}

/* What has to wait, as it turned out, can not. NULL: it can, or need not */
static const char *
find_unqueued(const struct delivery *d)
{
    if (d->store_failed)
        return d->unqueued;
    return d->core->spool ? NULL : d->core->no_queue;
}

/* The client is told, once */
static void
answer_with(struct delivery *d, struct verdict *v)
{
    struct client *client = d->client;
    bool queued = is_any_queued(d);
    const char *why = delivery_trouble(d), *unqueued = find_unqueued(d);
    char *text;

    if (v->class == ERROR_TEMP && unqueued)
        text = mem_format("%s; it cannot wait here: %s", buf_str(&v->text), unqueued);
    else if (v->class != ERROR_NONE)
        text = mem_dup(buf_str(&v->text));
    else if (queued)
        text = mem_format("queued as %s%s%s", d->sub->record.id, why ? ": " : "", why ? why : "");
    else
        text = mem_format("sent as %s", d->sub->record.id);
    delivery_log(d,
        v->class != ERROR_NONE ? "failed"
        : queued               ? "queued"
                               : "sent",
        v->class != ERROR_NONE ? text : why);
    d->answered = true;
    d->client = NULL;
    d->refused = client && v->class != ERROR_NONE;
    if (client)
        client_verdict(client, v->class, text, (const char *const *)v->refused, v->nrefused);
    free(text);
}

static void
answer(struct delivery *d)
{
    struct verdict v;

    submission_verdict(d->sub, d->core->spool != NULL, &v);
    answer_with(d, &v);
    verdict_clear(&v);
}

/* ---------------------------------------------------------------- the last fact */

/* Nothing of it is in the queue. What the exit code says needs no report */
static void
finish_unqueued(struct delivery *d)
{
    struct verdict v;
    bool is_over;

    submission_verdict(d->sub, d->core->spool != NULL, &v);
    is_over = (d->client && v.class != ERROR_NONE) || !commit_report(d);
    if (is_over)
        answer_with(d, &v);
    verdict_clear(&v);
    if (is_over)
        delivery_free(d);
}

void
dispatch_told(struct delivery *d)
{
    answer(d);
    delivery_free(d);
}

/* What is to be held is not sent because there is no room for it */
static void
refuse(struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        submission_failed(d->sub, (uint32_t)i, false, ERROR_TEMP, d->reason);
    dispatch_finish(d);
}

void
dispatch_stored(struct delivery *d, enum park_which which)
{
    if (which == PARK_ALL && d->job) {
        if (!d->store_failed && !d->answered)
            answer(d); /* the attempt goes on */
    } else if (d->store_failed && d->sub->record.is_held) {
        refuse(d);
    } else if (which == PARK_DEFERRED && d->store_failed) {
        attempt_next(d); /* what was to be queued at once goes directly after all */
    } else {
        dispatch_finish(d);
    }
}

void
dispatch_finish(struct delivery *d)
{
    bool deferred = false;

    loop_cancel(d->timer);
    d->timer = NULL;
    if (d->storing)
        return; /* dispatch_stored comes back here */
    if (d->fd >= 0) {
        if (!d->from_queue && !d->answered)
            answer(d);
        settle_begin(d);
        return;
    }
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        deferred = deferred || submission_is_deferred(&d->sub->member[i]);
    if (deferred && d->core->spool && !d->store_failed) {
        commit_begin(d, PARK_DEFERRED, SCHEDULE_BY_AGE);
        return;
    }
    finish_unqueued(d);
}

/* ---------------------------------------------------------------- from the client */

/* The caller has waited long enough */
static void
on_timeout(void *ctx)
{
    struct delivery *d = ctx;

    d->timer = NULL;
    if (d->job && !d->storing && d->fd < 0 && !d->store_failed) {
        delivery_because(d, "waiting for the verdict");
        commit_begin(d, PARK_ALL, SCHEDULE_NOW);
    }
}

static bool
has_several_accounts(const struct submission *s)
{
    for (size_t i = 1; i < s->record.envelope.n; i++)
        if (strcmp(s->member[i].account, s->member[0].account) != 0)
            return true;
    return false;
}

/* An account that is known to be down is not tried again for each message; its fallback may be up */
static bool
is_account_down(struct delivery *d)
{
    struct core *c = d->core;
    const char *account = d->sub->member[0].account, *why = NULL;
    char *next;
    bool up;

    if (schedule_account_state(c->schedule, account, clock_ms(), &why) == SCHEDULE_UP)
        return false;
    delivery_because(d, why ? why : "smarthost is down");
    next = attempt_fallback(d, 0);
    up = next && schedule_account_state(c->schedule, next, clock_ms(), NULL) == SCHEDULE_UP;
    free(next);
    for (size_t i = 0; up && i < d->sub->record.envelope.n; i++) {
        next = attempt_fallback(d, i);
        free(d->sub->member[i].account);
        d->sub->member[i].account = next;
    }
    return !up;
}

/* The rate is reached: it waits its turn in the queue */
static bool
is_over_rate(struct delivery *d)
{
    struct core *c = d->core;
    const char *account = delivery_account(c, d->sub->member[0].account);
    bool reserve = delivery_is_of_system(c, d->sub->record.uid);
    struct config_rate rate = attempt_rate(c, account);
    int64_t now = clock_ms();
    char text[100], shown[32];

    if (rates_wait(c->rates, account, rate, reserve, now) == 0)
        return false;
    rates_format(c->rates, account, rate, now, shown);
    (void)snprintf(text, sizeof text, "over the rate of %s", shown);
    delivery_because(d, text);
    return true;
}

static void
begin_soon(void *ctx)
{
    struct delivery *d = ctx;
    struct core *c = d->core;
    bool queue_first = c->spool && d->sub->mode != 'i';

    d->timer = NULL;
    if (breaker_holds(d)) {
        commit_begin(d, PARK_DEFERRED, SCHEDULE_HELD);
        return;
    }
    if (c->is_daemon && c->spool && !queue_first)
        queue_first = has_several_accounts(d->sub) || is_account_down(d) || is_over_rate(d);
    if (queue_first) {
        commit_begin(d, PARK_DEFERRED, d->sub->mode == 'q' ? SCHEDULE_AT_RUN : SCHEDULE_NOW);
        return;
    }
    if (c->is_daemon && c->spool)
        d->timer = loop_at(
            c->loop, clock_deadline(config_number(&c->config, 0, CONFIG_INTERACTIVE_TIMEOUT)), on_timeout, d);
    attempt_next(d);
}

struct delivery *
dispatch_submit(struct core *c, struct submission *s, struct client *client)
{
    struct delivery *d = delivery_new(c, s);

    d->client = client;
    story_submitted(c, &s->record, s->size, NULL);
    metrics_submitted(c);
    d->timer = loop_at(c->loop, clock_ms(), begin_soon, d); /* no verdict from within */
    return d;
}

void
dispatch_park(struct core *c)
{
    for (struct delivery *d = c->deliveries; d; d = d->next) {
        if (!c->spool || !d->client || !d->job)
            continue;
        loop_cancel(d->timer);
        on_timeout(d);
    }
}
