/* SPDX-License-Identifier: ISC */
/* expand: what becomes of recipients of this machine. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/aliases.h"
#include "config/expand.h"

static const char aliases_text[] = "# a comment\n"
                                   "staff: a@x.example,\n"
                                   "# in between\n"
                                   "\n"
                                   "   # and another\n"
                                   "  B <b@x.example>, \"q, r\"@x.example\n"
                                   "Chief: Staff, c@x.example\n"
                                   "one: two\n"
                                   "two: one\n"
                                   "three: four, d@x.example\n"
                                   "four: three\n"
                                   "zz-kept: zz-kept, copy@x.example\n"
                                   "zz-back: \\zz-back, copy@x.example\n"
                                   "\"quoted name\": q@x.example\n"
                                   "pipe: e@x.example, \"|/bin/cat, x\"\n"
                                   "file: /var/mail/x\n"
                                   "twice: first@x.example\n"
                                   "Twice: second@x.example\n"
                                   "nobody-at-all:\n"
                                   "included: :include:list\n"
                                   "absent: :include:/nosuch/list\n"
                                   "continued: e@x.example, \\\n"
                                   "f@x.example\n"
                                   "comment: C (one, two) <g@x.example>, h@x.example (the \\) last)\n"
                                   "escaped: \"i\\\"j, k\"@x.example\n"
                                   "at-home: at-home@localhost, copy@x.example\n"
                                   "exim: :fail: go away\n"
                                   "dup: a@x.example, a@X.EXAMPLE, A@x.example, staff\n"
                                   "backslash: \\a@x.example\n"
                                   "bare: zz-no-such-user, zz-no-such-user@localhost\n"
                                   "owner-staff: boss@x.example\n"
                                   "control: a\001@x.example\n"
                                   "last: end@x.example";

static char *
write_aliases(const char *text, size_t len)
{
    char *path = mem_dup("aliases.XXXXXX");
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    ck_assert_int_eq(close(fd), 0);
    char here[4096], *absolute;
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    absolute = mem_format("%s/%s", here, path);
    free(path);
    return absolute;
}

static void
set(struct config *c, size_t account, enum config_key key, const char *text)
{
    struct error err;

    ck_assert_msg(config_set(c, account, key, slice_of(text), false, "t", &err), "%s", err.text);
}

static void
begin(struct config *c, const char *aliases)
{
    config_begin(c);
    set(c, 0, CONFIG_ALIASES, aliases);
    set(c, 0, CONFIG_ROOT, "admin@example.org");
    set(c, 0, CONFIG_MIN_USER_ID, "1000");
    set(c, 0, CONFIG_OWN_NAMES, "web1.example");
    set(c, 0, CONFIG_OWN_NAMES, "localhost");
}

static void
collect(void *ctx, const char *address)
{
    buf_add_format(ctx, "%s ", address);
}

static bool
expand(const struct config *c, const char *recipient, struct buf *out, struct error *err)
{
    struct expand_hooks hooks = { .found = collect, .ctx = out };

    return expand_recipient(c, 0, recipient, &hooks, err);
}

static const struct {
    const char *recipient;
    const char *found; /* NULL: refused with 67 */
    const char *why;
} routes[] = {
    { "a@b.example", "a@b.example ", NULL },
    { "STAFF", "a@x.example b@x.example \"q, r\"@x.example ", NULL },
    { "staff@LOCALHOST", "a@x.example b@x.example \"q, r\"@x.example ", NULL },
    { "staff@web1.example", "a@x.example b@x.example \"q, r\"@x.example ", NULL },
    { "staff@web2.example", "staff@web2.example ", NULL },
    { "chief", "a@x.example b@x.example \"q, r\"@x.example c@x.example ", NULL },
    { "one", NULL, "go in a circle" },
    { "three", "d@x.example ", NULL },
    { "zz-kept", "zz-kept copy@x.example ", NULL },
    { "zz-back", "zz-back copy@x.example ", NULL },
    { "\"quoted name\"", "q@x.example ", NULL },
    { "pipe", NULL, "line 15: |/bin/cat, x: programs and files" },
    { "file", NULL, "line 16: /var/mail/x: programs and files" },
    { "exim", NULL, "line 27: :fail: go away: programs and files" },
    { "continued", "e@x.example f@x.example ", NULL },
    { "comment", "g@x.example h@x.example ", NULL },
    { "escaped", "\"i\\\"j, k\"@x.example ", NULL },
    { "at-home", "at-home copy@x.example ", NULL },
    { "dup", "a@x.example A@x.example b@x.example \"q, r\"@x.example ", NULL },
    { "backslash", NULL, "line 29: a@x.example: behind a backslash" },
    { "bare", "zz-no-such-user ", NULL },
    { "owner-staff", "boss@x.example ", NULL },
    { "control", NULL, "line 32" },
    { "twice", "first@x.example ", NULL },
    { "nobody-at-all", NULL, "leads to nobody" },
    { "included", NULL, "line 20: list: an absolute path" },
    { "absent", NULL, "line 21: cannot open /nosuch/list" },
    { "last", "end@x.example ", NULL },
    { "root", "admin@example.org ", NULL },
    { "Root@localhost", "admin@example.org ", NULL },
    { "zz-no-such-user", "zz-no-such-user ", NULL },
    { "\"a b\"@localhost", "\"a b\" ", NULL },
};

