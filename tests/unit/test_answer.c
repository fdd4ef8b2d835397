/* SPDX-License-Identifier: ISC */
/* answer: what is taken out of a DNS message, and what is not. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/answer.h"

#define NAME "mx.example.org"

struct message {
    struct buf b;
    unsigned answers;
};

static void
put16(struct message *m, unsigned v)
{
    buf_add_char(&m->b, (char)(v >> 8));
    buf_add_char(&m->b, (char)v);
}

static void
put_name(struct message *m, const char *name)
{
    struct slice rest = slice_of(name), label;

    while (slice_cut(&rest, '.', &label)) {
        buf_add_char(&m->b, (char)label.len);
        buf_add_slice(&m->b, label);
    }
    buf_add_char(&m->b, 0);
}

static void
begin(struct message *m, unsigned rcode, const char *name, int type)
{
    m->answers = 0;
    buf_init(&m->b, 1u << 20);
    put16(m, 0x1234);
    put16(m, 0x8180 | rcode);
    put16(m, 1);
    put16(m, 0);
    put16(m, 0);
    put16(m, 0);
    put_name(m, name);
    put16(m, (unsigned)type);
    put16(m, 1);
}

/* Owner and data as they stand in the message; a length other than the data's where it is not -1 */
static void
put_record(struct message *m, struct slice owner, int type, struct slice data, int length)
{
    buf_add_slice(&m->b, owner);
    put16(m, (unsigned)type);
    put16(m, 1);
    put16(m, 0);
    put16(m, 60);
    put16(m, length < 0 ? (unsigned)data.len : (unsigned)length);
    buf_add_slice(&m->b, data);
    m->answers++;
    m->b.data[7] = (char)m->answers;
}

#define BYTES(literal) slice_make((literal), sizeof(literal) - 1)
#define QNAME BYTES("\xC0\x0C") /* the name asked for, as a pointer */

struct taken {
    unsigned n;
    char names[200];
};

static void
take(void *ctx, int type, struct answer_data d)
{
    struct taken *t = ctx;
    char name[ANSWER_NAME_SIZE] = "?";
    unsigned skip;

    t->n++;
    if (type == ANSWER_MX && answer_get16(&d, &skip) && !answer_get_name(&d, name))
        memcpy(name, "bad", 4);
    if (type == ANSWER_MX)
        (void)snprintf(t->names + strlen(t->names), sizeof t->names - strlen(t->names), "%s ", name);
}

static bool
walk(struct message *m, int type, struct taken *t)
{
    /* memory that ends where the message does, for sanitizers */
    char *copy = slice_dup(buf_slice(&m->b));
    char *exact = malloc(m->b.len);
    bool ok;

    memcpy(exact, copy, m->b.len);
    memset(t, 0, sizeof *t);
    ok = answer_walk(slice_make(exact, m->b.len), NAME, type, take, t);
    free(exact);
    free(copy);
    buf_clear(&m->b);
    return ok;
}

START_TEST(records_of_the_name_and_type_are_taken)
{
    struct message m;
    struct taken t;

    begin(&m, 0, "MX.Example.org", ANSWER_A);
    put_record(&m, QNAME, ANSWER_A, BYTES("\x7f\0\0\1"), -1);
    put_record(&m, QNAME, ANSWER_AAAA, BYTES("0123456789abcdef"), -1);
    put_record(&m, BYTES("\5other\0"), ANSWER_A, BYTES("\x7f\0\0\1"), -1);
    put_record(&m, BYTES("\2mx\xC0\x0F"), ANSWER_A, BYTES("\x7f\0\0\2"), -1);
    ck_assert(walk(&m, ANSWER_A, &t));
    ck_assert_uint_eq(t.n, 2);
}
END_TEST

START_TEST(cnames_are_followed_in_any_order)
{
    for (int turn = 0; turn < 2; turn++) {
        struct message m;
        struct taken t;

        begin(&m, 0, NAME, ANSWER_A);
        if (turn)
            put_record(&m, BYTES("\1b\0"), ANSWER_A, BYTES("\x7f\0\0\1"), -1);
        put_record(&m, BYTES("\1a\0"), ANSWER_CNAME, BYTES("\1b\0"), -1);
        put_record(&m, QNAME, ANSWER_CNAME, BYTES("\1a\0"), -1);
        if (!turn)
            put_record(&m, BYTES("\1b\0"), ANSWER_A, BYTES("\x7f\0\0\1"), -1);
        ck_assert(walk(&m, ANSWER_A, &t));
        ck_assert_uint_eq(t.n, 1);
    }
}
END_TEST

