/* SPDX-License-Identifier: ISC */
/* token: of a JSON Web Token the times are read, of anything else nothing. */
#include "unit/suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/base64.h"
#include "mail/token.h"

static void
add_part(struct buf *out, const char *text)
{
    size_t from = out->len;

    base64_add(out, slice_of(text));
    while (out->len > from && out->data[out->len - 1] == '=')
        buf_truncate(out, out->len - 1);
    for (size_t i = from; i < out->len; i++)
        out->data[i] = out->data[i] == '+' ? '-' : out->data[i] == '/' ? '_' : out->data[i];
}

static char *
token_of(const char *head, const char *claims, const char *rest)
{
    struct buf b;

    buf_init(&b, 100000);
    add_part(&b, head);
    buf_add_char(&b, '.');
    add_part(&b, claims);
    buf_add_str(&b, rest);
    return buf_steal(&b);
}

static const char head[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";

START_TEST(the_times_of_a_token_are_read_wherever_they_stand)
{
    static const struct {
        const char *claims;
        int64_t expires, issued; /* 0: none */
    } cases[] = {
        { "{\"exp\":1900000000}", 1900000000, 0 },
        { "{\"iat\":1899996400,\"exp\":1900000000,\"sub\":\"a\"}", 1900000000, 1899996400 },
        { " { \"aud\" : [ \"x\" , {\"exp\":5} ] , \"n\":{\"exp\":{}}, \"exp\" : 1900000000.75 }\n",
            1900000000, 0 },
        { "{\"s\":\"\\\"exp\\\":7,\\\\\",\"b\":true,\"c\":false,\"d\":null,\"e\":-1.5e+3,\"exp\":4102444800}",
            4102444800, 0 },
        { "{\"t\":\"\xc3\xa9 ?>~\",\"exp\":253402300799}", 253402300799, 0 },
        { "{\"exp\":253402300800}", 0, 0 },
        { "{\"exp\":\"1900000000\"}", 0, 0 },
        { "{\"exp\":-1900000000}", 0, 0 },
        { "{\"exp\":19e8}", 0, 0 },
        { "{\"exp\":01900000000}", 0, 0 },
        { "{\"exp\":1900000000,\"exp\":1}", 0, 0 },
        { "{\"exp\":1900000000", 0, 0 },
        { "{\"exp\":1900000000}}", 0, 0 },
        { "{\"exp\":1900000000,}", 0, 0 },
        { "{exp:1900000000}", 0, 0 },
        { "[1900000000]", 0, 0 },
        { "{\"iat\":1900000000}", 0, 0 },
        { "{}", 0, 0 },
        { "1900000000", 0, 0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *token = token_of(head, cases[i].claims, ".c2lnbmF0dXJl");
        struct token_times t;
        ck_assert_msg(token_read(slice_of(token), &t) == (cases[i].expires > 0), "%s", cases[i].claims);
        ck_assert_int_eq(t.expires_s, cases[i].expires);
        ck_assert_int_eq(t.issued_s, cases[i].issued);
        free(token);
    }
}
END_TEST

START_TEST(what_is_no_token_says_nothing)
{
    static const char *const others[] = { "", ".", "..", "Tr0ub4dor+3x", "ya29.a0AfH6SMBx", "a.b.c",
        "eyJhbGciOiJub25lIn0.eyJleHAiOjE5MDAwMDAwMDB9", "eyJhbGciOiJub25lIn0.eyJleHAiOjE5MDAwMDAwMDB9.a.b",
        "eyJhbGciOiJub25lIn0=.eyJleHAiOjE5MDAwMDAwMDB9.a", "eyJhbGciOiJub25lIn0.eyJleHAiOjE5MDAwMDAwMDB9.a b",
        "bm90IGpzb24.eyJleHAiOjE5MDAwMDAwMDB9.a" };
    struct token_times t;
    char *deep = mem_alloc(5000), *token;

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        ck_assert_msg(!token_read(slice_of(others[i]), &t), "%s", others[i]);
        ck_assert(t.expires_s == 0 && t.issued_s == 0);
    }
    ck_assert(token_read(slice_of("eyJhbGciOiJub25lIn0.eyJleHAiOjE5MDAwMDAwMDB9."), &t)); /* unsigned */
    memset(deep, '[', 4000);
    memcpy(deep, "{\"a\":", 5);
    token = token_of(head, deep, ".c2ln");
    ck_assert(!token_read(slice_of(token), &t));
    free(token);
    free(deep);
}
END_TEST

START_TEST(how_long_is_said_as_people_say_it)
{
    static const struct {
        int64_t left;
        const char *text;
    } cases[] = { { 1, "valid for 1 second" }, { 119, "valid for 119 seconds" },
        { 2580, "valid for 43 minutes" }, { 7200, "valid for 2 hours" }, { 172800, "valid for 2 days" },
        { 0, "expired 0 seconds ago" }, { -3 * 3600, "expired 3 hours ago" } };
    struct token_times hour = { 3600 + 1900000000, 1900000000 }, year = { 31536000 + 1900000000, 1900000000 },
                       unknown = { 1900000000, 0 };
    struct buf b;

    buf_init(&b, 100);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        token_describe(1900000000 + cases[i].left, 1900000000, &b);
        ck_assert_str_eq(buf_str(&b), cases[i].text);
        buf_reset(&b);
    }
    buf_clear(&b);
    ck_assert(token_is_short(&hour) && !token_is_short(&year) && !token_is_short(&unknown));
}
END_TEST

SUITE_MAIN("token", the_times_of_a_token_are_read_wherever_they_stand, what_is_no_token_says_nothing,
    how_long_is_said_as_people_say_it)
