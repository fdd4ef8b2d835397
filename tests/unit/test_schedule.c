/* SPDX-License-Identifier: ISC */
/* schedule: which message is tried when, in days of fake time. */
#include "unit/suite.h"
#include "unit/days.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <string.h>

/* ---------------------------------------------------------------- messages */

static const struct {
    int64_t age, wait;
} by_age[] = { { 0, 30 * S }, { 20 * S, 30 * S }, { 5 * MIN, 5 * MIN }, { HOUR, HOUR }, { 4 * DAY, HOUR },
    { -DAY, 30 * S }, { INT64_MAX, HOUR }, { INT64_MIN, 30 * S } };

START_TEST(a_message_waits_about_as_long_as_it_is_old_between_the_limits)
{
    for (size_t i = 0; i < sizeof by_age / sizeof by_age[0]; i++) {
        struct days m;
        days_init(&m, 0);
        struct schedule_entry *e = schedule_add(m.s, "a", "hub", by_age[i].age, 0, SCHEDULE_BY_AGE, m.now);
        days_expect_between(schedule_wait(m.s, m.now), by_age[i].wait * 9 / 10, by_age[i].wait * 11 / 10);
        ck_assert_int_eq(schedule_next(e, m.now), schedule_wait(m.s, m.now));
        m.now += schedule_wait(m.s, m.now) - 1;
        days_expect_take(&m, NULL);
        m.now++;
        days_expect_take(&m, e);
        days_expect_take(&m, NULL);
        ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
        schedule_tried(m.s, e, m.now);
        days_expect_between(schedule_wait(m.s, m.now), by_age[i].wait * 9 / 10, by_age[i].wait * 23 / 10);
        schedule_free(m.s);
    }
}
END_TEST

