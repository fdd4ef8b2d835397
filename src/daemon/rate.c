/* rate: a token bucket for each account. */
#include "daemon/rate.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HOUR_MS ((int64_t)3600000)
#define ONE HOUR_MS /* a token, so that a rate per hour fills whole numbers each millisecond */

struct bucket {
    struct bucket *next;
    char *account;
    int64_t limit, level, filled_at;
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

static struct bucket *
find(struct rates *r, const char *account)
{
    struct bucket *b = r->first;

    while (b && strcmp(b->account, account) != 0)
        b = b->next;
    return b;
}

static struct bucket *
bucket_of(struct rates *r, const char *account, int64_t per_hour, int64_t now)
{
    struct bucket *b = find(r, account);
    int64_t full = burst(per_hour) * ONE, missing;

    if (!b) {
        b = mem_alloc(sizeof *b);
        b->account = mem_dup(account);
        b->next = r->first;
        r->first = b;
    }
    if (b->limit != per_hour) {
        b->limit = per_hour;
        b->level = full;
        b->filled_at = now;
    }
    missing = (full - b->level) / fill_per_ms(per_hour) + 1;
    b->level = now - b->filled_at >= missing ? full : b->level + (now - b->filled_at) * fill_per_ms(per_hour);
    b->filled_at = now;
    return b;
}

int64_t
rates_wait(struct rates *r, const char *account, int64_t per_hour, bool is_system, int64_t now)
{
    struct bucket *b;
    int64_t wanted;

    if (per_hour <= 0)
        return 0;
    b = bucket_of(r, account, per_hour, now);
    wanted = ONE + (is_system ? 0 : burst(per_hour) / 5 * ONE);
    return b->level >= wanted ? 0 : (wanted - b->level) / fill_per_ms(per_hour) + 1;
}

void
rates_take(struct rates *r, const char *account, int64_t per_hour, int64_t now)
{
    if (per_hour > 0)
        bucket_of(r, account, per_hour, now)->level -= ONE;
}

void
rates_give_back(struct rates *r, const char *account)
{
    struct bucket *b = find(r, account);

    if (b)
        b->level += ONE;
}
