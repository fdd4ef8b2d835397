/* SPDX-License-Identifier: ISC */
/* crowd: a list of parties, and for each address a bucket for each thing that is limited, which fills within a minute. */
#include "daemon/crowd.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MINUTE_MS = 60000, PARTIES_MAX = 10000 };
/* Of what one takes at most: so that no sum overflows */
#define LIMIT_MAX ((int64_t)1 << 45)

struct bucket {
    int64_t limit, missing,
        at; /* `missing`: of a full one, in parts of a thing as large as fill in a millisecond for a limit of 1 */
};

struct party {
    struct party *next;
    int64_t uid;
    char *address; /* NULL: it is a user */
    bool tcp;
    size_t sessions;
    struct bucket bucket[CROWD_WHATS];
};

struct crowd {
    struct party *first;
    size_t n;
};

struct crowd *
crowd_new(void)
{
    return mem_alloc(sizeof(struct crowd));
}

static void
party_free(struct party *p)
{
    free(p->address);
    free(p);
}

void
crowd_free(struct crowd *c)
{
    while (c && c->first) {
        struct party *p = c->first;
        c->first = p->next;
        party_free(p);
    }
    free(c);
}

static void
fill(struct bucket *b, int64_t now)
{
    int64_t passed = now > b->at ? now - b->at : 0;

    if (b->limit == 0 || passed > b->missing / b->limit)
        b->missing = 0;
    else
        b->missing -= passed * b->limit;
    b->at = now;
}

static bool
is_forgettable(struct party *p, int64_t now)
{
    bool full = p->sessions == 0;

    for (size_t i = 0; full && i < CROWD_WHATS; i++) {
        fill(&p->bucket[i], now);
        full = p->bucket[i].missing == 0;
    }
    return full;
}

static void
forget(struct crowd *c, int64_t now)
{
    struct party **at = &c->first;

    while (*at) {
        struct party *p = *at;
        if (!is_forgettable(p, now)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        party_free(p);
        c->n--;
    }
}

static bool
is_it(const struct party *p, int64_t uid, const char *address)
{
    if (p->uid != uid || p->tcp != (address != NULL))
        return false;
    return uid >= 0 || !address || strcmp(p->address, address) == 0;
}

struct party *
crowd_enter(struct crowd *c, int64_t uid, const char *address, int64_t now)
{
    struct party *p;

    forget(c, now);
    p = c->first;
    while (p && !is_it(p, uid, address))
        p = p->next;
    if (!p && c->n >= PARTIES_MAX)
        return NULL;
    if (!p) {
        p = mem_alloc(sizeof *p);
        p->uid = uid;
        p->tcp = address != NULL;
        p->address = uid >= 0 ? NULL : mem_dup(address);
        p->next = c->first;
        c->first = p;
        c->n++;
    }
    p->sessions++;
    return p;
}

void
crowd_leave(struct party *p)
{
    ensure(p->sessions > 0);
    p->sessions--; /* forgotten when the next one enters */
}

size_t
party_sessions(const struct party *p)
{
    return p->sessions;
}

const struct party *
crowd_largest(const struct crowd *c)
{
    const struct party *best = NULL;

    for (const struct party *p = c->first; p; p = p->next)
        if (p->sessions > (best ? best->sessions : 0))
            best = p;
    return best;
}

bool
party_may(struct party *p, enum crowd_what what, int64_t per_minute, int64_t now)
{
    struct bucket *b = &p->bucket[what];

    if (!p->address)
        return true;
    b->limit = per_minute < LIMIT_MAX ? per_minute : LIMIT_MAX;
    fill(b, now);
    return b->missing <= (b->limit - 1) * MINUTE_MS;
}

void
party_took(struct party *p, enum crowd_what what, int64_t n)
{
    struct bucket *b = &p->bucket[what];

    /* whoever has two minutes' worth behind him waits no longer than that for a third */
    if (p->address && b->missing < 2 * b->limit * MINUTE_MS)
        b->missing += (n < LIMIT_MAX ? n : LIMIT_MAX) * MINUTE_MS;
}
