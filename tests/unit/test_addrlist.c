/* SPDX-License-Identifier: ISC */
/* addrlist: mailboxes come out of anything people and programs write. */
#include "unit/suite.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/addrlist.h"

/* Everything the parser says, as one line: `path|` for a mailbox, `!|` for a malformed entry. */
struct seen {
    struct buf text;
    const char *in;
    bool ranges; /* also spec, name and comment as they stand in the input */
    size_t items;
};

static void
show(struct seen *s, const char *what, struct addrlist_range r)
{
    if (r.start < r.end)
        buf_add_format(&s->text, " %s[%.*s]", what, (int)(r.end - r.start), s->in + r.start);
}

static void
take(void *ctx, const struct addrlist_item *item)
{
    struct seen *s = ctx;

    s->items++;
    if (item->error) {
        ck_assert_int_eq(item->error->class, ERROR_DATA);
        buf_add_str(&s->text, "!|");
        return;
    }
    address_format(&s->text, &item->address);
    if (s->ranges) {
        show(s, "spec", item->spec);
        show(s, "name", item->name);
        show(s, "comment", item->comment);
    }
    buf_add_char(&s->text, '|');
}

/* Pushes `in` in pieces of `step` bytes. */
static void
expect(const char *in, unsigned flags, bool ranges, size_t step, const char *want)
{
    struct seen s = { .in = in, .ranges = ranges };
    struct slice rest = slice_of(in);
    struct addrlist a;

    buf_init(&s.text, 100000);
    addrlist_init(&a, flags, take, &s);
    for (; rest.len; rest = slice_from(rest, step))
        addrlist_push(&a, slice_sub(rest, 0, step));
    addrlist_end(&a);
    ck_assert_msg(strcmp(buf_str(&s.text), want) == 0, "%s: got %s, want %s", in, buf_str(&s.text), want);
    buf_clear(&s.text);
}

static const struct {
    const char *in;
    unsigned flags;
    const char *want;
} cases[] = {
    { "", 0, "" },
    { " \r\n ", 0, "" },
    { ",, ,(only a comment),", 0, "" },
    { "a@x, b@y", 0, "a@x|b@y|" },
    { "a,b", ADDRLIST_ARGUMENT, "a|b|" },
    { "root (Cron Daemon)", 0, "root|" },
    { "\"(Cron Daemon)\" <root>", 0, "root|" },
    { "John Q. Public <jqp@x>, Mary <@a,@b:mary@y>", 0, "jqp@x|mary@y|" },
    { "\"Z, Zoe <z>\" <zoe@x> (z, z)", 0, "zoe@x|" },
    { "bob@x (Bob, the (nested, \\)) builder), carol@y", 0, "bob@x|carol@y|" },
    { "undisclosed-recipients:;", 0, "" },
    { "undisclosed-recipients: ;, a@x", 0, "a@x|" },
    { "team: a@x, B <b@x>;, c@x; d@x", 0, "a@x|b@x|c@x|d@x|" },
    { "team: a@x, b@x; c@x", 0, "a@x|b@x|c@x|" },
    { "\"a team\" (c) : a@x", 0, "a@x|" },
    { "A <a@x>; B <b@y>", ADDRLIST_ARGUMENT, "a@x|b@y|" },
    { "team: a@x; b@y; c@z", ADDRLIST_ARGUMENT, "a@x|b@y|c@z|" },
    { "A <a@x>; B <b@y>;", 0, "a@x|b@y|" },
    { "\r\n bob@x,\r\n\tcarol@y\r\n", 0, "bob@x|carol@y|" },
    { "Very\r\n Long <bob@x>", 0, "bob@x|" },
    { "\"a\r\n b\"@x", 0, "\"a b\"@x|" },
    { "=?UTF-8?Q?J=C3=B6rg?= =?UTF-8?B?WA==?= <j@x>", 0, "j@x|" },
    { "J\xf6rg <j@x>, \"J\xf6rg\" <k@x>", 0, "j@x|k@x|" },
    { "bob @ example . org, \"c\" . d @ x", 0, "bob@example.org|c.d@x|" },
    { "bob@(here)example(there).org", 0, "bob@example.org|" },
    { "a@b <c@d>", 0, "c@d|" },
    { "[Team] Foo <a@x>", 0, "a@x|" },
    { "bob@[IPv6:2001:db8::1], <c@[192.0.2.1]>", 0, "bob@[IPv6:2001:db8::1]|c@[192.0.2.1]|" },
    { "\"John Doe\"@x", 0, "\"John Doe\"@x|" },
    { "@a:b@c", 0, "b@c|" },
    { "< bob@x >", 0, "bob@x|" },
    { "Report 12:30 <a@x>", 0, "a@x|" },
    { "mailto:bob@x", 0, "bob@x|" },
    /* malformed entries, and the good ones around them */
    { "a@x, John Doe, b@y", 0, "a@x|!|b@y|" },
    { "J. Public, b@y", 0, "!|b@y|" },
    { "a@, b@y", 0, "!|b@y|" },
    { "A <a@x, B <b@y>", 0, "!|b@y|" },
    { "A <a@x> B <b@y>, c@z", 0, "!|c@z|" },
    { "a@x b@y, c@z", 0, "!|c@z|" },
    { "a@x> , c@z", 0, "!|c@z|" },
    { "<>, c@z", 0, "!|c@z|" },
    { "bob@x:alice@y, c@z", 0, "!|c@z|" },
    { "team: x: a@x;, c@z", 0, "!|c@z|" },
    { "<@a,@b>, c@z", 0, "!|c@z|" },
    { "a\\,b@x, c@z", 0, "!|c@z|" },
    { "a@x, \"b@y, c@z", 0, "a@x|!|" },
    { "a@x, (b@y, c@z", 0, "a@x|!|" },
    { "a@x, b@[1.2.3.4", 0, "a@x|!|" },
    { "a@x, <b@y", 0, "a@x|!|" },
    { "a@x\nb@y", ADDRLIST_ARGUMENT, "!|" },
    { "bob@x\n", ADDRLIST_ARGUMENT, "!|" },
    { "x\n: a@x", ADDRLIST_ARGUMENT, "!|" },
    { "(\r) a@x", ADDRLIST_ARGUMENT, "!|" },
    { "a\x01@x, b@x", 0, "!|b@x|" },
    /* parted by blanks alone */
    { "a@x b@y", ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, "a@x|b@y|" },
    { "root admin, c@z", ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, "root|admin|c@z|" },
    { "a@x\r\n b@y (B) c@z, d@x", ADDRLIST_BLANKS, "a@x|b@y|c@z|d@x|" },
    { "a @ x b@y", ADDRLIST_BLANKS, "a@x|b@y|" },
    { "a@x b@@y", ADDRLIST_BLANKS, "a@x|!|" },
    { "team: a@x b@y; c@z", ADDRLIST_BLANKS, "a@x|b@y|c@z|" },
    { "root admin, c@z", ADDRLIST_BLANKS, "!|c@z|" },
    { "Joe Doe joe@x, c@z", ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, "!|c@z|" },
    { "J. Public", ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, "!|" },
    { "a@x b@y <c@z>", ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, "c@z|" },
    { "\"a b\"@x c@y", ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, "!|" },
    { "a@x\nb@y", ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, "!|" },
};