START_TEST(cnames_in_a_circle_end)
{
    struct message m;
    struct taken t;

    begin(&m, 0, NAME, ANSWER_A);
    put_record(&m, QNAME, ANSWER_CNAME, BYTES("\1a\0"), -1);
    put_record(&m, BYTES("\1a\0"), ANSWER_CNAME, QNAME, -1);
    ck_assert(!walk(&m, ANSWER_A, &t));
    ck_assert_uint_eq(t.n, 0);
}
END_TEST

START_TEST(a_cname_that_leads_nowhere_is_no_address)
{
    struct message m;
    struct taken t;

    begin(&m, 0, NAME, ANSWER_A);
    put_record(&m, QNAME, ANSWER_CNAME, BYTES("\1a\0"), -1);
    ck_assert(walk(&m, ANSWER_A, &t));
    ck_assert_uint_eq(t.n, 0);
}
END_TEST

START_TEST(names_in_data_may_be_compressed_but_not_forwards_or_in_a_circle)
{
    struct message m;
    struct taken t;

    begin(&m, 0, NAME, ANSWER_MX);
    put_record(&m, QNAME, ANSWER_MX, BYTES("\0\1\1a\xC0\x0C"), -1);
    put_record(&m, QNAME, ANSWER_MX, BYTES("\0\1\xC0\xFF"), -1); /* forwards */
    put_record(&m, QNAME, ANSWER_MX, BYTES("\0\1\xC0"), -1);     /* half a pointer */
    put_record(&m, QNAME, ANSWER_MX,
        BYTES("\0\1\x09"
              "abc"),
        -1);
    put_record(&m, QNAME, ANSWER_MX,
        BYTES("\0\1\x40"
              "a\0"),
        -1);
    put_record(&m, QNAME, ANSWER_MX, BYTES("\0\1\3a b\0"), -1);
    put_record(&m, QNAME, ANSWER_MX, BYTES("\0\1\0"), -1);
    put_record(&m, QNAME, ANSWER_MX, BYTES("\0\1"), -1);
    put_record(&m, QNAME, ANSWER_MX, BYTES("\0"), -1);
    ck_assert(walk(&m, ANSWER_MX, &t));
    ck_assert_str_eq(t.names, "a." NAME " bad bad bad bad bad  bad ? ");
}
END_TEST

START_TEST(a_name_that_points_to_itself_ends)
{
    struct message m;
    struct taken t;

    begin(&m, 0, NAME, ANSWER_A);
    put_record(&m, BYTES("\xC0\x20"), ANSWER_A, BYTES("\x7f\0\0\1"), -1); /* 12 + 16 + 4 = 32 */
    ck_assert(!walk(&m, ANSWER_A, &t));
}
END_TEST

START_TEST(a_name_over_255_octets_is_none)
{
    struct message m;
    struct taken t;
    char label[64];

    memset(label, 'a', 63);
    label[0] = 62;
    begin(&m, 0, NAME, ANSWER_A);
    for (int i = 0; i < 5; i++)
        buf_add_slice(&m.b, slice_make(label, 63));
    put_record(&m, BYTES("\0"), ANSWER_A, BYTES("\x7f\0\0\1"), -1);
    ck_assert(!walk(&m, ANSWER_A, &t));
}
END_TEST

START_TEST(an_answer_cut_anywhere_is_none)
{
    struct message m;
    struct taken t;
    size_t whole = 12 + 16 + 4 + 2 + 10 + 4;

    for (size_t cut = 0; cut <= whole; cut++) {
        begin(&m, 0, NAME, ANSWER_A);
        put_record(&m, QNAME, ANSWER_A, BYTES("\x7f\0\0\1"), -1);
        ck_assert_uint_eq(m.b.len, whole);
        buf_truncate(&m.b, cut);
        ck_assert_msg(walk(&m, ANSWER_A, &t) == (cut == whole), "cut at %zu", cut);
    }
}
END_TEST

