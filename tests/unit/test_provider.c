/* SPDX-License-Identifier: ISC */
/* provider: one word in place of what every tutorial tells people to copy, and nothing that they set themselves is lost. */
#include "unit/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/provider.h"

static const char installed[] = TESTDATA "/../conf/providers";

static void
open_installed(struct provider_table *t)
{
    struct error err;

    provider_init(t);
    ck_assert_msg(provider_read(t, installed, &err), "%s", err.text);
}

/* A table of `text` */
static bool
read_table(struct provider_table *t, const char *text, struct error *err)
{
    char path[] = "/tmp/smtprelay-providers.XXXXXX";
    int fd = mkstemp(path);
    bool ok;

    ck_assert(fd >= 0 && file_write(fd, text, strlen(text)));
    close(fd);
    provider_init(t);
    ok = provider_read(t, path, err);
    unlink(path);
    return ok;
}

static void
set(struct config *c, size_t account, enum config_key key, const char *text)
{
    struct error err;

    ck_assert_msg(config_set(c, account, key, slice_of(text), true, "FILE line 1", &err), "%s", err.text);
}

static void
check_text(const struct config *c, size_t account, enum config_key key, const char *want, const char *origin)
{
    const struct config_value *v = config_value(c, account, key);

    ck_assert_msg(v->set && v->n, "%s is not set", config_info(key)->name);
    ck_assert_str_eq(v->item[0], want);
    ck_assert_str_eq(v->origin, origin);
}

static bool
complete(const struct provider_table *t, struct config *c, struct error *err)
{
    if (!provider_apply(t, c, err) || !config_complete(c, "m.example", NULL, err))
        return false;
    provider_mark(t, c);
    return true;
}

START_TEST(every_entry_of_the_installed_table_can_be_used_and_says_where_it_is_known_from)
{
    struct provider_table t;
    struct slice region;
    struct config c;
    struct error err;

    open_installed(&t);
    ck_assert_uint_gt(provider_count(&t), 40);
    for (size_t i = 1; i <= provider_count(&t); i++) {
        const char *name = provider_name(&t, i);
        bool needs_region = strstr(provider_text(&t, i, CONFIG_MAILHUB), "REGION") &&
                            !provider_text(&t, i, CONFIG_PRESET_REGION);
        char *chosen = mem_format("%s%s", name, needs_region ? ":eu-west-1" : "");
        const char *source = provider_text(&t, i, CONFIG_PRESET_SOURCE);

        ck_assert_uint_eq(provider_find(&t, name, &region, NULL), i);
        ck_assert_msg(source && strncmp(source, "https://", 8) == 0, "%s: no source", name);
        ck_assert_msg(provider_text(&t, i, CONFIG_PRESET_SECRET), "%s: no secret", name);
        config_begin(&c);
        set(&c, 0, CONFIG_PROVIDER, chosen);
        set(&c, 0, CONFIG_AUTH_USER, "me@corp.example");
        set(&c, 0, CONFIG_AUTH_PASS, "secret");
        ck_assert_msg(complete(&t, &c, &err), "%s: %s", name, err.text);
        ck_assert_ptr_nonnull(config_text(&c, 0, CONFIG_MAILHUB));
        config_end(&c);
        free(chosen);
    }
    provider_clear(&t);
}
END_TEST

START_TEST(a_name_stands_for_one_entry_only)
{
    struct provider_table t;

    open_installed(&t);
    for (size_t i = 1; i <= provider_count(&t); i++) {
        const struct config_value *v = config_value(&t.entries, i, CONFIG_PRESET_NAMES);
        for (size_t k = 0; k < v->n; k++) {
            struct slice region;
            ck_assert_msg(provider_find(&t, v->item[k], &region, NULL) == i, "%s is there twice", v->item[k]);
        }
        v = config_value(&t.entries, i, CONFIG_PRESET_DOMAINS);
        for (size_t k = 0; k < v->n; k++)
            ck_assert_msg(
                provider_find_domain(&t, slice_of(v->item[k])) == i, "%s is there twice", v->item[k]);
    }
    provider_clear(&t);
}
END_TEST

