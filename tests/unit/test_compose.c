/* SPDX-License-Identifier: ISC */
/* compose: what becomes of standard input, however it is cut. */
#include "unit/suite.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "sendmail/compose.h"

/* With Date in front of what was given, so that nothing is added. */
#define DATE "Date: x\n"
#define DATED "Date: x\r\n"

enum { T = 1, I = 2, BOTH = 4 }; /* -t; -i; with and without -i */

static const struct {
    unsigned flags;
    const char *in;
    const char *header, *body, *rcpts; /* recipients behind the argument a@x, each with a blank in front */
} cases[] = {
    /* line ends */
    { BOTH, DATE "\nb\n", DATED "\r\n", "b\r\n", "" },
    { BOTH, DATE "\r\nb", DATED "\r\n", "b\r\n", "" },
    { BOTH, DATE "A: b\rc\r\n\nd\re\n", DATED "A: b c\r\n\r\n", "d\r\ne\r\n", "" },
    { BOTH, DATE "A: b\r\rc\r\n\nd\r\re\n", DATED "A: b  c\r\n\r\n", "d\r\n\r\ne\r\n", "" },
    { BOTH, DATE "A: b\r\r\n\r\r\nd\r\r\ne\r\n", DATED "A: b\r\n\r\n", "d\r\ne\r\n", "" },
    { BOTH, DATE "A: b\rB: c\n\n", DATED "A: b B: c\r\n\r\n", "", "" },
    { BOTH, DATE "A: b\r", DATED "A: b\r\n\r\n", "", "" },
    { BOTH, DATE "\nb\r", DATED "\r\n", "b\r\n", "" },
    { BOTH, DATE "\nb\r\n\rc\n\r\n", DATED "\r\n", "b\r\n\r\nc\r\n\r\n", "" },
    { BOTH, DATE "A: b\n\rc\n\n", DATED "A: b\r\n c\r\n\r\n", "", "" },
    { BOTH, DATE "\r\n\r\nb", DATED "\r\n", "\r\nb\r\n", "" },
    /* dots */
    { I, DATE "\na\n.\n..b\n", DATED "\r\n", "a\r\n.\r\n..b\r\n", "" },
    { 0, DATE "\na\n.\n..b\n", DATED "\r\n", "a\r\n", "" },
    { 0, DATE "\na\n..b\n.c\n...\n", DATED "\r\n", "a\r\n.b\r\n.c\r\n..\r\n", "" },
    { 0, DATE "\na\r\n.\r\nb", DATED "\r\n", "a\r\n", "" },
    { 0, DATE "\na\n.", DATED "\r\n", "a\r\n", "" },
    { 0, DATE "\na\n.\r", DATED "\r\n", "a\r\n", "" },
    { 0, DATE ".\nb\n", DATED "\r\n", "", "" },
    { 0, DATE ".", DATED "\r\n", "", "" },
    { I, DATE ".\nb\n", DATED "\r\n", ".\r\nb\r\n", "" },
    { 0, DATE "A: b\r.\n\nc\n", DATED "A: b .\r\n\r\n", "c\r\n", "" },
    /* where the header ends */
    { BOTH, DATE "no field\nA: b\n", DATED "\r\n", "no field\r\nA: b\r\n", "" },
    { BOTH, DATE "A: b\n text\nno field\n\nc", DATED "A: b\r\n text\r\n\r\n", "no field\r\n\r\nc\r\n", "" },
    { BOTH, DATE "A : b\nA:\n", DATED "A : b\r\nA:\r\n\r\n", "", "" },
    { BOTH, "From zoe Mon Jan  1 10:00:00 2026\n" DATE "\nb\n", DATED "\r\n", "b\r\n", "" },
    { BOTH, ">From zoe Mon Jan  1 10:00:00 2026\r\n" DATE "\nb\n", DATED "\r\n", "b\r\n", "" },
    /* what never goes out, whatever its case */
    { BOTH,
        DATE "bcc: q@x\nResent-date: y\nRESENT-BCC: q@x,\n r@x\nReturn-Path: <z>\nContent-length: 3\nX: 1\n",
        DATED "Resent-date: y\r\nX: 1\r\n\r\n", "", "" },
    /* -t */
    { T | I, DATE "To: b@x\nCC: c@x, d@x\nbcc: e@x\n\nTo: z@x\n", DATED "To: b@x\r\nCC: c@x, d@x\r\n\r\n",
        "To: z@x\r\n", " b@x c@x d@x e@x" },
    { T | I, DATE "To: b@x\nTo: c@x\nCc:\nCc: \n", DATED "To: b@x\r\nTo: c@x\r\nCc:\r\nCc: \r\n\r\n", "",
        " b@x c@x" },
    { T | I, DATE "To:\n b@x,\n\tc@x\n", DATED "To:\r\n b@x,\r\n\tc@x\r\n\r\n", "", " b@x c@x" },
    { T | I, DATE "To: nobody:;, team: b@x, \"C, c\" <c@x>;\n",
        DATED "To: nobody:;, team: b@x, \"C, c\" <c@x>;\r\n\r\n", "", " b@x c@x" },
    { T | I, DATE "To: b@x c@x\n d@x\n", DATED "To: b@x c@x\r\n d@x\r\n\r\n", "", " b@x c@x d@x" },
    { T | I, DATE "To: B (b, (the)) <@r,@s:b@x> (x), \"a b\"@x\n",
        DATED "To: B (b, (the)) <@r,@s:b@x> (x), \"a b\"@x\r\n\r\n", "", " b@x \"a b\"@x" },
    { T | I, DATE "To: b@x, B@x, b@X, <b@x>, \"b\"@x, a@x\n",
        DATED "To: b@x, B@x, b@X, <b@x>, \"b\"@x, a@x\r\n\r\n", "", " b@x B@x" },
    { T | I, DATE "To: b@x\rc@x <d@x>\n", DATED "To: b@x c@x <d@x>\r\n\r\n", "", " d@x" },
    /* Resent- fields: the topmost block alone */
    { T | I, DATE "Resent-To: b@x\nResent-Date: y\nTo: c@x\nBcc: d@x\n",
        DATED "Resent-To: b@x\r\nResent-Date: y\r\nTo: c@x\r\n\r\n", "", " b@x" },
    { T | I, DATE "To: c@x\nResent-Date: y\nResent-Bcc: b@x\nResent-Cc: d@x\n",
        DATED "To: c@x\r\nResent-Date: y\r\nResent-Cc: d@x\r\n\r\n", "", " b@x d@x" },
    { T | I, DATE "Resent-Date: y\nResent-To: b@x\nReceived: z\nResent-Date: w\nResent-To: c@x\n",
        DATED "Resent-Date: y\r\nResent-To: b@x\r\nReceived: z\r\nResent-Date: w\r\nResent-To: c@x\r\n\r\n",
        "", " b@x" },
    { T | I, DATE "Resent-Date: y\nResent-To: b@x\nResent-From: z\nResent-From: w\nResent-Cc: c@x\n",
        DATED
        "Resent-Date: y\r\nResent-To: b@x\r\nResent-From: z\r\nResent-From: w\r\nResent-Cc: c@x\r\n\r\n",
        "", " b@x" },
    { T | I, DATE "Resent-To: b@x\nResent-To: c@x\nResent-Date: y\nResent-To: d@x\n",
        DATED "Resent-To: b@x\r\nResent-To: c@x\r\nResent-Date: y\r\nResent-To: d@x\r\n\r\n", "",
        " b@x c@x" },
    { T | I, DATE "To: b@x, wrong@\nResent-Date: y\nResent-To: c@x\n",
        DATED "To: b@x, wrong@\r\nResent-Date: y\r\nResent-To: c@x\r\n\r\n", "", " c@x" },
    /* without -t a field is only text */
    { I, DATE "To: wrong@, \"b\n", DATED "To: wrong@, \"b\r\n\r\n", "", "" },
};