START_TEST(mailboxes_come_out_however_the_input_is_cut)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t step = 1; step <= strlen(cases[i].in) + 1; step++)
            expect(cases[i].in, cases[i].flags, false, step, cases[i].want);
}
END_TEST

START_TEST(offsets_name_exactly_the_bytes_to_replace)
{
    static const struct {
        const char *in, *want;
    } table[] = {
        { "root (Cron Daemon)", "root spec[root] comment[(Cron Daemon)]|" },
        { " \"Ops, on call\" <ops>", "ops spec[ops] name[\"Ops, on call\"]|" },
        { "bob, Carol C. < carol@x > (c)",
            "bob spec[bob]|carol@x spec[carol@x] name[Carol C.] comment[(c)]|" },
        { "<@a,@b:dave>", "dave spec[dave]|" },
        { "team:\r\n dave,erin@x;", "dave spec[dave]|erin@x spec[erin@x]|" },
        { "bob @ localhost (x)", "bob@localhost spec[bob @ localhost] comment[(x)]|" },
        { "(a) bob", "bob spec[bob] comment[(a)]|" },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        expect(table[i].in, 0, true, 1000, table[i].want);
        expect(table[i].in, 0, true, 1, table[i].want);
    }
}
END_TEST

static char *
repeat(const char *what, size_t n)
{
    size_t len = strlen(what);
    char *s = mem_alloc(n * len + 1);

    for (size_t i = 0; i < n; i++)
        memcpy(s + i * len, what, len);
    return s;
}

START_TEST(a_million_of_anything_is_read_in_linear_time)
{
    static const char *const what[] = { "(", ")", "<", ">", "\"", "\\", "[", "@", ":", ";", ",", "a", " ",
        ".", "a ", "<@a,", "a:", "((a)", "@[", "\"\\" };
    struct seen s = { .in = "" };
    struct addrlist a;

    for (size_t i = 0; i < sizeof what / sizeof what[0]; i++) {
        char *text = repeat(what[i], 1000000);
        buf_init(&s.text, 10);
        addrlist_init(&a, 0, take, &s);
        addrlist_push(&a, slice_of(text));
        addrlist_push(&a, slice_of(what[i]));
        addrlist_end(&a);
        buf_clear(&s.text);
        free(text);
    }
}
END_TEST

START_TEST(a_million_nested_comments_hide_no_address)
{
    char *open = repeat("(", 1000000), *close = repeat(")", 1000000);
    struct seen s = { .in = "" };
    struct addrlist a;

    buf_init(&s.text, 1000);
    addrlist_init(&a, 0, take, &s);
    addrlist_push(&a, slice_of("a@x "));
    addrlist_push(&a, slice_of(open));
    addrlist_push(&a, slice_of(close));
    addrlist_push(&a, slice_of(", b@y"));
    addrlist_end(&a);
    ck_assert_str_eq(buf_str(&s.text), "a@x|b@y|");
    buf_clear(&s.text);
    free(open);
    free(close);
}
END_TEST

START_TEST(a_display_name_may_have_any_length_but_an_address_may_not)
{
    char *name = repeat("long ", 100000), *word = repeat("x", 100000);
    struct seen s = { .in = "" };
    struct addrlist a;

    buf_init(&s.text, 1000);
    addrlist_init(&a, 0, take, &s);
    addrlist_push(&a, slice_of(name));
    addrlist_push(&a, slice_of("<a@x>,"));
    addrlist_push(&a, slice_of(word));
    addrlist_push(&a, slice_of("@x, b@y"));
    addrlist_end(&a);
    ck_assert_str_eq(buf_str(&s.text), "a@x|!|b@y|");
    buf_clear(&s.text);
    free(name);
    free(word);
}
END_TEST

SUITE_MAIN("addrlist", mailboxes_come_out_however_the_input_is_cut, offsets_name_exactly_the_bytes_to_replace,
    a_million_of_anything_is_read_in_linear_time, a_million_nested_comments_hide_no_address,
    a_display_name_may_have_any_length_but_an_address_may_not)
