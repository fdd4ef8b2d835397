/* SPDX-License-Identifier: ISC */
/* config: what a setting may be, and that nothing is lost on the way to daemon and worker. */
#include "unit/suite.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "config/config.h"

static const struct {
    enum config_key key;
    const char *text;
    bool ok;
    int64_t number;
} values[] = {
    { CONFIG_TIMEOUT, "90s", true, 90000 },
    { CONFIG_TIMEOUT, "5d", true, 432000000 },
    { CONFIG_TIMEOUT, "soon", false, 0 },
    { CONFIG_TIMEOUT, "5", false, 0 },
    { CONFIG_MAX_MESSAGE_SIZE, "25M", true, 25 << 20 },
    { CONFIG_MAX_MESSAGE_SIZE, "1000", true, 1000 },
    { CONFIG_MAX_MESSAGE_SIZE, "-1", false, 0 },
    { CONFIG_RATE_LIMIT, "100/h", true, 100 },
    { CONFIG_RATE_LIMIT, "100/fortnight", false, 0 },
    { CONFIG_TLS_MIN_VERSION, "1.9", false, 0 },
    { CONFIG_USE_TLS, "implicit", true, 0 },
    { CONFIG_USE_TLS, "maybe", false, 0 },
    { CONFIG_TLS_FINGERPRINT, "abab", false, 0 },
    { CONFIG_FROM, "root", false, 0 },
    { CONFIG_ADD_HEADER, "X-A: b", true, 0 },
    { CONFIG_ADD_HEADER, "X-A: b\r\nBcc: c", false, 0 },
    { CONFIG_PROXY, "socks5://127.0.0.1:1080", true, 0 },
    { CONFIG_PROXY, "http://x", false, 0 },
    { CONFIG_MAX_RECIPIENTS, "0", false, 0 },
    { CONFIG_HOSTNAME, "a b", false, 0 },
    { CONFIG_HOSTNAME, "web1:25", false, 0 },
    { CONFIG_HOSTNAME, "[192.0.2.1]", true, 0 },
    { CONFIG_HOSTNAME, "[192.0.2.256]", false, 0 },
    { CONFIG_MAILHUB, "h:587:tls", false, 0 },
    { CONFIG_MAILHUB, "2001:db8::1", true, 0 },
    { CONFIG_MAILHUB, "[fe80::1%eth0]:25", true, 0 },
    { CONFIG_MAILHUB, "srv:", false, 0 },
    { CONFIG_TIMEOUT, "99999999999999w", false, 0 },
    { CONFIG_TIMEOUT, "0s", false, 0 },
    { CONFIG_MAX_MESSAGE_SIZE, "9000000T", false, 0 },
    { CONFIG_MAX_MESSAGE_SIZE, "9999999999999999999", false, 0 },
    { CONFIG_MAX_QUEUE_SIZE, "3000000000", true, 3000000000 },
    { CONFIG_RATE_LIMIT, "10/d", true, 1 },
    { CONFIG_RATE_LIMIT, "0", false, 0 },
    { CONFIG_RUNAWAY_LIMIT, "0", true, 0 },
    { CONFIG_RUNAWAY_LIMIT, "10/m", true, 600 },
    { CONFIG_RATE_LIMIT, "99999999999/s", false, 0 },
    { CONFIG_USE_TLS, "YES", true, 0 },
    { CONFIG_TLS_VERIFY, "on", true, 1 },
    { CONFIG_ROOT, "", true, 0 },
    { CONFIG_REWRITE_DOMAIN, "", true, 0 },
    { CONFIG_ADD_HEADER, "X A: b", false, 0 },
    { CONFIG_SENDER, "@shop.example", true, 0 },
    { CONFIG_SENDER, "shop.example", false, 0 },
    { CONFIG_SOURCE_ADDRESS, "::1", true, 0 },
    { CONFIG_SOURCE_ADDRESS, "eth0", false, 0 },
    { CONFIG_LISTEN_NETWORKS, "192.0.2.0/33", false, 0 },
    { CONFIG_LISTEN_NETWORKS, "::1/128", true, 0 },
    { CONFIG_TLS_CA_FILE, "ca.pem", false, 0 },
    { CONFIG_AUTH_PASS_FILE, "mail", true, 0 },
    { CONFIG_AUTH_PASS_FILE, "secrets/mail", false, 0 },
    { CONFIG_LOG_FILE, "-", true, 0 },
    { CONFIG_NAME, "a", true, 0 },
    { CONFIG_NAME, "a/b", false, 0 },
    { CONFIG_SOCKET,
        "/a/very/long/path/to/a/socket/that/does/not/fit/into/an/address/of/this/family/whatever/one/does/"
        "about/it",
        false, 0 },
};

