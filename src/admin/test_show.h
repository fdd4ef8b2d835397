/* SPDX-License-Identifier: ISC */
/* test_show: steps on a terminal, in a pipe, as JSON. For admin/test. */
#ifndef ADMIN_TEST_SHOW_H
#define ADMIN_TEST_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { TEST_STEPS_MAX = 100 };

struct test_show {
    bool json, terminal, colour;
    bool is_all_seen; /* standard error goes to the terminal, too: what was shown need not be said again */
    bool of_setup, is_brief; /* set by the caller: see test_options */
    bool waits;              /* the last line says that something is waited for */
    struct {
        char name[16];
        int64_t us;
    } step[TEST_STEPS_MAX]; /* that took time */
    size_t n;
    int64_t round_trips;
};

/* To standard output; colours only on a terminal, and not where NO_COLOR is set. */
void test_show_begin(struct test_show *s, bool json);
/* On a terminal: that something is waited for, until the next step or the end; false: no more. */
void test_show_wait(struct test_show *s, bool waits);
/* A step, as soon as it is over. */
void test_show_step(struct test_show *s, const json_t *step);
/* What it came to; `advice` may be NULL. Adds it to the object. */
void test_show_end(struct test_show *s, json_t *summary, const char *advice, bool has_message);

#endif
