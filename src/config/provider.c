/* SPDX-License-Identifier: ISC */
/* provider: entries are accounts of a configuration of their own; applying one is copying what is not set. */
#include "config/provider.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/guard.h"
#include "config/tree.h"

#define TABLE_MAX (1u << 20)
#define REGION "REGION" /* in an entry's mailhub: the place of what stands behind the name */

/* ---------------------------------------------------------------- the tables */

void
provider_init(struct provider_table *t)
{
    config_begin(&t->entries);
}

void
provider_clear(struct provider_table *t)
{
    config_end(&t->entries);
}

/* Without a name nobody could choose it, without a smarthost it would say nothing */
static bool
check_entry(const struct provider_table *t, size_t entry, const char *path, struct error *err)
{
    if (provider_name(t, entry) && provider_text(t, entry, CONFIG_MAILHUB))
        return true;
    return error_set(err, ERROR_CONFIG, "%s: provider number %zu has no %s", path, entry,
        provider_name(t, entry) ? "mailhub" : "names");
}

bool
provider_read(struct provider_table *t, const char *path, struct error *err)
{
    struct guard_text g;
    size_t before = t->entries.n;
    bool ok = guard_read(&g, path, err);
    int e = ok ? 0 : errno;

    ok = ok && tree_load_presets(&t->entries, &g, err);
    for (size_t i = before; ok && i < t->entries.n; i++)
        ok = check_entry(t, i, path, err);
    guard_clear(&g);
    errno = e;
    return ok;
}

enum { FILES = 2 };

/* /etc/smtprelay/providers beside /etc/smtprelay.conf, then the installed one. Fresh memory. */
static void
find_paths(char *path[FILES])
{
    size_t n = strlen(path_config) - strlen(".conf");

    path[0] = mem_format("%.*s/providers", (int)n, path_config);
    path[1] = mem_format("%s/providers", path_data);
}

bool
provider_load(struct provider_table *t, struct error *err)
{
    char *path[FILES];
    bool ok = true;

    provider_init(t);
    find_paths(path);
    for (size_t i = 0; i < FILES; i++) {
        ok = ok && (provider_read(t, path[i], err) || (i == 0 && (errno == ENOENT || errno == ENOTDIR)));
        free(path[i]);
    }
    if (!ok) {
        error_context(err, "provider");
        provider_clear(t);
    }
    return ok;
}

/* ---------------------------------------------------------------- finding */

size_t
provider_count(const struct provider_table *t)
{
    return t->entries.n - 1;
}

const char *
provider_text(const struct provider_table *t, size_t entry, enum config_key key)
{
    return config_text(&t->entries, entry, key);
}

const char *
provider_name(const struct provider_table *t, size_t entry)
{
    return provider_text(t, entry, CONFIG_PRESET_NAMES);
}

static bool
has_item(const struct provider_table *t, size_t entry, enum config_key key, struct slice text)
{
    const struct config_value *v = config_value(&t->entries, entry, key);

    for (size_t i = 0; i < v->n; i++)
        if (slice_is_nocase(text, v->item[i]))
            return true;
    return false;
}

static size_t
find_item(const struct provider_table *t, enum config_key key, struct slice text)
{
    for (size_t i = 1; i < t->entries.n; i++)
        if (has_item(t, i, key, text))
            return i;
    return 0;
}

static const char *
find_nearest(const struct provider_table *t, const char *name)
{
    const char *nearest = NULL;
    size_t best = 4; /* farther is no likeness */

    for (size_t i = 1; i < t->entries.n; i++) {
        const struct config_value *v = config_value(&t->entries, i, CONFIG_PRESET_NAMES);
        for (size_t k = 0; k < v->n; k++) {
            size_t d = text_distance(name, v->item[k]);
            if (d < best) {
                best = d;
                nearest = v->item[k];
            }
        }
    }
    return nearest;
}

