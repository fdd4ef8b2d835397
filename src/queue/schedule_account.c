/* SPDX-License-Identifier: ISC */
/* schedule_account: what is known of the accounts mail waits for; how their states come and go is health's. */
#include "queue/schedule_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Ids sort by time, so the older message goes first */
static bool
is_before(const struct heap_node *x, const struct heap_node *y)
{
    const struct schedule_entry *a = (const struct schedule_entry *)x, *b = (const struct schedule_entry *)y;

    return a->due != b->due ? a->due < b->due : strcmp(a->id, b->id) < 0;
}

struct account *
schedule_find_account(const struct schedule *s, const char *name)
{
    for (size_t i = 0; i < s->accounts; i++)
        if (strcmp(s->account[i]->name, name) == 0)
            return s->account[i];
    return NULL;
}

void
schedule_free_account(struct account *a)
{
    heap_clear(&a->waiting);
    heap_clear(&a->alerts);
    health_clear(&a->health);
    free(a->name);
    free(a);
}

/* Is all forgotten with it that it would be asked for? */
static bool
is_of_no_interest(const struct schedule *s, const struct account *a, int64_t now)
{
    const struct health *h = &a->health;

    return a->entries == 0 && (h->state == SCHEDULE_UP || now - h->next > s->limits.retry_max_ms);
}

static void
forget_accounts(struct schedule *s, int64_t now)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->accounts; i++) {
        struct account *a = s->account[i];
        if (is_of_no_interest(s, a, now))
            schedule_free_account(a);
        else
            s->account[kept++] = a;
    }
    s->accounts = kept;
    s->turn = 0;
    s->accounts_max = 2 * kept > SCHEDULE_ACCOUNTS_MANY ? 2 * kept : SCHEDULE_ACCOUNTS_MANY;
}

struct account *
schedule_want_account(struct schedule *s, const char *name, int64_t now)
{
    struct account *a = schedule_find_account(s, name);

    if (a)
        return a;
    if (s->accounts >= s->accounts_max)
        forget_accounts(s, now);
    a = mem_alloc(sizeof *a);
    a->name = mem_dup(name);
    a->health.untested = s->doubts;
    heap_init(&a->waiting, is_before);
    heap_init(&a->alerts, is_before);
    s->account = mem_resize(s->account, s->accounts + 1, sizeof(struct account *));
    s->account[s->accounts++] = a;
    return a;
}

void
schedule_account(
    struct schedule *s, const char *account, enum schedule_state state, const char *reason, int64_t now)
{
    health_report(&schedule_want_account(s, account, now)->health, state, reason, &s->limits, &s->seed, now);
}

enum schedule_state
schedule_account_state(const struct schedule *s, const char *account, int64_t now, const char **reason)
{
    enum schedule_state last = schedule_account_last(s, account, reason);

    return last == SCHEDULE_UP ? last : health_state(&schedule_find_account(s, account)->health, now);
}

enum schedule_state
schedule_account_last(const struct schedule *s, const char *account, const char **reason)
{
    const struct account *a = schedule_find_account(s, account);

    if (reason)
        *reason = a ? a->health.reason : NULL;
    return a ? a->health.state : SCHEDULE_UP;
}

const char *
schedule_account_name(const struct schedule *s, size_t i)
{
    return i < s->accounts ? s->account[i]->name : NULL;
}

size_t
schedule_account_waiting(const struct schedule *s, size_t i)
{
    return s->account[i]->entries;
}

int64_t
schedule_account_since(const struct schedule *s, const char *account, int64_t now)
{
    const struct account *a = schedule_find_account(s, account);

    return a && a->health.state != SCHEDULE_UP ? now - a->health.since : 0;
}

int64_t
schedule_account_next(const struct schedule *s, const char *account, int64_t now)
{
    const struct account *a = schedule_find_account(s, account);

    return a && a->health.state != SCHEDULE_UP && a->health.next > now ? a->health.next - now : 0;
}

void
schedule_probe(struct schedule *s, const char *account, int64_t now)
{
    struct account *a = schedule_find_account(s, account);

    if (a)
        health_claim(&a->health, now);
}
