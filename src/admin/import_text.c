/* SPDX-License-Identifier: ISC */
/* import_text: one setting a line, each with where it came from, in the order of smtprelay.conf(5). */
#include "admin/import_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/text.h"
#include "config/guard.h"
#include "config/provider.h"
#include "config/tree.h"

void
import_text_quote(struct buf *out, const char *text)
{
    struct slice rest = slice_of(text);

    buf_add_char(out, '"');
    while (rest.len) {
        size_t n = text_shown_length(rest);
        if (rest.p[0] == '"' || rest.p[0] == '\\')
            buf_add_char(out, '\\');
        if (n)
            buf_add(out, rest.p, n);
        else
            buf_add_format(out, "\\x%02X", (unsigned char)rest.p[0]);
        rest = slice_from(rest, n ? n : 1);
    }
    buf_add_char(out, '"');
}

char *
import_text_secret_name(const char *path, unsigned n, const char *account)
{
    struct slice stem = slice_of(path);
    char number[16] = "";

    if (slice_ends_nocase(stem, ".conf"))
        stem = slice_sub(stem, 0, stem.len - strlen(".conf"));
    if (n > 1)
        (void)snprintf(number, sizeof number, "%u", n);
    return mem_format(
        "%.*s.secret%s%s%s", SLICE_ARG(stem), number, account ? "-" : "", account ? account : "");
}

char *
import_text_secret_path(const struct import *im, size_t group, const char *path)
{
    if (!import_get(im, group, CONFIG_AUTH_PASS))
        return NULL;
    return import_text_secret_name(path, im->secrets, import_get(im, group, CONFIG_NAME));
}

/* ---------------------------------------------------------------- settings */

static void
add_value(struct buf *out, enum config_key key, const char *text)
{
    enum config_type type = config_info(key)->type;
    bool bare = type == CONFIG_BOOL || type == CONFIG_NUMBER ||
                (key == CONFIG_USE_TLS && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0));

    if (type == CONFIG_LIST && !*text)
        buf_add_str(out, "( )");
    else if (bare)
        buf_add_str(out, text);
    else
        import_text_quote(out, text);
}

static void
add_origin(struct buf *out, const char *origin, bool first)
{
    buf_add_str(out, first ? "  # " : ", ");
    text_add_escaped(out, slice_of(origin));
}

static size_t
count_items(const struct import *im, size_t group, enum config_key key)
{
    size_t n = 0;

    for (size_t i = 0; i < im->items; i++)
        n += im->item[i].group == group && im->item[i].key == key;
    return n;
}

static void
add_setting(const struct import *im, size_t group, enum config_key key, const char *indent, struct buf *out)
{
    size_t n = count_items(im, group, key), k = 0;
    const char *last = "";

    if (n == 0)
        return;
    buf_add_format(out, "%s%s = %s", indent, config_info(key)->name, n > 1 ? "( " : "");
    for (size_t i = 0; i < im->items; i++) {
        if (im->item[i].group != group || im->item[i].key != key)
            continue;
        if (k++)
            buf_add_str(out, ", ");
        add_value(out, key, im->item[i].text);
    }
    buf_add_str(out, n > 1 ? " );" : ";");
    for (size_t i = 0; i < im->items; i++) {
        if (im->item[i].group != group || im->item[i].key != key || strcmp(last, im->item[i].origin) == 0)
            continue;
        add_origin(out, im->item[i].origin, !*last);
        last = im->item[i].origin;
    }
    buf_add_char(out, '\n');
}

static void
add_secret(const struct import *im, size_t group, const char *path, const char *indent, struct buf *out)
{
    char *file = import_text_secret_path(im, group, path);

    if (!file)
        return;
    buf_add_format(out, "%sAuthPassFile = ", indent);
    import_text_quote(out, file);
    buf_add_char(out, ';');
    for (size_t i = 0; i < im->items; i++)
        if (im->item[i].group == group && im->item[i].key == CONFIG_AUTH_PASS)
            add_origin(out, im->item[i].origin, true);
    buf_add_char(out, '\n');
    free(file);
}

static void
add_group(const struct import *im, size_t group, const char *path, const char *indent, struct buf *out)
{
    for (size_t k = CONFIG_NAME; k < CONFIG_CA_PEM; k++)
        add_setting(im, group, (enum config_key)k, indent, out);
    for (size_t k = 0; k < CONFIG_NAME; k++) {
        if (k == CONFIG_AUTH_PASS)
            add_secret(im, group, path, indent, out);
        else
            add_setting(im, group, (enum config_key)k, indent, out);
    }
}

/* ---------------------------------------------------------------- the file */

static void
add_notes(const struct buf *notes, const char *title, struct buf *out)
{
    struct slice rest = buf_slice(notes), line;

    if (notes->len == 0)
        return;
    buf_add_format(out, "\n# %s\n", title);
    while (slice_cut(&rest, '\n', &line))
        buf_add_format(out, "#   %.*s\n", SLICE_ARG(line));
}

void
import_text_write(const struct import *im, const char *path, struct buf *out)
{
    buf_add_format(out,
        "# Made by `smtprelay import` from the configuration of %s; smtprelay.conf(5) has all settings.\n",
        im->program);
    buf_add_str(out, "# Behind each one stands where it came from.\n\n");
    add_group(im, 0, path, "", out);
    for (size_t g = 1; g < im->groups; g++) {
        buf_add_str(out, g == 1 ? "\naccounts = (\n    {\n" : ",\n    {\n");
        add_group(im, g, path, "        ", out);
        buf_add_str(out, "    }");
    }
    if (im->groups > 1)
        buf_add_str(out, "\n);\n");
    add_notes(&im->told, "What is different now:", out);
    add_notes(&im->left, "What could not be taken over:", out);
}

bool
import_text_check(struct slice text, const char *path, struct config *c, struct error *err)
{
    struct stat st = { .st_mode = S_IFREG | 0600 };
    struct guard_text g;
    bool ok;

    config_begin(c);
    ok = guard_take(&g, text, path, &st, err) && tree_load(c, &g, err) &&
         provider_complete(c, "localhost.localdomain", NULL, err);
    guard_clear(&g);
    if (!ok)
        config_end(c);
    return ok;
}