START_TEST(values_are_checked_by_what_they_mean)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct config c;
        struct error err;
        bool ok;

        config_begin(&c);
        ok = config_set(&c, 0, values[i].key, slice_of(values[i].text), true, "test", &err);
        ck_assert_msg(ok == values[i].ok, "%s = %s", config_info(values[i].key)->name, values[i].text);
        if (ok)
            ck_assert_int_eq(config_number(&c, 0, values[i].key), values[i].number);
        config_end(&c);
    }
}
END_TEST

static const struct {
    const char *hub, *tls, *user;
    enum config_tls mode;
    const char *host;
    unsigned port;
} hubs[] = {
    { "h", "true", NULL, CONFIG_TLS_STARTTLS, "h", 25 },
    { "h", "true", "u", CONFIG_TLS_STARTTLS, "h", 587 },
    { "h:465", "true", "u", CONFIG_TLS_IMPLICIT, "h", 465 },
    { "h", "implicit", NULL, CONFIG_TLS_IMPLICIT, "h", 465 },
    { "h:465", "starttls", NULL, CONFIG_TLS_STARTTLS, "h", 465 },
    { "h", "false", NULL, CONFIG_TLS_NONE, "h", 25 },
    { "h", "yes", NULL, CONFIG_TLS_STARTTLS, "h", 25 },
    { "[::1]:26", "opportunistic", NULL, CONFIG_TLS_OPPORTUNISTIC, "::1", 26 },
    { "h:465", "opportunistic", NULL, CONFIG_TLS_IMPLICIT, "h", 465 },
    { "h:0", "true", NULL, CONFIG_TLS_NONE, NULL, 0 },
    { "h:65536", "true", NULL, CONFIG_TLS_NONE, NULL, 0 },
    { "[::1", "true", NULL, CONFIG_TLS_NONE, NULL, 0 },
    { "", "true", NULL, CONFIG_TLS_NONE, NULL, 0 },
};

START_TEST(ports_and_tls_follow_one_another)
{
    for (size_t i = 0; i < sizeof hubs / sizeof hubs[0]; i++) {
        struct config c;
        struct config_hub h;
        struct error err;
        bool ok;

        config_begin(&c);
        ck_assert(config_set(&c, 0, CONFIG_USE_TLS, slice_of(hubs[i].tls), true, "t", &err));
        if (hubs[i].user)
            ck_assert(config_set(&c, 0, CONFIG_AUTH_USER, slice_of(hubs[i].user), true, "t", &err));
        ok = config_hub_parse(&c, 0, hubs[i].hub, &h, &err);
        ck_assert_msg(ok == (hubs[i].host != NULL), "%s", hubs[i].hub);
        if (ok) {
            ck_assert_str_eq(h.host, hubs[i].host);
            ck_assert_msg(h.tls == hubs[i].mode && h.port == hubs[i].port, "%s: %d %u", hubs[i].hub,
                (int)h.tls, h.port);
            free(h.host);
        }
        config_end(&c);
    }
}
END_TEST

