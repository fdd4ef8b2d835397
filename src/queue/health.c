/* SPDX-License-Identifier: ISC */
/* health: one back-off for an account, whoever tried it. */
#include "queue/health.h"

#include <stdlib.h>

#include "base/mem.h"

void
health_clear(struct health *h)
{
    free(h->reason);
    *h = (struct health){ 0 };
}

/* splitmix64: enough to spread attempts */
int64_t
health_jitter(uint64_t *seed, int64_t ms)
{
    uint64_t v = *seed += 0x9e3779b97f4a7c15U;

    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9U;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebU;
    v ^= v >> 31;
    return ms - ms / 10 + (int64_t)(v % (2 * (uint64_t)(ms / 10) + 1));
}

int64_t
health_clock(const struct health *h, int64_t now)
{
    int64_t standing = h->state == SCHEDULE_FROZEN ? now - h->frozen_since : 0;

    return now - h->frozen_ms - standing;
}

static void
become(struct health *h, enum schedule_state state, int64_t now)
{
    if (h->state == SCHEDULE_FROZEN && state != SCHEDULE_FROZEN)
        h->frozen_ms += now - h->frozen_since;
    if (h->state != SCHEDULE_FROZEN && state == SCHEDULE_FROZEN)
        h->frozen_since = now;
    if (h->state != state)
        h->since = now;
    h->state = state;
}

static int64_t
next_step(const struct health *h, enum schedule_state state, const struct schedule_limits *limits)
{
    int64_t step = h->hurried ? h->step_ms : 2 * h->step_ms;

    if (state == SCHEDULE_FROZEN || step > limits->retry_max_ms)
        return limits->retry_max_ms;
    return step < limits->retry_min_ms ? limits->retry_min_ms : step;
}

/*
 * Attempts that began before the first failure end later and fail too; so do several callers who came at the same moment. They
 * say nothing new, and would drive the back-off to its end at once if each were a step. But a refused login weighs more than what
 * is known of the network, and what is known of a refused login is not undone by the network's trouble of such a straggler.
 */
static bool
is_news(const struct health *h, enum schedule_state state, int64_t now)
{
    return h->state == SCHEDULE_UP || now >= h->next ||
           (h->state == SCHEDULE_DOWN && state == SCHEDULE_FROZEN);
}

static void
fail(struct health *h, enum schedule_state state, const struct schedule_limits *limits, uint64_t *seed,
    int64_t now)
{
    h->step_ms = next_step(h, state, limits);
    h->next = now + health_jitter(seed, h->step_ms);
    h->hurried = false;
    become(h, state, now);
    if (state == SCHEDULE_DOWN)
        h->failed[h->failures++ % SCHEDULE_EXPIRY_ATTEMPTS] = health_clock(h, now);
}

void
health_report(struct health *h, enum schedule_state state, const char *reason,
    const struct schedule_limits *limits, uint64_t *seed, int64_t now)
{
    bool news = state == SCHEDULE_UP || is_news(h, state, now);

    h->claimed_until = h->rest_ms = 0;
    h->untested = false;
    if (!news)
        return;
    if (state == SCHEDULE_UP) {
        become(h, state, now);
        h->step_ms = 0;
        h->hurried = false;
        h->probe = NULL; /* if it is still under way, it is one of many now */
    } else {
        fail(h, state, limits, seed, now);
    }
    char *copy = state == SCHEDULE_UP ? NULL : mem_dup(reason ? reason : "");
    free(h->reason);
    h->reason = copy;
}

void
health_rest(struct health *h, int64_t now)
{
    h->rest_ms = h->rest_ms ? 2 * h->rest_ms : 1;
    if (h->rest_ms > SCHEDULE_PAUSE_MS)
        h->rest_ms = SCHEDULE_PAUSE_MS;
    h->rest_until = now + h->rest_ms;
}

/* Nothing reported: a worker died, perhaps of this very message. Else each message would be the next probe at once. */
bool
health_over(struct health *h, const void *probe, uint64_t *seed, int64_t now)
{
    bool failed;

    h->rest_ms = 0;
    if (h->probe != probe)
        return false;
    h->probe = NULL;
    failed = h->next > now;
    if (!failed)
        h->next = now + health_jitter(seed, h->step_ms);
    return failed;
}

void
health_begin(struct health *h, const void *probe, int64_t now)
{
    if (h->state == SCHEDULE_UP && !h->untested)
        return;
    if (h->state == SCHEDULE_UP && h->probe)
        h->untested = false; /* the first one takes its time */
    h->probe = probe;
    h->tested_until = now + HEALTH_TEST_MS;
}

int64_t
health_ready(const struct health *h)
{
    int64_t at = h->rest_until;

    if (h->state == SCHEDULE_UP && h->untested && h->probe)
        return at > h->tested_until ? at : h->tested_until;
    if (h->state == SCHEDULE_UP)
        return at;
    if (h->probe)
        return HEALTH_NEVER;
    at = at > h->next ? at : h->next;
    return at > h->claimed_until ? at : h->claimed_until;
}

enum schedule_state
health_state(const struct health *h, int64_t now)
{
    if (h->probe || now < h->next || now < h->claimed_until)
        return h->state;
    return SCHEDULE_UP;
}

void
health_claim(struct health *h, int64_t now)
{
    if (h->state != SCHEDULE_UP && health_state(h, now) == SCHEDULE_UP)
        h->claimed_until = now + h->step_ms;
}

/* Who asks often does not make the account wait longer */
void
health_hurry(struct health *h, int64_t now)
{
    h->rest_until = 0;
    if (h->state == SCHEDULE_UP || h->next <= now)
        return;
    h->next = now;
    h->hurried = true;
}

void
health_renew(struct health *h, int64_t now)
{
    h->probe = NULL;
    h->claimed_until = 0;
    health_hurry(h, now);
}

int
health_failures(const struct health *h, int64_t since)
{
    int n = 0;

    if (h->state != SCHEDULE_DOWN)
        return 0;
    for (uint32_t i = 0; i < SCHEDULE_EXPIRY_ATTEMPTS && i < h->failures; i++)
        n += h->failed[i] >= since;
    return n;
}