START_TEST(a_preset_gives_what_the_file_does_not_set)
{
    struct provider_table t;
    struct config c;
    struct config_hub h;
    struct error err;

    open_installed(&t);
    config_begin(&c);
    set(&c, 0, CONFIG_PROVIDER, "Office365");
    set(&c, 0, CONFIG_AUTH_USER, "me@corp.example");
    set(&c, 0, CONFIG_AUTH_PASS, "secret");
    ck_assert_msg(complete(&t, &c, &err), "%s", err.text);
    check_text(&c, 0, CONFIG_MAILHUB, "smtp.office365.com:587", "preset office365");
    check_text(&c, 0, CONFIG_CONNECTIONS, "3", "preset office365");
    ck_assert_int_eq(config_number(&c, 0, CONFIG_RATE_LIMIT), 1800);
    ck_assert(config_flag(&c, 0, CONFIG_OWN_SENDER));
    ck_assert(config_hub_parse(&c, 0, config_text(&c, 0, CONFIG_MAILHUB), &h, &err));
    ck_assert_int_eq(h.tls, CONFIG_TLS_STARTTLS);
    free(h.host);
    config_end(&c);

    config_begin(&c);
    set(&c, 0, CONFIG_PROVIDER, "office365");
    set(&c, 0, CONFIG_MAILHUB, "proxy.corp.example:2525");
    set(&c, 0, CONFIG_RATE_LIMIT, "5/m");
    ck_assert_msg(complete(&t, &c, &err), "%s", err.text);
    check_text(&c, 0, CONFIG_MAILHUB, "proxy.corp.example:2525", "FILE line 1");
    check_text(&c, 0, CONFIG_RATE_LIMIT, "5/m", "FILE line 1");
    config_end(&c);
    provider_clear(&t);
}
END_TEST

START_TEST(each_account_has_the_preset_it_names_and_inherits_none_beside_its_own_smarthost)
{
    struct provider_table t;
    struct config c;
    struct error err;

    open_installed(&t);
    config_begin(&c);
    set(&c, 0, CONFIG_PROVIDER, "office365");
    set(&c, 0, CONFIG_AUTH_USER, "me@corp.example");
    set(&c, 0, CONFIG_AUTH_PASS, "secret");
    ck_assert_uint_eq(config_add_account(&c), 1);
    set(&c, 1, CONFIG_MAILHUB, "hub.corp.example");
    set(&c, 1, CONFIG_AUTH_USER, "");
    ck_assert_uint_eq(config_add_account(&c), 2);
    set(&c, 2, CONFIG_PROVIDER, "sendgrid");
    set(&c, 2, CONFIG_AUTH_PASS, "key");
    set(&c, 2, CONFIG_AUTH_USER, "apikey");
    ck_assert_uint_eq(config_add_account(&c), 3);
    ck_assert_msg(complete(&t, &c, &err), "%s", err.text);
    check_text(&c, 1, CONFIG_MAILHUB, "hub.corp.example", "FILE line 1");
    ck_assert(!config_value(&c, 1, CONFIG_RATE_LIMIT)->set && !config_flag(&c, 1, CONFIG_OWN_SENDER));
    check_text(&c, 2, CONFIG_MAILHUB, "smtp.sendgrid.net:465", "preset sendgrid");
    ck_assert(!config_value(&c, 2, CONFIG_CONNECTIONS)->set);
    check_text(&c, 3, CONFIG_MAILHUB, "smtp.office365.com:587", "preset office365");
    config_end(&c);
    provider_clear(&t);
}
END_TEST

START_TEST(the_key_of_a_service_whose_login_all_share_goes_to_no_other_smarthost)
{
    struct provider_table t;
    struct config c;
    struct error err;

    open_installed(&t);
    config_begin(&c);
    set(&c, 0, CONFIG_PROVIDER, "sendgrid");
    set(&c, 0, CONFIG_AUTH_PASS, "key");
    ck_assert_uint_eq(config_add_account(&c), 1);
    set(&c, 1, CONFIG_MAILHUB, "hub.corp.example");
    ck_assert_uint_eq(config_add_account(&c), 2);
    ck_assert_msg(complete(&t, &c, &err), "%s", err.text);
    check_text(&c, 0, CONFIG_AUTH_USER, "apikey", "preset sendgrid");
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_AUTH_PASS));
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_AUTH_USER));
    ck_assert_str_eq(config_text(&c, 2, CONFIG_AUTH_PASS), "key");
    ck_assert_str_eq(config_text(&c, 2, CONFIG_AUTH_USER), "apikey");
    config_end(&c);
    provider_clear(&t);
}
END_TEST

