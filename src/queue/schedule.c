/* SPDX-License-Identifier: ISC */
/*
 * schedule: a table of the entries by id, a list in the order they came, and for each account a heap by next time. Accounts are as
 * few as in the configuration, with direct delivery as the domains that mail waits for, so they are walked over. An account stays once
 * its name was heard, for its back-off outlives its mail; when they are many, those go that nothing is known against.
 */
#include "queue/schedule_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Nothing real is longer; keeps every sum far from overflow. */
#define SPAN_MAX ((int64_t)100 * 366 * 86400 * 1000)

static int64_t
clamp(int64_t v, int64_t min, int64_t max)
{
    return v < min ? min : v > max ? max : v;
}

/* ---------------------------------------------------------------- life */

struct schedule *
schedule_new(const struct schedule_limits *limits, uint64_t seed)
{
    struct schedule *s = mem_alloc(sizeof *s);

    s->seed = seed;
    s->accounts_max = SCHEDULE_ACCOUNTS_MANY;
    s->buckets = 16;
    s->table = mem_array(s->buckets, sizeof(struct schedule_entry *));
    schedule_set_limits(s, limits);
    return s;
}

void
schedule_free(struct schedule *s)
{
    if (!s)
        return;
    while (s->first)
        schedule_remove(s, s->first);
    for (size_t i = 0; i < s->accounts; i++)
        schedule_free_account(s->account[i]);
    free(s->account);
    free(s->table);
    free(s);
}

void
schedule_doubt(struct schedule *s)
{
    s->doubts = true;
}

void
schedule_set_limits(struct schedule *s, const struct schedule_limits *limits)
{
    s->limits.retry_min_ms = clamp(limits->retry_min_ms, 1, SPAN_MAX);
    s->limits.retry_max_ms = clamp(limits->retry_max_ms, s->limits.retry_min_ms, SPAN_MAX);
    s->limits.lifetime_ms = clamp(limits->lifetime_ms, 0, SPAN_MAX);
}

static struct heap *
heap_of(const struct schedule_entry *e)
{
    return e->alert ? &e->account->alerts : &e->account->waiting;
}

static void
wait_until(struct schedule_entry *e, int64_t due)
{
    e->due = due;
    if (heap_has(&e->node))
        heap_moved(heap_of(e), &e->node);
    else
        heap_add(heap_of(e), &e->node);
}

static void
leave_heap(struct schedule_entry *e)
{
    if (heap_has(&e->node))
        heap_remove(heap_of(e), &e->node);
}

/* The user's place, or a free one; ALERTING_MAX: there is none */
static size_t
find_alerting(const struct schedule *s, int64_t uid)
{
    size_t vacant = ALERTING_MAX;

    for (size_t i = 0; i < ALERTING_MAX; i++)
        if (s->alerting[i].n == 0)
            vacant = i;
        else if (s->alerting[i].uid == uid)
            return i;
    return vacant;
}

void
schedule_alert(struct schedule *s, struct schedule_entry *e, int64_t uid)
{
    size_t i = find_alerting(s, uid);
    bool waits = heap_has(&e->node);

    if (e->alert || i == ALERTING_MAX || s->alerting[i].n == SCHEDULE_ALERTS_MAX)
        return;
    s->alerting[i].uid = uid;
    s->alerting[i].n++;
    leave_heap(e);
    e->alert = (uint8_t)(i + 1);
    if (waits)
        heap_add(heap_of(e), &e->node);
}

static int64_t
due_by_age(struct schedule *s, const struct schedule_entry *e, int64_t now)
{
    int64_t age = clamp(schedule_age(s, e, now), s->limits.retry_min_ms, s->limits.retry_max_ms);

    return now + health_jitter(&s->seed, age);
}

struct schedule_entry *
schedule_add(struct schedule *s, const char *id, const char *account, int64_t age_ms, int64_t attempts,
    enum schedule_due due, int64_t now)
{
    struct schedule_entry *e = schedule_find(s, id);
    size_t size = strlen(id) + 1;

    if (e)
        return e;
    e = mem_alloc(sizeof *e + size);
    memcpy(e->id, id, size);
    e->account = schedule_want_account(s, account, now);
    e->account->entries++;
    e->added = health_clock(&e->account->health, now);
    e->born = e->added - clamp(age_ms, 0, SPAN_MAX);
    e->failures = attempts > 0;
    schedule_table_add(s, e);
    e->held = due == SCHEDULE_HELD;
    if (e->held)
        return e;
    wait_until(e, due == SCHEDULE_NOW ? now : due == SCHEDULE_AT_RUN ? HEALTH_NEVER : due_by_age(s, e, now));
    return e;
}

