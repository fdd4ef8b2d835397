/* SPDX-License-Identifier: ISC */
/* crowd: one address has its share, and nobody is counted as somebody else. */
#include <stdint.h>
#include <stdlib.h>

#include "daemon/crowd.h"
#include "unit/suite.h"

START_TEST(an_address_may_bring_its_share_of_a_minute_and_then_as_much_as_time_gives_back)
{
    struct crowd *c = crowd_new();
    struct party *p = crowd_enter(c, -1, "[192.0.2.1]", 1000);
    int n = 0;

    while (n < 1000 && party_may(p, CROWD_MESSAGE, 60, 1000)) {
        party_took(p, CROWD_MESSAGE, 1);
        n++;
    }
    ck_assert_int_eq(n, 60);
    ck_assert(!party_may(p, CROWD_MESSAGE, 60, 1900));
    ck_assert(party_may(p, CROWD_MESSAGE, 60, 2000));
    party_took(p, CROWD_MESSAGE, 1);
    ck_assert(!party_may(p, CROWD_MESSAGE, 60, 2000));
    ck_assert(party_may(p, CROWD_CONNECTION, 1, 2000));
    crowd_leave(p);
    crowd_free(c);
}
END_TEST

START_TEST(what_was_too_much_is_forgiven_in_three_minutes_at_the_latest)
{
    static const int64_t limits[] = { 1, 20, 1000000000, INT64_MAX };
    struct crowd *c = crowd_new();

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct party *p = crowd_enter(c, -1, "[192.0.2.1]", 0);
        ck_assert(party_may(p, CROWD_BYTE, limits[i], 0));
        for (int k = 0; k < 100; k++)
            party_took(p, CROWD_BYTE, limits[i]);
        ck_assert(!party_may(p, CROWD_BYTE, limits[i], 59999));
        ck_assert(party_may(p, CROWD_BYTE, limits[i], 180000));
        crowd_leave(p);
        crowd_leave(crowd_enter(c, 7, NULL, 1000000000)); /* forgets */
    }
    crowd_free(c);
}
END_TEST

START_TEST(coming_again_does_not_make_up_for_what_was_brought)
{
    struct crowd *c = crowd_new();
    struct party *p = crowd_enter(c, -1, "[192.0.2.1]", 0);

    ck_assert(party_may(p, CROWD_CONNECTION, 1, 0));
    party_took(p, CROWD_CONNECTION, 1);
    crowd_leave(p);
    p = crowd_enter(c, -1, "[192.0.2.1]", 1000);
    ck_assert(!party_may(p, CROWD_CONNECTION, 1, 1000));
    crowd_leave(p);
    p = crowd_enter(c, -1, "[192.0.2.2]", 1000);
    ck_assert(party_may(p, CROWD_CONNECTION, 1, 1000));
    crowd_leave(p);
    crowd_free(c);
}
END_TEST

START_TEST(users_are_counted_by_user_and_have_no_limit_here)
{
    struct crowd *c = crowd_new();
    struct party *root = crowd_enter(c, 0, NULL, 0), *again = crowd_enter(c, 0, NULL, 0),
                 *tcp = crowd_enter(c, 0, "[127.0.0.1]", 0), *other = crowd_enter(c, 1000, "[127.0.0.1]", 0),
                 *nobody = crowd_enter(c, -1, "[127.0.0.1]", 0);

    ck_assert(root == again && root != tcp && tcp != other && other != nobody);
    ck_assert_uint_eq(party_sessions(root), 2);
    ck_assert(crowd_largest(c) == root);
    for (int i = 0; i < 1000; i++) {
        ck_assert(party_may(root, CROWD_MESSAGE, 1, 0));
        party_took(root, CROWD_MESSAGE, 1);
    }
    crowd_leave(root);
    crowd_leave(tcp);
    crowd_leave(again);
    ck_assert(crowd_largest(c) != root);
    crowd_leave(other);
    crowd_leave(nobody);
    ck_assert_ptr_null(crowd_largest(c));
    crowd_free(c);
}
END_TEST

SUITE_MAIN("crowd", an_address_may_bring_its_share_of_a_minute_and_then_as_much_as_time_gives_back,
    what_was_too_much_is_forgiven_in_three_minutes_at_the_latest,
    coming_again_does_not_make_up_for_what_was_brought, users_are_counted_by_user_and_have_no_limit_here)
