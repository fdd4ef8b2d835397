/* SPDX-License-Identifier: ISC */
/* heap: sift up, sift down; each node knows its place. */
#include "base/heap.h"

#include <stdlib.h>

#include "base/mem.h"

void
heap_init(struct heap *h, heap_before *before)
{
    *h = (struct heap){ .before = before };
}

void
heap_clear(struct heap *h)
{
    free(h->slot);
    heap_init(h, h->before);
}

struct heap_node *
heap_first(const struct heap *h)
{
    return h->n ? h->slot[0] : NULL;
}

/* Each node's children join those who may be next, kept in their order behind what is taken already */
size_t
heap_line(const struct heap *h, const struct heap_node **line, size_t max)
{
    size_t n = h->n && max ? 1 : 0;

    if (n)
        line[0] = h->slot[0];
    for (size_t done = 0; done < n; done++) {
        uint32_t first = 2 * (line[done]->at - 1) + 1;
        for (uint32_t child = first; child < h->n && child < first + 2; child++) {
            size_t at = n;
            while (at > done + 1 && h->before(h->slot[child], line[at - 1]))
                at--;
            if (at == max)
                continue;
            if (n < max)
                n++;
            for (size_t i = n - 1; i > at; i--)
                line[i] = line[i - 1];
            line[at] = h->slot[child];
        }
    }
    return n;
}

bool
heap_has(const struct heap_node *node)
{
    return node->at != 0;
}

static void
put(struct heap *h, uint32_t i, struct heap_node *node)
{
    h->slot[i] = node;
    node->at = i + 1;
}

static void
sift_up(struct heap *h, struct heap_node *node, uint32_t i)
{
    while (i > 0 && h->before(node, h->slot[(i - 1) / 2])) {
        put(h, i, h->slot[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(h, i, node);
}

static void
sift_down(struct heap *h, struct heap_node *node, uint32_t i)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child + 1 < h->n && h->before(h->slot[child + 1], h->slot[child]))
            child++;
        if (child >= h->n || !h->before(h->slot[child], node))
            break;
        put(h, i, h->slot[child]);
        i = child;
    }
    put(h, i, node);
}

void
heap_add(struct heap *h, struct heap_node *node)
{
    ensure(node->at == 0);
    if (h->n == h->cap) {
        ensure(h->cap < UINT32_MAX / 4);
        h->cap = h->cap ? 2 * h->cap : 16;
        h->slot = mem_resize(h->slot, h->cap, sizeof *h->slot);
    }
    sift_up(h, node, h->n++);
}

void
heap_moved(struct heap *h, struct heap_node *node)
{
    uint32_t i = node->at - 1;

    ensure(node->at && i < h->n && h->slot[i] == node);
    sift_up(h, node, i);
    sift_down(h, node, node->at - 1);
}

void
heap_remove(struct heap *h, struct heap_node *node)
{
    uint32_t i = node->at - 1;

    ensure(node->at && i < h->n && h->slot[i] == node);
    struct heap_node *last = h->slot[--h->n];
    if (last != node) {
        put(h, i, last);
        heap_moved(h, last);
    }
    node->at = 0;
}