/* From the heap into an attempt */
static void
activate(struct schedule_entry *e)
{
    leave_heap(e); /* one that is held is not there */
    e->held = false;
    e->active = true;
}

/* Out of an attempt that told nothing */
static void
deactivate(struct schedule_entry *e)
{
    e->active = false;
    e->held = false;
    if (e->account->health.probe == e)
        e->account->health.probe = NULL;
}

void
schedule_remove(struct schedule *s, struct schedule_entry *e)
{
    deactivate(e);
    leave_heap(e);
    if (e->alert)
        s->alerting[e->alert - 1].n--;
    e->account->entries--;
    schedule_table_remove(s, e);
    free(e);
}

/* ---------------------------------------------------------------- attempts */

static int64_t
first_due(const struct heap *h)
{
    const struct heap_node *node = heap_first(h);

    return node ? ((const struct schedule_entry *)node)->due : HEALTH_NEVER;
}

/* When the account's next attempt may begin, HEALTH_NEVER = not without an event */
static int64_t
ready(const struct account *a)
{
    int64_t alert = first_due(&a->alerts), other = first_due(&a->waiting), at = health_ready(&a->health);
    int64_t due = alert < other ? alert : other;

    return due > at ? due : at;
}

/* The heap whose first entry is to be tried, NULL: may_start says no */
static struct heap *
choose(struct account *a, int64_t now, schedule_may_start *may_start, void *ctx)
{
    bool alert = first_due(&a->alerts) <= now, other = first_due(&a->waiting) <= now;
    bool turn = other && (!alert || a->in_a_row >= ALERTS_IN_A_ROW);

    if (may_start && !may_start(ctx, a->name, alert))
        return NULL;
    a->in_a_row = turn || !other ? 0 : a->in_a_row + 1;
    return turn ? &a->waiting : &a->alerts;
}

struct schedule_entry *
schedule_take(struct schedule *s, int64_t now, schedule_may_start *may_start, void *ctx)
{
    for (size_t i = 0; i < s->accounts; i++)
        s->account[i]->blocked = false;
    for (size_t i = 0; i < s->accounts; i++) {
        size_t at = (s->turn + i) % s->accounts;
        struct account *a = s->account[at];
        if (ready(a) > now)
            continue;
        struct heap *h = choose(a, now, may_start, ctx);
        a->blocked = !h;
        if (!h)
            continue;
        struct schedule_entry *e = (struct schedule_entry *)heap_first(h);
        activate(e);
        health_begin(&a->health, e, now);
        s->turn = at + 1;
        return e;
    }
    return NULL;
}

/* In their order, as far as they are due */
static size_t
add_due(const struct heap *h, int64_t now, const struct schedule_entry **line, size_t max)
{
    const struct heap_node **node = mem_array(max ? max : 1, sizeof *node);
    size_t n = heap_line(h, node, max), due = 0;

    for (; due < n && ((const struct schedule_entry *)node[due])->due <= now; due++)
        line[due] = (const struct schedule_entry *)node[due];
    free(node);
    return due;
}

size_t
schedule_line(const struct schedule *s, const char *account, int64_t now, const struct schedule_entry **line,
    size_t max)
{
    const struct account *a = schedule_find_account(s, account);
    size_t alerts = a ? add_due(&a->alerts, now, line, max) : 0;

    return a ? alerts + add_due(&a->waiting, now, line + alerts, max - alerts) : 0;
}

int64_t
schedule_wait(const struct schedule *s, int64_t now)
{
    int64_t at = HEALTH_NEVER;

    for (size_t i = 0; i < s->accounts; i++)
        if (!s->account[i]->blocked && ready(s->account[i]) < at)
            at = ready(s->account[i]);
    return at == HEALTH_NEVER ? -1 : at > now ? at - now : 0;
}

void
schedule_activate(struct schedule *s, struct schedule_entry *e)
{
    (void)s;
    if (!e->active)
        activate(e);
}

static void
count_failure(const struct schedule *s, struct schedule_entry *e, int64_t now)
{
    if (schedule_age(s, e, now) >= s->limits.lifetime_ms && e->failures < UINT8_MAX)
        e->failures++;
}