size_t
provider_find(const struct provider_table *t, const char *name, struct slice *region, const char **nearest)
{
    struct slice all = slice_of(name), first = slice_sub(all, 0, slice_find(all, ':'));
    size_t entry = find_item(t, CONFIG_PRESET_NAMES, all);
    char *cut;

    *region = slice_of("");
    if (nearest)
        *nearest = NULL;
    if (entry)
        return entry;
    if (first.len < all.len) {
        *region = slice_from(all, first.len + 1);
        entry = find_item(t, CONFIG_PRESET_NAMES, first);
    }
    if (!entry && nearest) {
        cut = slice_dup(first);
        *nearest = find_nearest(t, cut);
        free(cut);
    }
    return entry;
}

size_t
provider_find_domain(const struct provider_table *t, struct slice domain)
{
    return find_item(t, CONFIG_PRESET_DOMAINS, domain);
}

/* ---------------------------------------------------------------- applying */

static bool
is_region(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '.')
            return false;
    return s.len > 0;
}

static bool
has_region(const struct provider_table *t, size_t entry)
{
    return strstr(provider_text(t, entry, CONFIG_MAILHUB), REGION) != NULL;
}

/* The region that counts; false when one is missing, or there where it means nothing */
static bool
choose_region(const struct provider_table *t, size_t entry, struct slice *region, struct error *err)
{
    const char *name = provider_name(t, entry);

    if (region->len && !has_region(t, entry))
        return error_set(err, ERROR_CONFIG, "provider: %s has no regions; \"%s\" is wanted", name, name);
    if (!region->len)
        *region = slice_of(provider_text(t, entry, CONFIG_PRESET_REGION));
    if (has_region(t, entry) && !is_region(*region))
        return error_set(
            err, ERROR_CONFIG, "provider: %s needs a region behind it, as in \"%s:eu-west-1\"", name, name);
    return true;
}

/* `text` with the region in its place */
static void
add_with_region(struct buf *out, struct slice text, struct slice region)
{
    for (size_t i = 0; i < text.len;) {
        if (region.len && slice_starts(slice_from(text, i), REGION)) {
            buf_add_slice(out, region);
            i += strlen(REGION);
        } else {
            buf_add_char(out, text.p[i++]);
        }
    }
}

static bool
copy_value(const struct provider_table *t, size_t entry, struct config *c, size_t account,
    enum config_key key, struct slice region, struct error *err)
{
    const struct config_value *v = config_value(&t->entries, entry, key);
    char *origin = mem_format("preset %s", provider_name(t, entry));
    struct buf text;
    bool ok = true;

    buf_init(&text, 4096);
    for (size_t i = 0; ok && i < v->n; i++) {
        buf_reset(&text);
        add_with_region(&text, slice_of(v->item[i]), key == CONFIG_MAILHUB ? region : slice_of(""));
        ok = config_set(c, account, key, buf_slice(&text), i == 0, origin, err);
    }
    buf_clear(&text);
    free(origin);
    return ok;
}

/* A provider stands in the way of no smarthost, although both are of one family */
static bool
is_set(const struct config *c, size_t account, enum config_key key)
{
    return key == CONFIG_MAILHUB ? config_value(c, account, key)->set : config_has(c, account, key);
}

static bool
apply(const struct provider_table *t, struct config *c, size_t account, struct error *err)
{
    const char *name = config_text(c, account, CONFIG_PROVIDER), *nearest;
    const char *origin = config_value(c, account, CONFIG_PROVIDER)->origin;
    struct slice region;
    size_t entry;
    bool ok;

    if (!name)
        return true;
    entry = provider_find(t, name, &region, &nearest);
    if (!entry) {
        if (nearest)
            error_set(
                err, ERROR_CONFIG, "provider: \"%s\" is not known; did you mean \"%s\"?", name, nearest);
        else
            error_set(err, ERROR_CONFIG, "provider: \"%s\" is not known; set mailhub instead", name);
        return error_context(err, "%s", origin);
    }
    ok = choose_region(t, entry, &region, err) || error_context(err, "%s", origin);
    for (enum config_key key = 0; ok && key < CONFIG_PRESET_NAMES; key++)
        if (config_value(&t->entries, entry, key)->set && !is_set(c, account, key))
            ok = copy_value(t, entry, c, account, key, region, err);
    return ok;
}

