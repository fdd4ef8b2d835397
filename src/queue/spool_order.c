/* SPDX-License-Identifier: ISC */
/* spool_order: the least ids beyond the last one given, in a heap whose top is the greatest; then sorted. */
#include "queue/spool_order.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct name {
    char id[SPOOL_ID_MAX + 1];
};

struct spool_order {
    struct spool *s;
    void (*from)(struct spool *s);
    size_t window;
    struct name *name;
    size_t n, room, at;
    bool more; /* there was no room for all */
    char last[SPOOL_ID_MAX + 1];
};

struct spool_order *
spool_order_new(struct spool *s, void (*from)(struct spool *s), size_t window)
{
    struct spool_order *o = mem_alloc(sizeof *o);

    o->s = s;
    o->from = from;
    o->window = window;
    o->more = true;
    return o;
}

void
spool_order_free(struct spool_order *o)
{
    if (!o)
        return;
    free(o->name);
    free(o);
}

static int
compare(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->id, ((const struct name *)b)->id);
}

static void
swap(struct name *a, struct name *b)
{
    struct name kept = *a;

    *a = *b;
    *b = kept;
}

static void
sift_up(struct name *heap, size_t i)
{
    while (i && compare(&heap[(i - 1) / 2], &heap[i]) < 0) {
        swap(&heap[(i - 1) / 2], &heap[i]);
        i = (i - 1) / 2;
    }
}

static void
sift_down(struct name *heap, size_t n)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && compare(&heap[child], &heap[child + 1]) < 0)
            child++;
        if (compare(&heap[i], &heap[child]) >= 0)
            return;
        swap(&heap[i], &heap[child]);
    }
}

static void
add(struct spool_order *o, const struct name *name)
{
    if (o->n < o->window) {
        if (o->n == o->room) {
            o->room = o->room ? 2 * o->room : 64;
            o->name = mem_resize(o->name, o->room, sizeof *o->name);
        }
        o->name[o->n] = *name;
        sift_up(o->name, o->n++);
        return;
    }
    o->more = true;
    if (compare(name, &o->name[0]) >= 0)
        return;
    o->name[0] = *name;
    sift_down(o->name, o->n);
}

static void
fill(struct spool_order *o)
{
    struct name name;

    o->n = o->at = 0;
    o->more = false;
    o->from(o->s);
    while (spool_next(o->s, name.id))
        if (strcmp(name.id, o->last) > 0)
            add(o, &name);
    if (o->n)
        qsort(o->name, o->n, sizeof *o->name, compare);
}

bool
spool_order_next(struct spool_order *o, char id[SPOOL_ID_MAX + 1])
{
    if (o->at == o->n && o->more)
        fill(o);
    if (o->at == o->n)
        return false;
    memcpy(id, o->name[o->at++].id, SPOOL_ID_MAX + 1);
    memcpy(o->last, id, SPOOL_ID_MAX + 1);
    return true;
}
