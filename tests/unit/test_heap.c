/* SPDX-License-Identifier: ISC */
/* heap: the first is always the smallest, wherever something was moved or taken out. */
#include "unit/suite.h"

#include "base/heap.h"
#include "base/mem.h"

#define N 100000

struct item {
    struct heap_node node;
    uint32_t key;
};

static size_t comparisons;

static bool
before(const struct heap_node *a, const struct heap_node *b)
{
    comparisons++;
    return ((const struct item *)a)->key < ((const struct item *)b)->key;
}

static uint32_t
number(uint32_t *seed)
{
    return (*seed = *seed * 1664525 + 1013904223) >> 8;
}

START_TEST(what_comes_out_is_in_order)
{
    struct item item[200] = { 0 };
    uint32_t seed = 1, last = 0, left = 0;
    struct heap h;

    heap_init(&h, before);
    ck_assert_ptr_null(heap_first(&h));
    for (size_t i = 0; i < 200; i++) {
        item[i].key = number(&seed) % 150;
        heap_add(&h, &item[i].node);
    }
    for (size_t i = 0; i < 200; i += 3) {
        item[i].key = number(&seed) % 150;
        heap_moved(&h, &item[i].node);
    }
    for (size_t i = 1; i < 200; i += 3)
        heap_remove(&h, &item[i].node);
    for (size_t i = 0; i < 200; i++) {
        ck_assert(heap_has(&item[i].node) == (i % 3 != 1));
        left += i % 3 != 1;
    }
    for (; heap_first(&h); left--) {
        const struct item *first = (const struct item *)heap_first(&h);
        ck_assert_uint_ge(first->key, last);
        last = first->key;
        heap_remove(&h, heap_first(&h));
        ck_assert(!heap_has(&first->node));
    }
    ck_assert_uint_eq(left, 0);
    heap_clear(&h);
}
END_TEST

START_TEST(a_hundred_thousand_cost_a_few_comparisons_each)
{
    struct item *item = mem_array(N, sizeof *item);
    uint32_t seed = 7;
    struct heap h;

    heap_init(&h, before);
    for (uint32_t i = 0; i < N; i++) {
        item[i].key = N - i; /* the worst order: each goes to the top */
        comparisons = 0;
        heap_add(&h, &item[i].node);
        ck_assert_uint_le(comparisons, 17);
    }
    for (uint32_t i = 0; i < N; i++) {
        struct item *any = &item[number(&seed) % N];
        comparisons = 0;
        any->key = number(&seed);
        heap_moved(&h, &any->node);
        ck_assert_uint_le(comparisons, 2 * 17 + 1);
    }
    while (heap_first(&h)) {
        comparisons = 0;
        heap_remove(&h, heap_first(&h));
        ck_assert_uint_le(comparisons, 2 * 17 + 1);
    }
    heap_clear(&h);
    free(item);
}
END_TEST

START_TEST(the_line_is_what_would_come_out_first)
{
    struct item item[300] = { 0 };
    const struct heap_node *line[300];
    uint32_t seed = 7;
    struct heap h;

    heap_init(&h, before);
    ck_assert_uint_eq(heap_line(&h, line, 5), 0);
    for (size_t i = 0; i < 300; i++) {
        item[i].key = number(&seed);
        heap_add(&h, &item[i].node);
    }
    ck_assert_uint_eq(heap_line(&h, line, 0), 0);
    ck_assert_uint_eq(heap_line(&h, line, 300), 300);
    for (size_t i = 1; i < 300; i++)
        ck_assert_uint_ge(((const struct item *)line[i])->key, ((const struct item *)line[i - 1])->key);
    ck_assert_uint_eq(heap_line(&h, line, 100), 100);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_ptr_eq(heap_first(&h), line[i]);
        heap_remove(&h, heap_first(&h));
    }
    heap_clear(&h);
}
END_TEST

SUITE_MAIN("heap", what_comes_out_is_in_order, the_line_is_what_would_come_out_first,
    a_hundred_thousand_cost_a_few_comparisons_each)