START_TEST(messages_of_one_age_spread_over_the_whole_jitter)
{
    struct days m;
    int64_t least = INT64_MAX, most = 0;

    days_init(&m, 1000);
    for (struct schedule_entry *e = schedule_first(m.s); e; e = schedule_after(e)) {
        int64_t wait = schedule_next(e, m.now);
        days_expect_between(wait, 27 * S, 33 * S);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    days_expect_between(least, 27 * S, 27 * S + 500);
    days_expect_between(most, 33 * S - 500, 33 * S);
    schedule_free(m.s);
}
END_TEST

START_TEST(the_most_overdue_comes_first_and_of_equals_the_older)
{
    struct days m;

    days_init(&m, 0);
    struct schedule_entry *c = days_add(&m, "c", "hub"), *a = days_add(&m, "a", "hub");
    m.now--;
    struct schedule_entry *z = days_add(&m, "z", "hub");
    m.now++;
    days_expect_take(&m, z);
    days_expect_take(&m, a);
    days_expect_take(&m, c);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_id_is_there_once_and_found_until_it_is_removed)
{
    struct days m;
    char id[20];

    days_init(&m, 1000);
    ck_assert_ptr_null(schedule_find(m.s, "m001000"));
    struct schedule_entry *e = schedule_find(m.s, "m000500");
    ck_assert_str_eq(schedule_id(e), "m000500");
    ck_assert_ptr_eq(schedule_add(m.s, "m000500", "other", 0, 0, SCHEDULE_NOW, m.now), e);
    ck_assert_str_eq(schedule_account_of(e), "hub");
    ck_assert_uint_eq(schedule_count(m.s), 1000);
    for (int i = 999; i >= 0; i -= 2) {
        snprintf(id, sizeof id, "m%06d", i);
        schedule_remove(m.s, schedule_find(m.s, id));
        ck_assert_ptr_null(schedule_find(m.s, id));
    }
    e = schedule_first(m.s);
    for (int i = 0; i < 1000; i += 2, e = schedule_after(e)) {
        snprintf(id, sizeof id, "m%06d", i);
        ck_assert_str_eq(schedule_id(e), id);
    }
    ck_assert_ptr_null(e);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_message_for_the_next_run_waits_for_one)
{
    struct days m;

    days_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", 10 * DAY, 0, SCHEDULE_AT_RUN, m.now);
    struct schedule_entry *deferred = schedule_add(m.s, "b", "hub", HOUR, 0, SCHEDULE_BY_AGE, m.now);
    ck_assert_int_eq(schedule_next(e, m.now), -1);
    m.now += 5 * MIN;
    days_expect_take(&m, NULL);
    schedule_release(m.s, m.now);
    days_expect_take(&m, e);
    days_expect_take(&m, NULL);
    schedule_tried(m.s, e, m.now);
    schedule_run(m.s, NULL, NULL, m.now);
    days_expect_take(&m, e);
    days_expect_take(&m, deferred);
    schedule_free(m.s);
}
END_TEST

static bool
is_named(void *ctx, const struct schedule_entry *e)
{
    return strcmp(schedule_id(e), ctx) == 0;
}

START_TEST(a_run_hurries_only_what_is_meant)
{
    struct days m;
    char name[] = "m000003";

    days_init(&m, 10);
    schedule_run(m.s, is_named, name, m.now);
    days_expect_take(&m, schedule_find(m.s, "m000003"));
    days_expect_take(&m, NULL);
    schedule_free(m.s);
}
END_TEST

START_TEST(what_is_held_is_tried_by_nothing_and_does_not_expire_until_it_is_let_go)
{
    struct schedule *s = schedule_new(&days_limits, 1);
    struct schedule_entry *a = schedule_add(s, "A1", "x", 9 * DAY, 9, SCHEDULE_HELD, 0),
                          *b = schedule_add(s, "B2", "x", 0, 0, SCHEDULE_NOW, 0);
    int64_t late = 100 * DAY;

    ck_assert(schedule_is_held(a) && !schedule_is_held(b));
    ck_assert_ptr_eq(schedule_take(s, 0, NULL, NULL), b);
    schedule_tried(s, b, 0);
    schedule_hold(s, b);
    schedule_run(s, NULL, NULL, late);
    schedule_release(s, late);
    ck_assert_ptr_null(schedule_take(s, late, NULL, NULL));
    ck_assert_int_eq(schedule_wait(s, late), -1);
    ck_assert_int_eq(schedule_next(a, late), -1);
    ck_assert(!schedule_is_expired(s, a, late) && !schedule_is_expired(s, b, late));
    schedule_activate(s, b); /* to be changed */
    schedule_let(s, b, late);
    schedule_let(s, a, late);
    ck_assert_ptr_eq(schedule_take(s, late, NULL, NULL), a);
    ck_assert_ptr_eq(schedule_take(s, late, NULL, NULL), b);
    schedule_hold(s, b);
    schedule_remove(s, b);
    schedule_free(s);
}
END_TEST

START_TEST(what_could_not_begin_comes_again_and_does_not_spin)
{
    struct days m;
    int tries = 0;
    struct schedule_entry *e;

    days_init(&m, 100);
    m.now += MIN;
    for (int64_t end = m.now + 10 * S; m.now < end; m.now += schedule_wait(m.s, m.now))
        while ((e = schedule_take(m.s, m.now, NULL, NULL))) {
            schedule_untried(m.s, e, m.now);
            days_expect_between(schedule_next(e, m.now), 27 * S, 33 * S);
            tries++;
        }
    days_expect_between(tries, 18, 20); /* after 1, 2, 4 ... ms, then each second */
    m.now += MIN;
    m.accepts = true;
    days_run(&m, m.now);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(an_active_message_can_be_removed_or_activated_again)
{
    struct days m;

    struct schedule_entry *e = days_init_one(&m);
    schedule_activate(m.s, e);
    schedule_activate(m.s, e);
    days_expect_take(&m, NULL);
    schedule_run(m.s, NULL, NULL, m.now);
    schedule_release(m.s, m.now);
    days_expect_take(&m, NULL);
    ck_assert_int_eq(schedule_wait(m.s, m.now), -1);
    schedule_remove(m.s, e);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    ck_assert_ptr_null(schedule_first(m.s));
    e = days_add(&m, "a", "hub");
    days_expect_take(&m, e);
    schedule_free(m.s);
}
END_TEST

/* ---------------------------------------------------------------- many */

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
static size_t
used(void)
{
    struct mallinfo2 m = mallinfo2();

    return m.uordblks + m.hblkhd;
}
#else
static size_t
used(void)
{
    return 0;
}
#endif

START_TEST(a_hundred_thousand_fit_in_little_memory)
{
    struct days m;
    char id[24];
    size_t begun = used();

    days_init(&m, 0);
    for (int i = 0; i < 100000; i++) {
        snprintf(id, sizeof id, "1J5M0QZ8K%08d", i); /* as long as a real one */
        schedule_add(m.s, id, "hub", 0, 0, SCHEDULE_NOW, m.now);
    }
    ck_assert_uint_lt(used() - begun, 12500000);
    m.accepts = true;
    days_run(&m, m.now);
    ck_assert_int_eq(m.tries, 100000);
    ck_assert_uint_eq(schedule_count(m.s), 0);
    schedule_free(m.s);
}
END_TEST

SUITE_MAIN("schedule", a_message_waits_about_as_long_as_it_is_old_between_the_limits,
    messages_of_one_age_spread_over_the_whole_jitter, the_most_overdue_comes_first_and_of_equals_the_older,
    an_id_is_there_once_and_found_until_it_is_removed, a_message_for_the_next_run_waits_for_one,
    a_run_hurries_only_what_is_meant, what_is_held_is_tried_by_nothing_and_does_not_expire_until_it_is_let_go,
    what_could_not_begin_comes_again_and_does_not_spin, an_active_message_can_be_removed_or_activated_again,
    a_hundred_thousand_fit_in_little_memory)
