/* SPDX-License-Identifier: ISC */
/* setup: what is written, and what is shown of a configuration that is there already. */
#include <stdlib.h>
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
        ck_assert(setup_text_write(slice_of(NULL), &rows[i], &out));
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
        { "a = 1;\nx = 1;\n", "a = 1;\nx = 1;\na = 1;\n", "+ a = 1;\n" },
        { "a = 1;\nx = 1;\nb = 1;\n", "a = 1;\nb = 1;\nx = 1;\nb = 1;\n", "+ b = 1;\n" },
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

START_TEST(an_account_goes_into_what_was_written_by_hand_and_all_else_stays)
{
    static const struct setup_account
        hub = { .address = "a@x.org", .mailhub = "h", .user = "a", .secret_file = "/s" },
        kept = { .address = "a@x.org", .user = "a", .secret_file = "/s", .keeps_hub = true },
        work = {
            .account = "work", .address = "a@x.org", .provider = "gmail", .user = "a", .secret_file = "/s"
        };
    static const struct {
        const struct setup_account *a;
        const char *before, *wanted;
    } rows[] = {
        { &hub, "# mine\nMailHub = \"old:25\"; # why\nWorkers = 3;\n",
            "# mine\nMailHub = \"h\"; # why\nAuthUser = \"a\";\nAuthPassFile = \"/s\";\nFrom = "
            "\"a@x.org\";\nWorkers = 3;\n" },
        { &hub, "mailhub = ( \"a;b)\", # first\n  \"b\" )\nWorkers = 3",
            "mailhub = \"h\"\nAuthUser = \"a\";\nAuthPassFile = \"/s\";\nFrom = \"a@x.org\";\nWorkers = 3" },
        { &hub, "mailhub=\"o\"; AuthPass = \"se\\\"cret\"; root = \"b@x.org\";\n",
            "mailhub=\"h\";\nAuthUser = \"a\";\nAuthPassFile = \"/s\";\nFrom = \"a@x.org\";\n  root = "
            "\"b@x.org\";\n" },
        { &hub,
            "provider = \"gmail\";\nFrom = \"b\" \"@x.org\";\nmailhub = \"h\";\nAuthUser = \"a\";\nAuthPass "
            "= \"p\";\n",
            "From = \"a@x.org\";\nmailhub = \"h\";\nAuthUser = \"a\";\nAuthPassFile = \"/s\";\n" },
        { &kept,
            "UseTLS = \"starttls\";\nmailhub = \"o\";\nAuthUser = \"a\";\nAuthPassFile = \"/s\";\nFrom = "
            "\"a@x.org\";\n",
            "UseTLS = \"starttls\";\nmailhub = \"o\";\nAuthUser = \"a\";\nAuthPassFile = \"/s\";\nFrom = "
            "\"a@x.org\";\n" },
        { &hub,
            "UseSTARTTLS = true;\nTLSFingerprint = ( \"aa\" );\nmailhub = \"o\";\nAuthUser = "
            "\"a\";\nAuthPassFile = \"/s\";\nFrom = \"a@x.org\";\n",
            "mailhub = \"h\";\nAuthUser = \"a\";\nAuthPassFile = \"/s\";\nFrom = \"a@x.org\";\n" },
        { &work, "mailhub = \"o\"",
            "mailhub = \"o\"\n\naccounts = (\n    {\n        name = \"work\";\n        sender = "
            "\"a@x.org\";\n "
            "       provider = "
            "\"gmail\";\n        AuthUser = \"a\";\n        AuthPassFile = \"/s\";\n        From = "
            "\"a@x.org\";\n    }\n);\n" },
        { &work, "accounts = ( );\n",
            "accounts = (\n    {\n        name = \"work\";\n        sender = \"a@x.org\";\n        provider "
            "= \"gmail\";\n        AuthUser = "
            "\"a\";\n        AuthPassFile = \"/s\";\n        From = \"a@x.org\";\n    }\n );\n" },
        { &work, "TLS_CA_File = \"/ca\";\naccounts = (\n  { name = \"b\"; } # {\n);\nroot = \"r\";\n",
            "TLS_CA_File = \"/ca\";\naccounts = (\n  { name = \"b\"; },\n    {\n        name = \"work\";\n   "
            "     sender = \"a@x.org\";\n"
            "        provider = \"gmail\";\n        TLS_CA_File = \"\";\n        AuthUser = \"a\";\n        "
            "AuthPassFile = \"/s\";\n"
            "        From = \"a@x.org\";\n    } # {\n);\nroot = \"r\";\n" },
        { &work,
            "mailhub = \"o\"; accounts = ( { name = \"b\"; }, /* } */ { user = \"u\"; Name = \"work\"; "
            "mailhub = \"w\"; } );\n",
            "mailhub = \"o\"; accounts = ( { name = \"b\"; }, /* } */ { user = \"u\"; Name = \"work\"; \n    "
            "    provider = \"gmail\";\n"
            "        AuthUser = \"a\";\n        AuthPassFile = \"/s\";\n        From = \"a@x.org\";\n       "
            "  } );\n" },
    };
    struct buf out;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_init(&out, 1 << 16);
        ck_assert_msg(setup_text_write(slice_of(rows[i].before), rows[i].a, &out), "%s", rows[i].before);
        ck_assert_str_eq(buf_str(&out), rows[i].wanted);
        buf_clear(&out);
    }
}
END_TEST