START_TEST(the_daemon_gets_no_secret_and_the_worker_its_own)
{
    struct config c, d;
    struct error err;
    struct buf flat;

    config_begin(&c);
    ck_assert(config_set(&c, 0, CONFIG_MAILHUB, slice_of("h"), true, "t", &err));
    ck_assert(config_set(&c, 0, CONFIG_AUTH_USER, slice_of("u@x.example"), true, "t", &err));
    ck_assert(config_set(&c, 0, CONFIG_AUTH_PASS, slice_of("s3cret = \n \xff"), true, "t", &err) == false);
    ck_assert(config_set(&c, 0, CONFIG_AUTH_PASS, slice_of("s3cret = % x"), true, "t", &err));
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    buf_init(&flat, 100000);
    config_encode_all(&c, &flat);
    ck_assert(!strstr(buf_str(&flat), "s3cret"));
    ck_assert(config_decode(&d, buf_slice(&flat), &err));
    ck_assert_ptr_null(config_text(&d, 0, CONFIG_AUTH_PASS));
    ck_assert_str_eq(config_text(&d, 0, CONFIG_HOSTNAME), "m.example");
    ck_assert_str_eq(config_text(&d, 0, CONFIG_FROM), "u@x.example");
    config_end(&d);
    buf_reset(&flat);
    config_encode(&c, 0, true, &flat);
    ck_assert(config_decode(&d, buf_slice(&flat), &err));
    ck_assert_str_eq(config_text(&d, 0, CONFIG_AUTH_PASS), "s3cret = % x");
    config_end(&d);
    config_end(&c);
    buf_clear(&flat);
}
END_TEST

/* ---------------------------------------------------------------- accounts */

static void
set(struct config *c, size_t account, enum config_key key, const char *text)
{
    struct error err;

    ck_assert_msg(config_set(c, account, key, slice_of(text), true, "t", &err), "%s", err.text);
}

/* The default account with a login, and one more */
static void
begin_two(struct config *c)
{
    config_begin(c);
    set(c, 0, CONFIG_MAILHUB, "hub.example");
    set(c, 0, CONFIG_AUTH_USER, "u@example.org");
    set(c, 0, CONFIG_AUTH_PASS, "first");
    set(c, 0, CONFIG_USE_STARTTLS, "true");
    ck_assert_uint_eq(config_add_account(c), 1);
}

START_TEST(an_account_inherits_what_it_does_not_set)
{
    struct config c;
    struct error err;

    begin_two(&c);
    set(&c, 0, CONFIG_ADD_HEADER, "X-A: 1");
    set(&c, 0, CONFIG_TIMEOUT, "7s");
    set(&c, 1, CONFIG_HOSTNAME, "other.example");
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    for (enum config_key k = 0; k < CONFIG_NAME; k++) {
        const struct config_value *a = config_value(&c, 0, k), *b = config_value(&c, 1, k);
        if (k == CONFIG_HOSTNAME)
            continue;
        ck_assert_msg(a->set == b->set && a->n == b->n && a->number == b->number, "%s", config_info(k)->name);
        for (size_t i = 0; i < a->n; i++)
            ck_assert_str_eq(a->item[i], b->item[i]);
    }
    ck_assert_str_eq(config_account_name(&c, 1), "account1");
    config_end(&c);
}
END_TEST

START_TEST(an_accounts_own_secret_takes_the_place_of_the_inherited_one)
{
    struct config c;
    struct error err;

    begin_two(&c);
    set(&c, 1, CONFIG_AUTH_PASS_COMMAND, "/bin/echo x");
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_AUTH_PASS));
    ck_assert_str_eq(config_text(&c, 1, CONFIG_AUTH_USER), "u@example.org");
    config_end(&c);
}
END_TEST

START_TEST(an_empty_authuser_in_an_account_means_no_login)
{
    struct config c;
    struct error err;

    begin_two(&c);
    set(&c, 1, CONFIG_AUTH_USER, "");
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_AUTH_PASS));
    config_end(&c);
}
END_TEST

