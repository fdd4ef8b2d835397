/* SPDX-License-Identifier: ISC */
/* mx: who is asked first, who never, and what a name server's silence does not mean. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/mx.h"

#define DOMAIN "example.org"

struct zone {
    struct buf b;
};

static void
put16(struct zone *z, unsigned v)
{
    buf_add_char(&z->b, (char)(v >> 8));
    buf_add_char(&z->b, (char)v);
}

static void
put_name(struct buf *b, const char *name)
{
    struct slice rest = slice_of(name), label;

    while (slice_cut(&rest, '.', &label)) {
        buf_add_char(b, (char)label.len);
        buf_add_slice(b, label);
    }
    buf_add_char(b, 0);
}

/* "10 mx1.example.net" after each other: the answer about DOMAIN; "10 ." is the root */
static void
make(struct zone *z, unsigned rcode, const char *records)
{
    struct slice rest = slice_of(records), one;

    buf_init(&z->b, 1u << 16);
    put16(z, 0x1234);
    put16(z, 0x8180 | rcode);
    for (int i = 0; i < 4; i++)
        put16(z, i == 0);
    put_name(&z->b, DOMAIN);
    put16(z, ANSWER_MX);
    put16(z, 1);
    while (slice_cut(&rest, ',', &one)) {
        char host[100];
        unsigned preference;
        size_t at;
        char *copy = slice_dup(one);
        ck_assert_int_eq(sscanf(copy, "%u %99s", &preference, host), 2);
        free(copy);
        put16(z, 0xC00C);
        put16(z, ANSWER_MX);
        put16(z, 1);
        put16(z, 0);
        put16(z, 60);
        at = z->b.len;
        put16(z, 0);
        put16(z, preference);
        put_name(&z->b, strcmp(host, ".") == 0 ? "" : host);
        z->b.data[at + 1] = (char)(z->b.len - at - 2);
        z->b.data[7]++;
    }
}

static enum mx_outcome
read_answer(unsigned rcode, const char *records, struct mx_list *list)
{
    char own_name[] = "self.example.net";
    char *const own[] = { own_name };
    struct mx_options o = { .own = own, .nown = 1 };
    enum mx_outcome outcome;
    struct error err;
    struct zone z;

    error_init(&err);
    make(&z, rcode, records);
    outcome = mx_read(buf_slice(&z.b), DOMAIN, &o, list, &err);
    ck_assert_int_eq(outcome == MX_FOUND, err.class == ERROR_NONE);
    ck_assert_int_eq(outcome == MX_UNKNOWN, err.class == ERROR_TEMP);
    ck_assert_int_eq(outcome == MX_FOUND, list->n > 0);
    buf_clear(&z.b);
    return outcome;
}

static const struct {
    const char *records, *hosts; /* as they are to be tried */
    enum mx_outcome outcome;
} orders[] = {
    { "20 b.x,10 a.x,30 c.x", "a.x b.x c.x ", MX_FOUND },
    { "", DOMAIN " ", MX_FOUND },
    { "0 .", "", MX_NULL },
    { "0 .,10 a.x", "a.x ", MX_FOUND },
    { "10 a.x,20 Self.Example.NET,30 b.x", "a.x ", MX_FOUND },
    { "20 a.x,20 self.example.net,10 c.x", "c.x ", MX_FOUND },
    { "10 a!b.x", "", MX_UNKNOWN }, /* whatever that is, it is not the domain's own address */
    { "10 a!b.x,20 a.x", "a.x ", MX_FOUND },
    { "10 self.example.net,20 a.x", "", MX_LOOP },
    { "10 a.x,10 self.example.net", "", MX_LOOP },
};

