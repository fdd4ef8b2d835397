/* SPDX-License-Identifier: ISC */
/* hubs: which of an account's smarthosts a job leaves alone. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "daemon/hubs.h"

static void
expect_avoided(const struct hubs *h, const char *account, const char *list)
{
    struct buf out;

    buf_init(&out, 100000);
    hubs_avoid(h, account, &out);
    ck_assert_str_eq(buf_str(&out), list);
    buf_clear(&out);
}

/* NULL: none */
static void
expect_due(struct hubs *h, const char *account, int64_t now, const char *relay)
{
    const char *due = hubs_due(h, account, now);

    ck_assert_msg(!due == !relay && (!due || strcmp(due, relay) == 0), "%s", due ? due : "none");
}

static void
report(struct hubs *h, const char *account, const char *relay, bool works, int64_t now)
{
    hubs_report(h, account, slice_of(relay), works ? JOB_HUB_WORKS : JOB_HUB_FAILS, now);
}

START_TEST(a_failed_smarthost_is_left_alone_until_somebody_has_looked_at_it_when_its_time_had_come)
{
    struct hubs h;

    hubs_init(&h);
    hubs_configure(&h, 1000, 4000);
    report(&h, "a", "one:25", false, 0);
    expect_avoided(&h, "a", "one:25");
    expect_avoided(&h, "b", "");
    expect_due(&h, "a", 999, NULL);
    expect_due(&h, "b", 1000, NULL);
    expect_due(&h, "a", 1000, "one:25");
    expect_due(&h, "a", 1000, NULL); /* one is enough */
    expect_avoided(&h, "a", "one:25");
    report(&h, "a", "one:25", false, 1900);
    expect_due(&h, "a", 3899, NULL); /* twice as long */
    expect_due(&h, "a", 3900, "one:25");
    ck_assert(hubs_has_failed(&h, "a", slice_of("one:25")) && !hubs_has_failed(&h, "a", slice_of("two:25")));
    report(&h, "a", "one:25", true, 3950);
    expect_avoided(&h, "a", "");
    ck_assert(!hubs_has_failed(&h, "a", slice_of("one:25")));
    hubs_clear(&h);
}
END_TEST

START_TEST(those_that_fail_at_the_same_time_are_one_failure_and_there_is_a_longest_wait)
{
    struct hubs h;
    int64_t now = 0;

    hubs_init(&h);
    hubs_configure(&h, 1000, 4000);
    for (int i = 0; i < 10; i++)
        report(&h, "a", "one:25", false, 10);
    expect_due(&h, "a", 1010, "one:25");
    for (int i = 0; i < 10; i++, now += 5000)
        report(&h, "a", "one:25", false, now);
    expect_due(&h, "a", now - 5000 + 3999, NULL);
    expect_due(&h, "a", now - 5000 + 4000, "one:25");
    hubs_clear(&h);
}
END_TEST

/* It goes on to other workers */
START_TEST(what_a_worker_says_is_kept_only_if_it_can_be_a_smarthost_and_of_too_many_the_oldest_goes)
{
    struct hubs h;
    char relay[300];

    hubs_init(&h);
    report(&h, "a", "one 25", false, 0);
    report(&h, "a", "one\n:25", false, 0);
    report(&h, "a", "", false, 0);
    (void)snprintf(relay, sizeof relay, "%0250d:25", 1);
    report(&h, "a", relay, false, 0);
    ck_assert_uint_eq(h.n, 0);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(relay, sizeof relay, "h%d:25", i);
        report(&h, "a", relay, false, 0);
    }
    ck_assert_uint_eq(h.n, HUBS_OF_ACCOUNT);
    ck_assert(
        hubs_has_failed(&h, "a", slice_of("h999:25")) && !hubs_has_failed(&h, "a", slice_of("h900:25")));
    report(&h, "a", "h936:25", false, 1); /* it is the oldest, but was heard of again */
    report(&h, "a", "new:25", false, 1);
    ck_assert(
        hubs_has_failed(&h, "a", slice_of("h936:25")) && !hubs_has_failed(&h, "a", slice_of("h937:25")));
    report(&h, "b", "other:25", false, 0);
    expect_avoided(&h, "b", "other:25");
    hubs_clear(&h);
}
END_TEST

