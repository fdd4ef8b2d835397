/* SPDX-License-Identifier: ISC */
/* tree: see tree.h. Opens nothing: the guard has read all there is. */
#include "config/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "base/mem.h"

struct loading {
    struct config *c;
    const struct guard_text *g;
    struct error *err;
    bool presets;
    const char *list; /* the setting that holds the groups */
};

static bool
fail_at(struct loading *l, const config_setting_t *s)
{
    unsigned line;
    const struct guard_file *file = guard_where(l->g, config_setting_source_line(s), &line);

    return error_context(l->err, "%s line %u", file->path, line);
}

/* A scalar as text, the way config_set wants it */
static bool
scalar_text(const config_setting_t *s, char *out, size_t size, const char **text)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_STRING:
        *text = config_setting_get_string(s);
        return true;
    case CONFIG_TYPE_INT:
        (void)snprintf(out, size, "%d", config_setting_get_int(s));
        break;
    case CONFIG_TYPE_INT64:
        (void)snprintf(out, size, "%lld", config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(out, size, "%s", config_setting_get_bool(s) ? "true" : "false");
        break;
    default:
        return false;
    }
    *text = out;
    return true;
}

/* May this setting be of this libconfig type? A bool or number where a text belongs is a typing error, mostly. */
static bool
type_fits(enum config_key key, const config_setting_t *s)
{
    bool text = config_setting_type(s) == CONFIG_TYPE_STRING;
    bool truth = config_setting_type(s) == CONFIG_TYPE_BOOL;
    bool integer = config_setting_type(s) == CONFIG_TYPE_INT;

    switch (config_info(key)->type) {
    case CONFIG_BOOL:
        return truth;
    case CONFIG_NUMBER:
        return integer;
    case CONFIG_RATE: /* 0 */
        return text || integer;
    case CONFIG_SIZE:
        return text || integer || config_setting_type(s) == CONFIG_TYPE_INT64;
    case CONFIG_TEXT:
        return text || (truth && key == CONFIG_USE_TLS);
    case CONFIG_LIST:
        return text || (integer && config_is_users(key));
    default:
        return text;
    }
}

static bool
check_secret_place(struct loading *l, enum config_key key, const struct guard_file *file)
{
    if (!config_info(key)->secret || !(file->st.st_mode & 04))
        return true;
    return error_set(
        l->err, ERROR_CONFIG, "%s: others may read this file; chmod o-r", config_info(key)->name);
}

static bool
set_one(struct loading *l, size_t account, enum config_key key, const config_setting_t *s, bool first)
{
    char number[40];
    const char *text;
    unsigned line;
    const struct guard_file *file = guard_where(l->g, config_setting_source_line(s), &line);
    char *origin = mem_format("%s line %u", file->path, line);
    bool ok;

    if (!type_fits(key, s) || !scalar_text(s, number, sizeof number, &text))
        ok = error_set(l->err, ERROR_CONFIG, "%s: %s is wanted", config_info(key)->name, config_wanted(key));
    else
        ok = check_secret_place(l, key, file) &&
             config_set(l->c, account, key, slice_of(text), first, origin, l->err);
    free(origin);
    return ok || fail_at(l, s);
}

static bool
set_value(struct loading *l, size_t account, enum config_key key, const config_setting_t *s)
{
    bool is_list = config_setting_is_list(s) == CONFIG_TRUE || config_setting_is_array(s) == CONFIG_TRUE;

    if (!is_list)
        return set_one(l, account, key, s, true);
    if (config_info(key)->type != CONFIG_LIST) {
        error_set(l->err, ERROR_CONFIG, "%s: a list is not possible here", config_info(key)->name);
        return fail_at(l, s);
    }
    if (config_setting_length(s) == 0) {
        config_set_empty(l->c, account, key, "an empty list");
        return true;
    }
    for (int i = 0; i < config_setting_length(s); i++)
        if (!set_one(l, account, key, config_setting_get_elem(s, (unsigned)i), i == 0))
            return false;
    return true;
}

