/* SPDX-License-Identifier: ISC */
/* import_main_cf: lines, parameters and tables as Postfix reads them; what they mean is import_postfix's. */
#include <stdlib.h>
#include <string.h>

#include "admin/import_postfix.h"
#include "base/mem.h"

enum { DEPTH_MAX = 5, NAMES_MAX = 1000 };

/* ---------------------------------------------------------------- the text */

/* A line that begins with a blank goes on; comments may stand between */
void
import_main_cf_read(struct import *im, struct import_pairs *p)
{
    struct import_lines l;
    struct import_at at = { NULL, 0 };
    struct slice whole, key, value;
    struct buf logical;

    buf_init(&logical, IMPORT_TEXT_MAX);
    import_lines_begin(&l, im->source[0]);
    for (bool more = true; more;) {
        more = import_lines_next(&l);
        struct slice line = more ? slice_trim(l.line) : slice_of(NULL);
        if (more && (line.len == 0 || line.p[0] == '#'))
            continue;
        if (more && (l.line.p[0] == ' ' || l.line.p[0] == '\t')) {
            buf_add_char(&logical, ' ');
            buf_add_slice(&logical, line);
            continue;
        }
        whole = buf_slice(&logical);
        if (slice_has(whole, '=')) {
            value = whole;
            key = import_cut(&value, '=');
            import_pairs_add(p, slice_trim(key), slice_trim(value), at);
        } else if (whole.len) {
            import_leave(im, at, slice_sub(whole, 0, 60), "no \"parameter = value\"");
        }
        buf_reset(&logical);
        buf_add_slice(&logical, line);
        at = l.at;
    }
    buf_wipe(&logical);
}

/* The name of a parameter at the start of `text`, which is behind a '$': NAME, {NAME}, (NAME); the length of all, 0 = none */
static size_t
parameter_name(struct slice text, struct slice *name)
{
    char close = text.len && text.p[0] == '{' ? '}' : text.len && text.p[0] == '(' ? ')' : '\0';
    size_t n = 0;

    if (close) {
        n = slice_find(text, close);
        *name = slice_sub(text, 1, n - 1);
        return n < text.len ? n + 1 : 0;
    }
    while (n < text.len && (ascii_is_alpha(text.p[n]) || ascii_is_digit(text.p[n]) || text.p[n] == '_'))
        n++;
    *name = slice_sub(text, 0, n);
    return n;
}

/*
 * With $name replaced, a few deep and *left times in all, or names of names would take for ever. What is not set is empty. Fresh memory.
 */
static char *
expand(struct import_pairs *p, struct slice text, unsigned depth, unsigned *left)
{
    struct buf b;

    buf_init(&b, 4000);
    for (size_t i = 0; i < text.len; i++) {
        struct slice name;
        size_t n = text.p[i] == '$' ? parameter_name(slice_from(text, i + 1), &name) : 0;
        if (n == 0) {
            buf_add_char(&b, text.p[i]);
            continue;
        }
        char *copy = slice_dup(name);
        bool may = *left > 0 && depth < DEPTH_MAX;
        *left -= may;
        char *value = may ? expand(p, import_pairs_value(p, copy), depth + 1, left) : mem_dup("");
        buf_add_str(&b, !*value && strcmp(copy, "config_directory") == 0 ? "/etc/postfix" : value);
        free(value);
        free(copy);
        i += n;
    }
    return buf_steal(&b);
}

char *
import_main_cf_value(struct import_pairs *p, const char *key, struct import_at *at)
{
    const struct import_pair *pair = import_pairs_find(p, key);
    unsigned left = NAMES_MAX;
    char *value = pair ? expand(p, slice_of(pair->value), 0, &left) : NULL;

    if (pair)
        *at = pair->at;
    if (value && *value)
        return value;
    free(value);
    return NULL;
}

/* ---------------------------------------------------------------- tables */

static void
read_table(struct import *im, const struct import_source *s, import_table_entry *take, void *ctx)
{
    struct import_lines l;
    struct slice key, rest;

    import_lines_begin(&l, s);
    while (import_lines_next_content(&l)) {
        rest = l.line;
        if (import_word(&rest, &key) && !take(im, ctx, key, rest, l.at))
            return;
    }
}

/* hash:/path and its like are made from the text at that path; static:VALUE is its own only entry */
static void
read_map(struct import *im, struct slice map, struct import_at at, import_table_entry *take, void *ctx)
{
    static const char *const texts[] = { "hash", "btree", "lmdb", "cdb", "dbm", "texthash", "sdbm" };
    struct slice rest = map, type, path;
    const struct import_source *s = NULL;
    char *copy;

    type = import_cut(&rest, ':');
    path = slice_starts(map, "/") ? map : rest;
    if (slice_is(type, "static")) {
        (void)take(im, ctx, slice_of("*"), rest, at);
        return;
    }
    bool text = slice_starts(map, "/") || slice_is(type, "regexp") || slice_is(type, "pcre");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        text = text || slice_is(type, texts[i]);
    if (!text || path.len == 0) {
        import_leave(im, at, map, "tables of this type are not read");
        return;
    }
    copy = slice_dup(path);
    s = import_open(im, copy);
    if (s)
        read_table(im, s, take, ctx);
    else
        import_leave(im, at, map, "the text it is made from is not there, or may not be read");
    free(copy);
}

/* A list of them, by commas or blanks */
void
import_main_cf_maps(
    struct import *im, struct import_pairs *p, const char *key, import_table_entry *take, void *ctx)
{
    struct import_at at;
    char *value = import_main_cf_value(p, key, &at);
    struct slice rest, word;

    for (char *c = value; c && *c; c++)
        if (*c == ',')
            *c = ' ';
    rest = slice_of(value);
    while (import_word(&rest, &word))
        read_map(im, word, at, take, ctx);
    free(value);
}