START_TEST(a_region_goes_into_the_smarthosts_name)
{
    static const struct {
        const char *name, *hub, *err;
    } t[] = {
        { "ses:eu-west-1", "email-smtp.eu-west-1.amazonaws.com:465", NULL },
        { "SES:us-east-2", "email-smtp.us-east-2.amazonaws.com:465", NULL },
        { "zoho", "smtp.zoho.com:465", NULL },
        { "zoho:com.au", "smtp.zoho.com.au:465", NULL },
        { "mailgun:eu", "smtp.eu.mailgun.org:465", NULL },
        { "ses", NULL, "ses needs a region" },
        { "ses:", NULL, "ses needs a region" },
        { "ses:a/b", NULL, "ses needs a region" },
        { "gmail:eu", NULL, "gmail has no regions" },
        { "gmial", NULL, "\"gmial\" is not known; did you mean \"gmail\"?" },
        { "sess:eu-west-1", NULL, "did you mean \"ses\"?" },
        { "nobody-knows-it", NULL, "set mailhub instead" },
    };
    struct provider_table table;
    struct config c;
    struct error err;

    open_installed(&table);
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        config_begin(&c);
        set(&c, 0, CONFIG_PROVIDER, t[i].name);
        bool ok = provider_apply(&table, &c, &err);
        ck_assert_msg(ok == !t[i].err, "%s", t[i].name);
        if (ok)
            ck_assert_str_eq(config_text(&c, 0, CONFIG_MAILHUB), t[i].hub);
        else
            ck_assert_msg(strstr(err.text, t[i].err) && strstr(err.text, "FILE line 1"), "%s", err.text);
        config_end(&c);
    }
    provider_clear(&table);
}
END_TEST

START_TEST(an_address_in_a_shared_domain_allows_no_other_whatever_the_smarthost)
{
    struct provider_table t;
    struct config c;
    struct error err;

    open_installed(&t);
    config_begin(&c);
    set(&c, 0, CONFIG_MAILHUB, "hub.corp.example");
    set(&c, 0, CONFIG_FROM, "me@GMail.com");
    ck_assert_uint_eq(config_add_account(&c), 1);
    set(&c, 1, CONFIG_FROM, "me@corp.example");
    ck_assert_msg(complete(&t, &c, &err), "%s", err.text);
    check_text(&c, 0, CONFIG_OWN_SENDER, "true", "preset gmail");
    ck_assert(!config_flag(&c, 1, CONFIG_OWN_SENDER));
    config_end(&c);
    provider_clear(&t);
}
END_TEST

START_TEST(a_table_that_is_wrong_is_refused_with_its_line)
{
    static const struct {
        const char *text, *err;
    } t[] = {
        { "providers = ( { names = \"x\"; mailhub = \"h\"; AuthPass = \"s\"; } );", "AuthPass: unknown" },
        { "providers = (\n{ names = \"x\"; mialhub = \"h\"; } );",
            "line 2: mialhub: unknown setting; did you" },
        { "providers = ( { names = \"x\"; mailhub = \"h\"; AuthPassCommand = \"c\"; } );",
            "unknown setting" },
        { "providers = ( { names = \"x\"; mailhub = \"h\"; Connections = 0; } );", "1 to 64" },
        { "providers = ( { names = \"x\"; } );", "number 1 has no mailhub" },
        { "providers = ( { mailhub = \"h\"; } );", "number 1 has no names" },
        { "mailhub = \"h\";", "mailhub: unknown setting" },
        { "providers = ( 1 );", "each provider is a group" },
    };
    struct provider_table table;
    struct error err;

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        ck_assert_msg(!read_table(&table, t[i].text, &err), "%s", t[i].text);
        ck_assert_msg(strstr(err.text, t[i].err), "%s: %s", t[i].text, err.text);
        provider_clear(&table);
    }
    provider_init(&table);
    ck_assert(!provider_read(&table, "/nonexistent/providers", &err) && errno == ENOENT);
    provider_clear(&table);
}
END_TEST

SUITE_MAIN("provider", every_entry_of_the_installed_table_can_be_used_and_says_where_it_is_known_from,
    a_name_stands_for_one_entry_only, a_preset_gives_what_the_file_does_not_set,
    each_account_has_the_preset_it_names_and_inherits_none_beside_its_own_smarthost,
    the_key_of_a_service_whose_login_all_share_goes_to_no_other_smarthost,
    a_region_goes_into_the_smarthosts_name,
    an_address_in_a_shared_domain_allows_no_other_whatever_the_smarthost,
    a_table_that_is_wrong_is_refused_with_its_line)