START_TEST(an_account_that_replaces_the_senders_it_was_chosen_for_is_warned_of)
{
    static const struct {
        const char *sender, *allowed, *policy;
        bool warned;
    } t[] = {
        { "@shop.example", NULL, NULL, true },
        { "@shop.example", "@shop.example", NULL, false },
        { "news@shop.example", "@SHOP.example", NULL, false },
        { "news@shop.example", "other@shop.example", NULL, true },
        { "@example.org", NULL, NULL, false },
        { "me@example.org", NULL, NULL, false },
        { "@shop.example", NULL, "keep", false },
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct config c;
        struct error err;
        begin_two(&c);
        set(&c, 0, CONFIG_FROM, "me@example.org");
        set(&c, 1, CONFIG_SENDER, t[i].sender);
        if (t[i].allowed)
            set(&c, 1, CONFIG_FROM_ALLOWED, t[i].allowed);
        if (t[i].policy)
            set(&c, 1, CONFIG_FROM_POLICY, t[i].policy);
        ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
        ck_assert_msg(
            (strstr(buf_str(&c.warnings), "goes out as me@example.org") != NULL) == t[i].warned, "%zu", i);
        config_end(&c);
    }
}
END_TEST

START_TEST(an_accounts_own_login_is_what_it_sends_as)
{
    static const struct {
        const char *user, *from, *want;
    } t[] = {
        { NULL, NULL, "me@example.org" },
        { "shop@example.net", NULL, "shop@example.net" },
        { "shop@example.net", "news@example.net", "news@example.net" },
        { "AKIAIOSFODNN7", NULL, "me@example.org" },
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct config c;
        struct error err;
        begin_two(&c);
        set(&c, 0, CONFIG_FROM, "me@example.org");
        if (t[i].user)
            set(&c, 1, CONFIG_AUTH_USER, t[i].user);
        if (t[i].from)
            set(&c, 1, CONFIG_FROM, t[i].from);
        ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
        ck_assert_str_eq(config_text(&c, 1, CONFIG_FROM), t[i].want);
        config_end(&c);
    }
}
END_TEST

START_TEST(the_password_of_one_smarthost_is_not_for_another_login_elsewhere)
{
    struct config c;
    struct error err;

    begin_two(&c);
    set(&c, 1, CONFIG_AUTH_USER, "shop");
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    ck_assert_str_eq(config_text(&c, 1, CONFIG_AUTH_PASS), "first");
    config_end(&c);
    begin_two(&c);
    set(&c, 1, CONFIG_AUTH_USER, "shop");
    set(&c, 1, CONFIG_MAILHUB, "elsewhere.example");
    ck_assert(!config_complete(&c, "m.example", NULL, &err));
    ck_assert_msg(strstr(err.text, "AuthPassCommand is missing") != NULL, "%s", err.text);
    config_end(&c);
}
END_TEST

START_TEST(an_inherited_pin_holds_and_is_named)
{
#define PIN "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    for (int own = 0; own < 2; own++) {
        struct config c;
        struct error err;
        begin_two(&c);
        set(&c, 0, CONFIG_TLS_FINGERPRINT, PIN);
        set(&c, 1, CONFIG_MAILHUB, "elsewhere.example");
        if (own)
            config_set_empty(&c, 1, CONFIG_TLS_FINGERPRINT, "t");
        ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
        ck_assert_uint_eq(config_value(&c, 1, CONFIG_TLS_FINGERPRINT)->n, own ? 0 : 1);
        ck_assert((strstr(buf_str(&c.warnings), "TLSFingerprint") == NULL) == own);
        config_end(&c);
    }
}
END_TEST

START_TEST(an_accounts_own_tls_mode_hides_the_inherited_starttls)
{
    struct config c;
    struct config_hub h;
    struct error err;

    begin_two(&c);
    set(&c, 1, CONFIG_USE_TLS, "false");
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    ck_assert(config_hub_parse(&c, 1, "h", &h, &err));
    ck_assert_int_eq(h.tls, CONFIG_TLS_NONE);
    free(h.host);
    config_end(&c);
}
END_TEST

START_TEST(an_empty_list_hides_the_inherited_one)
{
    struct config c;
    struct error err;

    begin_two(&c);
    set(&c, 0, CONFIG_ADD_HEADER, "X-A: 1");
    config_set_empty(&c, 1, CONFIG_ADD_HEADER, "t");
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    ck_assert_uint_eq(config_value(&c, 1, CONFIG_ADD_HEADER)->n, 0);
    config_end(&c);
}
END_TEST

