/* SPDX-License-Identifier: ISC */
/* verdict: what the caller is told when not all recipients fared alike. */
#include "unit/suite.h"

#include <string.h>

#include "daemon/verdict.h"

static const char *const names[] = { "a@x", "b@x", "team" };

#define SENT(r)                            \
    {                                      \
        r, "", true, false, ERROR_NONE, "" \
    }
#define GONE(r)                                                    \
    {                                                              \
        r, "gone@y", false, true, ERROR_NOUSER, "550 no such user" \
    }
#define GREY(r)                                           \
    {                                                     \
        r, "grey@y", false, true, ERROR_TEMP, "450 later" \
    }
#define REFUSED(r)                                           \
    {                                                        \
        r, "", false, true, ERROR_NOUSER, "550 no such user" \
    }
#define LATER(r)                                    \
    {                                               \
        r, "", false, true, ERROR_TEMP, "450 later" \
    }
#define DOWN(r)                                                       \
    {                                                                 \
        r, "", false, false, ERROR_TEMP, "hub:25: connection refused" \
    }

static const struct {
    const char *what;
    size_t n;
    struct verdict_member m[4];
    size_t nm;
    enum error_class class;
    const char *has, *lacks;
} cases[] = {
    { "all have it", 2, { SENT(0), SENT(1) }, 2, ERROR_NONE, "", "x" },
    { "one refused, one sent", 2, { SENT(0), REFUSED(1) }, 2, ERROR_NOUSER, "1 of 2", "a@x" },
    { "75 before 67", 3, { SENT(0), REFUSED(1), LATER(2) }, 3, ERROR_TEMP, "team: 450", NULL },
    { "one trouble for all is said once", 2, { DOWN(0), DOWN(1) }, 2, ERROR_TEMP,
        "hub:25: connection refused", "a@x" },
    { "a refused recipient is named", 1, { REFUSED(0) }, 1, ERROR_NOUSER, "a@x: 550 no such user", NULL },
    { "an alias of which one member was refused is served", 3, { SENT(0), SENT(1), SENT(2), REFUSED(2) }, 4,
        ERROR_NONE, "", "team" },
    { "an alias all of whose members were refused is refused", 3,
        { SENT(0), SENT(1), REFUSED(2), REFUSED(2) }, 4, ERROR_NOUSER, "2 of 3", NULL },
    { "an alias of which one member has to wait names that member, and members are counted", 3,
        { SENT(0), SENT(1), SENT(2), GREY(2) }, 4, ERROR_TEMP,
        "3 of 4 recipients have it, not these: team (grey@y): 450 later", NULL },
};

START_TEST(the_caller_is_told_who_has_it_and_who_has_not)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct verdict v;
        verdict_make(&v, names, cases[i].n, cases[i].m, cases[i].nm, false);
        ck_assert_msg(v.class == cases[i].class, "%s: %d", cases[i].what, (int)v.class);
        ck_assert_msg(
            strstr(buf_str(&v.text), cases[i].has) != NULL, "%s: %s", cases[i].what, buf_str(&v.text));
        if (cases[i].lacks)
            ck_assert_msg(
                !strstr(buf_str(&v.text), cases[i].lacks), "%s: %s", cases[i].what, buf_str(&v.text));
        verdict_clear(&v);
    }
}
END_TEST

START_TEST(without_a_queue_a_member_that_is_refused_is_named_though_its_alias_was_served)
{
    static const struct verdict_member m[] = { SENT(0), SENT(1), SENT(2), GONE(2) };
    struct verdict v;

    verdict_make(&v, names, 3, m, 4, false);
    ck_assert_int_eq(v.class, ERROR_NONE);
    ck_assert_uint_eq(v.nrefused, 1);
    ck_assert_str_eq(v.refused[0], "team (gone@y): 550 no such user");
    verdict_clear(&v);
    verdict_make(&v, names, 3, m, 4, true); /* a DSN tells of it */
    ck_assert_uint_eq(v.nrefused, 0);
    verdict_clear(&v);
}
END_TEST

SUITE_MAIN("verdict", the_caller_is_told_who_has_it_and_who_has_not,
    without_a_queue_a_member_that_is_refused_is_named_though_its_alias_was_served)
