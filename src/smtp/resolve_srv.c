/* SPDX-License-Identifier: ISC */
/* resolve_srv: the order of targets (RFC 2782). */
#include "smtp/resolve.h"

#include <stdlib.h>
#include <string.h>

struct srv_list {
    struct resolve_target *t;
    size_t n, max;
};

/* Of more than there is room for those of the last priorities are left out; NULL: it is one of them */
static struct resolve_target *
room_for(struct srv_list *l, unsigned priority)
{
    struct resolve_target *worst = l->t;

    if (l->n < l->max)
        return &l->t[l->n++];
    for (size_t i = 1; i < l->n; i++)
        if (l->t[i].priority > worst->priority)
            worst = &l->t[i];
    return priority < worst->priority ? worst : NULL;
}

static void
take_srv(void *ctx, int type, struct answer_data r)
{
    struct srv_list *l = ctx;
    struct resolve_target *t;
    unsigned priority, weight, port;
    char host[256];

    (void)type;
    if (!answer_get16(&r, &priority) || !answer_get16(&r, &weight) || !answer_get16(&r, &port) ||
        !answer_get_name(&r, host) || !host[0])
        return; /* "." = not offered here */
    t = room_for(l, priority);
    if (!t)
        return;
    t->priority = (uint16_t)priority;
    t->weight = (uint16_t)weight;
    t->port = (uint16_t)port;
    memcpy(t->host, host, sizeof host);
}

static int
by_priority(const void *a, const void *b)
{
    const struct resolve_target *x = a, *y = b;

    if (x->priority != y->priority)
        return (int)x->priority - (int)y->priority;
    return (int)x->weight - (int)y->weight; /* those of weight 0 first, or they were never drawn */
}

/*
 * Which of those from `t` on comes next. RFC 2782 draws from 0 on, so that a weight of 0 has a chance; where there is none, that would
 * give the first one twice its share when weights are small.
 */
static size_t
draw(const struct resolve_target *t, size_t n, resolve_chance *chance, void *ctx)
{
    uint32_t sum = 0, value;
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        sum += t[i].weight;
    if (sum == 0)
        return chance(ctx, (uint32_t)n);
    value = t[0].weight == 0 ? chance(ctx, sum + 1) : chance(ctx, sum) + 1;
    for (; k + 1 < n && value > t[k].weight; k++)
        value -= t[k].weight;
    return k;
}

static void
order_by_weight(struct resolve_target *t, size_t n, resolve_chance *chance, void *ctx)
{
    for (size_t i = 0; i + 1 < n; i++) {
        size_t k = i + draw(t + i, n - i, chance, ctx);
        struct resolve_target chosen = t[k];
        memmove(&t[i + 1], &t[i], (k - i) * sizeof *t);
        t[i] = chosen;
    }
}

void
resolve_order(struct resolve_target *t, size_t n, resolve_chance *chance, void *ctx)
{
    qsort(t, n, sizeof *t, by_priority);
    for (size_t i = 0; i < n;) {
        size_t k = i;
        while (k < n && t[k].priority == t[i].priority)
            k++;
        order_by_weight(t + i, k - i, chance, ctx);
        i = k;
    }
}

static uint32_t
by_chance(void *ctx, uint32_t n)
{
    (void)ctx;
    return resolve_random(n);
}

bool
resolve_srv(
    const char *name, int64_t deadline, struct resolve_target *out, size_t max, size_t *n, struct error *err)
{
    struct srv_list l = { out, 0, max };
    struct buf answer;
    enum answer_outcome o;
    bool well = true;

    *n = 0;
    buf_init(&answer, RESOLVE_ANSWER_MAX);
    o = resolve_ask(name, ANSWER_SRV, NULL, deadline, &answer, NULL, err);
    if (o == ANSWER_FOUND)
        well = answer_walk(buf_slice(&answer), name, ANSWER_SRV, take_srv, &l);
    buf_clear(&answer);
    if (o == ANSWER_UNKNOWN)
        return false;
    if (!well)
        return error_set(err, ERROR_TEMP, "%s: the name service does not answer", name);
    resolve_order(out, l.n, by_chance, NULL);
    *n = l.n;
    return true;
}
