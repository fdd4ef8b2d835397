/* SPDX-License-Identifier: ISC */
/* rate: no hour sees more than the limit, and what waits does not wait for ever. */
#include <stdlib.h>

#include "daemon/rate.h"
#include "unit/suite.h"

#define HOUR ((int64_t)3600000)

static struct config_rate
hourly(int64_t n)
{
    return (struct config_rate){ n, HOUR };
}

/* Messages that go within an hour when each goes as soon as it may */
static int64_t
go_for_an_hour(struct rates *r, int64_t per_hour, int64_t from)
{
    int64_t n = 0;

    for (int64_t now = from; now < from + HOUR;) {
        int64_t wait = rates_wait(r, "a", hourly(per_hour), true, now);
        if (wait == 0) {
            rates_take(r, "a", hourly(per_hour), now);
            n++;
        }
        now += wait;
    }
    return n;
}

START_TEST(no_hour_sees_more_than_the_limit)
{
    static const int64_t limits[] = { 1, 2, 9, 10, 100, 1000, 100000 };

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct rates *r = rates_new();
        int64_t first = go_for_an_hour(r, limits[i], 1000),
                second = go_for_an_hour(r, limits[i], 1000 + HOUR);
        ck_assert_int_le(first, limits[i]);
        ck_assert_int_ge(first, limits[i] - limits[i] / 50 - 1);
        ck_assert_int_le(second, limits[i]);
        ck_assert_int_ge(second, limits[i] - limits[i] / 8 - 1);
        rates_free(r);
    }
}
END_TEST

START_TEST(some_may_go_at_once_and_the_last_fifth_is_for_system_users)
{
    struct rates *r = rates_new();

    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(rates_wait(r, "a", hourly(100), false, 1000), 0);
        rates_take(r, "a", hourly(100), 1000);
    }
    ck_assert_int_gt(rates_wait(r, "a", hourly(100), false, 1000), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(rates_wait(r, "a", hourly(100), true, 1000), 0);
        rates_take(r, "a", hourly(100), 1000);
    }
    ck_assert_int_gt(rates_wait(r, "a", hourly(100), true, 1000), 0);
    ck_assert_int_eq(rates_wait(r, "b", hourly(100), false, 1000), 0);
    rates_free(r);
}
END_TEST

START_TEST(a_small_rate_may_go_at_once_and_then_waits_for_its_span)
{
    static const struct config_rate rates[] = { { 2, 60000 }, { 5, HOUR }, { 10, 1000 }, { 1, 24 * HOUR } };

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct rates *r = rates_new();
        int64_t now = 7 * HOUR, span = rates[i].period_ms;
        for (int64_t n = 0; n < rates[i].n; n++) {
            ck_assert_int_eq(rates_wait(r, "a", rates[i], false, now), 0);
            rates_take(r, "a", rates[i], now++);
        }
        ck_assert_int_gt(rates_wait(r, "a", rates[i], true, now), 0);
        ck_assert_int_gt(rates_wait(r, "a", rates[i], true, 7 * HOUR + span - 1), 0);
        ck_assert_int_le(rates_wait(r, "a", rates[i], false, 7 * HOUR + span), 1);
        rates_free(r);
    }
}
END_TEST

START_TEST(no_minute_sees_more_than_a_rate_per_minute)
{
    static const struct config_rate rate = { 30, 60000 };
    int64_t went[1000], n = 0;
    struct rates *r = rates_new();

    for (int64_t now = 1, wait; now < HOUR / 4; now += wait) {
        wait = rates_wait(r, "a", rate, true, now);
        if (wait == 0) {
            rates_take(r, "a", rate, now);
            went[n++] = now;
        }
        ck_assert_int_lt(n, 1000);
        if (n > rate.n)
            ck_assert_int_ge(went[n - 1] - went[n - 1 - rate.n], rate.period_ms);
    }
    ck_assert_int_ge(n, 14 * rate.n);
    rates_free(r);
}
END_TEST

START_TEST(what_did_not_go_is_given_back_and_no_limit_is_none)
{
    struct rates *r = rates_new();

    rates_take(r, "a", hourly(1), 5);
    ck_assert_int_gt(rates_wait(r, "a", hourly(1), true, 5), 0);
    rates_give_back(r, "a");
    ck_assert_int_eq(rates_wait(r, "a", hourly(1), true, 5), 0);
    rates_give_back(r, "nobody");
    ck_assert_int_eq(rates_wait(r, "b", hourly(0), false, 5), 0);
    rates_take(r, "b", hourly(0), 5);
    /* another limit by SIGHUP holds at once */
    rates_take(r, "a", hourly(1), 5);
    ck_assert_int_eq(rates_wait(r, "a", hourly(100), true, 6), 0);
    rates_free(r);
}
END_TEST