START_TEST(what_is_no_configuration_is_not_changed)
{
    static const char *const rows[] = { "mailhub", "mailhub = \"x", "mailhub = ( \"x\"", "a = 1; }",
        "accounts = { };", "accounts = ( 1 );", "accounts = ( { name = \"b\"; );", "mailhub = ;", "= 1;",
        "a = 1; \"", "a = ((((((((((((((((((((((((((((((((((1" };
    static const struct setup_account work = { .account = "work", .address = "a@x.org", .mailhub = "h" };
    struct buf out;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        buf_init(&out, 1 << 16);
        ck_assert_msg(!setup_text_write(slice_of(rows[i]), &work, &out), "%s", rows[i]);
        buf_clear(&out);
    }
}
END_TEST

START_TEST(what_an_account_is_given_holds_for_no_other)
{
    static const char before[] =
        "mailhub = \"inside\"; UseTLS = \"starttls\"; TLSVerify = false; TLS_CA_File = \"/ca\";\n"
        "TLSFingerprint = \"1111111111111111111111111111111111111111111111111111111111111111\";\n"
        "AuthUser = \"boss\"; AuthPass = \"x\";\n";
    static const struct setup_account work = {
        .account = "work", .address = "a@x.org", .mailhub = "outside:465"
    };
    struct config c;
    struct error err;
    struct config_hub hub;
    struct buf out;

    buf_init(&out, 1 << 16);
    ck_assert(setup_text_write(slice_of(before), &work, &out));
    ck_assert_msg(
        import_text_check(buf_slice(&out), "/etc/x.conf", &c, &err), "%s\n%s", err.text, buf_str(&out));
    ck_assert_uint_eq(c.n, 2);
    ck_assert(!config_flag(&c, 0, CONFIG_TLS_VERIFY));
    ck_assert(config_flag(&c, 1, CONFIG_TLS_VERIFY));
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_TLS_CA_FILE));
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_TLS_FINGERPRINT));
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_AUTH_USER));
    ck_assert(config_hub_parse(&c, 1, config_text(&c, 1, CONFIG_MAILHUB), &hub, &err));
    ck_assert_int_eq(hub.tls, CONFIG_TLS_IMPLICIT);
    free(hub.host);
    config_end(&c);
    buf_clear(&out);
}
END_TEST

SUITE_MAIN("setup", what_is_written_is_taken_by_our_own_reader, a_difference_shows_no_password,
    an_account_goes_into_what_was_written_by_hand_and_all_else_stays, what_is_no_configuration_is_not_changed,
    what_an_account_is_given_holds_for_no_other)
