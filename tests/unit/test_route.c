/* SPDX-License-Identifier: ISC */
/* route: which account carries a message, and who may hand it in. */
#include "unit/suite.h"

#include "config/route.h"

static void
set(struct config *c, size_t account, enum config_key key, const char *text)
{
    struct error err;

    ck_assert_msg(config_set(c, account, key, slice_of(text), false, "t", &err), "%s", err.text);
}

static const struct {
    const char *sender;
    int64_t uid;
    const char *recipient;
    size_t account;
} choices[] = {
    { "x@shop.example", 5, "y@z.example", 1 },
    { "X@SHOP.EXAMPLE", 5, "y@z.example", 1 },
    { "x@sub.shop.example", 5, "y@z.example", 0 },
    { "boss@example.org", 5, "y@z.example", 0 },
    { "boss@example.org", 7, "y@z.example", 2 },
    { "x@shop.example", 7, "y@partner.example", 1 },
    { "boss@example.org", 5, "y@partner.example", 3 },
    { "", 5, "y@partner.example", 3 },
    { "", -1, "y@z.example", 0 },
};

START_TEST(the_first_account_whose_keys_all_match_carries_the_mail)
{
    struct config c;

    config_begin(&c);
    for (int i = 0; i < 4; i++)
        (void)config_add_account(&c);
    set(&c, 1, CONFIG_SENDER, "@shop.example");
    set(&c, 2, CONFIG_SENDER, "boss@example.org");
    set(&c, 2, CONFIG_FOR_USER, "7");
    set(&c, 3, CONFIG_RECIPIENT, "a@b.example");
    set(&c, 3, CONFIG_RECIPIENT, "@partner.example");
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        ck_assert_msg(
            route_account(&c, choices[i].sender, choices[i].uid, choices[i].recipient) == choices[i].account,
            "%zu", i);
    ck_assert(route_may_use(&c, 2, 7) && !route_may_use(&c, 2, 5) && route_may_use(&c, 4, 5));
    config_end(&c);
}
END_TEST

START_TEST(an_unknown_caller_is_nobody_once_users_are_named)
{
    struct config c;

    config_begin(&c);
    ck_assert(route_is_allowed(&c, -1, ""));
    set(&c, 0, CONFIG_DENY_USERS, "7");
    ck_assert(!route_is_allowed(&c, -1, ""));
    ck_assert(!route_is_allowed(&c, 7, "x") && route_is_allowed(&c, 8, "y"));
    set(&c, 0, CONFIG_ALLOW_USERS, "y");
    ck_assert(route_is_allowed(&c, 8, "y") && !route_is_allowed(&c, 9, "z") && !route_is_allowed(&c, -1, ""));
    config_end(&c);
}
END_TEST

SUITE_MAIN("route", the_first_account_whose_keys_all_match_carries_the_mail,
    an_unknown_caller_is_nobody_once_users_are_named)