START_TEST(a_complaint_halves_the_rate_and_it_rises_again_by_itself)
{
    struct rates *r = rates_new();
    int64_t now = HOUR, minutes = 0;

    ck_assert_int_eq(rates_limit(r, "a", hourly(1000), now), 1000);
    ck_assert(rates_slow(r, "a", hourly(1000), "421 4.7.28 unusual rate", now));
    ck_assert_int_eq(rates_limit(r, "a", hourly(1000), now), 500);
    ck_assert_str_eq(rates_why(r, "a", hourly(1000), now), "421 4.7.28 unusual rate");
    ck_assert_int_gt(rates_wait(r, "a", hourly(1000), true, now), 0); /* nothing goes at once */
    /* those who were under way say the same */
    ck_assert(!rates_slow(r, "a", hourly(1000), "again", now + 59000));
    ck_assert_int_eq(rates_limit(r, "a", hourly(1000), now + 59000), 500);
    ck_assert(rates_slow(r, "a", hourly(1000), "and again", now + 60000));
    ck_assert_int_eq(rates_limit(r, "a", hourly(1000), now + 60000), 250);
    ck_assert_int_eq(rates_limit(r, "b", hourly(1000), now), 1000);
    for (now += 60000; rates_why(r, "a", hourly(1000), now); now += 60000, minutes++)
        ck_assert_int_le(rates_limit(r, "a", hourly(1000), now), 1000);
    ck_assert_int_eq(rates_limit(r, "a", hourly(1000), now), 1000);
    ck_assert_int_ge(minutes, 60);
    ck_assert_int_le(minutes, 90);
    rates_free(r);
}
END_TEST

START_TEST(without_a_limit_a_complaint_begins_from_what_went_lately)
{
    struct rates *r = rates_new();
    int64_t now = HOUR;

    ck_assert_int_eq(rates_limit(r, "a", hourly(0), now), 0);
    for (int i = 0; i < 60; i++)
        rates_take(r, "a", hourly(0), now += 500);
    ck_assert(rates_slow(r, "a", hourly(0), "421 too many messages", now));
    ck_assert_int_ge(rates_limit(r, "a", hourly(0), now), 900);
    ck_assert_int_le(rates_limit(r, "a", hourly(0), now), 1800);
    ck_assert_int_gt(rates_wait(r, "a", hourly(0), true, now), 0);
    ck_assert_int_eq(rates_limit(r, "a", hourly(0), now + 3 * HOUR), 0);
    ck_assert_ptr_null(rates_why(r, "a", hourly(0), now + 3 * HOUR));
    ck_assert_int_eq(rates_wait(r, "a", hourly(0), false, now + 3 * HOUR), 0);
    rates_free(r);
}
END_TEST

START_TEST(however_much_a_peer_complains_an_alert_goes_within_minutes)
{
    struct rates *r = rates_new();
    int64_t now = 0;

    for (int i = 0; i < 100; i++, now += 61000)
        (void)rates_slow(r, "a", hourly(i % 2 ? 100 : 0), "too many", now);
    ck_assert_int_ge(rates_limit(r, "a", hourly(0), now), 20);
    ck_assert_int_le(rates_wait(r, "a", hourly(0), true, now), 240000);
    /* a RateLimit below that stands */
    ck_assert_int_eq(rates_limit(r, "b", hourly(5), now), 5);
    (void)rates_slow(r, "b", hourly(5), "too many", now);
    ck_assert_int_eq(rates_limit(r, "b", hourly(5), now), 5);
    rates_free(r);
}
END_TEST

START_TEST(while_the_pace_rises_no_burst_comes_with_each_step)
{
    struct rates *r = rates_new();
    int64_t now = HOUR, went = 0;

    (void)rates_slow(r, "a", hourly(1000), "too many", now);
    for (int64_t end = now + HOUR / 2; now < end;) {
        int64_t wait = rates_wait(r, "a", hourly(1000), true, now);
        if (wait == 0) {
            rates_take(r, "a", hourly(1000), now);
            went++;
        }
        now += wait < 1000 ? wait : 1000;
    }
    ck_assert_int_ge(went, 200);
    ck_assert_int_le(went, 500);
    rates_free(r);
}
END_TEST

SUITE_MAIN("rate", no_hour_sees_more_than_the_limit,
    some_may_go_at_once_and_the_last_fifth_is_for_system_users,
    a_small_rate_may_go_at_once_and_then_waits_for_its_span, no_minute_sees_more_than_a_rate_per_minute,
    what_did_not_go_is_given_back_and_no_limit_is_none,
    a_complaint_halves_the_rate_and_it_rises_again_by_itself,
    without_a_limit_a_complaint_begins_from_what_went_lately,
    however_much_a_peer_complains_an_alert_goes_within_minutes,
    while_the_pace_rises_no_burst_comes_with_each_step)