/* Names without case: two that differ in case only are the same setting given twice */
static bool
is_twice(const config_setting_t *group, int i)
{
    const char *name = config_setting_name(config_setting_get_elem(group, (unsigned)i));

    for (int k = 0; k < i; k++) {
        const char *other = config_setting_name(config_setting_get_elem(group, (unsigned)k));
        if (slice_is_nocase(slice_of(name), other))
            return true;
    }
    return false;
}

/* A name that is none, or that does not belong here */
static bool
fail_unknown(struct loading *l, bool in_account, const char *name, const char *nearest)
{
    if (!l->presets && config_find(name, !in_account, NULL) != CONFIG_KEYS)
        return error_set(l->err, ERROR_CONFIG,
            in_account ? "%s: this cannot be set for one account alone"
                       : "%s: this belongs in a group of accounts",
            name);
    if (nearest)
        return error_set(l->err, ERROR_CONFIG, "%s: unknown setting; did you mean %s?", name, nearest);
    return error_set(l->err, ERROR_CONFIG, "%s: unknown setting", name);
}

static enum config_key
find_key(const struct loading *l, size_t account, const char *name, const char **nearest)
{
    *nearest = NULL;
    if (!l->presets)
        return config_find(name, account > 0, nearest);
    return account > 0 ? config_find_preset(name, nearest) : CONFIG_KEYS;
}

static bool load_accounts(struct loading *l, const config_setting_t *s);

static bool
load_group(struct loading *l, size_t account, const config_setting_t *group)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(s), *nearest;
        enum config_key key;

        if (is_twice(group, i)) {
            error_set(l->err, ERROR_CONFIG, "%s: given twice", name);
            return fail_at(l, s);
        }
        if (account == 0 && slice_is_nocase(slice_of(name), l->list)) {
            if (!load_accounts(l, s))
                return false;
            continue;
        }
        key = find_key(l, account, name, &nearest);
        if (key == CONFIG_KEYS) {
            fail_unknown(l, account > 0, name, nearest);
            return fail_at(l, s);
        }
        if (!set_value(l, account, key, s))
            return false;
    }
    return true;
}

static bool
load_accounts(struct loading *l, const config_setting_t *s)
{
    if (config_setting_is_list(s) != CONFIG_TRUE) {
        error_set(l->err, ERROR_CONFIG, "%s: a list of groups is wanted: ( { ... }, { ... } )", l->list);
        return fail_at(l, s);
    }
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *group = config_setting_get_elem(s, (unsigned)i);
        if (config_setting_is_group(group) != CONFIG_TRUE) {
            error_set(l->err, ERROR_CONFIG, "%s: each %s is a group { name = value; ... }", l->list,
                l->presets ? "provider" : "account");
            return fail_at(l, group);
        }
        if (l->c->n > CONFIG_ACCOUNTS_MAX) {
            error_set(l->err, ERROR_CONFIG, "%s: more than %d", l->list, CONFIG_ACCOUNTS_MAX);
            return fail_at(l, group);
        }
        size_t a = config_add_account(l->c);
        if (!load_group(l, a, group))
            return false;
    }
    return true;
}

static bool
load(struct loading *l)
{
    const struct guard_text *g = l->g;
    struct error *err = l->err;
    const struct guard_file *file;
    config_t tree;
    unsigned line;
    bool ok;

    config_init(&tree);
    if (config_read_string(&tree, g->text.data)) {
        ok = load_group(l, 0, config_root_setting(&tree));
    } else {
        file = guard_where(g, (unsigned)config_error_line(&tree), &line);
        if (strstr(config_error_text(&tree), "duplicate"))
            ok = error_set(err, ERROR_CONFIG, "%s line %u: this setting was given before", file->path, line);
        else
            ok = error_set(err, ERROR_CONFIG,
                "%s line %u: %s; a setting is NAME = VALUE; with texts in quotes", file->path, line,
                config_error_text(&tree));
        guard_name_ssmtp(buf_slice(&g->text), g->file[0].path, err);
    }
    config_destroy(&tree);
    return ok;
}

bool
tree_load(struct config *c, const struct guard_text *g, struct error *err)
{
    struct loading l = { c, g, err, false, "accounts" };

    return load(&l);
}

bool
tree_load_presets(struct config *c, const struct guard_text *g, struct error *err)
{
    struct loading l = { c, g, err, true, "providers" };

    return load(&l);
}