START_TEST(a_local_recipient_goes_where_its_alias_says_or_nowhere)
{
    char *path = write_aliases(aliases_text, strlen(aliases_text));
    struct config c;

    begin(&c, path);
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct error err;
        struct buf out;
        bool ok;

        buf_init(&out, 10000);
        ok = expand(&c, routes[i].recipient, &out, &err);
        ck_assert_msg(
            ok == (routes[i].found != NULL), "%s: %s", routes[i].recipient, ok ? "taken" : err.text);
        ck_assert_str_eq(buf_str(&out), ok ? routes[i].found : "");
        if (!ok)
            ck_assert_msg(err.class == ERROR_NOUSER && strstr(err.text, routes[i].why), "%s: %s",
                routes[i].recipient, err.text);
        buf_clear(&out);
    }
    config_end(&c);
    ck_assert_int_eq(unlink(path), 0);
    free(path);
}
END_TEST

START_TEST(an_included_list_has_to_be_roots)
{
    static const char members[] = "# list\na@x.example, b@x.example\n\nc@x.example";
    char *list = write_aliases(members, strlen(members)), *text, *path;
    struct config c;
    struct error err;
    struct buf out;
    struct stat st;

    text = mem_format("l: :include:%s\n", list);
    path = write_aliases(text, strlen(text));
    begin(&c, path);
    buf_init(&out, 10000);
    ck_assert_int_eq(chmod(list, 0644), 0);
    ck_assert_int_eq(stat(list, &st), 0);
    if (st.st_uid == 0) {
        ck_assert_msg(expand(&c, "l", &out, &err), "%s", err.text);
        ck_assert_str_eq(buf_str(&out), "a@x.example b@x.example c@x.example ");
        for (size_t i = 0; i < 2; i++) {
            buf_reset(&out);
            ck_assert_int_eq(chmod(list, i ? 0664 : 0646), 0);
            ck_assert(!expand(&c, "l", &out, &err));
        }
        /* of a configuration that may have been injected: its lines would go to that one's smarthost */
        ck_assert_int_eq(chmod(list, 0640), 0);
        ck_assert_msg(expand(&c, "l", &out, &err), "%s", err.text);
        set(&c, 0, CONFIG_FOREIGN, "true");
        buf_reset(&out);
        ck_assert(!expand(&c, "l", &out, &err));
        ck_assert_msg(strstr(err.text, "readable by everybody"), "%s", err.text);
        ck_assert_int_eq(chown(list, 1, 1) | chmod(list, 0644), 0);
    }
    ck_assert(!expand(&c, "l", &out, &err));
    ck_assert_msg(err.class == ERROR_NOUSER && strstr(err.text, "not root's"), "%s", err.text);
    ck_assert_str_eq(buf_str(&out), "");
    buf_clear(&out);
    config_end(&c);
    ck_assert_int_eq(unlink(list) | unlink(path), 0);
    free(list);
    free(text);
    free(path);
}
END_TEST