struct result {
    bool ok;
    struct error err;
    struct compose c;
    struct buf body;
};

/* All of `in`, in pieces of `step` */
static void
run(struct result *r, const struct options *o, struct slice in, size_t step)
{
    r->ok = compose_init(&r->c, o, &r->err);
    buf_init(&r->body, 16u << 20);
    while (r->ok && in.len && !r->c.ended) {
        struct slice piece = slice_sub(in, 0, step);
        in = slice_from(in, piece.len);
        r->ok = compose_push(&r->c, piece, &r->err);
        buf_add_slice(&r->body, buf_slice(&r->c.body));
        buf_reset(&r->c.body);
    }
    if (r->ok && !r->c.ended)
        r->ok = compose_end(&r->c, &r->err);
    buf_add_slice(&r->body, buf_slice(&r->c.body));
}

static void
clear(struct result *r)
{
    compose_clear(&r->c);
    buf_clear(&r->body);
}

static void
check_case(size_t k, bool keep_dots, size_t step)
{
    char address[] = "a@x", *recipients[] = { address }, joined[500] = "";
    struct options o = {
        .from_header = cases[k].flags & T, .keep_dots = keep_dots, .recipients = recipients, .nrecipients = 1
    };
    struct result r;

    run(&r, &o, slice_of(cases[k].in), step);
    ck_assert_msg(r.ok, "case %zu: %s", k, r.err.text);
    ck_assert_msg(strcmp(buf_str(&r.c.header), cases[k].header) == 0, "case %zu, pieces of %zu, header '%s'",
        k, step, buf_str(&r.c.header));
    ck_assert_msg(strcmp(buf_str(&r.body), cases[k].body) == 0, "case %zu, pieces of %zu, body '%s'", k, step,
        buf_str(&r.body));
    ck_assert_str_eq(r.c.rcpts.address[0], "a@x");
    for (size_t i = 1; i < r.c.rcpts.n; i++) {
        strcat(joined, " ");
        strcat(joined, r.c.rcpts.address[i]);
    }
    ck_assert_msg(strcmp(joined, cases[k].rcpts) == 0, "case %zu: '%s'", k, joined);
    clear(&r);
}

