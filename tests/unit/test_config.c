/* config: what a setting may be, and that nothing is lost on the way to daemon and worker. */
#include "unit/suite.h"

#include <string.h>

#include "config/config.h"
#include "config/guard.h"

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
    { "[::1]:26", "opportunistic", NULL, CONFIG_TLS_OPPORTUNISTIC, "::1", 26 },
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

static const struct {
    const char *text, *why;
} texts[] = {
    { "a = \"b\";", NULL },
    { "a = \"b", "not closed" },
    { "/* x", "comment is not closed" },
    { "# \"\na = 2147483647;", NULL },
    { "a = 2147483648;", "too large" },
    { "a = \"2147483648\";", NULL },
    { "@include \"rel\"", "absolute" },
    { "@include \"/dev/null\"", "regular" },
    { "mailhub=mail:25\nUseTLS=YES\n", "ssmtp" },
};

START_TEST(the_library_sees_only_what_it_can_bear)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct error err;
        bool ok = guard_check(slice_of(texts[i].text), "f.conf", &err);

        ck_assert_msg(ok == (texts[i].why == NULL), "%s: %s", texts[i].text, ok ? "taken" : err.text);
        if (!ok)
            ck_assert_msg(strstr(err.text, texts[i].why) && strstr(err.text, "f.conf line"), "%s", err.text);
    }
}
END_TEST

SUITE_MAIN("config", values_are_checked_by_what_they_mean, ports_and_tls_follow_one_another,
    the_daemon_gets_no_secret_and_the_worker_its_own, the_library_sees_only_what_it_can_bear)
