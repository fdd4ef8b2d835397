/* SPDX-License-Identifier: ISC */
/* address: what is an address, and what is refused by name. */
#include "unit/suite.h"

#include <string.h>

#include "mail/address.h"

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* As a path, RFC 5321 4.1.2 */
static void
add_path(struct buf *out, const struct address *a)
{
    buf_add_char(out, '<');
    address_format(out, a);
    buf_add_char(out, '>');
}

static const struct {
    const char *in;
    unsigned flags;
    const char *want; /* as a path */
} good[] = {
    { "bob@example.net", 0, "<bob@example.net>" },
    { "root", 0, "<root>" },
    { "-froot@example.net", 0, "<-froot@example.net>" },
    { "<bob@example.net>", 0, "<bob@example.net>" },
    { "<@a.example,@b.example:bob@example.net>", 0, "<bob@example.net>" },
    { "", ADDRESS_NULL, "<>" },
    { "<>", ADDRESS_NULL, "<>" },
    { " <> ", ADDRESS_NULL | ADDRESS_MAILBOX, "<>" },
    { "a..b@x.example", 0, "<\"a..b\"@x.example>" },
    { ".a@x.example", 0, "<\".a\"@x.example>" },
    { "a.@x.example", 0, "<\"a.\"@x.example>" },
    { "\"a b\"@x.example", 0, "<\"a b\"@x.example>" },
    { "\"bob\"@x.example", 0, "<bob@x.example>" },
    { "\"a\".b.\"c\"@x", 0, "<a.b.c@x>" },
    { "\"a@b\"@x", 0, "<\"a@b\"@x>" },
    { "\"a\\\"b\\\\c\\d\"@x", 0, "<\"a\\\"b\\\\cd\"@x>" },
    { "<\"a>b\"@x>", 0, "<\"a>b\"@x>" },
    { "bob@[192.0.2.1]", 0, "<bob@[192.0.2.1]>" },
    { "bob@[IPv6:2001:db8::1]", 0, "<bob@[IPv6:2001:db8::1]>" },
    { "bob@[X-tag:some]", 0, "<bob@[X-tag:some]>" },
    { "bob@example.net.", 0, "<bob@example.net>" },
    { "bob@_dmarc.my_host", 0, "<bob@_dmarc.my_host>" },
    { "gr\xc3\xbc\xc3\x9f@b\xc3\xbc"
      "cher.example",
        0,
        "<gr\xc3\xbc\xc3\x9f@b\xc3\xbc"
        "cher.example>" },
    { "o'brien+tag{x}|%y!z@x", 0, "<o'brien+tag{x}|%y!z@x>" },
    { "Bob <bob@x>", ADDRESS_MAILBOX, "<bob@x>" },
    { "\"Bob, <the>\" (a (nested) \\) one) <bob@x> (c)", ADDRESS_MAILBOX, "<bob@x>" },
    { "bob@x (Bob, B.)", ADDRESS_MAILBOX, "<bob@x>" },
    { "(c)\troot ", ADDRESS_MAILBOX, "<root>" },
    { "bob@x <bob@y>", ADDRESS_MAILBOX, "<bob@y>" },
    { "Z\xfcrich <bob@y>", ADDRESS_MAILBOX, "<bob@y>" },
    { "Bob < bob@x >", ADDRESS_MAILBOX, "<bob@x>" },
    { X63 "x@x", 0, "<" X63 "x@x>" },
};

static const struct {
    const char *in;
    size_t len;
    unsigned flags;
    const char *why;
} bad[] = {
    { "bob@x\r\nRCPT TO:<eve@x>", 0, 0, "control" },
    { "bob\n@x", 0, 0, "control" },
    { "bob@x\n", 0, ADDRESS_MAILBOX, "control" },
    { "Bob\n <bob@x>", 0, ADDRESS_MAILBOX, "control" },
    { "b\0b@x", 5, 0, "control" },
    { "b\0b@x", 5, ADDRESS_MAILBOX, "control" },
    { "\"b\tb\"@x", 0, 0, "control" },
    { "b\x7f@x", 0, 0, "control" },
    { "b\xc2\x85@x", 0, 0, "control" },
    { "b\xff@x", 0, 0, "UTF-8" },
    { "b\xc0\xaf@x", 0, 0, "UTF-8" },
    { "b@\xed\xa0\x80", 0, 0, "UTF-8" },
    { "\"bob@x", 0, 0, "quotes" },
    { "\"bob\\", 0, 0, "quotes" },
    { "\"bob@x", 0, ADDRESS_MAILBOX, "quotes" },
    { "a\"b\"@x", 0, 0, "quote" },
    { "\"a\"b@x", 0, 0, "quoted string" },
    { "<bob@x", 0, 0, "brackets" },
    { "bob@x>", 0, 0, "bracket" },
    { "<bob@x>>", 0, 0, "text behind" },
    { "<bob@x> y", 0, ADDRESS_MAILBOX, "text behind" },
    { "<bob@x> <a@y>", 0, ADDRESS_MAILBOX, "text behind" },
    { "(bob@x", 0, ADDRESS_MAILBOX, "brackets" },
    { "Bob <bob@x", 0, ADDRESS_MAILBOX, "brackets" },
    { "bob@[1.2.3.4", 0, 0, "brackets" },
    { "bob@[]", 0, 0, "literal" },
    { "bob@[1.2.3]", 0, 0, "literal" },
    { "bob@[IPv6:1.2.3.4]", 0, 0, "literal" },
    { "bob@[IPv6:]", 0, 0, "literal" },
    { "", 0, 0, "empty" },
    { "<>", 0, 0, "empty" },
    { "Bob <>", 0, ADDRESS_MAILBOX, "empty" },
    { "@example.net", 0, 0, "local part is empty" },
    { "\"\"@example.net", 0, 0, "local part is empty" },
    { "<@a:@b>", 0, 0, "local part is empty" },
    { "<@a>", 0, 0, "route" },
    { "<@a,b:c@d>", 0, 0, "route" },
    { "bob@", 0, 0, "domain is empty" },
    { "bob@.", 0, 0, "domain is empty" },
    { "bob@a..b", 0, 0, "label" },
    { "bob@.a", 0, 0, "label" },
    { "bob@a..", 0, 0, "label" },
    { "bob@a@b", 0, 0, "more than one '@'" },
    { "bob smith@x", 0, 0, "blank" },
    { "bob smith@x", 0, ADDRESS_MAILBOX, "blank" },
    { "bob@x y", 0, 0, "blank" },
    { "bob@x/y", 0, 0, "bad character" },
    { "a,b@x", 0, 0, "quotes" },
    { "a@x,b@x", 0, ADDRESS_MAILBOX, "more than one address" },
    { "A <a@x>, B <b@x>", 0, ADDRESS_MAILBOX, "text behind" },
    { "a\\b@x", 0, 0, "quotes" },
    { X63 "xx@x", 0, 0, "64" },
    { "bob@" X63 "x.example", 0, 0, "63" },
    { "bob@" X63 "." X63 "." X63 "." X63, 0, 0, "254" },
    { "bob@" X63 "." X63 "." X63 "." X63 ".x", 0, 0, "255" },
};

