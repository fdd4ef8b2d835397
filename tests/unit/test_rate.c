/* rate: no hour sees more than the limit, and what waits does not wait for ever. */
#include <stdlib.h>

#include "daemon/rate.h"
#include "unit/suite.h"

#define HOUR ((int64_t)3600000)

/* Messages that go within an hour when each goes as soon as it may */
static int64_t
go_for_an_hour(struct rates *r, int64_t per_hour, int64_t from)
{
    int64_t n = 0;

    for (int64_t now = from; now < from + HOUR;) {
        int64_t wait = rates_wait(r, "a", per_hour, true, now);
        if (wait == 0) {
            rates_take(r, "a", per_hour, now);
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
        ck_assert_int_le(first, limits[i] == 1 ? 2 : limits[i]);
        ck_assert_int_ge(first, limits[i] - limits[i] / 50 - 1);
        ck_assert_int_le(second, limits[i]);
        ck_assert_int_ge(second, limits[i] - limits[i] / 8 - 1);
        rates_free(r);
    }
}
END_TEST

START_TEST(a_tenth_may_go_at_once_and_its_last_fifth_is_for_system_users)
{
    struct rates *r = rates_new();

    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(rates_wait(r, "a", 100, false, 1000), 0);
        rates_take(r, "a", 100, 1000);
    }
    ck_assert_int_gt(rates_wait(r, "a", 100, false, 1000), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(rates_wait(r, "a", 100, true, 1000), 0);
        rates_take(r, "a", 100, 1000);
    }
    ck_assert_int_gt(rates_wait(r, "a", 100, true, 1000), 0);
    ck_assert_int_eq(rates_wait(r, "b", 100, false, 1000), 0);
    rates_free(r);
}
END_TEST

START_TEST(what_did_not_go_is_given_back_and_no_limit_is_none)
{
    struct rates *r = rates_new();

    rates_take(r, "a", 1, 5);
    ck_assert_int_gt(rates_wait(r, "a", 1, true, 5), 0);
    rates_give_back(r, "a");
    ck_assert_int_eq(rates_wait(r, "a", 1, true, 5), 0);
    rates_give_back(r, "nobody");
    ck_assert_int_eq(rates_wait(r, "b", 0, false, 5), 0);
    rates_take(r, "b", 0, 5);
    /* another limit by SIGHUP holds at once */
    rates_take(r, "a", 1, 5);
    ck_assert_int_eq(rates_wait(r, "a", 100, true, 6), 0);
    rates_free(r);
}
END_TEST

SUITE_MAIN("rate", no_hour_sees_more_than_the_limit,
    a_tenth_may_go_at_once_and_its_last_fifth_is_for_system_users,
    what_did_not_go_is_given_back_and_no_limit_is_none)
