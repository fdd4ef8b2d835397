/* SPDX-License-Identifier: ISC */
/* content: nothing but the agreed line ending ends a line, nothing but a lone dot ends DATA. */
#include "unit/suite.h"

#include <string.h>

#include "daemon/content.h"

static const struct {
    const char *what;
    enum content_ending ending;
    bool dotted;
    const char *in;
    enum content_result result;
    const char *out;
} cases[] = {
    { "a line and the end", CONTENT_CRLF, true, "a\r\n.\r\n", CONTENT_END, "a\r\n" },
    { "nothing but the end", CONTENT_CRLF, true, ".\r\n", CONTENT_END, "" },
    { "a stuffed dot loses one", CONTENT_CRLF, true, "..\r\n..a\r\n.b\r\n.\r\n", CONTENT_END,
        ".\r\n.a\r\nb\r\n" },
    { "a dot inside a line is text", CONTENT_CRLF, true, "a.\r\n.\r\n", CONTENT_END, "a.\r\n" },
    { "smuggling: LF.LF", CONTENT_CRLF, true, "a\n.\nMAIL", CONTENT_BAD, "a" },
    { "smuggling: LF.CRLF", CONTENT_CRLF, true, "a\n.\r\n", CONTENT_BAD, "a" },
    { "smuggling: CRLF.LF", CONTENT_CRLF, true, "a\r\n.\n", CONTENT_BAD, "a\r\n" },
    { "smuggling: CRLF.CR", CONTENT_CRLF, true, "a\r\n.\rx", CONTENT_BAD, "a\r\n" },
    { "smuggling: CR.CR", CONTENT_CRLF, true, "a\r.\r", CONTENT_BAD, "a" },
    { "smuggling: CRCRLF", CONTENT_CRLF, true, "a\r\r\n", CONTENT_BAD, "a" },
    { "LF sessions end with LF", CONTENT_LF, true, "a\n..b\n.\n", CONTENT_END, "a\r\n.b\r\n" },
    { "LF sessions take no CRLF", CONTENT_LF, true, "a\r\n", CONTENT_BAD, "a" },
    { "chunks know no dots", CONTENT_CRLF, false, ".\r\n..\r\n", CONTENT_MORE, ".\r\n..\r\n" },
    { "chunks take no bare LF", CONTENT_CRLF, false, "a\nb", CONTENT_BAD, "a" },
};

START_TEST(messages_end_where_everybody_agrees)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t step = 1; step <= strlen(cases[i].in); step++) {
            struct slice rest = slice_of(cases[i].in);
            enum content_result r = CONTENT_MORE;
            struct content c;
            struct buf out;

            content_init(&c, cases[i].ending, cases[i].dotted);
            buf_init(&out, 1000);
            while (r == CONTENT_MORE && rest.len) {
                size_t used = 0;
                r = content_feed(&c, slice_sub(rest, 0, step), &out, &used);
                rest = slice_from(rest, used);
            }
            ck_assert_msg(r == cases[i].result, "%s, by %zu", cases[i].what, step);
            ck_assert_msg(slice_is(buf_slice(&out), cases[i].out), "%s, by %zu: '%.*s'", cases[i].what, step,
                SLICE_ARG(buf_slice(&out)));
            buf_clear(&out);
        }
    }
}
END_TEST

START_TEST(a_chunk_that_ends_inside_a_line_is_not_complete)
{
    struct content c;
    struct buf out;
    size_t used;

    buf_init(&out, 100);
    content_init(&c, CONTENT_CRLF, false);
    ck_assert(content_is_complete(&c));
    ck_assert_int_eq(content_feed(&c, slice_of("a\r"), &out, &used), CONTENT_MORE);
    ck_assert(!content_is_complete(&c));
    ck_assert_int_eq(content_feed(&c, slice_of("\n"), &out, &used), CONTENT_MORE);
    ck_assert(content_is_complete(&c));
    buf_clear(&out);
}
END_TEST

SUITE_MAIN("content", messages_end_where_everybody_agrees, a_chunk_that_ends_inside_a_line_is_not_complete)