START_TEST(every_account_knows_the_machines_own_names)
{
    static const char *const names[] = { "web1", NULL, "web1.example.org", "LOCALHOST", "mail2.example.org" };
    struct config c, d;
    struct error err;
    struct buf flat;
    const struct config_value *own;

    begin_two(&c);
    ck_assert(config_complete(&c, "m.example", NULL, &err));
    config_add_own_names(&c, names, 5);
    buf_init(&flat, 100000);
    config_encode(&c, 1, true, &flat);
    ck_assert(config_decode(&d, buf_slice(&flat), &err));
    own = config_value(&d, 0, CONFIG_OWN_NAMES);
    ck_assert_uint_eq(own->n, 7);
    ck_assert_str_eq(own->item[0], "m.example");
    ck_assert_str_eq(own->item[4], "web1.example.org");
    ck_assert_str_eq(own->item[6], "mail2"); /* as people call it within the domain */
    config_end(&d);
    config_end(&c);
    buf_clear(&flat);
}
END_TEST

static const struct {
    enum config_key key;
    const char *first, *second, *why;
} contradictions[] = {
    { CONFIG_FALLBACK, "b", "a", "circle" }, { CONFIG_FALLBACK, "a", NULL, "circle" },
    { CONFIG_FALLBACK, "c", NULL, "no account named c" },
    { CONFIG_NAME, "x", "x", "two accounts are named x" },
    { CONFIG_NAME, "default", NULL, "two accounts are named default" },
    { CONFIG_TLS_KEY, "/k", NULL, "TLSCert is missing" }, { CONFIG_AUTH_PASS_FILE, "/f", NULL, NULL },
    { CONFIG_MAILHUB, "direct", NULL, NULL },
    { CONFIG_PROVIDER, "gmail", NULL, "mailhub: not set" }, /* its preset was not asked */
};

START_TEST(what_contradicts_itself_is_refused_and_located)
{
    for (size_t i = 0; i < sizeof contradictions / sizeof contradictions[0]; i++) {
        struct config c;
        struct error err;
        bool ok;

        begin_two(&c);
        (void)config_add_account(&c);
        set(&c, 1, CONFIG_NAME, "a");
        set(&c, 2, CONFIG_NAME, "b");
        set(&c, 1, contradictions[i].key, contradictions[i].first);
        if (contradictions[i].second)
            set(&c, 2, contradictions[i].key, contradictions[i].second);
        ok = config_complete(&c, "m.example", NULL, &err);
        ck_assert_msg(ok == !contradictions[i].why, "%zu: %s", i, ok ? "taken" : err.text);
        if (!ok)
            ck_assert_msg(strstr(err.text, contradictions[i].why) && strstr(err.text, "t: "), "%s", err.text);
        config_end(&c);
    }
}
END_TEST

static const struct {
    enum config_key key;
    const char *value, *why;
} beside_direct[] = {
    { CONFIG_AUTH_USER, "alice", "there is no login" },
    { CONFIG_TLS_FINGERPRINT, "0000000000000000000000000000000000000000000000000000000000000000",
        "each recipient's host" },
    { CONFIG_USE_TLS, "implicit", "by STARTTLS only" },
    { CONFIG_USE_TLS, "true", NULL },
};

START_TEST(what_is_meant_for_a_smarthost_does_not_stand_beside_direct)
{
    for (size_t i = 0; i < sizeof beside_direct / sizeof beside_direct[0]; i++) {
        struct config c;
        struct error err;
        bool ok;

        begin_two(&c);
        set(&c, 1, CONFIG_MAILHUB, "direct");
        set(&c, 1, beside_direct[i].key, beside_direct[i].value);
        if (beside_direct[i].key == CONFIG_AUTH_USER)
            set(&c, 1, CONFIG_AUTH_PASS, "x");
        ok = config_complete(&c, "m.example", NULL, &err);
        ck_assert_msg(ok == !beside_direct[i].why, "%zu: %s", i, ok ? "taken" : err.text);
        if (!ok)
            ck_assert_msg(strstr(err.text, beside_direct[i].why), "%s", err.text);
        config_end(&c);
    }
}
END_TEST