START_TEST(hosts_come_by_preference_and_nobody_behind_ourselves)
{
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        struct mx_list list;
        struct buf hosts;
        enum mx_outcome outcome = read_answer(0, orders[i].records, &list);

        buf_init(&hosts, 1000);
        for (size_t k = 0; k < list.n; k++)
            buf_add_format(&hosts, "%s ", list.host[k].name);
        ck_assert_msg(outcome == orders[i].outcome && strcmp(buf_str(&hosts), orders[i].hosts) == 0,
            "%s: %d, %s", orders[i].records, (int)outcome, buf_str(&hosts));
        ck_assert_int_eq(list.is_implicit, !*orders[i].records);
        buf_clear(&hosts);
    }
}
END_TEST

START_TEST(equal_ones_are_tried_in_any_order)
{
    bool first[2] = { false, false };

    /* each order has come with all but one chance in 2^199 */
    for (int i = 0; i < 200; i++) {
        struct mx_list list;
        ck_assert_int_eq(read_answer(0, "10 a.x,10 b.x,20 c.x", &list), MX_FOUND);
        ck_assert_uint_eq(list.n, 3);
        ck_assert_str_eq(list.host[2].name, "c.x");
        first[list.host[0].name[0] == 'b'] = true;
    }
    ck_assert(first[0] && first[1]);
}
END_TEST

/* A hundred records, the preferred ones last; ourselves among equals of which some do not fit */
START_TEST(of_too_many_hosts_the_preferred_ones_are_kept)
{
    struct buf records;
    struct mx_list list;

    buf_init(&records, 10000);
    for (int i = 0; i < 99; i++)
        buf_add_format(&records, "%d h%d.x,", 200 - i, i);
    buf_add_str(&records, "1 best.x");
    ck_assert_int_eq(read_answer(0, buf_str(&records), &list), MX_FOUND);
    ck_assert_uint_eq(list.n, MX_MAX);
    ck_assert_str_eq(list.host[0].name, "best.x");
    ck_assert_str_eq(list.host[1].name, "h98.x");
    ck_assert_str_eq(list.host[MX_MAX - 1].name, "h36.x");
    for (int tries = 0; tries < 20; tries++) {
        buf_reset(&records);
        buf_add_str(&records, "10 self.example.net");
        for (int i = 0; i < 99; i++)
            buf_add_format(&records, ",10 h%d.x", i);
        ck_assert_int_eq(read_answer(0, buf_str(&records), &list), MX_LOOP);
    }
    buf_clear(&records);
}
END_TEST

START_TEST(only_a_name_server_that_says_so_makes_a_domain_not_exist)
{
    for (unsigned rcode = 1; rcode < 16; rcode++) {
        struct mx_list list;
        ck_assert_int_eq(read_answer(rcode, "", &list), rcode == 3 ? MX_NO_DOMAIN : MX_UNKNOWN);
    }
}
END_TEST

static const struct {
    const char *domain, *host; /* NULL: none */
} literals[] = {
    { "[192.0.2.1]", "192.0.2.1" },
    { "[IPv6:2001:db8::1]", "2001:db8::1" },
    { "[ipv6:2001:db8::1]", "2001:db8::1" },
    { "[192.0.2]", NULL },
    { "[x]", NULL },
    { "[IPv6:]", NULL },
};

START_TEST(a_literal_is_no_question_to_a_name_server)
{
    struct mx_options o = { .servers = "127.0.0.1:1" };

    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++) {
        struct mx_list list;
        struct error err;
        enum mx_outcome outcome = mx_find(literals[i].domain, &o, 0, &list, &err);
        ck_assert_int_eq(outcome, literals[i].host ? MX_FOUND : MX_NO_DOMAIN);
        if (literals[i].host)
            ck_assert_str_eq(list.host[0].name, literals[i].host);
    }
}
END_TEST

SUITE_MAIN("mx", hosts_come_by_preference_and_nobody_behind_ourselves, equal_ones_are_tried_in_any_order,
    of_too_many_hosts_the_preferred_ones_are_kept, only_a_name_server_that_says_so_makes_a_domain_not_exist,
    a_literal_is_no_question_to_a_name_server)
