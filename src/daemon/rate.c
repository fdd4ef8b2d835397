/* SPDX-License-Identifier: ISC */
/*
 * rate: a token bucket for each account, and its own pace. The bucket lets mail go evenly; that no span sees more than RateLimit is
 * known from the times at which the last of it went.
 */
#include "daemon/rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HOUR_MS ((int64_t)3600000)

/* So many may go at once at any rate. Times are kept of rates up to TIMES_MAX; of greater ones the bucket fills more slowly instead */
enum { AT_ONCE = 10, TIMES_MAX = 10000 };

/* The pace: never slower than a message each three minutes, or an alert would not come at all */
enum { PACE_MIN = 20, PACE_AGAIN_MS = 60000, PACE_STEP_MS = 300000, PACE_STEPS_MAX = 200 };
/* What went lately is known of this and the last such time */
enum { WINDOW_MS = 60000 };

struct bucket {
    struct bucket *next;
    char *account;
    struct config_rate configured, limit; /* RateLimit as last heard, and the rate in force; n 0: none */
    int64_t level, filled_at; /* a token is limit.period_ms: so it fills by whole numbers each millisecond */
    int64_t *times;           /* a ring of the last configured.n; NULL: not kept */
    int64_t ntimes, last;     /* how many are known, and where the last one is */
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
        free(b->times);
        free(b);
    }
    free(r);
}

static int64_t
per_hour(struct config_rate rate)
{
    int64_t n = rate.n * (HOUR_MS / 1000) / (rate.period_ms / 1000);

    return rate.n > 0 && n == 0 ? 1 : n;
}

/* In tokens: what may go at once */
static int64_t
burst(const struct bucket *b)
{
    int64_t n = b->limit.n, tenth = n / 10 > 1 ? n / 10 : 1;

    if (b->pace && b->limit.n == b->pace) /* the peer finds that too much comes */
        return tenth;
    return n <= AT_ONCE ? n : tenth > AT_ONCE ? tenth : AT_ONCE;
}

/* ... and what of it is for alerts */
static int64_t
reserved(const struct bucket *b)
{
    return b->limit.n > AT_ONCE ? burst(b) / 5 : 0;
}

static int64_t
fill_per_ms(const struct bucket *b)
{
    int64_t n = b->limit.n;

    if (b->times && b->limit.n == b->configured.n)
        return n;
    return n > burst(b) ? n - burst(b) : 1;
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
    int64_t full = burst(b) * b->limit.period_ms, per_ms = fill_per_ms(b);
    int64_t missing = (full - b->level) / per_ms + 1;

    b->level = now - b->filled_at >= missing ? full : b->level + (now - b->filled_at) * per_ms;
    b->filled_at = now;
}

static bool
is_same(struct config_rate a, struct config_rate b)
{
    return a.n == b.n && a.period_ms == b.period_ms;
}

/* The slower one of RateLimit and the pace */
static struct config_rate
in_force(const struct bucket *b, struct config_rate limit)
{
    if (limit.n > 0 && (!b->pace || per_hour(limit) < b->pace))
        return limit;
    return (struct config_rate){ b->pace, HOUR_MS };
}

/* Another RateLimit begins anew; a pace that has changed goes on with what there is */
static void
begin(struct bucket *b, struct config_rate limit, int64_t now)
{
    free(b->times);
    b->times = limit.n > 0 && limit.n <= TIMES_MAX ? mem_alloc((size_t)limit.n * sizeof *b->times) : NULL;
    b->ntimes = b->last = 0;
    b->configured = limit;
    b->level = b->pace ? 0 : burst(b) * b->limit.period_ms;
    b->filled_at = now;
}

static struct bucket *
bucket_of(struct rates *r, const char *account, struct config_rate limit, int64_t now)
{
    struct bucket *b = find_or_add(r, account);
    struct config_rate before = b->limit;

    rise(b, now);
    if (before.n > 0)
        fill(b, now);
    b->limit = in_force(b, limit);
    if (before.n > 0 && before.period_ms != b->limit.period_ms)
        b->level = b->level / before.period_ms * b->limit.period_ms;
    if (!is_same(b->configured, limit) || (before.n == 0 && b->limit.n > 0))
        begin(b, limit, now);
    if (b->limit.n > 0 && b->level > burst(b) * b->limit.period_ms)
        b->level = burst(b) * b->limit.period_ms;
    return b;
}

