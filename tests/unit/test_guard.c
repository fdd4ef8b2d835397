/* SPDX-License-Identifier: ISC */
/* guard: what the library may not see, and where each line of what it sees came from. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/guard.h"
#include "config/tree.h"

static const struct {
    const char *text, *why;
} texts[] = {
    { "a = \"b\";", NULL },
    { "", NULL },
    { "a = \"b", "line 1: a string is not closed" },
    { "\na = \"b\\", "line 2: a string is not closed" },
    { "a = \"b\nc\";", "line 1: a string is not closed" },
    { "\n/* x", "line 2: a comment is not closed" },
    { "/*/ \" */ a = 1;", NULL },
    { "# \"\na = 2147483647;", NULL },
    { "a = 2147483648;", "too large" },
    { "a = -99999999999999999999;", "too large" },
    { "a = +99999999999999999999;", "too large" },
    { "a = 3000000000L;", NULL },
    { "a = 9223372036854775808L;", "too large" },
    { "a = 18446744073709551620L;", "too large" },
    { "a = 0x10000000000000000L;", "too large" },
    { "a = 9223372036854775807L;", NULL },
    { "a = 0x7fffffff;", NULL },
    { "a = 0x80000000;", "too large" },
    { "a = 0xffffffffffffffffL;", "too large" },
    { "a = 0b1111;", "decimal" },
    { "a = \"2147483648\";", NULL },
    { "a = \"x\\x00y\";", "NUL" },
    { "a = \"x\\\\x00y\";", NULL },
    { "(((((((((((((((((((((", "nested" },
    { "a = 1; @include \"/dev/null\"", "begin a line" },
    { "@include /dev/null", "in quotes" },
    { "@include \"\"", "name of a file" },
    { "@include \"/dev\\\\null\"", "backslashes" },
    { "@include \"/dev/null\"", "regular" },
    { "@include \"/nosuch\"", "cannot open /nosuch" },
    { "# @include \"/dev/null\"", NULL },
    { "a = \"@include\";", NULL },
};

static bool
take(struct guard_text *g, struct slice text, struct error *err)
{
    struct stat st = { .st_mode = S_IFREG | 0600 };

    return guard_take(g, text, "f.conf", &st, err);
}

START_TEST(the_library_sees_only_what_it_can_bear)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct guard_text g;
        struct error err;
        bool ok = take(&g, slice_of(texts[i].text), &err);

        ck_assert_msg(ok == (texts[i].why == NULL), "%s: %s", texts[i].text, ok ? "taken" : err.text);
        if (!ok)
            ck_assert_msg(strstr(err.text, texts[i].why) && strstr(err.text, "f.conf line"), "%s", err.text);
        guard_clear(&g);
    }
}
END_TEST

START_TEST(a_nul_is_found_wherever_it_stands)
{
    static const char *const parts[] = { "\n# c", "\na = \"x", "\na = 1", "\n/*" };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char text[32] = { 0 };
        size_t n = (size_t)snprintf(text, sizeof text, "%s", parts[i]);
        struct guard_text g;
        struct error err;

        ck_assert(!take(&g, slice_make(text, n + 2), &err));
        ck_assert_str_eq(err.text, "f.conf line 2: a NUL byte");
        guard_clear(&g);
    }
}
END_TEST

/* ---------------------------------------------------------------- what is no configuration of ours */

static const struct {
    const char *text, *words;
} foreign[] = {
    { "mailhub=mail:25\nUseTLS=YES\n", "line 1: this is a configuration of ssmtp" },
    { "# ssmtp\nroot = postmaster\n", "root = \"postmaster\"" },
    { "\nUseTLS=Yes\n", "UseTLS = true" },
    { "AuthPass=geheim\n", "..." },
    { "mailhub = \"h\"\nUseTLS=true\n", NULL },
    { "mailhub=\n\"h\";\nRoot=\"a@b.example\"", NULL },
    { "mailhub = \"h\";\nwhatever = nonsense;\n", NULL },
};

START_TEST(an_ssmtp_conf_is_recognised_and_nothing_else)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        struct guard_text g;
        struct config c;
        struct error err;
        bool ok;

        config_begin(&c);
        error_init(&err);
        ok = take(&g, slice_of(foreign[i].text), &err) && tree_load(&c, &g, &err);
        ck_assert_msg(!foreign[i].words == !strstr(err.text, "ssmtp"), "%s: %s", foreign[i].text, err.text);
        if (foreign[i].words)
            ck_assert_msg(!ok && strstr(err.text, foreign[i].words), "%s", err.text);
        ck_assert_msg(!strstr(err.text, "geheim"), "%s", err.text);
        guard_clear(&g);
        config_end(&c);
    }
}
END_TEST

/* ---------------------------------------------------------------- files */

static char dir[] = "guard.XXXXXX";

