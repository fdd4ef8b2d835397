/* SPDX-License-Identifier: ISC */
/*
 * heap: a binary heap of nodes that live in their owner's structures, so that one in the middle can be moved or taken out.
 *
 * Adding, removing and moving are O(log n), the first one is at hand. The order is the owner's.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed = in no heap. */
struct heap_node {
    uint32_t at; /* heap.c's: its place + 1 */
};

/* Does `a` come before `b`? */
typedef bool heap_before(const struct heap_node *a, const struct heap_node *b);

struct heap {
    heap_before *before;
    struct heap_node **slot;
    uint32_t n, cap;
};

void heap_init(struct heap *h, heap_before *before);
/* Frees the heap's own memory; the nodes are their owner's and are not touched. */
void heap_clear(struct heap *h);
/* The first one, NULL when it is empty. */
struct heap_node *heap_first(const struct heap *h);
/* The first `max` in their order, which changes nothing; returns how many. O(max * max). */
size_t heap_line(const struct heap *h, const struct heap_node **line, size_t max);
/* `node` must be in no heap. */
void heap_add(struct heap *h, struct heap_node *node);
/* `node` must be in this heap; it is in none afterwards. */
void heap_remove(struct heap *h, struct heap_node *node);
/* What `node`, in this heap, is ordered by has changed. */
void heap_moved(struct heap *h, struct heap_node *node);
bool heap_has(const struct heap_node *node);

#endif