/*
 * A probe that failed with its account is not to be blamed: it is due again as soon as the account works, but behind what waits
 * already, so that another one is the next probe. An attempt that found the account up and left it down does wait by its age:
 * it may be this very message that makes the peer hang up, and it must not hold up the others each time.
 */
void
schedule_tried(struct schedule *s, struct schedule_entry *e, int64_t now)
{
    struct health *h = &e->account->health;
    bool failed_with_it = health_over(h, e, &s->seed, now);

    deactivate(e);
    if (h->state == SCHEDULE_UP)
        count_failure(s, e, now);
    wait_until(e, failed_with_it || h->state == SCHEDULE_FROZEN ? now : due_by_age(s, e, now));
}

void
schedule_untried(struct schedule *s, struct schedule_entry *e, int64_t now)
{
    deactivate(e);
    health_rest(&e->account->health, now);
    wait_until(e, now + health_jitter(&s->seed, s->limits.retry_min_ms));
}

void
schedule_hold(struct schedule *s, struct schedule_entry *e)
{
    (void)s;
    deactivate(e);
    leave_heap(e);
    e->held = true;
}

void
schedule_let(struct schedule *s, struct schedule_entry *e, int64_t now)
{
    (void)s;
    deactivate(e);
    wait_until(e, now);
}

void
schedule_release(struct schedule *s, int64_t now)
{
    for (struct schedule_entry *e = s->first; e; e = e->after)
        if (!e->active && !e->held && e->due == HEALTH_NEVER)
            wait_until(e, now);
}

void
schedule_hurry(struct schedule *s, struct schedule_entry *e, int64_t now)
{
    (void)s;
    if (e->held)
        return;
    health_hurry(&e->account->health, now);
    if (!e->active && e->due > now)
        wait_until(e, now);
}

void
schedule_run(
    struct schedule *s, bool (*meant)(void *ctx, const struct schedule_entry *), void *ctx, int64_t now)
{
    for (struct schedule_entry *e = s->first; e; e = e->after) {
        if (!e->held && (!meant || meant(ctx, e)))
            schedule_hurry(s, e, now);
    }
    /* those nothing waits for, too: the next message is to try them */
    for (size_t i = 0; !meant && i < s->accounts; i++)
        health_hurry(&s->account[i]->health, now);
}

void
schedule_renew(struct schedule *s, int64_t now)
{
    schedule_run(s, NULL, NULL, now);
    for (size_t i = 0; i < s->accounts; i++)
        health_renew(&s->account[i]->health, now);
}

/* ---------------------------------------------------------------- questions */

bool
schedule_is_expired(const struct schedule *s, const struct schedule_entry *e, int64_t now)
{
    const struct health *h = &e->account->health;
    int64_t clock = health_clock(h, now), lifetime = s->limits.lifetime_ms;
    int64_t here = 4 * s->limits.retry_max_ms < lifetime ? 4 * s->limits.retry_max_ms : lifetime;
    int64_t old_since = e->born + lifetime > e->added ? e->born + lifetime : e->added;

    if (e->held || h->state == SCHEDULE_FROZEN || clock < old_since || clock - e->added < here)
        return false;
    if (h->state == SCHEDULE_UP && !e->active && e->due <= now)
        return false;
    return e->failures + health_failures(h, old_since) >= SCHEDULE_EXPIRY_ATTEMPTS;
}

int64_t
schedule_age(const struct schedule *s, const struct schedule_entry *e, int64_t now)
{
    (void)s;
    return health_clock(&e->account->health, now) - e->born;
}

const char *
schedule_id(const struct schedule_entry *e)
{
    return e->id;
}

const char *
schedule_account_of(const struct schedule_entry *e)
{
    return e->account->name;
}

bool
schedule_is_held(const struct schedule_entry *e)
{
    return e->held;
}

bool
schedule_is_active(const struct schedule_entry *e)
{
    return e->active;
}

int64_t
schedule_next(const struct schedule_entry *e, int64_t now)
{
    if (e->held)
        return -1;
    if (e->active || e->due <= now)
        return 0;
    return e->due == HEALTH_NEVER ? -1 : e->due - now;
}

struct schedule_entry *
schedule_first(const struct schedule *s)
{
    return s->first;
}

struct schedule_entry *
schedule_after(const struct schedule_entry *e)
{
    return e->after;
}

size_t
schedule_count(const struct schedule *s)
{
    return s->count;
}