START_TEST(good_addresses_are_read_and_written_as_rfc_5321_wants_them)
{
    struct error err;
    struct address a, again;
    struct buf out;

    buf_init(&out, 10000);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        buf_reset(&out);
        error_init(&err);
        ck_assert_msg(
            address_parse(slice_of(good[i].in), good[i].flags, &a, &err), "%s: %s", good[i].in, err.text);
        add_path(&out, &a);
        ck_assert_str_eq(buf_str(&out), good[i].want);
        ck_assert(address_parse(slice_of(good[i].want), ADDRESS_NULL, &again, &err));
        buf_reset(&out);
        add_path(&out, &again);
        ck_assert_str_eq(buf_str(&out), good[i].want);
    }
    buf_clear(&out);
}
END_TEST

START_TEST(bad_addresses_are_refused_with_a_reason)
{
    struct error err;
    struct address a;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct slice in = slice_make(bad[i].in, bad[i].len ? bad[i].len : strlen(bad[i].in));
        error_init(&err);
        ck_assert_msg(!address_parse(in, bad[i].flags, &a, &err), "accepted: %s", bad[i].in);
        ck_assert_int_eq(err.class, ERROR_DATA);
        ck_assert_msg(strstr(err.text, bad[i].why) != NULL, "%s: %s", bad[i].in, err.text);
        ck_assert_ptr_null(strpbrk(err.text, "\r\n"));
    }
}
END_TEST

START_TEST(an_address_tells_what_it_needs)
{
    struct error err;
    struct address a;

    ck_assert(address_parse(slice_of("\"a b\"@[192.0.2.1]"), 0, &a, &err));
    ck_assert(a.is_quoted && a.is_literal && a.has_domain && !a.is_utf8_local && !a.is_utf8_domain);
    ck_assert(address_parse(slice_of("bob@b\xc3\xbc"
                                     "cher"),
        0, &a, &err));
    ck_assert(!a.is_utf8_local && a.is_utf8_domain && !a.is_quoted);
    ck_assert(address_parse(slice_of("b\xc3\xbc@x"), 0, &a, &err));
    ck_assert(a.is_utf8_local && !a.is_utf8_domain);
    ck_assert(address_parse(slice_of("root"), 0, &a, &err));
    ck_assert(!a.has_domain && !a.is_null);
}
END_TEST

START_TEST(a_path_ends_at_its_own_bracket)
{
    ck_assert_uint_eq(address_path_length(slice_of("<a@b> SIZE=1")), 5);
    ck_assert_uint_eq(address_path_length(slice_of("<\"a>\\\"b\"@b> X")), 11);
    ck_assert_uint_eq(address_path_length(slice_of("<>")), 2);
    ck_assert_uint_eq(address_path_length(slice_of("<a@b")), 0);
    ck_assert_uint_eq(address_path_length(slice_of("<\"a>")), 0);
    ck_assert_uint_eq(address_path_length(slice_of("a@b>")), 0);
    ck_assert_uint_eq(address_path_length(slice_of("")), 0);
}
END_TEST

START_TEST(the_local_part_means_what_is_inside_its_quotes)
{
    struct error err;
    struct address a;
    struct buf out;

    buf_init(&out, 100);
    ck_assert(address_parse(slice_of("\"a\\\"b c\".d@x"), 0, &a, &err));
    address_add_local(&out, &a);
    ck_assert_str_eq(buf_str(&out), "a\"b c.d");
    buf_clear(&out);
}
END_TEST

SUITE_MAIN("address", good_addresses_are_read_and_written_as_rfc_5321_wants_them,
    bad_addresses_are_refused_with_a_reason, an_address_tells_what_it_needs, a_path_ends_at_its_own_bracket,
    the_local_part_means_what_is_inside_its_quotes)