/* Each line of it would read it again, and each of those lines, too */
START_TEST(an_include_that_includes_itself_ends)
{
    char *list = write_aliases("", 0), *text, *path;
    struct config c;
    struct error err;
    struct buf out;
    FILE *f = fopen(list, "w");

    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 100; i++)
        ck_assert_int_gt(fprintf(f, ":include:%s\n", list), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(list, 0644), 0);
    text = mem_format("l: :include:%s\n", list);
    path = write_aliases(text, strlen(text));
    begin(&c, path);
    buf_init(&out, 10000);
    ck_assert(!expand(&c, "l", &out, &err));
    ck_assert_int_eq(err.class, ERROR_NOUSER);
    buf_clear(&out);
    config_end(&c);
    ck_assert_int_eq(unlink(list) | unlink(path), 0);
    free(list);
    free(text);
    free(path);
}
END_TEST

static void
count(void *ctx, const char *address)
{
    (void)address;
    ++*(size_t *)ctx;
}

START_TEST(an_alias_may_lead_to_ten_thousand_addresses_and_not_to_more_than_are_allowed)
{
    size_t n = 0;
    struct expand_hooks hooks = { .found = count, .ctx = &n };
    struct config c;
    struct error err;
    struct buf b;
    char *path;

    buf_init(&b, 1u << 20);
    buf_add_str(&b, "crowd: ");
    for (int i = 0; i < 10000; i++)
        buf_add_format(&b, "%sr%d@x.example", i ? "," : "", i);
    path = write_aliases(b.data, b.len);
    begin(&c, path);
    ck_assert_msg(expand_recipient(&c, 0, "crowd", &hooks, &err), "%s", err.text);
    ck_assert_uint_eq(n, 10000);
    n = 0;
    hooks.max = 9999;
    ck_assert(!expand_recipient(&c, 0, "crowd", &hooks, &err));
    ck_assert_msg(err.class == ERROR_REFUSED && strstr(err.text, "more than 9999"), "%s", err.text);
    ck_assert_uint_eq(n, 0);
    config_end(&c);
    buf_clear(&b);
    ck_assert_int_eq(unlink(path), 0);
    free(path);
}
END_TEST

static const struct {
    const char *recipient, *found;
} defaults[] = {
    { "known", "k@x.example " },
    { "later", "l@x.example " },    /* of the second file, whatever the first says of all others */
    { "both", "first@x.example " }, /* the first file counts */
    { "zz-else", "zz-catch other@x.example " }, /* members of it are not sent to it again */
    { "root", "zz-catch other@x.example " },    /* aliases come first, then MinUserId */
};

START_TEST(names_without_an_alias_get_that_of_the_default_entry_once)
{
    static const char *const words[] = { "*", "default" };

    for (size_t w = 0; w < 2; w++) {
        char *first = mem_format(
            "known: k@x.example\nboth: first@x.example\n%s: zz-catch, other@x.example\n", words[w]);
        char *a = write_aliases(first, strlen(first)), *b;
        static const char second[] = "later: l@x.example\nboth: second@x.example\n";
        struct config c;

        b = write_aliases(second, strlen(second));
        begin(&c, a);
        set(&c, 0, CONFIG_ALIASES, b);
        for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
            struct error err;
            struct buf out;
            buf_init(&out, 1000);
            ck_assert_msg(expand(&c, defaults[i].recipient, &out, &err), "%s", err.text);
            ck_assert_str_eq(buf_str(&out), defaults[i].found);
            buf_clear(&out);
        }
        config_end(&c);
        ck_assert_int_eq(unlink(a) | unlink(b), 0);
        free(a);
        free(b);
        free(first);
    }
}
END_TEST