START_TEST(the_certificate_of_one_that_works_or_fails_is_known_until_it_is_forgotten)
{
    struct hubs h;

    hubs_init(&h);
    hubs_configure(&h, 1000, 4000);
    hubs_certificate(&h, "a", slice_of("one:25"), 1900000000);
    hubs_certificate(&h, "a", slice_of("two:25"), 1900000001);
    hubs_certificate(&h, "a", slice_of("clear:25"), 0);
    hubs_certificate(&h, "a", slice_of("no name"), 1900000000);
    ck_assert_uint_eq(h.n, 2);
    expect_avoided(&h, "a", "");
    report(&h, "a", "one:25", false, 0);
    expect_avoided(&h, "a", "one:25");
    report(&h, "a", "one:25", true, 2);
    expect_avoided(&h, "a", "");
    ck_assert_uint_eq(h.n, 2);
    ck_assert_int_eq(h.hub[0].expires_s, 1900000000);
    hubs_certificate(&h, "a", slice_of("two:25"), 0); /* it is pinned now */
    ck_assert_uint_eq(h.n, 1);
    report(&h, "a", "three:25", false, 5);
    hubs_forget_the_good(&h);
    ck_assert_uint_eq(h.n, 1);
    expect_avoided(&h, "a", "three:25");
    hubs_clear(&h);
}
END_TEST

START_TEST(one_that_is_late_is_known_until_it_is_in_time_again_also_while_it_fails)
{
    struct hubs h;
    struct buf out;

    hubs_init(&h);
    hubs_configure(&h, 1000, 4000);
    buf_init(&out, 1000);
    hubs_report(&h, "a", slice_of("one:25"), JOB_HUB_LATE, 0);
    hubs_report(&h, "b", slice_of("two:25"), JOB_HUB_LATE, 0);
    hubs_late(&h, "a", &out);
    ck_assert_str_eq(buf_str(&out), "one:25");
    expect_avoided(&h, "a", "");
    report(&h, "a", "one:25", false, 1);
    expect_avoided(&h, "a", "one:25");
    hubs_report(&h, "a", slice_of("one:25"), JOB_HUB_LATE, 2);
    expect_avoided(&h, "a", "");
    report(&h, "a", "one:25", true, 3);
    ck_assert_uint_eq(h.n, 1);
    hubs_forget_the_good(&h);
    ck_assert_uint_eq(h.n, 0);
    buf_clear(&out);
    hubs_clear(&h);
}
END_TEST

START_TEST(until_when_token_and_own_certificate_are_good_is_known_by_account_until_it_is_forgotten)
{
    struct hubs h;

    hubs_init(&h);
    hubs_token(&h, "opaque", 0, false, 5);
    ck_assert_ptr_null(hubs_login_of(&h, "opaque"));
    hubs_token(&h, "a", 1900000000, true, 1800000000);
    hubs_client(&h, "b", 1900000001);
    ck_assert_int_eq(hubs_login_of(&h, "a")->token_s, 1900000000);
    ck_assert_int_eq(hubs_login_of(&h, "a")->token_told_s, 1800000000);
    ck_assert(hubs_login_of(&h, "a")->token_is_short && hubs_login_of(&h, "a")->client_s == 0);
    ck_assert(hubs_login_of(&h, "b")->token_s == 0 && hubs_login_of(&h, "b")->client_s == 1900000001);
    hubs_token(&h, "a", 0, false, 6); /* it is opaque now */
    ck_assert_int_eq(hubs_login_of(&h, "a")->token_s, 0);
    hubs_forget_the_good(&h);
    ck_assert_ptr_null(hubs_login_of(&h, "b"));
    hubs_client(&h, "b", 1);
    hubs_clear(&h);
}
END_TEST

SUITE_MAIN("hubs", one_that_is_late_is_known_until_it_is_in_time_again_also_while_it_fails,
    a_failed_smarthost_is_left_alone_until_somebody_has_looked_at_it_when_its_time_had_come,
    those_that_fail_at_the_same_time_are_one_failure_and_there_is_a_longest_wait,
    what_a_worker_says_is_kept_only_if_it_can_be_a_smarthost_and_of_too_many_the_oldest_goes,
    the_certificate_of_one_that_works_or_fails_is_known_until_it_is_forgotten,
    until_when_token_and_own_certificate_are_good_is_known_by_account_until_it_is_forgotten)