static char *
write_file(const char *name, const char *text)
{
    char *path = mem_format("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(chmod(path, 0600), 0);
    return path;
}

static void
remove_file(const char *name)
{
    char *path = mem_format("%s/%s", dir, name);

    ck_assert_int_eq(unlink(path), 0);
    free(path);
}

START_TEST(an_included_file_is_found_beside_the_one_that_includes)
{
    struct guard_text g;
    struct config c;
    struct error err;
    char *main_file, *part;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    main_file = write_file("main", "# first\n  @include \"part\"\nFrom = \"a@b.example\";\nnosuch = 1;\n");
    part = write_file("part", "mailhub = \"h\"; // one\n\nroot = \"r@b.example\"");
    config_begin(&c);
    ck_assert_msg(guard_read(&g, main_file, &err), "%s", err.text);
    ck_assert_uint_eq(g.files, 2);
    ck_assert(!tree_load(&c, &g, &err));
    ck_assert_msg(strstr(err.text, "/main line 4: nosuch"), "%s", err.text);
    ck_assert_str_eq(config_text(&c, 0, CONFIG_MAILHUB), "h");
    ck_assert_msg(strstr(config_value(&c, 0, CONFIG_ROOT)->origin, "/part line 3"), "%s",
        config_value(&c, 0, CONFIG_ROOT)->origin);
    ck_assert_msg(strstr(config_value(&c, 0, CONFIG_FROM)->origin, "/main line 3"), "%s",
        config_value(&c, 0, CONFIG_FROM)->origin);
    config_end(&c);
    guard_clear(&g);
    free(main_file);
    free(part);
    remove_file("main");
    remove_file("part");
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_file_that_includes_itself_ends)
{
    struct guard_text g;
    struct error err;
    char *path;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    path = write_file("self", "@include \"self\"\n@include \"self\"\n");
    ck_assert(!guard_read(&g, path, &err));
    ck_assert_msg(strstr(err.text, "too many files"), "%s", err.text);
    guard_clear(&g);
    free(path);
    remove_file("self");
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_fifo_or_folder_is_named_and_never_waited_for)
{
    struct guard_text g;
    struct error err;
    char *fifo, *path;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    fifo = mem_format("%s/fifo", dir);
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    path = write_file("main", "\n@include \"fifo\"\n");
    ck_assert(!guard_read(&g, path, &err));
    ck_assert_msg(strstr(err.text, "/main line 2: @include") && strstr(err.text, "fifo: not a regular file"),
        "%s", err.text);
    guard_clear(&g);
    ck_assert(!guard_read(&g, fifo, &err));
    guard_clear(&g);
    ck_assert(!guard_read(&g, dir, &err));
    ck_assert_msg(strstr(err.text, "not a regular file"), "%s", err.text);
    guard_clear(&g);
    free(fifo);
    free(path);
    remove_file("main");
    remove_file("fifo");
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

/* ---------------------------------------------------------------- settings */

static const struct {
    const char *text, *why;
} trees[] = {
    { "MAILHUB = \"h\"; usetls = false;", NULL },
    { "mailhub = \"h\"\nMailHub = \"h\"", "line 2: MailHub: given twice" },
    { "mailhbu = \"h\";", "line 1: mailhbu: unknown setting; did you mean mailhub?" },
    { "\nTimeout = 5;", "line 2: Timeout: a time like" },
    { "TLSVerify = \"false\";", "TLSVerify: true or false is wanted" },
    { "TLSMinVersion = 1.2;", "TLSMinVersion: a text in quotes is wanted" },
    { "MaxRecipients = \"5\";", "MaxRecipients: a number is wanted" },
    { "MaxMessageSize = 3000000000L;", NULL },
    { "hostname = ( \"a\" );", "hostname: a list is not possible here" },
    { "mailhub = { a = 1; };", "mailhub: a text" },
    { "mailhub = ( ( \"a\" ) );", "mailhub: a text" },
    { "AllowUsers = ( \"alice\", 1000 );", NULL },
    { "AllowUsers = 1000;", NULL },
    { "FromAllowed = ( 1 );", "FromAllowed: a text" },
    { "sender = \"@a.example\";", "sender: this belongs in a group of accounts" },
    { "accounts = 1;", "accounts: a list of groups" },
    { "accounts = ( 1 );", "each account is a group" },
    { "accounts = ( );", NULL },
    { "accounts = (\n{ Timeout = \"5s\"; } );", "line 2: Timeout: this cannot be set for one account alone" },
    { "accounts = ( { accounts = ( ); } );", "accounts: unknown setting" },
    { "accounts = ( { user = 1000; sender = ( \"@a.example\", \"b@c.example\" ); } );", NULL },
    { "mailhub = \"h\"", NULL },
    { "mailhub = h;", "line 1: " },
};

START_TEST(wrong_settings_are_named_with_their_line)
{
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        struct guard_text g;
        struct config c;
        struct error err;
        bool ok;

        config_begin(&c);
        ck_assert_msg(take(&g, slice_of(trees[i].text), &err), "%s", err.text);
        ok = tree_load(&c, &g, &err);
        ck_assert_msg(ok == (trees[i].why == NULL), "%s: %s", trees[i].text, ok ? "taken" : err.text);
        if (!ok)
            ck_assert_msg(strstr(err.text, "f.conf line") && strstr(err.text, trees[i].why), "%s", err.text);
        guard_clear(&g);
        config_end(&c);
    }
}
END_TEST

SUITE_MAIN("guard", the_library_sees_only_what_it_can_bear, a_nul_is_found_wherever_it_stands,
    an_ssmtp_conf_is_recognised_and_nothing_else, an_included_file_is_found_beside_the_one_that_includes,
    a_file_that_includes_itself_ends, a_fifo_or_folder_is_named_and_never_waited_for,
    wrong_settings_are_named_with_their_line)
