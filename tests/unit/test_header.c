/* SPDX-License-Identifier: ISC */
/* header: fields are told from what is none, however the input is cut. */
#include "unit/suite.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/header.h"

/* `name=value;` for each field, as it would go out */
static void
take(void *ctx, enum header_event event, struct slice s)
{
    struct buf *out = ctx;

    buf_add_slice(out, s);
    if (event == HEADER_FIELD)
        buf_add_char(out, '=');
    else if (event == HEADER_FIELD_END)
        buf_add_char(out, ';');
}

static const struct {
    const char *in, *fields;
    enum header_state state;
    const char *body; /* what header_rest() and the bytes not taken make up */
} cases[] = {
    { "A: b\nC: d\n\nbody\n", "A= b;C= d;", HEADER_BLANK_LINE, "body\n" },
    { "A: b\r\nC: d\r\n\r\nbody", "A= b;C= d;", HEADER_BLANK_LINE, "body" },
    { "A: b\r\nC: d\n\r\nbody", "A= b;C= d;", HEADER_BLANK_LINE, "body" },
    { "A: b\r\r\nC: d\r\r\n\r\r\nbody", "A= b;C= d;", HEADER_BLANK_LINE, "body" },
    { "A:b\n c\n\td\nE:\n f\n\n", "A=b\r\n c\r\n\td;E=\r\n f;", HEADER_BLANK_LINE, "" },
    { "A:b\n \nC:d\n\n", "A=b\r\n ;C=d;", HEADER_BLANK_LINE, "" },
    { "A: b", "A= b;", HEADER_EOF, "" },
    { "A: b\n", "A= b;", HEADER_EOF, "" },
    { "A: b\r", "A= b;", HEADER_EOF, "" },
    { "A:", "A=;", HEADER_EOF, "" },
    { "", "", HEADER_EOF, "" },
    { "\nbody", "", HEADER_BLANK_LINE, "body" },
    { "\r\nbody", "", HEADER_BLANK_LINE, "body" },
    { "Subject : odd\n\n", "Subject = odd;", HEADER_BLANK_LINE, "" },
    { "hello world\nA: b\n", "", HEADER_NO_FIELD, "hello world\nA: b\n" },
    { "hello", "", HEADER_NO_FIELD, "hello" },
    { ": x\n", "", HEADER_NO_FIELD, ": x\n" },
    { " A: b\n", "", HEADER_NO_FIELD, " A: b\n" },
    { "\rA: b\n", "", HEADER_NO_FIELD, "\rA: b\n" },
    { "\r\r\rA: b\n", "", HEADER_NO_FIELD, "\r\r\rA: b\n" },
    { "A\xc3\xa4: b\n", "", HEADER_NO_FIELD, "A\xc3\xa4: b\n" },
    { "A: b\nhello\nC: d\n", "A= b;", HEADER_NO_FIELD, "hello\nC: d\n" },
    { "A: b\nhello\r\n", "A= b;", HEADER_NO_FIELD, "hello\r\n" },
    { "A: b\nhello there: you\n", "A= b;", HEADER_NO_FIELD, "hello there: you\n" },
    { "A: b\n.\n", "A= b;", HEADER_NO_FIELD, ".\n" },
    { "A: b\rc\r\n d\n\n", "A= b c\r\n d;", HEADER_BLANK_LINE, "" },
    { "A: b\n\rc\n\n", "A= b\r\n c;", HEADER_BLANK_LINE, "" },
    { "A: b\n\r\r\r", "A= b\r\n  ;", HEADER_EOF, "" },
    { "A: b\r\r\rc\n\n", "A= b   c;", HEADER_BLANK_LINE, "" },
    { "From alice Mon Jan  1 10:00:00 2026\nA: b\n\n", "A= b;", HEADER_BLANK_LINE, "" },
    { ">From alice Mon Jan  1 10:00:00 2026\r\nA: b\n\n", "A= b;", HEADER_BLANK_LINE, "" },
    { "From alice", "", HEADER_EOF, "" },
    { "From : alice\n\n", "From = alice;", HEADER_BLANK_LINE, "" },
    { "A: b\nFrom alice 10:00\n", "A= b;", HEADER_NO_FIELD, "From alice 10:00\n" },
    { "From\n", "", HEADER_NO_FIELD, "From\n" },
    { "From\talice, with a tab\nA: b\n", "", HEADER_NO_FIELD, "From\talice, with a tab\nA: b\n" },
};

