/* SPDX-License-Identifier: ISC */
/* setup: what is written, and what is shown of a configuration that is there already. */
#include <string.h>

#include "admin/import_text.h"
#include "admin/setup_text.h"
#include "unit/suite.h"

START_TEST(what_is_written_is_taken_by_our_own_reader)
{
    static const struct setup_account rows[] = {
        { .address = "a@example.org",
            .mailhub = "srv:example.org",
            .user = "a",
            .secret_file = "/etc/x.secret" },
        { .address = "a@example.org", .mailhub = "h:587", .user = "q\"\\", .secret = "\"\\#;" },
        { .address = "a@example.org", .mailhub = "h", .tls = "false" },
        { .address = "a@example.org",
            .mailhub = "h",
            .tls = "implicit",
            .user = "a",
            .command = "pass show \"x y\"" },
    };
    struct config c;
    struct error err;
    struct buf out;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_init(&out, 1 << 16);
        setup_text_write(&rows[i], &out);
        ck_assert_msg(
            import_text_check(buf_slice(&out), "/etc/x.conf", &c, &err), "%s\n%s", err.text, buf_str(&out));
        if (rows[i].user)
            ck_assert_str_eq(config_text(&c, 0, CONFIG_AUTH_USER), rows[i].user);
        if (rows[i].secret)
            ck_assert_str_eq(config_text(&c, 0, CONFIG_AUTH_PASS), rows[i].secret);
        config_end(&c);
        buf_clear(&out);
    }
}
END_TEST

START_TEST(a_difference_shows_no_password)
{
    static const struct {
        const char *before, *after, *wanted;
    } rows[] = {
        { "a = 1;\nb = 2;\n", "a = 1;\nc = 3;\n", "- b = 2;\n+ c = 3;\n" },
        { "  a = 1;\r\n", "a = 1;\n", "" },
        { "authpass = \"hidden\";\n", "", "- AuthPass... ***\n" },
        { "# AuthPass=hidden\n", "", "- AuthPass... ***\n" },
        { "x = 1; AUTHPASSFILE = \"/f\"; AuthPass = \"hidden\";\n", "", "- AuthPass... ***\n" },
        { "AuthPass =\n  \"hidden\";\na = 1;\n", "", "- AuthPass... ***\n- AuthPass... ***\n- a = 1;\n" },
        { "AuthPassFile = \"/f\";\n", "", "- AuthPassFile = \"/f\";\n" },
        { "\x1b[31m\n", "", "- \\x1B[31m\n" },
    };
    struct buf out;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_init(&out, 4096);
        setup_text_compare(slice_of(rows[i].before), slice_of(rows[i].after), &out);
        ck_assert_str_eq(buf_str(&out), rows[i].wanted);
        buf_clear(&out);
    }
}
END_TEST

SUITE_MAIN("setup", what_is_written_is_taken_by_our_own_reader, a_difference_shows_no_password)
