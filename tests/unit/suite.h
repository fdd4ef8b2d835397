/* SPDX-License-Identifier: ISC */
/*
 * suite: the few lines every unit test program would repeat.
 *
 * A test program lists its tests and runs them:
 *
 *     START_TEST(a_sentence_that_must_stay_true) { ... } END_TEST
 *     SUITE_MAIN("address", a_sentence_that_must_stay_true, another_one)
 */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "base/slice.h"

/* Run the tests; EXIT_SUCCESS when all passed. */
int suite_run(const char *name, const TTest *const *tests, size_t n);

#define SUITE_MAIN(name, ...)                                          \
    int main(void)                                                     \
    {                                                                  \
        const TTest *const tests[] = { __VA_ARGS__ };                  \
        return suite_run(name, tests, sizeof tests / sizeof tests[0]); \
    }

/* A slice against a C string, both shown on failure. */
#define ck_assert_slice(got, want)                                                               \
    do {                                                                                         \
        struct slice got_ = (got);                                                               \
        ck_assert_msg(slice_is(got_, (want)), "got '%.*s', want '%s'", SLICE_ARG(got_), (want)); \
    } while (0)

#endif
