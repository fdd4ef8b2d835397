/* SPDX-License-Identifier: ISC */
/*
 * A configuration that setup changes: what our reader takes and setup understands, libconfig takes afterwards, too; the settings that
 * were meant have their new values, all others the ones they had.
 */
#include <libconfig.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/import_text.h"
#include "admin/setup_edit.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* The library forgets a string it has begun when the text after it is wrong. */
const char *
__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static const struct setup_setting changed[] = { { "mailhub", "\"new.example\"" }, { "provider", NULL },
    { "UseSTARTTLS", NULL }, { "TLSFingerprint", NULL }, { "AuthUser", "\"a\\\"\\\\\"" },
    { "AuthPass", NULL }, { "From", "\"a@new.example\"" } };
#define CHANGED (sizeof changed / sizeof changed[0])

static bool
names_include(struct slice text)
{
    for (; text.len; text = slice_from(text, 1))
        if (slice_starts(text, "@include"))
            return true;
    return false;
}

static config_setting_t *
member(const config_setting_t *group, const char *name)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        if (config_setting_name(s) && strcasecmp(config_setting_name(s), name) == 0)
            return s;
    }
    return NULL;
}

static bool
is_changed(const char *name)
{
    for (size_t i = 0; i < CHANGED; i++)
        if (strcasecmp(name, changed[i].name) == 0)
            return true;
    return false;
}

static void compare(const config_setting_t *a, const config_setting_t *b);

/* All of `a` is in `b`, too; what setup was to change apart where `here` */
static size_t
compare_members(const config_setting_t *a, const config_setting_t *b, bool here)
{
    size_t n = 0;

    for (int i = 0; i < config_setting_length(a); i++) {
        const config_setting_t *s = config_setting_get_elem(a, (unsigned)i);
        const char *name = config_setting_name(s);
        if (here && is_changed(name))
            continue;
        const config_setting_t *other = member(b, name);
        ensure(other != NULL);
        compare(s, other);
        n++;
    }
    return n;
}

static void
compare(const config_setting_t *a, const config_setting_t *b)
{
    int type = config_setting_type(a);

    ensure(type == config_setting_type(b));
    if (type == CONFIG_TYPE_STRING)
        ensure(strcmp(config_setting_get_string(a), config_setting_get_string(b)) == 0);
    else if (type == CONFIG_TYPE_INT)
        ensure(config_setting_get_int(a) == config_setting_get_int(b));
    else if (type == CONFIG_TYPE_BOOL)
        ensure(config_setting_get_bool(a) == config_setting_get_bool(b));
    else if (type == CONFIG_TYPE_GROUP)
        ensure(compare_members(a, b, false) == (size_t)config_setting_length(b));
    else if (type == CONFIG_TYPE_LIST || type == CONFIG_TYPE_ARRAY) {
        ensure(config_setting_length(a) == config_setting_length(b));
        for (int i = 0; i < config_setting_length(a); i++)
            compare(config_setting_get_elem(a, (unsigned)i), config_setting_get_elem(b, (unsigned)i));
    }
}

/* The settings that were meant, and nothing else that is new */
static void
check_changed(const config_setting_t *now, size_t others)
{
    for (size_t i = 0; i < CHANGED; i++)
        ensure((member(now, changed[i].name) != NULL) == (changed[i].value != NULL));
    ensure(strcmp(config_setting_get_string(member(now, "mailhub")), "new.example") == 0);
    ensure(strcmp(config_setting_get_string(member(now, "AuthUser")), "a\"\\") == 0);
    ensure((size_t)config_setting_length(now) == others + 3);
}

static bool
is_account(const config_setting_t *group, const char *account)
{
    const config_setting_t *name = member(group, "name");

    return name && config_setting_type(name) == CONFIG_TYPE_STRING &&
           strcmp(config_setting_get_string(name), account) == 0;
}

static void
check_accounts(const config_setting_t *a, const config_setting_t *b, const char *account)
{
    int n = a ? config_setting_length(a) : 0, found = 0;

    for (int i = 0; i < n; i++) {
        const config_setting_t *was = config_setting_get_elem(a, (unsigned)i),
                               *is = config_setting_get_elem(b, (unsigned)i);
        if (found || !is_account(was, account)) {
            compare(was, is);
            continue;
        }
        found = 1;
        check_changed(is, compare_members(was, is, true));
    }
    ensure(config_setting_length(b) == n + !found);
    if (!found)
        check_changed(config_setting_get_elem(b, (unsigned)n), 1); /* name */
}

static void
check_result(const config_t *a, const config_t *b, const char *account)
{
    const config_setting_t *was = config_root_setting(a), *is = config_root_setting(b);

    if (!account) {
        check_changed(is, compare_members(was, is, true));
        return;
    }
    for (int i = 0; i < config_setting_length(was); i++) {
        const config_setting_t *s = config_setting_get_elem(was, (unsigned)i);
        if (strcasecmp(config_setting_name(s), "accounts") != 0)
            compare(s, member(is, config_setting_name(s)));
    }
    check_accounts(member(was, "accounts"), member(is, "accounts"), account);
}

static void
check_edit(struct slice text, const char *account)
{
    char *before = mem_format("%.*s\n", SLICE_ARG(text)); /* our reader ends the last line, too */
    struct buf out;
    config_t a, b;

    buf_init(&out, 1 << 20);
    config_init(&a);
    config_init(&b);
    if (setup_edit(text, account, changed, CHANGED, &out)) {
        buf_add_char(&out, '\n');
        ensure(config_read_string(&a, before));
        ensure(config_read_string(&b, buf_str(&out)));
        check_result(&a, &b, account);
    }
    config_destroy(&a);
    config_destroy(&b);
    buf_clear(&out);
    free(before);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data, size);
    struct config c;
    struct error err;
    struct buf ignored;

    if (size > 8192)
        return 0;
    buf_init(&ignored, 1 << 20);
    (void)setup_edit(text, "work", changed, CHANGED, &ignored); /* of what is none, too */
    buf_clear(&ignored);
    if (names_include(text) || !import_text_check(text, "/nowhere/f.conf", &c, &err))
        return 0;
    config_end(&c);
    check_edit(text, NULL);
    check_edit(text, "work");
    return 0;
}
