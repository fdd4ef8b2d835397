/* SPDX-License-Identifier: ISC */
/* rate: a token bucket for each account, and its own pace. */
#include "daemon/rate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HOUR_MS ((int64_t)3600000)
#define ONE HOUR_MS /* a token, so that a rate per hour fills whole numbers each millisecond */

/* The pace: never slower than a message each three minutes, or an alert would not come at all */
enum { PACE_MIN = 20, PACE_AGAIN_MS = 60000, PACE_STEP_MS = 300000, PACE_STEPS_MAX = 200 };
/* What went lately is known of this and the last such time */
enum { WINDOW_MS = 60000 };

struct bucket {
    struct bucket *next;
    char *account;
    int64_t configured; /* RateLimit, as last heard */
    int64_t limit, level, filled_at;
    /* what went */
    int64_t window, went, went_before;
    /* of its own; 0: none */
    int64_t pace, goal, slowed_at, risen_at;
    char *why;
};

struct rates {
    struct bucket *first;
};

struct rates *
rates_new(void)
{
    return mem_alloc(sizeof(struct rates));
}

void
rates_free(struct rates *r)
{
    while (r && r->first) {
        struct bucket *b = r->first;
        r->first = b->next;
        free(b->account);
        free(b->why);
        free(b);
    }
    free(r);
}

/* In tokens: what may go at once */
static int64_t
burst(int64_t per_hour)
{
    return per_hour / 10 > 1 ? per_hour / 10 : 1;
}

static int64_t
fill_per_ms(int64_t per_hour)
{
    return per_hour > burst(per_hour) ? per_hour - burst(per_hour) : 1;
}

/* ---------------------------------------------------------------- the pace */

static void
forget_pace(struct bucket *b)
{
    free(b->why);
    b->why = NULL;
    b->pace = 0;
}

static void
rise(struct bucket *b, int64_t now)
{
    int64_t steps = (now - b->risen_at) / PACE_STEP_MS;

    if (!b->pace || steps <= 0)
        return;
    b->risen_at += steps * PACE_STEP_MS;
    for (int64_t i = 0; i < steps && i < PACE_STEPS_MAX && b->pace < b->goal; i++)
        b->pace += b->pace / 10 + 1;
    if (b->pace >= b->goal || steps > PACE_STEPS_MAX)
        forget_pace(b);
}

static void
turn_window(struct bucket *b, int64_t now)
{
    int64_t window = now / WINDOW_MS;

    if (window == b->window)
        return;
    b->went_before = window == b->window + 1 ? b->went : 0;
    b->went = 0;
    b->window = window;
}

/* What an hour like the last minute would see */
static int64_t
speed(struct bucket *b, int64_t now)
{
    turn_window(b, now);
    return (b->went > b->went_before ? b->went : b->went_before) * (HOUR_MS / WINDOW_MS);
}

/* ---------------------------------------------------------------- the bucket */

static struct bucket *
find(struct rates *r, const char *account)
{
    struct bucket *b = r->first;

    while (b && strcmp(b->account, account) != 0)
        b = b->next;
    return b;
}

static struct bucket *
find_or_add(struct rates *r, const char *account)
{
    struct bucket *b = find(r, account);

    if (b)
        return b;
    b = mem_alloc(sizeof *b);
    b->account = mem_dup(account);
    b->next = r->first;
    r->first = b;
    return b;
}

static void
fill(struct bucket *b, int64_t now)
{
    int64_t full = burst(b->limit) * ONE, per_ms = fill_per_ms(b->limit);
    int64_t missing = (full - b->level) / per_ms + 1;

    b->level = now - b->filled_at >= missing ? full : b->level + (now - b->filled_at) * per_ms;
    b->filled_at = now;
}

/* Another RateLimit begins anew; a pace that has changed goes on with what there is */
static struct bucket *
bucket_of(struct rates *r, const char *account, int64_t per_hour, int64_t now)
{
    struct bucket *b = find_or_add(r, account);
    int64_t limit;

    rise(b, now);
    limit = per_hour > 0 && (!b->pace || per_hour < b->pace) ? per_hour : b->pace;
    if (limit > 0 && b->limit > 0)
        fill(b, now);
    if (b->configured != per_hour || (b->limit == 0 && limit > 0)) {
        b->level = b->pace ? 0 : burst(limit) * ONE;
        b->filled_at = now;
    }
    b->configured = per_hour;
    b->limit = limit;
    if (limit > 0 && b->level > burst(limit) * ONE)
        b->level = burst(limit) * ONE;
    return b;
}

int64_t
rates_limit(struct rates *r, const char *account, int64_t per_hour, int64_t now)
{
    return bucket_of(r, account, per_hour, now)->limit;
}

int64_t
rates_wait(struct rates *r, const char *account, int64_t per_hour, bool reserve, int64_t now)
{
    const struct bucket *b = bucket_of(r, account, per_hour, now);
    int64_t wanted = ONE + (reserve ? 0 : burst(b->limit) / 5 * ONE);

    if (b->limit == 0 || b->level >= wanted)
        return 0;
    return (wanted - b->level) / fill_per_ms(b->limit) + 1;
}

int64_t
rates_every_ms(struct rates *r, const char *account, int64_t per_hour, int64_t now)
{
    int64_t limit = rates_limit(r, account, per_hour, now);

    return limit > 0 ? ONE / fill_per_ms(limit) : 0;
}

void
rates_take(struct rates *r, const char *account, int64_t per_hour, int64_t now)
{
    struct bucket *b = bucket_of(r, account, per_hour, now);

    turn_window(b, now);
    b->went++;
    if (b->limit > 0)
        b->level -= ONE;
}

void
rates_give_back(struct rates *r, const char *account)
{
    struct bucket *b = find(r, account);

    if (b && b->limit > 0)
        b->level += ONE;
    if (b && b->went > 0)
        b->went--;
}

bool
rates_slow(struct rates *r, const char *account, int64_t per_hour, const char *why, int64_t now)
{
    struct bucket *b = bucket_of(r, account, per_hour, now);
    int64_t before = b->limit > 0 ? b->limit : speed(b, now);

    if (b->pace && now - b->slowed_at < PACE_AGAIN_MS)
        return false;
    if (!b->pace)
        b->goal = per_hour > 0 ? per_hour : 2 * (before > PACE_MIN ? before : PACE_MIN);
    b->pace = before / 2 > PACE_MIN ? before / 2 : PACE_MIN;
    b->slowed_at = b->risen_at = now;
    free(b->why);
    b->why = mem_dup(why);
    b = bucket_of(r, account, per_hour, now);
    b->level = 0; /* what may go at once has gone already, it seems */
    return true;
}

const char *
rates_why(struct rates *r, const char *account, int64_t per_hour, int64_t now)
{
    return bucket_of(r, account, per_hour, now)->why;
}