bool
provider_apply(const struct provider_table *t, struct config *c, struct error *err)
{
    config_inherit(c);
    for (size_t a = 0; a < c->n; a++)
        if (!apply(t, c, a, err))
            return false;
    return true;
}

/* Of the account's own address; empty: it has none */
static struct slice
own_domain(const struct config *c, size_t account)
{
    struct slice from = slice_of(config_text(c, account, CONFIG_FROM));
    size_t at = slice_find_last(from, '@');

    return at < from.len ? slice_from(from, at + 1) : slice_of("");
}

void
provider_mark(const struct provider_table *t, struct config *c)
{
    struct error ignored; /* "true" is a truth */

    for (size_t a = 0; a < c->n; a++) {
        size_t entry = provider_find_domain(t, own_domain(c, a));
        if (!entry || config_flag(c, a, CONFIG_OWN_SENDER))
            continue;
        char *origin = mem_format("preset %s", provider_name(t, entry));
        (void)config_set(c, a, CONFIG_OWN_SENDER, slice_of("true"), true, origin, &ignored);
        free(origin);
    }
}

/* ---------------------------------------------------------------- only where they are needed */

static bool
names_provider(const struct config *c)
{
    for (size_t a = 0; a < c->n; a++)
        if (config_text(c, a, CONFIG_PROVIDER))
            return true;
    return false;
}

/* Is it in there, between quotes? A look that costs nothing beside reading the table, once for each message without a daemon. */
static bool
mentions(struct slice text, struct slice domain)
{
    for (size_t i = 1; i + domain.len < text.len; i++)
        if (text.p[i - 1] == '"' && text.p[i + domain.len] == '"' &&
            slice_eq_nocase(slice_sub(text, i, domain.len), domain))
            return true;
    return false;
}

static bool
read_text(const char *path, struct buf *out)
{
    struct error ignored; /* who needs no table needs none that can be read */
    struct stat st;
    int fd = file_open_regular(path, &st, &ignored);
    bool ok = fd >= 0 && file_read_all(fd, out, path, &ignored);

    file_close(&fd);
    return ok;
}

/* May provider_mark() find something? */
static bool
may_be_shared(const struct config *c)
{
    char *path[FILES];
    bool found = false, any = false;

    for (size_t a = 0; a < c->n; a++)
        any = any || own_domain(c, a).len > 0;
    if (!any)
        return false;
    find_paths(path);
    for (size_t i = 0; i < FILES; i++) {
        struct buf text;
        buf_init(&text, TABLE_MAX);
        if (!found && read_text(path[i], &text))
            for (size_t a = 0; a < c->n && !found; a++)
                found = own_domain(c, a).len > 0 && mentions(buf_slice(&text), own_domain(c, a));
        buf_clear(&text);
        free(path[i]);
    }
    return found;
}

bool
provider_complete(struct config *c, const char *machine, const char *mailname, struct error *err)
{
    struct provider_table t;
    struct error ignored;
    bool loaded = false, ok = true;

    config_inherit(c);
    if (names_provider(c))
        ok = loaded = provider_load(&t, err);
    ok = ok && (!loaded || provider_apply(&t, c, err)) && config_complete(c, machine, mailname, err);
    if (ok && !loaded && may_be_shared(c))
        loaded = provider_load(&t, &ignored);
    if (ok && loaded)
        provider_mark(&t, c);
    if (loaded)
        provider_clear(&t);
    return ok;
}