START_TEST(a_direct_account_inherits_no_login_and_is_opportunistic)
{
    struct config c;
    struct config_hub h;
    struct error err;

    begin_two(&c);
    set(&c, 0, CONFIG_AUTH_USER, "alice@example.org");
    set(&c, 0, CONFIG_AUTH_PASS, "x");
    set(&c, 0, CONFIG_USE_TLS, "true");
    set(&c, 1, CONFIG_MAILHUB, "direct");
    ck_assert_msg(config_complete(&c, "m.example", NULL, &err), "%s", err.text);
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_AUTH_USER));
    ck_assert_ptr_null(config_text(&c, 1, CONFIG_AUTH_PASS));
    ck_assert(config_hub_parse(&c, 1, "direct", &h, &err));
    ck_assert_int_eq(h.tls, CONFIG_TLS_OPPORTUNISTIC);
    free(h.host);
    config_end(&c);
}
END_TEST

START_TEST(a_machine_without_a_usable_name_greets_with_an_address)
{
    struct config c;
    struct error err;

    begin_two(&c);
    ck_assert(config_complete(&c, "my host.local", NULL, &err));
    ck_assert_str_eq(config_text(&c, 0, CONFIG_HOSTNAME), "[127.0.0.1]");
    config_end(&c);
}
END_TEST

START_TEST(malformed_flat_settings_are_refused)
{
    static const char *const texts[] = { "", "\n", "mailhub=h\n", "account=\n\n", "account=\nnosuch=1\n",
        "account=\nmailhub=%4\n", "account=\nTimeout=soon\n", "account=\nmailhub\n" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct config c;
        struct error err;
        ck_assert_msg(!config_decode(&c, slice_of(texts[i]), &err), "%s", texts[i]);
    }
}
END_TEST

START_TEST(every_setting_stands_in_the_manual_and_in_the_example)
{
    static const char *const paths[] = { TESTDATA "/../man/smtprelay.conf.5",
        TESTDATA "/../conf/smtprelay.conf" };

    for (size_t f = 0; f < 2; f++) {
        struct error err;
        struct stat st;
        struct buf text;
        int fd = file_open_regular(paths[f], &st, &err);

        ck_assert_int_ge(fd, 0);
        buf_init(&text, 1u << 20);
        ck_assert(file_read_all(fd, &text, paths[f], &err));
        for (enum config_key k = 0; k < (f ? CONFIG_NAME : CONFIG_CA_PEM); k++) {
            const char *name = config_info(k)->name;
            char *line = f ? mem_format("#%s = ", name) : mem_format(".It Cm %s\n", name);
            const char *from = k == CONFIG_MAILHUB && f ? "\nmailhub = " : line;
            ck_assert_msg(strstr(buf_str(&text), from) != NULL, "%s: %s", paths[f], name);
            free(line);
        }
        buf_clear(&text);
        file_close(&fd);
    }
}
END_TEST

SUITE_MAIN("config", every_setting_stands_in_the_manual_and_in_the_example,
    values_are_checked_by_what_they_mean, ports_and_tls_follow_one_another,
    the_daemon_gets_no_secret_and_the_worker_its_own, an_account_inherits_what_it_does_not_set,
    an_accounts_own_secret_takes_the_place_of_the_inherited_one,
    an_account_that_replaces_the_senders_it_was_chosen_for_is_warned_of,
    an_accounts_own_login_is_what_it_sends_as, an_inherited_pin_holds_and_is_named,
    the_password_of_one_smarthost_is_not_for_another_login_elsewhere,
    an_empty_authuser_in_an_account_means_no_login, an_accounts_own_tls_mode_hides_the_inherited_starttls,
    an_empty_list_hides_the_inherited_one, every_account_knows_the_machines_own_names,
    what_contradicts_itself_is_refused_and_located,
    what_is_meant_for_a_smarthost_does_not_stand_beside_direct,
    a_direct_account_inherits_no_login_and_is_opportunistic,
    a_machine_without_a_usable_name_greets_with_an_address, malformed_flat_settings_are_refused)