/* What no file should hold must not lead to an address somebody else wrote */
START_TEST(nothing_comes_of_a_line_with_a_nul)
{
    static const char text[] = "a: b@x.example\0c\nok: d@x.example\n";
    char *path = write_aliases(text, sizeof text - 1);
    struct config c;
    struct error err;
    struct buf out;
    size_t n;

    begin(&c, path);
    buf_init(&out, 1000);
    ck_assert(expand(&c, "a", &out, &err) && expand(&c, "ok", &out, &err));
    ck_assert_str_eq(buf_str(&out), "a d@x.example ");
    ck_assert(!expand_check(&c, &n, &err) && strstr(err.text, "line 1"));
    buf_clear(&out);
    config_end(&c);
    ck_assert_int_eq(unlink(path), 0);
    free(path);
}
END_TEST

START_TEST(an_account_has_its_own_aliases_and_its_own_root)
{
    static const char a[] = "x: a@x.example\n", b[] = "x: b@x.example\n";
    char *first = write_aliases(a, sizeof a - 1), *second = write_aliases(b, sizeof b - 1);
    struct config c;
    struct error err;
    struct buf out;
    struct expand_hooks hooks = { .found = collect, .ctx = &out };

    begin(&c, first);
    (void)config_add_account(&c);
    set(&c, 1, CONFIG_ALIASES, second);
    set(&c, 1, CONFIG_ROOT, "own@example.org");
    set(&c, 1, CONFIG_MIN_USER_ID, "1000");
    buf_init(&out, 1000);
    ck_assert(expand_recipient(&c, 1, "x", &hooks, &err) && expand_recipient(&c, 1, "root", &hooks, &err));
    ck_assert_str_eq(buf_str(&out), "b@x.example own@example.org ");
    buf_clear(&out);
    config_end(&c);
    ck_assert_int_eq(unlink(first) | unlink(second), 0);
    free(first);
    free(second);
}
END_TEST

static const struct {
    const char *text, *why;
} files[] = {
    { "a: b@x.example\n", NULL },
    { "", NULL },
    { "a: |prog\nb: /file\nc: :include:/nosuch\n", NULL },
    { "a: b@x.example\nnonsense\n", "line 2" },
    { "\n  a: b\n", "line 2" },
    { "a: b c@x.example\n", "line 1" },
};

START_TEST(a_broken_aliases_file_is_named_with_its_line)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = write_aliases(files[i].text, strlen(files[i].text));
        struct config c;
        struct error err;
        size_t n;
        bool ok;

        begin(&c, path);
        ok = expand_check(&c, &n, &err);
        ck_assert_msg(ok == !files[i].why, "%s: %s", files[i].text, ok ? "taken" : err.text);
        if (!ok)
            ck_assert_msg(
                err.class == ERROR_CONFIG && strstr(err.text, path) && strstr(err.text, files[i].why), "%s",
                err.text);
        config_end(&c);
        ck_assert_int_eq(unlink(path), 0);
        free(path);
    }
}
END_TEST

START_TEST(duplicates_and_refused_members_are_warnings)
{
    char *path = write_aliases(aliases_text, (size_t)(strstr(aliases_text, "control:") - aliases_text));
    struct config c;
    struct error err;
    size_t n;

    begin(&c, path);
    ck_assert_msg(expand_check(&c, &n, &err), "%s", err.text);
    ck_assert_uint_eq(n, 25);
    ck_assert_msg(strstr(buf_str(&c.warnings), "line 18: Twice: is there twice"), "%s", buf_str(&c.warnings));
    ck_assert_msg(strstr(buf_str(&c.warnings), "line 16: /var/mail/x: programs"), "%s", buf_str(&c.warnings));
    config_end(&c);
    ck_assert_int_eq(unlink(path), 0);
    free(path);
}
END_TEST

SUITE_MAIN("expand", a_local_recipient_goes_where_its_alias_says_or_nowhere, an_included_list_has_to_be_roots,
    an_include_that_includes_itself_ends, a_broken_aliases_file_is_named_with_its_line,
    duplicates_and_refused_members_are_warnings,
    an_alias_may_lead_to_ten_thousand_addresses_and_not_to_more_than_are_allowed,
    names_without_an_alias_get_that_of_the_default_entry_once, nothing_comes_of_a_line_with_a_nul,
    an_account_has_its_own_aliases_and_its_own_root)
