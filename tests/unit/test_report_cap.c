/* SPDX-License-Identifier: ISC */
/* report_cap: so many reports an hour, and the rest in one. */
#include "unit/suite.h"

#include <string.h>

#include "daemon/report_cap.h"

START_TEST(each_user_and_account_has_so_many_reports_in_an_hour)
{
    struct report_cap *c = report_cap_new();

    for (int i = 0; i < REPORT_CAP; i++)
        ck_assert(report_cap_take(c, 1000, "default", i));
    ck_assert(!report_cap_take(c, 1000, "default", 1000));
    ck_assert(report_cap_take(c, 1001, "default", 1000));
    ck_assert(report_cap_take(c, 1000, "other", 1000));
    ck_assert(!report_cap_take(c, 1000, "default", REPORT_CAP_MS - 1));
    ck_assert(report_cap_take(c, 1000, "default", REPORT_CAP_MS));
    report_cap_free(c);
}
END_TEST

static void
drop(struct report_cap *c, const char *to, const char *id)
{
    report_cap_drop(c, 1000, "default", to, id, "bob@example.net");
}

START_TEST(what_was_not_told_is_told_in_one_when_the_hour_is_over)
{
    struct report_cap *c = report_cap_new();
    struct report_rest rest;

    ck_assert(report_cap_take(c, 1000, "default", 5));
    ck_assert_int_eq(report_cap_wait(c, 5), -1);
    drop(c, "alice@example.org", "A1");
    drop(c, "alice@example.org", "A2");
    drop(c, "else@example.org", "B1");
    ck_assert_int_eq(report_cap_wait(c, 10), REPORT_CAP_MS - 5);
    ck_assert(!report_cap_rest(c, 10, false, &rest));
    ck_assert(report_cap_rest(c, 5 + REPORT_CAP_MS, false, &rest));
    ck_assert_uint_eq(rest.count, 3);
    ck_assert_str_eq(rest.to, "alice@example.org");
    ck_assert_str_eq(rest.account, "default");
    ck_assert_int_eq(rest.uid, 1000);
    ck_assert_str_eq(buf_str(&rest.listed), "A1 <bob@example.net>\nA2 <bob@example.net>\n");
    report_rest_clear(&rest);
    ck_assert(!report_cap_rest(c, 5 + REPORT_CAP_MS, true, &rest));
    ck_assert_int_eq(report_cap_wait(c, 5 + REPORT_CAP_MS), -1);
    report_cap_free(c);
}
END_TEST

START_TEST(at_the_end_nobody_waits_for_the_hour)
{
    struct report_cap *c = report_cap_new();
    struct report_rest rest;

    ck_assert(report_cap_take(c, 1000, "default", 5));
    drop(c, "alice@example.org", "A1");
    ck_assert(report_cap_rest(c, 6, true, &rest));
    report_rest_clear(&rest);
    drop(c, "else@example.org", "B1");
    report_cap_free(c);
}
END_TEST

START_TEST(a_million_messages_and_users_take_no_more_memory_than_some)
{
    struct report_cap *c = report_cap_new();
    struct report_rest rest;
    int taken = 0;

    for (int64_t uid = 0; uid < 3000; uid++)
        taken += report_cap_take(c, uid, "default", 1);
    ck_assert_int_lt(taken, 2000);
    ck_assert(report_cap_take(c, 5000, "default", 1 + REPORT_CAP_MS));
    for (int i = 0; i < 100000; i++)
        report_cap_drop(c, 5000, "default", "alice@example.org", "A1", "bob@example.net");
    ck_assert(report_cap_rest(c, 1, true, &rest));
    ck_assert_uint_eq(rest.count, 100000);
    ck_assert_uint_le(rest.listed.len, 10000);
    report_rest_clear(&rest);
    report_cap_free(c);
}
END_TEST

SUITE_MAIN("report_cap", each_user_and_account_has_so_many_reports_in_an_hour,
    what_was_not_told_is_told_in_one_when_the_hour_is_over, at_the_end_nobody_waits_for_the_hour,
    a_million_messages_and_users_take_no_more_memory_than_some)