START_TEST(data_longer_than_the_message_is_refused)
{
    struct message m;
    struct taken t;

    begin(&m, 0, NAME, ANSWER_A);
    put_record(&m, QNAME, ANSWER_A, BYTES("\x7f\0\0\1"), 5);
    ck_assert(!walk(&m, ANSWER_A, &t));
    begin(&m, 0, NAME, ANSWER_A);
    put_record(&m, QNAME, ANSWER_A, BYTES("\x7f\0\0\1"), 65535);
    ck_assert(!walk(&m, ANSWER_A, &t));
}
END_TEST

START_TEST(the_answer_to_another_question_is_none)
{
    struct message m;
    struct taken t;

    begin(&m, 0, "other.example.org", ANSWER_A);
    put_record(&m, QNAME, ANSWER_A, BYTES("\x7f\0\0\1"), -1);
    ck_assert(!walk(&m, ANSWER_A, &t));
    begin(&m, 0, NAME, ANSWER_AAAA);
    ck_assert(!walk(&m, ANSWER_A, &t));
    begin(&m, 0, NAME, ANSWER_A);
    m.b.data[5] = 2;
    ck_assert(!walk(&m, ANSWER_A, &t));
    begin(&m, 0, NAME, ANSWER_A);
    m.b.data[m.b.len - 1] = 3; /* class CHAOS */
    ck_assert(!walk(&m, ANSWER_A, &t));
}
END_TEST

START_TEST(only_noerror_and_nxdomain_say_something_about_the_name)
{
    for (unsigned rcode = 0; rcode < 16; rcode++) {
        struct message m;
        begin(&m, rcode, NAME, ANSWER_A);
        ck_assert_int_eq(answer_judge(buf_slice(&m.b)), rcode == 0   ? ANSWER_FOUND
                                                        : rcode == 3 ? ANSWER_ABSENT
                                                                     : ANSWER_UNKNOWN);
        buf_clear(&m.b);
    }
    ck_assert_int_eq(answer_judge(slice_of(NULL)), ANSWER_UNKNOWN);
    ck_assert_int_eq(answer_judge(BYTES("\0\0\0\0\0\0\0\0\0\0\0")), ANSWER_UNKNOWN);
}
END_TEST

START_TEST(an_answer_tells_where_cnames_lead_and_whether_they_are_proved)
{
    struct message m;
    char name[ANSWER_NAME_SIZE];
    struct taken t;

    begin(&m, 0, NAME, ANSWER_A);
    put_record(&m, QNAME, ANSWER_CNAME, BYTES("\1a\0"), -1);
    put_record(&m, BYTES("\1a\0"), ANSWER_CNAME, BYTES("\1b\0"), -1);
    ck_assert(answer_canonical(buf_slice(&m.b), NAME, ANSWER_A, name));
    ck_assert_str_eq(name, "b");
    ck_assert(!answer_is_secure(buf_slice(&m.b)));
    m.b.data[3] = (char)(m.b.data[3] | 0x20);
    ck_assert(answer_is_secure(buf_slice(&m.b)));
    ck_assert(!answer_is_secure(slice_sub(buf_slice(&m.b), 0, 11)));
    buf_clear(&m.b);
    /* asked for by itself it is data, also where it leads in a circle */
    begin(&m, 0, NAME, ANSWER_CNAME);
    put_record(&m, QNAME, ANSWER_CNAME, QNAME, -1);
    ck_assert(walk(&m, ANSWER_CNAME, &t));
    ck_assert_uint_eq(t.n, 1);
}
END_TEST

SUITE_MAIN("answer", records_of_the_name_and_type_are_taken, cnames_are_followed_in_any_order,
    cnames_in_a_circle_end, a_cname_that_leads_nowhere_is_no_address,
    names_in_data_may_be_compressed_but_not_forwards_or_in_a_circle, a_name_that_points_to_itself_ends,
    a_name_over_255_octets_is_none, an_answer_cut_anywhere_is_none, data_longer_than_the_message_is_refused,
    the_answer_to_another_question_is_none, only_noerror_and_nxdomain_say_something_about_the_name,
    an_answer_tells_where_cnames_lead_and_whether_they_are_proved)