START_TEST(header_body_and_recipients_come_out_however_the_input_is_cut)
{
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        for (size_t step = 1; step <= strlen(cases[k].in) + 1; step++) {
            check_case(k, cases[k].flags & (I | BOTH), step);
            if (cases[k].flags & BOTH)
                check_case(k, false, step);
        }
    }
}
END_TEST

static const struct {
    bool t;
    const char *sender, *rcpt, *in;
    size_t len; /* of `in`; 0: it is a string */
    enum error_class class;
} refused[] = {
    { true, NULL, NULL, "Subject: x\n\n", 0, ERROR_USAGE },
    { true, NULL, NULL, "", 0, ERROR_USAGE },
    { true, NULL, NULL, "text\nTo: b@x\n", 0, ERROR_USAGE },
    { true, NULL, NULL, "To: nobody:;\n", 0, ERROR_USAGE },
    { true, NULL, NULL, "To: b@x\nResent-Date: y\n", 0, ERROR_USAGE },
    { false, NULL, NULL, "To: b@x\n", 0, ERROR_USAGE },
    { false, NULL, ",;,", "", 0, ERROR_USAGE },
    { true, NULL, NULL, "To: b@x, c@\n", 0, ERROR_DATA },
    { true, NULL, NULL, "To: b@x\nResent-To: c d\n", 0, ERROR_DATA },
    { true, NULL, NULL, "To: Joe Doe joe@x\n", 0, ERROR_DATA },
    { true, NULL, NULL, "To: \"b@x\n", 0, ERROR_DATA },
    { true, NULL, NULL, "To: b@x\nA: \0\n", 13, ERROR_DATA },
    { true, NULL, NULL, "To: b\0@x\n", 9, ERROR_DATA },
    { true, NULL, NULL, "From x\0\nTo: b@x\n", 16, ERROR_DATA },
    { false, NULL, "", "", 0, ERROR_DATA },
    { false, NULL, "<>", "", 0, ERROR_DATA },
    { false, NULL, "b@x\nc@x", "", 0, ERROR_DATA },
    { false, NULL, "b@x\r", "", 0, ERROR_DATA },
    { false, NULL, "b@x>\r\nRCPT TO:<c@x", "", 0, ERROR_DATA },
    { false, "z@x\r\n", "b@x", "", 0, ERROR_DATA },
    { false, "z@x>\nRCPT TO:<c@x", "b@x", "", 0, ERROR_DATA },
    { false, "\"z\r\n\"@x", "b@x", "", 0, ERROR_DATA },
    { false, "Z\n <z@x>", "b@x", "", 0, ERROR_DATA },
    { false, "z@x, y@x", "b@x", "", 0, ERROR_DATA },
};

