/* SPDX-License-Identifier: ISC */
/* schedule_table: entries by id, and in the order they came. */
#include "queue/schedule_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct schedule_entry **
bucket(const struct schedule *s, const char *id)
{
    uint64_t h = 14695981039346656037U; /* FNV-1a */

    for (; *id; id++)
        h = (h ^ (unsigned char)*id) * 1099511628211U;
    return &s->table[(h ^ (h >> 32)) & (s->buckets - 1)];
}

static void
link_in(struct schedule *s, struct schedule_entry *e)
{
    struct schedule_entry **b = bucket(s, e->id);

    e->chain = *b;
    *b = e;
}

static void
grow(struct schedule *s)
{
    s->buckets *= 2;
    free(s->table);
    s->table = mem_array(s->buckets, sizeof(struct schedule_entry *));
    for (struct schedule_entry *e = s->first; e; e = e->after)
        link_in(s, e);
}

struct schedule_entry *
schedule_find(const struct schedule *s, const char *id)
{
    struct schedule_entry *e = *bucket(s, id);

    while (e && strcmp(e->id, id) != 0)
        e = e->chain;
    return e;
}

void
schedule_table_add(struct schedule *s, struct schedule_entry *e)
{
    if (s->count == s->buckets)
        grow(s);
    link_in(s, e);
    e->before = s->last;
    *(s->last ? &s->last->after : &s->first) = e;
    s->last = e;
    s->count++;
}

void
schedule_table_remove(struct schedule *s, struct schedule_entry *e)
{
    struct schedule_entry **p = bucket(s, e->id);

    while (*p != e)
        p = &(*p)->chain;
    *p = e->chain;
    *(e->before ? &e->before->after : &s->first) = e->after;
    *(e->after ? &e->after->before : &s->last) = e->before;
    s->count--;
}
