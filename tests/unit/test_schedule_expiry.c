/* SPDX-License-Identifier: ISC */
/* schedule_expiry: which message is given up when, and which never, in days of fake time. */
#include "unit/suite.h"
#include "unit/days.h"

#include <stdio.h>
#include <string.h>

START_TEST(a_message_deferred_for_five_days_expires_and_not_before)
{
    struct days m;

    days_init(&m, 1);
    int64_t begun = m.now;
    days_run(&m, begun + 5 * DAY);
    ck_assert_int_eq(m.expired + days_expired(&m), 0);
    days_run(&m, begun + 5 * DAY + 3 * HOUR + 20 * MIN);
    ck_assert_int_ge(m.expired, 1);
    ck_assert_int_eq(days_expired(&m), 1);
    schedule_free(m.s);
}
END_TEST

START_TEST(all_messages_expire_when_the_smarthost_is_gone_for_good)
{
    struct days m;

    days_init(&m, 1000);
    m.says = SCHEDULE_DOWN;
    days_run(&m, m.now + 5 * DAY);
    ck_assert_int_eq(days_expired(&m), 0);
    days_run(&m, m.now + 4 * HOUR);
    ck_assert_int_eq(days_expired(&m), 1000);
    days_tell(&m, SCHEDULE_UP); /* there it is again: first each is tried */
    ck_assert_int_eq(days_expired(&m), 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_clock_that_jumped_expires_nothing_before_hours_and_attempts)
{
    struct days m;

    days_init(&m, 0);
    schedule_add(m.s, "a", "hub", INT64_MAX, 1000, SCHEDULE_NOW, m.now);
    days_run(&m, m.now + 4 * HOUR - 1);
    ck_assert_int_ge(m.tries, 4);
    ck_assert_int_eq(m.expired + days_expired(&m), 0);
    days_run(&m, m.now + 66 * MIN);
    ck_assert_int_eq(days_expired(&m), 1);

    schedule_add(m.s, "b", "other", INT64_MAX, 1000, SCHEDULE_AT_RUN, m.now);
    days_run(&m, m.now + DAY); /* hours, but no attempts */
    ck_assert_int_eq(days_expired(&m), 1);
    schedule_free(m.s);
}
END_TEST

START_TEST(a_machine_that_slept_for_a_week_expires_nothing_at_its_first_attempts)
{
    struct days m;

    days_init(&m, 10);
    m.says = SCHEDULE_DOWN;
    days_run(&m, m.now + DAY);
    m.now += 7 * DAY;
    days_run(&m, m.now + 10 * MIN); /* the network is not there yet */
    ck_assert_int_eq(m.expired + days_expired(&m), 0);
    schedule_free(m.s);

    days_init(&m, 10);
    days_run(&m, m.now + DAY);
    m.now += 7 * DAY;
    days_run(&m, m.now + 10 * MIN);
    ck_assert_int_eq(m.expired + days_expired(&m), 0);
    schedule_free(m.s);
}
END_TEST

START_TEST(frozen_time_is_no_age)
{
    struct days m;

    days_init(&m, 2);
    days_run(&m, m.now + DAY);
    struct schedule_entry *e = schedule_first(m.s);
    m.says = SCHEDULE_FROZEN;
    days_run(&m, m.now + 66 * MIN);
    int64_t age = schedule_age(m.s, e, m.now);
    days_run(&m, m.now + 30 * DAY);
    ck_assert_int_eq(schedule_age(m.s, e, m.now), age);
    ck_assert_int_eq(m.expired + days_expired(&m), 0);
    struct schedule_entry *new = days_add(&m, "new", "hub");
    m.says = SCHEDULE_UP;
    days_tell(&m, SCHEDULE_UP);
    ck_assert_int_eq(days_expired(&m), 0);
    m.now += DAY;
    ck_assert_int_eq(schedule_age(m.s, e, m.now), age + DAY);
    ck_assert_int_eq(schedule_age(m.s, new, m.now), DAY);
    schedule_free(m.s);
}
END_TEST

START_TEST(what_came_back_is_tried_more_than_once_before_it_expires)
{
    struct days m;

    days_init(&m, 100);
    m.says = SCHEDULE_DOWN;
    days_run(&m, m.now + 6 * DAY); /* nobody looked */
    m.says = SCHEDULE_UP;
    m.expired = 0;
    days_tell(&m, SCHEDULE_UP);
    days_run(&m, m.now); /* each is deferred once, for another reason */
    ck_assert_int_eq(m.expired + days_expired(&m), 0);
    days_run(&m, m.now + 3 * HOUR);
    ck_assert_int_eq(days_expired(&m), 100);
    schedule_free(m.s);
}
END_TEST

START_TEST(refused_logins_are_no_attempts)
{
    struct days m;

    days_init(&m, 0);
    schedule_add(m.s, "a", "hub", 9 * DAY, 0, SCHEDULE_NOW, m.now);
    m.says = SCHEDULE_DOWN;
    days_run(&m, m.now + 7 * HOUR);
    ck_assert_int_eq(days_expired(&m), 1);
    m.says = SCHEDULE_FROZEN;
    days_run(&m, m.now + 7 * HOUR);
    struct schedule_entry *b = schedule_add(m.s, "b", "hub", 9 * DAY, 0, SCHEDULE_AT_RUN, m.now);
    days_run(&m, m.now + DAY);
    m.now += 66 * MIN;
    days_tell(&m, SCHEDULE_DOWN);
    m.now += 5 * HOUR;
    days_tell(&m, SCHEDULE_DOWN);
    ck_assert(!schedule_is_expired(m.s, b, m.now));
    m.now += 66 * MIN;
    days_tell(&m, SCHEDULE_DOWN);
    ck_assert(schedule_is_expired(m.s, b, m.now));
    schedule_free(m.s);
}
END_TEST

START_TEST(attempts_before_it_was_added_count_as_one)
{
    for (int before = 0; before < 2; before++) {
        struct days m;
        days_init(&m, 0);
        struct schedule_entry *e =
            schedule_add(m.s, "a", "hub", 9 * DAY, 50 * before, SCHEDULE_AT_RUN, m.now);
        m.now += 5 * HOUR;
        for (int i = 0; i < SCHEDULE_EXPIRY_ATTEMPTS - before; i++) {
            ck_assert(!schedule_is_expired(m.s, e, m.now));
            schedule_activate(m.s, e);
            days_tell(&m, SCHEDULE_UP);
            schedule_tried(m.s, e, m.now);
        }
        ck_assert(schedule_is_expired(m.s, e, m.now));
        schedule_free(m.s);
    }
}
END_TEST

START_TEST(the_failure_of_an_account_counts_once_for_the_message_that_saw_it)
{
    struct days m;

    days_init(&m, 0);
    struct schedule_entry *e = schedule_add(m.s, "a", "hub", 9 * DAY, 0, SCHEDULE_AT_RUN, m.now);
    m.now += 5 * HOUR;
    for (int i = 0; i < SCHEDULE_EXPIRY_ATTEMPTS; i++) {
        ck_assert(!schedule_is_expired(m.s, e, m.now));
        schedule_activate(m.s, e); /* no probe: begun while it worked */
        days_tell(&m, SCHEDULE_DOWN);
        schedule_tried(m.s, e, m.now);
        m.now += 66 * MIN;
    }
    ck_assert(schedule_is_expired(m.s, e, m.now));
    schedule_free(m.s);
}
END_TEST

SUITE_MAIN("schedule_expiry", a_message_deferred_for_five_days_expires_and_not_before,
    all_messages_expire_when_the_smarthost_is_gone_for_good,
    a_clock_that_jumped_expires_nothing_before_hours_and_attempts,
    a_machine_that_slept_for_a_week_expires_nothing_at_its_first_attempts, frozen_time_is_no_age,
    what_came_back_is_tried_more_than_once_before_it_expires, refused_logins_are_no_attempts,
    attempts_before_it_was_added_count_as_one,
    the_failure_of_an_account_counts_once_for_the_message_that_saw_it)