START_TEST(what_is_malformed_is_refused)
{
    for (size_t k = 0; k < sizeof refused / sizeof refused[0]; k++) {
        char *address = mem_dup(refused[k].rcpt), *recipients[] = { address };
        struct options o = { .from_header = refused[k].t,
            .sender = refused[k].sender,
            .recipients = recipients,
            .nrecipients = address ? 1 : 0 };
        struct slice in = slice_make(refused[k].in, refused[k].len ? refused[k].len : strlen(refused[k].in));
        for (size_t step = 1; step <= in.len + 1; step++) {
            struct result r;
            run(&r, &o, in, step);
            ck_assert_msg(
                !r.ok && r.err.class == refused[k].class, "case %zu: %s", k, r.ok ? "taken" : r.err.text);
            clear(&r);
        }
        free(address);
    }
}
END_TEST

START_TEST(a_date_is_added_where_it_belongs)
{
    char address[] = "a@x", *recipients[] = { address };
    struct options o = { .recipients = recipients, .nrecipients = 1 };
    static const struct {
        const char *in, *front, *end;
    } rows[] = {
        { "A: b\n\nc", "A: b\r\nDate: ", "\r\n\r\n" },
        { "text", "Date: ", "\r\n\r\n" },
        { "Resent-To: b@x\nA: b\n", "Resent-Date: ", "\r\nResent-To: b@x\r\nA: b\r\n\r\n" },
        { "Resent-To: b@x\nReceived: y\nResent-Date: z\n", "Resent-Date: ", "Resent-Date: z\r\n\r\n" },
        { "Received: y\nResent-To: b@x\n", "Received: y\r\nResent-Date: ", "\r\nResent-To: b@x\r\n\r\n" },
        { "date: z\n", "date: z\r\n\r\n", "date: z\r\n\r\n" },
        { "Resent-date: z\nA: b\n", "Resent-date: z\r\nA: b\r\n\r\n", "\r\n\r\n" },
    };

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        struct result r;
        run(&r, &o, slice_of(rows[k].in), 1000);
        const char *header = buf_str(&r.c.header);
        ck_assert_msg(strncmp(header, rows[k].front, strlen(rows[k].front)) == 0, "%zu: %s", k, header);
        ck_assert_msg(
            strcmp(header + strlen(header) - strlen(rows[k].end), rows[k].end) == 0, "%zu: %s", k, header);
        clear(&r);
    }
}
END_TEST

START_TEST(a_hundred_received_fields_are_a_path_and_one_more_is_a_loop)
{
    char address[] = "a@x", *recipients[] = { address };
    struct options o = { .recipients = recipients, .nrecipients = 1 };
    struct buf in;

    buf_init(&in, 100000);
    for (int n = 1; n <= 101; n++) {
        struct result r;
        buf_add_str(&in, "Received: from here\n");
        run(&r, &o, buf_slice(&in), 1000);
        ck_assert_msg(r.ok == (n <= 100), "%d fields", n);
        ck_assert(r.ok || r.err.class == ERROR_REFUSED);
        clear(&r);
    }
    buf_clear(&in);
}
END_TEST

/* A field of `n` octets with its CRLF */
static void
add_field(struct buf *in, size_t n)
{
    buf_add_str(in, "X:");
    for (size_t i = 4; i < n; i++)
        buf_add_char(in, i % 70 ? 'x' : ' ');
    buf_add_str(in, "\r\n");
}

