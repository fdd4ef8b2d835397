/* SPDX-License-Identifier: ISC */
/* runaway: who hands in too much is found, who does not is left alone. */
#include "daemon/runaway.h"
#include "unit/suite.h"

#include <stdio.h>

#define MINUTE ((int64_t)60000)
#define HOUR (60 * MINUTE)

static size_t
hand_in(struct runaways *r, int64_t uid, const char *unit, size_t n, int64_t per_hour, int64_t now)
{
    struct runaway who;
    size_t held = 0;

    for (size_t i = 0; i < n; i++)
        held += runaways_count(r, uid, unit, uid < 1000, per_hour, now, &who) != RUNAWAY_NONE;
    return held;
}

START_TEST(over_the_limit_the_rest_is_held_and_one_is_told)
{
    struct runaways *r = runaways_new();
    struct runaway who;

    ck_assert_uint_eq(hand_in(r, 33, "php-fpm.service", 99, 100, HOUR), 0);
    ck_assert_int_eq(
        runaways_count(r, 33, "php-fpm.service", true, 100, HOUR + 5 * MINUTE, &who), RUNAWAY_NONE);
    ck_assert_int_eq(
        runaways_count(r, 33, "php-fpm.service", true, 100, HOUR + 5 * MINUTE, &who), RUNAWAY_NEW);
    ck_assert_int_eq(who.uid, 33);
    ck_assert_str_eq(who.unit, "php-fpm.service");
    ck_assert_uint_eq(who.count, 101);
    ck_assert_int_eq(who.minutes, 6);
    ck_assert_int_eq(
        runaways_count(r, 33, "php-fpm.service", true, 100, HOUR + 6 * MINUTE, &who), RUNAWAY_KNOWN);
    /* others go on: another unit, another user */
    ck_assert_uint_eq(hand_in(r, 33, "cron.service", 100, 100, HOUR), 0);
    ck_assert_uint_eq(hand_in(r, 0, "php-fpm.service", 100, 100, HOUR), 0);
    /* none is none */
    ck_assert_uint_eq(hand_in(r, 33, "php-fpm.service", 100, 0, HOUR), 0);
    runaways_free(r);
}
END_TEST

START_TEST(a_steady_sender_below_the_limit_is_never_held)
{
    struct runaways *r = runaways_new();

    for (int64_t now = 0; now < 50 * HOUR; now += MINUTE)
        ck_assert_uint_eq(hand_in(r, 1000, "", 15, 1000, now), 0);
    runaways_free(r);
}
END_TEST

START_TEST(a_new_session_for_each_message_helps_nobody)
{
    static const char *const units[] = { "session-1.scope", "session-2.scope", "run-u5.service", "", NULL,
        "user@33.service" };
    struct runaways *r = runaways_new();
    size_t held = 0;

    for (size_t i = 0; i < 60; i++)
        held += hand_in(r, 33, units[i % 6], 1, 50, HOUR);
    ck_assert_uint_eq(held, 10);
    held = 0;
    for (size_t i = 0; i < 60; i++)
        held += hand_in(r, 1000, i % 2 ? "a.service" : "b.service", 1, 50, HOUR);
    ck_assert_uint_eq(held, 10);
    runaways_free(r);
}
END_TEST

START_TEST(when_it_is_quiet_again_it_is_over_and_told_once)
{
    struct runaways *r = runaways_new();
    struct runaway who;
    int64_t now = 10 * HOUR;

    ck_assert_uint_eq(hand_in(r, 33, "", 120, 100, now), 20);
    ck_assert(!runaways_calm(r, 100, now + 30 * MINUTE, &who));
    now += HOUR;
    ck_assert(runaways_calm(r, 100, now, &who));
    ck_assert_int_eq(who.uid, 33);
    ck_assert(!runaways_calm(r, 100, now, &who));
    ck_assert_uint_eq(hand_in(r, 33, "", 100, 100, now), 0);
    /* one that goes on at half of the limit is no runaway any more; above it is */
    ck_assert_uint_eq(hand_in(r, 34, "", 101, 100, now), 1);
    for (int i = 1; i <= 12; i++)
        (void)hand_in(r, 34, "", 15, 100, now + i * 10 * MINUTE);
    ck_assert_uint_eq(hand_in(r, 34, "", 1, 100, now + 2 * HOUR), 1);
    runaways_free(r);
}
END_TEST