int64_t
rates_limit(struct rates *r, const char *account, struct config_rate limit, int64_t now)
{
    return per_hour(bucket_of(r, account, limit, now)->limit);
}

void
rates_format(struct rates *r, const char *account, struct config_rate limit, int64_t now, char out[32])
{
    static const struct {
        int64_t period_ms;
        char letter;
    } units[] = { { 1000, 's' }, { 60000, 'm' }, { 24 * HOUR_MS, 'd' } };
    struct config_rate rate = bucket_of(r, account, limit, now)->limit;
    char letter = 'h';

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        letter = units[i].period_ms == rate.period_ms ? units[i].letter : letter;
    (void)snprintf(out, 32, "%lld/%c", (long long)rate.n, letter);
}

/* How long until a span of RateLimit's has room for one more, of which `kept` are for others */
static int64_t
wait_for_span(const struct bucket *b, int64_t kept, int64_t now)
{
    int64_t n = b->configured.n, back = n - kept, at;

    if (!b->times || b->ntimes < back)
        return 0;
    at = b->times[(b->last + n - back) % n]; /* of the one whose going made it full */
    return now - at >= b->configured.period_ms ? 0 : at + b->configured.period_ms - now;
}

int64_t
rates_wait(struct rates *r, const char *account, struct config_rate limit, bool reserve, int64_t now)
{
    const struct bucket *b = bucket_of(r, account, limit, now);
    int64_t kept = reserve ? 0 : reserved(b), wanted = (1 + kept) * b->limit.period_ms, wait, span;

    if (b->limit.n == 0)
        return 0;
    wait = b->level >= wanted ? 0 : (wanted - b->level) / fill_per_ms(b) + 1;
    span = wait_for_span(b, kept < b->configured.n ? kept : 0, now);
    return span > wait ? span : wait;
}

int64_t
rates_every_ms(struct rates *r, const char *account, struct config_rate limit, int64_t now)
{
    const struct bucket *b = bucket_of(r, account, limit, now);

    return b->limit.n > 0 ? b->limit.period_ms / fill_per_ms(b) : 0;
}

void
rates_take(struct rates *r, const char *account, struct config_rate limit, int64_t now)
{
    struct bucket *b = bucket_of(r, account, limit, now);

    turn_window(b, now);
    b->went++;
    if (b->times) {
        b->times[b->last] = now;
        b->last = (b->last + 1) % b->configured.n;
        b->ntimes += b->ntimes < b->configured.n;
    }
    if (b->limit.n > 0)
        b->level -= b->limit.period_ms;
}

void
rates_give_back(struct rates *r, const char *account)
{
    struct bucket *b = find(r, account);

    if (!b)
        return;
    if (b->limit.n > 0)
        b->level += b->limit.period_ms;
    if (b->times && b->ntimes > 0) {
        b->last = (b->last + b->configured.n - 1) % b->configured.n;
        b->ntimes--;
    }
    if (b->went > 0)
        b->went--;
}

bool
rates_slow(struct rates *r, const char *account, struct config_rate limit, const char *why, int64_t now)
{
    struct bucket *b = bucket_of(r, account, limit, now);
    int64_t before = b->limit.n > 0 ? per_hour(b->limit) : speed(b, now);

    if (b->pace && now - b->slowed_at < PACE_AGAIN_MS)
        return false;
    if (!b->pace)
        b->goal = limit.n > 0 ? per_hour(limit) : 2 * (before > PACE_MIN ? before : PACE_MIN);
    b->pace = before / 2 > PACE_MIN ? before / 2 : PACE_MIN;
    b->slowed_at = b->risen_at = now;
    free(b->why);
    b->why = mem_dup(why);
    b = bucket_of(r, account, limit, now);
    b->level = 0; /* what may go at once has gone already, it seems */
    return true;
}

const char *
rates_why(struct rates *r, const char *account, struct config_rate limit, int64_t now)
{
    return bucket_of(r, account, limit, now)->why;
}
