/* SPDX-License-Identifier: ISC */
/* base64 and quoted-printable: what goes in comes out again, however it is cut. */
#include "unit/suite.h"

#include <string.h>

#include "base/buf.h"
#include "mail/base64.h"
#include "mail/qp.h"

static void
take(void *ctx, struct slice s)
{
    buf_add_slice(ctx, s);
}

static void
encode_qp(struct slice in, size_t step, struct buf *out)
{
    struct qp_encoder e;

    buf_reset(out);
    qp_encoder_init(&e, take, out);
    for (; in.len; in = slice_from(in, step))
        qp_encoder_push(&e, slice_sub(in, 0, step));
    qp_encoder_end(&e);
}

static void
decode_qp(struct slice in, size_t step, struct buf *out)
{
    struct qp_decoder d;

    buf_reset(out);
    qp_decoder_init(&d, take, out);
    for (; in.len; in = slice_from(in, step))
        qp_decoder_push(&d, slice_sub(in, 0, step));
    qp_decoder_end(&d);
}

static void
encode_base64(struct slice in, size_t step, struct buf *out)
{
    struct base64_encoder e;

    buf_reset(out);
    base64_encoder_init(&e, take, out);
    for (; in.len; in = slice_from(in, step))
        base64_encoder_push(&e, slice_sub(in, 0, step));
    base64_encoder_end(&e);
}

static void
decode_base64(struct slice in, size_t step, struct buf *out)
{
    struct base64_decoder d;

    buf_reset(out);
    base64_decoder_init(&d, take, out);
    for (; in.len; in = slice_from(in, step))
        base64_decoder_push(&d, slice_sub(in, 0, step));
}

/* No line is longer, and CR and LF come together only */
static bool
text_lines_fit(struct slice s, size_t max)
{
    size_t line = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\r') {
            if (i + 1 == s.len || s.p[i + 1] != '\n')
                return false;
            i++;
            line = 0;
        } else if (s.p[i] == '\n' || (unsigned char)s.p[i] > 126 || ++line > max) {
            return false;
        }
    }
    return true;
}

#define A75 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *text, *encoded;
} qp[] = {
    { "", "" },
    { "plain\r\n", "plain\r\n" },
    { "a=b\r\n", "a=3Db\r\n" },
    { "gr\xc3\xbc\xc3\x9f", "gr=C3=BC=C3=9F" },
    { "blank \r\ntab\t\r\n", "blank=20\r\ntab=09\r\n" },
    { "end ", "end=20" },
    { " a \t b", " a \t b" },
    { "\r\n\r\n", "\r\n\r\n" },
    { "a\rb\nc\r", "a=0Db=0Ac=0D" },
    { A75, A75 },
    { A75 "b", A75 "=\r\nb" },
    { A75 "-b", A75 "=\r\n=2Db" },
    { "-- \r\n--b\r\n", "--=20\r\n--b\r\n" },
};

START_TEST(text_becomes_quoted_printable_and_comes_back)
{
    struct buf out, back;

    buf_init(&out, 10000);
    buf_init(&back, 10000);
    for (size_t i = 0; i < sizeof qp / sizeof qp[0]; i++)
        for (size_t step = 1; step < 5; step++) {
            encode_qp(slice_of(qp[i].text), step, &out);
            ck_assert_slice(buf_slice(&out), qp[i].encoded);
            decode_qp(buf_slice(&out), step, &back);
            ck_assert_slice(buf_slice(&back), qp[i].text);
        }
    buf_clear(&out);
    buf_clear(&back);
}
END_TEST

START_TEST(quoted_printable_of_others_is_read_leniently)
{
    static const char *const cases[][2] = {
        { "a=\r\nb", "ab" },
        { "a= \t\r\nb", "ab" },
        { "a \r\nb", "a\r\nb" },
        { "=c3=Bc", "\xc3\xbc" },
        { "=ZZ", "=ZZ" },
        { "=4", "=4" },
        { "=4Z", "=4Z" },
        { "==41", "=A" },
        { "100% = all", "100% = all" },
        { "a=", "a" },
        { "=4\r\n", "=4\r\n" },
        { "=\rb", "=\rb" },
        { "=4 x", "=4 x" },
    };
    struct buf out;

    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step < 4; step++) {
            decode_qp(slice_of(cases[i][0]), step, &out);
            ck_assert_slice(buf_slice(&out), cases[i][1]);
        }
    buf_clear(&out);
}
END_TEST

START_TEST(every_byte_survives_quoted_printable_and_base64)
{
    char all[3000] = { 0 };
    struct slice in = slice_make(all, sizeof all);
    struct buf out, back;

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i * 7 + i / 256);
    buf_init(&out, 20000);
    buf_init(&back, 20000);
    for (size_t step = 1; step < 3000; step = step * 3 + 1) {
        encode_qp(in, step, &out);
        ck_assert(text_lines_fit(buf_slice(&out), 76));
        decode_qp(buf_slice(&out), step, &back);
        ck_assert(slice_eq(buf_slice(&back), in));
        encode_base64(in, step, &out);
        ck_assert(text_lines_fit(buf_slice(&out), 76));
        decode_base64(buf_slice(&out), step, &back);
        ck_assert(slice_eq(buf_slice(&back), in));
    }
    buf_clear(&out);
    buf_clear(&back);
}
END_TEST

START_TEST(base64_is_as_rfc_4648_says)
{
    static const char *const cases[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" } };
    struct buf out;

    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        buf_reset(&out);
        base64_add(&out, slice_of(cases[i][0]));
        ck_assert_slice(buf_slice(&out), cases[i][1]);
        encode_base64(slice_of(cases[i][0]), 1, &out);
        ck_assert_slice(buf_slice(&out), cases[i][1]);
        decode_base64(slice_of(cases[i][1]), 1, &out);
        ck_assert_slice(buf_slice(&out), cases[i][0]);
    }
    decode_base64(slice_of("Z m\r\n9\xff*v\r\nYg==Zg=="), 3, &out);
    ck_assert_slice(buf_slice(&out), "foobf");
    buf_clear(&out);
}
END_TEST

START_TEST(base64_in_one_long_line_is_wrapped_and_decodes_to_the_same)
{
    struct base64_wrap w;
    struct buf out, back;
    char in[5000];

    buf_init(&out, 20000);
    buf_init(&back, 20000);
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = i % 977 == 3 ? '\xfe' : 'A';
    base64_wrap_init(&w, take, &out);
    base64_wrap_push(&w, slice_make(in, 1234));
    base64_wrap_push(&w, slice_make(in + 1234, sizeof in - 1234));
    ck_assert(text_lines_fit(buf_slice(&out), 76));
    decode_base64(slice_make(in, sizeof in), 100, &back);
    struct buf other;
    buf_init(&other, 20000);
    decode_base64(buf_slice(&out), 100, &other);
    ck_assert(slice_eq(buf_slice(&back), buf_slice(&other)));
    buf_clear(&out);
    buf_clear(&back);
    buf_clear(&other);
}
END_TEST

SUITE_MAIN("encode", text_becomes_quoted_printable_and_comes_back,
    quoted_printable_of_others_is_read_leniently, every_byte_survives_quoted_printable_and_base64,
    base64_is_as_rfc_4648_says, base64_in_one_long_line_is_wrapped_and_decodes_to_the_same)