START_TEST(not_more_than_one_is_told_within_an_hour)
{
    struct runaways *r = runaways_new();
    struct runaway who;

    ck_assert_uint_eq(hand_in(r, 33, "", 101, 100, HOUR), 1);
    runaways_forgive(r, 33);
    ck_assert(runaways_calm(r, 100, HOUR, &who));
    ck_assert_uint_eq(hand_in(r, 33, "", 100, 100, HOUR), 0);
    ck_assert_int_eq(runaways_count(r, 33, "", true, 100, HOUR + MINUTE, &who), RUNAWAY_KNOWN);
    runaways_forgive(r, -1);
    ck_assert_uint_eq(hand_in(r, 33, "", 100, 100, HOUR), 0);
    ck_assert_int_eq(runaways_count(r, 33, "", true, 100, 2 * HOUR + MINUTE, &who), RUNAWAY_NONE);
    ck_assert_uint_eq(hand_in(r, 33, "", 99, 100, 2 * HOUR + MINUTE), 0);
    ck_assert_int_eq(runaways_count(r, 33, "", true, 100, 2 * HOUR + MINUTE, &who), RUNAWAY_NEW);
    runaways_free(r);
}
END_TEST

/* Who may make cgroups may name them */
START_TEST(who_invents_units_gets_no_more_than_some_limits)
{
    struct runaways *r = runaways_new();
    char unit[32];
    size_t held = 0;

    for (int i = 0; i < 1000; i++) {
        (void)snprintf(unit, sizeof unit, "u%d.service", i);
        held += hand_in(r, 33, unit, 10, 10, HOUR + MINUTE);
    }
    ck_assert_uint_gt(held, 9000);
    ck_assert_uint_eq(hand_in(r, 34, "u1000.service", 10, 10, HOUR + MINUTE), 0);
    /* units that have gone make room, and others are not judged by them */
    for (int i = 0; i < 12; i++) {
        (void)snprintf(unit, sizeof unit, "late%d.service", i);
        ck_assert_uint_eq(hand_in(r, 33, unit, 10, 10, 4 * HOUR), 0);
    }
    ck_assert_uint_eq(hand_in(r, 33, unit, 1, 10, 4 * HOUR), 1);
    runaways_free(r);
}
END_TEST

START_TEST(a_crowd_of_users_makes_nobody_forget_who_has_handed_in_much)
{
    struct runaways *r = runaways_new();
    struct runaway who;

    ck_assert_uint_eq(hand_in(r, 1000, "", 10, 10, HOUR), 0);
    ck_assert_uint_eq(hand_in(r, 1001, "", 11, 10, HOUR), 1);
    for (int64_t uid = 2000; uid < 5000; uid++)
        ck_assert_uint_eq(hand_in(r, uid, "", 1, 10, HOUR), 0);
    ck_assert_uint_eq(hand_in(r, 1000, "", 1, 10, HOUR), 1);
    for (int64_t uid = 2000; uid < 5000; uid++) /* a while later: who is held is older than they are */
        ck_assert_uint_eq(hand_in(r, uid, "", 1, 10, HOUR + 30 * MINUTE), 0);
    ck_assert_int_eq(runaways_count(r, 1001, "", false, 10, HOUR + 40 * MINUTE, &who), RUNAWAY_KNOWN);
    runaways_free(r);
}
END_TEST

START_TEST(however_many_there_are_memory_is_bounded_and_a_runaway_is_not_forgotten)
{
    struct runaways *r = runaways_new();

    ck_assert_uint_eq(hand_in(r, 33, "", 11, 10, HOUR), 1);
    for (int64_t uid = 1000; uid < 5000; uid++)
        ck_assert_uint_eq(hand_in(r, uid, "", 1, 10, HOUR + MINUTE), 0);
    ck_assert_uint_eq(hand_in(r, 33, "", 1, 10, HOUR + 2 * MINUTE), 1);
    runaways_free(r);
}
END_TEST

SUITE_MAIN("runaway", over_the_limit_the_rest_is_held_and_one_is_told,
    a_steady_sender_below_the_limit_is_never_held, a_new_session_for_each_message_helps_nobody,
    when_it_is_quiet_again_it_is_over_and_told_once, not_more_than_one_is_told_within_an_hour,
    who_invents_units_gets_no_more_than_some_limits,
    a_crowd_of_users_makes_nobody_forget_who_has_handed_in_much,
    however_many_there_are_memory_is_bounded_and_a_runaway_is_not_forgotten)