START_TEST(a_header_may_have_two_megabytes_and_no_more)
{
    char address[] = "a@x", *recipients[] = { address };
    struct options o = { .recipients = recipients, .nrecipients = 1 };
    struct buf in;

    for (size_t extra = 0; extra < 2; extra++) {
        struct result r;
        buf_init(&in, 3u << 20);
        add_field(&in, 1u << 20);
        add_field(&in, (1u << 20) + extra);
        run(&r, &o, buf_slice(&in), 10000);
        ck_assert_msg(r.ok == (extra == 0), "%zu", extra);
        ck_assert(r.ok || r.err.class == ERROR_DATA);
        clear(&r);
        buf_clear(&in);
    }
}
END_TEST

START_TEST(ten_thousand_recipients_are_told_apart)
{
    char address[] = "user7@example.net", *recipients[] = { address };
    struct options o = { .from_header = true, .recipients = recipients, .nrecipients = 1 };
    struct result r;
    struct buf in;

    buf_init(&in, 1u << 20);
    buf_add_str(&in, "Bcc: ");
    for (int i = 0; i < 20000; i++)
        buf_add_format(&in, "user%d@example.net,\n ", i % 10000);
    buf_add_str(&in, "\n\ntext\n");
    run(&r, &o, buf_slice(&in), 4096);
    ck_assert_msg(r.ok, "%s", r.err.text);
    ck_assert_uint_eq(r.c.rcpts.n, 10000);
    clear(&r);
    buf_clear(&in);
}
END_TEST

START_TEST(smtputf8_is_for_local_parts_alone)
{
    static const struct {
        const char *sender, *rcpt, *in;
        bool t, utf8;
    } rows[] = {
        { NULL, "b@x", "Subject: h\xc3\xb6r\nTo: B\xc3\xb6 <b@x>\n", false, false },
        { NULL,
            "b@b\xc3\xbc"
            "cher.example",
            "", false, false },
        { NULL, "b\xc3\xbc@x", "", false, true },
        { "z\xc3\xbc@x", "b@x", "", false, true },
        { NULL, "b@x", "To: b\xc3\xbc@x\n", false, true },
        { NULL, "b@x", "From: b\xc3\xbc@x\n", false, true },
        { NULL, "b@x", "Bcc: b\xc3\xbc@x\n", false, false },
        { NULL, "b@x", "Bcc: b\xc3\xbc@x\n", true, true },
    };

    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        char *address = mem_dup(rows[k].rcpt), *recipients[] = { address };
        struct options o = {
            .from_header = rows[k].t, .sender = rows[k].sender, .recipients = recipients, .nrecipients = 1
        };
        struct result r;
        run(&r, &o, slice_of(rows[k].in), 1000);
        ck_assert_msg(r.ok && r.c.utf8 == rows[k].utf8, "case %zu", k);
        clear(&r);
        free(address);
    }
}
END_TEST

START_TEST(standard_input_is_read_in_bounded_steps)
{
    char address[] = "a@x", *recipients[] = { address }, path[] = "compose.XXXXXX";
    struct options o = { .keep_dots = true, .recipients = recipients, .nrecipients = 1 };
    struct error err;
    struct compose c;
    size_t all = 0;
    int fd = mkstemp(path);

    ck_assert(fd >= 0 && unlink(path) == 0);
    ck_assert(write(fd, "\n", 1) == 1);
    for (int i = 0; i < 50000; i++)
        ck_assert(
            write(fd, "\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r\r",
                40) == 40);
    ck_assert(lseek(fd, 0, SEEK_SET) == 0);
    ck_assert(compose_begin(&c, &o, fd, &err));
    ck_assert(!c.ended);
    while (!c.ended) {
        ck_assert(c.body.len <= COMPOSE_BODY_MAX + 65536);
        all += c.body.len;
        buf_reset(&c.body);
        ck_assert(compose_more(&c, &err));
    }
    ck_assert_uint_eq(all + c.body.len, 2 * 50000 * 40);
    compose_clear(&c);
    close(fd);
}
END_TEST

SUITE_MAIN("compose", header_body_and_recipients_come_out_however_the_input_is_cut,
    what_is_malformed_is_refused, a_date_is_added_where_it_belongs,
    a_hundred_received_fields_are_a_path_and_one_more_is_a_loop, a_header_may_have_two_megabytes_and_no_more,
    ten_thousand_recipients_are_told_apart, smtputf8_is_for_local_parts_alone,
    standard_input_is_read_in_bounded_steps)
