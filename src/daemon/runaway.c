/* SPDX-License-Identifier: ISC */
/* runaway: a count for each ten minutes of the last hour, of as many culprits as anybody needs. */
#include "daemon/runaway.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/slice.h"

enum { SLOTS = 6, SLOT_MS = 600000, HOUR_MS = SLOTS * SLOT_MS };
/* Of more than so many the one that was heard of longest ago is forgotten, and among those the one that handed in least */
enum { COUNTED_MAX = 256 };
/* So many units of a user within an hour; all others count as one: who may name his cgroup invents no limits */
enum { UNITS_MAX = 16 };

struct counted {
    int64_t uid;
    char *unit;
    int64_t slot; /* the latest one, by the clock */
    size_t n[SLOTS];
    bool is_runaway, is_calm; /* calm: still to be told */
    bool was_told;
    int64_t told_at;
};

struct runaways {
    struct counted *counted;
    size_t n;
};

struct runaways *
runaways_new(void)
{
    return mem_alloc(sizeof(struct runaways));
}

void
runaways_free(struct runaways *r)
{
    for (size_t i = 0; r && i < r->n; i++)
        free(r->counted[i].unit);
    if (r)
        free(r->counted);
    free(r);
}

/* ---------------------------------------------------------------- the hour */

/* What is older than an hour counts no more */
static void
turn(struct counted *c, int64_t now)
{
    int64_t slot = now / SLOT_MS;

    for (int i = 0; i < SLOTS && c->slot < slot; i++)
        c->n[++c->slot % SLOTS] = 0;
    c->slot = slot;
}

static size_t
sum(const struct counted *c)
{
    size_t all = 0;

    for (int i = 0; i < SLOTS; i++)
        all += c->n[i];
    return all;
}

static int64_t
minutes(const struct counted *c, int64_t now)
{
    int64_t first = c->slot;

    for (int64_t i = 0; i < SLOTS && c->slot - i >= 0; i++)
        if (c->n[(c->slot - i) % SLOTS])
            first = c->slot - i;
    return (now - first * SLOT_MS) / 60000 + 1;
}

static void
settle_down(struct counted *c, int64_t per_hour)
{
    if (!c->is_runaway || (per_hour > 0 && sum(c) > (size_t)per_hour / 2))
        return;
    c->is_runaway = false;
    c->is_calm = true;
}

static void
show(const struct counted *c, int64_t now, struct runaway *out)
{
    *out = (struct runaway){ c->uid, c->unit, sum(c), minutes(c, now) };
}

/* ---------------------------------------------------------------- who */

/* Each login and each systemd-run has one of its own */
static bool
is_passing(const char *unit)
{
    return strncmp(unit, "session-", 8) == 0 || strncmp(unit, "run-", 4) == 0 ||
           strncmp(unit, "user@", 5) == 0;
}

static struct counted *
find(struct runaways *r, int64_t uid, const char *unit)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->counted[i].uid == uid && strcmp(r->counted[i].unit, unit) == 0)
            return &r->counted[i];
    return NULL;
}

static bool
is_sooner_forgotten(const struct counted *a, const struct counted *b)
{
    if (a->is_runaway != b->is_runaway)
        return b->is_runaway;
    return a->slot < b->slot || (a->slot == b->slot && sum(a) < sum(b));
}

static struct counted *
find_oldest(struct runaways *r)
{
    struct counted *oldest = &r->counted[0];

    for (size_t i = 1; i < r->n; i++)
        if (is_sooner_forgotten(&r->counted[i], oldest))
            oldest = &r->counted[i];
    return oldest;
}

static size_t
count_units(struct runaways *r, int64_t uid, int64_t now)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        struct counted *c = &r->counted[i];
        if (c->uid != uid || !*c->unit)
            continue;
        turn(c, now);
        n += c->is_runaway || sum(c) > 0;
    }
    return n;
}

static struct counted *
find_or_add(struct runaways *r, int64_t uid, const char *unit, int64_t now)
{
    struct counted *c = find(r, uid, unit);

    if (c)
        return c;
    if (*unit && count_units(r, uid, now) >= UNITS_MAX)
        return find_or_add(r, uid, "", now);
    if (r->n == COUNTED_MAX) {
        c = find_oldest(r);
        free(c->unit);
    } else {
        r->counted = mem_resize(r->counted, r->n + 1, sizeof *r->counted);
        c = &r->counted[r->n++];
    }
    *c = (struct counted){ .uid = uid, .unit = mem_dup(unit) };
    return c;
}

/* ---------------------------------------------------------------- events */

enum runaway_state
runaways_count(struct runaways *r, int64_t uid, const char *unit, bool by_unit, int64_t per_hour, int64_t now,
    struct runaway *out)
{
    struct counted *c;

    if (per_hour <= 0)
        return RUNAWAY_NONE;
    c = find_or_add(r, uid, by_unit && unit && !is_passing(unit) ? unit : "", now);
    turn(c, now);
    settle_down(c, per_hour);
    c->n[c->slot % SLOTS]++;
    if (!c->is_runaway && sum(c) <= (size_t)per_hour)
        return RUNAWAY_NONE;
    show(c, now, out);
    if (c->is_runaway)
        return RUNAWAY_KNOWN;
    c->is_runaway = true;
    c->is_calm = false;
    if (c->was_told && now - c->told_at < HOUR_MS)
        return RUNAWAY_KNOWN;
    c->was_told = true;
    c->told_at = now;
    return RUNAWAY_NEW;
}

void
runaways_forgive(struct runaways *r, int64_t uid)
{
    for (size_t i = 0; i < r->n; i++) {
        struct counted *c = &r->counted[i];
        if (uid >= 0 && c->uid != uid)
            continue;
        memset(c->n, 0, sizeof c->n);
        settle_down(c, 1);
    }
}

bool
runaways_calm(struct runaways *r, int64_t per_hour, int64_t now, struct runaway *out)
{
    for (size_t i = 0; i < r->n; i++) {
        struct counted *c = &r->counted[i];
        turn(c, now);
        settle_down(c, per_hour);
        if (!c->is_calm)
            continue;
        c->is_calm = false;
        show(c, now, out);
        return true;
    }
    return false;
}
