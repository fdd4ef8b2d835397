/* SPDX-License-Identifier: ISC */
/* body: only CRLF goes out, whatever comes in and however it is cut. */
#include "unit/suite.h"

#include <string.h>

#include "base/buf.h"
#include "mail/body.h"

static void
take(void *ctx, struct slice s)
{
    ck_assert_uint_gt(s.len, 0);
    buf_add_slice(ctx, s);
}

static struct body
normalise(const char *in, unsigned flags, size_t step, struct buf *out)
{
    struct slice rest = slice_of(in);
    struct body b;

    buf_reset(out);
    body_init(&b, flags, take, out);
    for (; rest.len; rest = slice_from(rest, step))
        body_push(&b, slice_sub(rest, 0, step));
    body_end(&b);
    return b;
}

static const struct {
    const char *in;
    unsigned flags;
    const char *out;
    bool dot;
} cases[] = {
    { "", 0, "", false },
    { "a", 0, "a\r\n", false },
    { "a\nb\r\nc\rd\r\r\ne", 0, "a\r\nb\r\nc\r\nd\r\ne\r\n", false },
    { "\n\n", 0, "\r\n\r\n", false },
    { "\r", 0, "\r\n", false },
    { "\r\r", 0, "\r\n\r\n", false },
    { "\r\r\n", 0, "\r\n", false },
    { "\r\r\r\n", 0, "\r\n\r\n", false },
    { "\r\r\ra", 0, "\r\n\r\n\r\na\r\n", false },
    { "\r\n\r\n", 0, "\r\n\r\n", false },
    { "\n\r\n\ra", 0, "\r\n\r\n\r\na\r\n", false },
    { "a\n.\nb\n", 0, "a\r\n.\r\nb\r\n", false },
    { "..a\n", 0, "..a\r\n", false },
    { "a\n.\nb\n", BODY_DOT, "a\r\n", true },
    { "a\r\n.\r\nb\n", BODY_DOT, "a\r\n", true },
    { "a\r.\rb\n", BODY_DOT, "a\r\n", true },
    { ".", BODY_DOT, "", true },
    { ".\n", BODY_DOT, "", true },
    { "a\n.", BODY_DOT, "a\r\n", true },
    { "..\n.x\n...y\na.\n. \n", BODY_DOT, ".\r\n.x\r\n..y\r\na.\r\n. \r\n", false },
    { "\r.x", BODY_DOT, "\r\n.x\r\n", false },
    { "\r\r\n..", BODY_DOT, "\r\n.\r\n", false },
    { "a..\nb\n", BODY_DOT, "a..\r\nb\r\n", false },
};

START_TEST(every_line_end_becomes_crlf_however_the_input_is_cut)
{
    struct buf out;

    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t step = 1; step <= strlen(cases[i].in) + 1; step++) {
            struct body b = normalise(cases[i].in, cases[i].flags, step, &out);
            ck_assert_str_eq(buf_str(&out), cases[i].out);
            ck_assert_msg(b.ended_by_dot == cases[i].dot, "%zu", i);
            ck_assert_uint_eq(b.octets, out.len);
        }
    }
    buf_clear(&out);
}
END_TEST

START_TEST(what_went_out_is_counted)
{
    struct body b;
    struct buf out;

    buf_init(&out, 1000);
    b = normalise("abc\nabcde\r\n\n\nx", 0, 3, &out);
    ck_assert_uint_eq(b.lines, 5);
    ck_assert_uint_eq(b.longest, 5);
    ck_assert_uint_eq(b.octets, out.len);
    ck_assert(!b.has_8bit && !b.has_nul && !b.has_bare_cr);
    ck_assert(normalise("a\rb", 0, 1, &out).has_bare_cr);
    ck_assert(normalise("a\r", 0, 1, &out).has_bare_cr);
    ck_assert(normalise("a\r\r\r\n", 0, 1, &out).has_bare_cr);
    ck_assert(!normalise("a\r\r\n", 0, 1, &out).has_bare_cr);
    ck_assert(normalise("\xff", 0, 1, &out).has_8bit);
    body_init(&b, 0, take, &out);
    body_push(&b, slice_make("a\0", 2));
    ck_assert(b.has_nul && b.line_len == 2);
    b = normalise("x\n.\n\xff long line behind it", BODY_DOT, 100, &out);
    ck_assert(!b.has_8bit && b.lines == 1 && b.longest == 1);
    buf_clear(&out);
}
END_TEST

START_TEST(lines_that_begin_with_a_dot_get_another_however_the_input_is_cut)
{
    static const struct {
        const char *in, *out;
    } table[] = {
        { "", ".\r\n" },
        { "a\r\n", "a\r\n.\r\n" },
        { "a", "a\r\n.\r\n" },
        { ".\r\n", "..\r\n.\r\n" },
        { "..\r\n.a\r\nb.c\r\n.", "...\r\n..a\r\nb.c\r\n..\r\n.\r\n" },
        { "\r\n.\r\n", "\r\n..\r\n.\r\n" },
    };
    struct buf out;

    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        for (size_t step = 1; step <= strlen(table[i].in) + 1; step++) {
            struct slice rest = slice_of(table[i].in);
            struct body_stuff b;
            buf_reset(&out);
            body_stuff_init(&b, take, &out);
            for (; rest.len; rest = slice_from(rest, step))
                body_stuff_push(&b, slice_sub(rest, 0, step));
            body_stuff_end(&b);
            ck_assert_str_eq(buf_str(&out), table[i].out);
        }
    }
    buf_clear(&out);
}
END_TEST

SUITE_MAIN("body", every_line_end_becomes_crlf_however_the_input_is_cut, what_went_out_is_counted,
    lines_that_begin_with_a_dot_get_another_however_the_input_is_cut)