START_TEST(fields_come_out_however_the_input_is_cut)
{
    struct header h;
    struct buf out, body;

    buf_init(&out, 10000);
    buf_init(&body, 10000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t step = 1; step <= strlen(cases[i].in) + 1; step++) {
            struct slice rest = slice_of(cases[i].in);
            buf_reset(&out);
            buf_reset(&body);
            header_init(&h, take, &out);
            while (rest.len && h.state == HEADER_OPEN)
                rest = slice_from(rest, header_push(&h, slice_sub(rest, 0, step)));
            header_end(&h);
            buf_add_slice(&body, header_rest(&h));
            buf_add_slice(&body, rest);
            ck_assert_str_eq(buf_str(&out), cases[i].fields);
            ck_assert_msg(h.state == cases[i].state, "%s: %d", cases[i].in, (int)h.state);
            ck_assert_str_eq(buf_str(&body), cases[i].body);
        }
    }
    buf_clear(&out);
    buf_clear(&body);
}
END_TEST

START_TEST(what_is_in_the_header_is_noted)
{
    struct header h;
    struct buf out;

    buf_init(&out, 1000);
    header_init(&h, take, &out);
    ck_assert_uint_eq(header_push(&h, slice_make("A: b\0c\n\nx", 9)), 8);
    ck_assert(h.has_nul && !h.has_8bit && !h.has_mbox_line && h.fields == 1);
    header_init(&h, take, &out);
    header_push(&h, slice_of("From x\nA: \xff\n\n\xff"));
    ck_assert(!h.has_nul && h.has_8bit && h.has_mbox_line && h.fields == 1);
    header_init(&h, take, &out);
    header_push(&h, slice_make("A: b\n\n\0", 7));
    ck_assert(!h.has_nul);
    buf_clear(&out);
}
END_TEST

START_TEST(a_name_has_a_limit_and_a_value_has_none)
{
    struct header h;
    struct buf out;
    char *text = mem_alloc(1000001);

    memset(text, 'x', 1000000);
    buf_init(&out, 2000000);
    header_init(&h, take, &out);
    ck_assert_uint_eq(header_push(&h, slice_make(text, 1000000)), HEADER_NAME_MAX);
    ck_assert_int_eq(h.state, HEADER_NO_FIELD);
    ck_assert_uint_eq(header_rest(&h).len, HEADER_NAME_MAX);
    header_init(&h, take, &out);
    header_push(&h, slice_make(text, HEADER_NAME_MAX));
    header_push(&h, slice_of(":"));
    header_push(&h, slice_make(text, 1000000));
    header_end(&h);
    ck_assert_int_eq(h.state, HEADER_EOF);
    ck_assert_uint_eq(out.len, HEADER_NAME_MAX + 2 + 1000000);
    buf_clear(&out);
    free(text);
}
END_TEST

START_TEST(field_names_are_known_without_case)
{
    ck_assert_int_eq(header_identify(slice_of("FROM")), HEADER_FROM);
    ck_assert_int_eq(header_identify(slice_of("message-id")), HEADER_MESSAGE_ID);
    ck_assert_int_eq(header_identify(slice_of("Subject \t")), HEADER_SUBJECT);
    ck_assert_int_eq(header_identify(slice_of("resent-bcc")), HEADER_RESENT_BCC);
    ck_assert_int_eq(header_identify(slice_of("Resent-Foo")), HEADER_RESENT_OTHER);
    ck_assert_int_eq(header_identify(slice_of("X-Foo")), HEADER_OTHER);
    ck_assert_int_eq(header_identify(slice_of("")), HEADER_OTHER);
    ck_assert(header_has_addresses(HEADER_RESENT_CC) && header_is_resent(HEADER_RESENT_CC));
    ck_assert(!header_has_addresses(HEADER_SUBJECT) && !header_is_resent(HEADER_FROM));
}
END_TEST

SUITE_MAIN("header", fields_come_out_however_the_input_is_cut, what_is_in_the_header_is_noted,
    a_name_has_a_limit_and_a_value_has_none, field_names_are_known_without_case)
