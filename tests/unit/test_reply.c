/* SPDX-License-Identifier: ISC */
/* reply: what is an SMTP reply and what is not. */
#include "unit/suite.h"

#include <string.h>

#include "mail/reply.h"

static const struct {
    const char *lines;
    enum reply_result result;
    int code;
    const char *enhanced, *text;
} cases[] = {
    { "250 ok", REPLY_DONE, 250, "", "ok" },
    { "250", REPLY_DONE, 250, "", "" },
    { "250-a\n250 b", REPLY_DONE, 250, "", "a / b" },
    { "550 5.1.1 no such user", REPLY_DONE, 550, "5.1.1", "no such user" },
    { "550-5.7.1 one\n550 5.7.1 two", REPLY_DONE, 550, "5.7.1", "one / two" },
    { "550 2.1.1 another class", REPLY_DONE, 550, "", "2.1.1 another class" },
    { "550 5.1 text", REPLY_DONE, 550, "", "5.1 text" },
    { "550 5.1.1234 text", REPLY_DONE, 550, "", "5.1.1234 text" },
    { "250-a", REPLY_MORE, 250, "", "a" },
    { "250-a\n251 b", REPLY_BAD, 250, "", "a" },
    { "25", REPLY_BAD, 0, "", "" },
    { "25x ok", REPLY_BAD, 0, "", "" },
    { "999 ok", REPLY_BAD, 0, "", "" },
    { "150 ok", REPLY_BAD, 0, "", "" },
    { "250ok", REPLY_BAD, 0, "", "" },
    { "HTTP/1.1 400 Bad Request", REPLY_BAD, 0, "", "" },
    { "", REPLY_BAD, 0, "", "" },
};

START_TEST(only_replies_are_taken_for_replies)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice rest = slice_of(cases[i].lines), line = rest;
        enum reply_result got = REPLY_BAD;
        struct reply r;

        reply_init(&r);
        if (!rest.len)
            got = reply_line(&r, line, NULL);
        while (slice_cut(&rest, '\n', &line))
            got = reply_line(&r, line, NULL);
        ck_assert_msg(got == cases[i].result, "%s: %d", cases[i].lines, (int)got);
        ck_assert_msg(r.code == cases[i].code, "%s: code %d", cases[i].lines, r.code);
        ck_assert_str_eq(r.enhanced, cases[i].enhanced);
        ck_assert_str_eq(buf_str(&r.text), cases[i].text);
        reply_clear(&r);
    }
}
END_TEST

START_TEST(a_reply_without_end_costs_no_memory)
{
    struct reply r;

    reply_init(&r);
    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(reply_line(&r, slice_of("250-a line that comes again and again"), NULL), REPLY_MORE);
    ck_assert_uint_le(r.text.len, REPLY_TEXT_MAX);
    reply_clear(&r);
}
END_TEST

SUITE_MAIN("reply", only_replies_are_taken_for_replies, a_reply_without_end_costs_no_memory)
