/* SPDX-License-Identifier: ISC */
/* control_rate: a list of ids that are over the rate, made by who knows the schedule, asked by who prints records. */
#include "daemon/control_rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/control_list.h"

/* ---------------------------------------------------------------- making it */

static struct control_rate *
last(struct control_request *q)
{
    ensure(q->snapshot.naccounts > 0);
    return &q->snapshot.account[q->snapshot.naccounts - 1].rate;
}

void
control_rate_begin(struct control_request *q, int64_t per_hour, const char *shown, const char *why)
{
    *last(q) = (struct control_rate){ .per_hour = per_hour, .why = why ? mem_dup(why) : NULL };
    (void)snprintf(last(q)->shown, sizeof last(q)->shown, "%s", shown);
}

void
control_rate_turn(struct control_request *q, const char *id, int64_t at_s)
{
    struct control_rate *r = last(q);
    struct control_turn *t;

    if (!r->turn)
        r->turn = mem_array(CONTROL_TURNS_MAX, sizeof *r->turn);
    if (r->nturns == CONTROL_TURNS_MAX)
        return;
    t = &r->turn[r->nturns];
    (void)snprintf(t->id, sizeof t->id, "%s", id);
    t->at_s = at_s;
    r->nturns++;
    if (r->nturns == CONTROL_TURNS_MAX)
        r->after_s = t->at_s;
}

static int
compare(const void *a, const void *b)
{
    return strcmp(((const struct control_turn *)a)->id, ((const struct control_turn *)b)->id);
}

void
control_rate_end(struct control_request *q)
{
    struct control_rate *r = last(q);

    if (r->nturns)
        qsort(r->turn, r->nturns, sizeof *r->turn, compare);
}

void
control_rate_clear(struct control_rate *r)
{
    free(r->why);
    free(r->turn);
    *r = (struct control_rate){ .per_hour = 0 };
}

/* ---------------------------------------------------------------- asking */

int64_t
control_rate_wait(const struct control_request *q, const struct record *r, bool *after)
{
    const struct control_account *a = control_account(q, r->account);
    const struct control_turn *t;
    struct control_turn key;

    *after = false;
    if (!a || !a->rate.nturns || r->is_held || q->filter.failed || control_is_active(q, r->id))
        return -1;
    (void)snprintf(key.id, sizeof key.id, "%s", r->id);
    t = bsearch(&key, a->rate.turn, a->rate.nturns, sizeof key, compare);
    if (t)
        return t->at_s;
    *after = a->rate.after_s > 0 && r->attempts == 0 && !(r->mode && strcmp(r->mode, "queue") == 0);
    return *after ? a->rate.after_s : -1;
}

void
control_rate_clock(char *out, size_t size, int64_t in_s)
{
    time_t now = clock_wall().tv_sec, when = now + (time_t)in_s;
    struct tm today, then;

    if (!localtime_r(&now, &today) || !localtime_r(&when, &then) ||
        strftime(out, size, today.tm_yday == then.tm_yday ? "%H:%M" : "%a %H:%M", &then) == 0)
        (void)snprintf(out, size, "?");
}

const char *
control_rate_reason(const struct control_request *q, const struct record *r, char reason[CONTROL_REASON_MAX])
{
    bool after;
    int64_t wait = control_rate_wait(q, r, &after);
    char when[40];

    if (wait < 0)
        return NULL;
    control_rate_clock(when, sizeof when, wait);
    (void)snprintf(reason, CONTROL_REASON_MAX, "over the rate of %s, goes %s %s",
        control_account(q, r->account)->rate.shown, after ? "after" : "at", when);
    return reason;
}
