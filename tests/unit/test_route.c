/* route: where a recipient's mail goes, and by which account. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/aliases.h"
#include "config/route.h"

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

static const struct {
    const char *recipient;
    const char *found; /* NULL: refused with 67 */
    const char *why;
} routes[] = {
    { "a@b.example", "a@b.example ", NULL },
    { "STAFF", "\"q, r\"@x.example b@x.example a@x.example ", NULL },
    { "staff@LOCALHOST", "\"q, r\"@x.example b@x.example a@x.example ", NULL },
    { "staff@web1.example", "\"q, r\"@x.example b@x.example a@x.example ", NULL },
    { "staff@web2.example", "staff@web2.example ", NULL },
    { "chief", "c@x.example \"q, r\"@x.example b@x.example a@x.example ", NULL },
    { "one", NULL, "leads to nobody" },
    { "three", "d@x.example ", NULL },
    { "zz-kept", "zz-kept copy@x.example ", NULL },
    { "zz-back", "zz-back copy@x.example ", NULL },
    { "\"quoted name\"", "q@x.example ", NULL },
    { "pipe", NULL, "programs and files" },
    { "file", NULL, "programs and files" },
    { "twice", "first@x.example ", NULL },
    { "nobody-at-all", NULL, "leads to nobody" },
    { "included", NULL, "will not do" },
    { "absent", NULL, "/nosuch/list" },
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
        ok = route_recipient(&c, routes[i].recipient, collect, &out, &err);
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
        ck_assert_msg(route_recipient(&c, "l", collect, &out, &err), "%s", err.text);
        ck_assert_str_eq(buf_str(&out), "c@x.example b@x.example a@x.example ");
        ck_assert_int_eq(chown(list, 1, 1), 0);
        buf_reset(&out);
    }
    ck_assert(!route_recipient(&c, "l", collect, &out, &err));
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

START_TEST(an_include_that_includes_itself_ends)
{
    char *list = write_aliases("", 0), *text, *path;
    struct config c;
    struct error err;
    struct buf out;
    FILE *f = fopen(list, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, ":include:%s\n", list), 0);
    ck_assert_int_eq(fclose(f), 0);
    text = mem_format("l: :include:%s\n", list);
    path = write_aliases(text, strlen(text));
    begin(&c, path);
    buf_init(&out, 10000);
    ck_assert(!route_recipient(&c, "l", collect, &out, &err));
    ck_assert_int_eq(err.class, ERROR_NOUSER);
    buf_clear(&out);
    config_end(&c);
    ck_assert_int_eq(unlink(list) | unlink(path), 0);
    free(list);
    free(text);
    free(path);
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
        ok = route_check_aliases(&c, &n, &err);
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
    char *path = write_aliases(aliases_text, strlen(aliases_text));
    struct config c;
    struct error err;
    size_t n;

    begin(&c, path);
    ck_assert_msg(route_check_aliases(&c, &n, &err), "%s", err.text);
    ck_assert_uint_eq(n, 17);
    ck_assert_msg(strstr(buf_str(&c.warnings), "line 18: Twice is there twice"), "%s", buf_str(&c.warnings));
    ck_assert_msg(strstr(buf_str(&c.warnings), "line 16: /var/mail/x: programs"), "%s", buf_str(&c.warnings));
    config_end(&c);
    ck_assert_int_eq(unlink(path), 0);
    free(path);
}
END_TEST

/* ---------------------------------------------------------------- accounts */

static const struct {
    const char *sender;
    int64_t uid;
    const char *recipient;
    size_t account;
} choices[] = {
    { "x@shop.example", 5, "y@z.example", 1 },
    { "X@SHOP.EXAMPLE", 5, "y@z.example", 1 },
    { "x@sub.shop.example", 5, "y@z.example", 0 },
    { "boss@example.org", 5, "y@z.example", 0 },
    { "boss@example.org", 7, "y@z.example", 2 },
    { "x@shop.example", 7, "y@partner.example", 1 },
    { "boss@example.org", 5, "y@partner.example", 3 },
    { "", 5, "y@partner.example", 3 },
    { "", -1, "y@z.example", 0 },
};

START_TEST(the_first_account_whose_keys_all_match_carries_the_mail)
{
    struct config c;

    config_begin(&c);
    for (int i = 0; i < 4; i++)
        (void)config_add_account(&c);
    set(&c, 1, CONFIG_SENDER, "@shop.example");
    set(&c, 2, CONFIG_SENDER, "boss@example.org");
    set(&c, 2, CONFIG_FOR_USER, "7");
    set(&c, 3, CONFIG_RECIPIENT, "a@b.example");
    set(&c, 3, CONFIG_RECIPIENT, "@partner.example");
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        ck_assert_msg(
            route_account(&c, choices[i].sender, choices[i].uid, choices[i].recipient) == choices[i].account,
            "%zu", i);
    ck_assert(route_may_use(&c, 2, 7) && !route_may_use(&c, 2, 5) && route_may_use(&c, 4, 5));
    config_end(&c);
}
END_TEST

START_TEST(an_unknown_caller_is_nobody_once_users_are_named)
{
    struct config c;

    config_begin(&c);
    ck_assert(route_is_allowed(&c, -1, ""));
    set(&c, 0, CONFIG_DENY_USERS, "7");
    ck_assert(!route_is_allowed(&c, -1, ""));
    ck_assert(!route_is_allowed(&c, 7, "x") && route_is_allowed(&c, 8, "y"));
    set(&c, 0, CONFIG_ALLOW_USERS, "y");
    ck_assert(route_is_allowed(&c, 8, "y") && !route_is_allowed(&c, 9, "z") && !route_is_allowed(&c, -1, ""));
    config_end(&c);
}
END_TEST

SUITE_MAIN("route", a_local_recipient_goes_where_its_alias_says_or_nowhere, an_included_list_has_to_be_roots,
    an_include_that_includes_itself_ends, a_broken_aliases_file_is_named_with_its_line,
    duplicates_and_refused_members_are_warnings, the_first_account_whose_keys_all_match_carries_the_mail,
    an_unknown_caller_is_nobody_once_users_are_named)
