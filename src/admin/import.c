/* SPDX-License-Identifier: ISC */
/* import: texts, lines, words, keys and notes, as all parsers need them; knows none of the other programs. */
#include "admin/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

#define WORD_MAX 65536
#define PAIRS_MAX 20000
#define NOTE_MAX 1200
#define NOTE_KEYS 800 /* of a note that names several */
#define KEY_SHOWN 100

/* ---------------------------------------------------------------- memory */

void
import_begin(struct import *im)
{
    memset(im, 0, sizeof *im);
    im->groups = 1;
    buf_init(&im->left, IMPORT_NOTES_MAX);
    buf_init(&im->told, IMPORT_NOTES_MAX);
}

static void
source_free(struct import_source *s)
{
    mem_wipe(s->text, s->len); /* passwords are in it */
    free(s->text);
    free(s->path);
    free(s);
}

void
import_end(struct import *im)
{
    for (size_t i = 0; i < im->sources; i++)
        source_free(im->source[i]);
    for (size_t i = 0; i < im->items; i++) {
        mem_free_secret(im->item[i].text);
        free(im->item[i].origin);
    }
    free(im->source);
    free(im->item);
    free(im->spool);
    buf_clear(&im->left);
    buf_clear(&im->told);
    memset(im, 0, sizeof *im);
}

/* ---------------------------------------------------------------- texts */

const struct import_source *
import_add_source(struct import *im, const char *path, struct slice text)
{
    struct import_source *s = mem_alloc(sizeof *s);

    s->path = mem_dup(path);
    s->text = slice_dup(text);
    s->len = text.len;
    im->source = mem_resize(im->source, im->sources + 1, sizeof(struct import_source *));
    im->source[im->sources++] = s;
    return s;
}

static const struct import_source *
read_source(struct import *im, const char *path)
{
    const struct import_source *s = NULL;
    struct error err;
    struct buf b;

    if (!im->read)
        return NULL;
    error_init(&err);
    buf_init(&b, IMPORT_TEXT_MAX);
    if (im->read(im, path, &b, &err))
        s = import_add_source(im, path, buf_slice(&b));
    else if (err.class != ERROR_NONE)
        import_leave(im, (struct import_at){ path, 0 }, slice_of(NULL), err.text);
    buf_wipe(&b);
    return s;
}

const struct import_source *
import_open(struct import *im, const char *path)
{
    const struct import_source *s = NULL;
    char *absolute = mem_format("%s%s", *path == '/' ? "" : "/", path);

    for (size_t i = 0; i < im->sources && !s; i++)
        if (strcmp(im->source[i]->path, absolute) == 0)
            s = im->source[i];
    if (!s)
        s = read_source(im, absolute);
    free(absolute);
    return s;
}

const struct import_source *
import_beside(struct import *im, const char *name)
{
    struct slice path = slice_of(im->source[0]->path);
    size_t slash = slice_find_last(path, '/');
    struct slice folder = slice_sub(path, 0, slash < path.len ? slash + 1 : 0);
    char *beside = mem_format("%.*s%s", SLICE_ARG(folder), name);
    const struct import_source *s = import_open(im, beside);

    free(beside);
    return s;
}

char *
import_path(const struct import *im, struct slice text)
{
    if (slice_is(text, "~") || slice_starts(text, "~/"))
        return im->home ? mem_format("%s%.*s", im->home, SLICE_ARG(slice_from(text, 1))) : NULL;
    return slice_starts(text, "/") ? slice_dup(text) : NULL;
}

struct slice
import_first_line(const struct import_source *s)
{
    struct import_lines l;

    if (!s)
        return slice_of(NULL);
    import_lines_begin(&l, s);
    return import_lines_next_content(&l) ? l.line : slice_of(NULL);
}

/* ---------------------------------------------------------------- lines and words */

void
import_lines_begin(struct import_lines *l, const struct import_source *s)
{
    l->rest = slice_make(s->text, s->len);
    l->line = slice_of(NULL);
    l->at = (struct import_at){ s->path, 0 };
    if (slice_starts(l->rest, "\xEF\xBB\xBF"))
        l->rest = slice_from(l->rest, 3);
}

bool
import_lines_next(struct import_lines *l)
{
    if (!slice_cut(&l->rest, '\n', &l->line))
        return false;
    if (l->line.len && l->line.p[l->line.len - 1] == '\r')
        l->line.len--;
    l->at.line++;
    return true;
}

bool
import_lines_next_content(struct import_lines *l)
{
    while (import_lines_next(l)) {
        l->line = slice_trim(l->line);
        if (l->line.len && l->line.p[0] != '#')
            return true;
    }
    return false;
}

struct slice
import_cut(struct slice *rest, char sep)
{
    struct slice part = slice_of(NULL);

    (void)slice_cut(rest, sep, &part);
    return part;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool
import_word(struct slice *rest, struct slice *word)
{
    size_t n = 0;

    *rest = slice_trim(*rest);
    while (n < rest->len && !is_blank(rest->p[n]))
        n++;
    *word = slice_sub(*rest, 0, n);
    *rest = slice_trim(slice_from(*rest, n));
    return n > 0;
}

bool
import_quoted_word(struct slice *rest, struct buf *out)
{
    char quote = '\0';
    size_t i = 0;

    *rest = slice_trim(*rest);
    if (rest->len == 0)
        return false;
    for (; i < rest->len && (quote || !is_blank(rest->p[i])); i++) {
        char c = rest->p[i];
        if (c == '\\' && quote != '\'' && i + 1 < rest->len)
            buf_add_char(out, rest->p[++i]);
        else if (quote ? c == quote : c == '"' || c == '\'')
            quote = quote ? '\0' : c;
        else
            buf_add_char(out, c);
    }
    if (quote)
        return false;
    *rest = slice_trim(slice_from(*rest, i));
    return true;
}

bool
import_is_yes(struct slice text)
{
    return slice_is_nocase(text, "yes") || slice_is_nocase(text, "on") || slice_is_nocase(text, "true") ||
           slice_is(text, "1");
}

/* ---------------------------------------------------------------- keys and values */

void
import_pairs_add(struct import_pairs *p, struct slice key, struct slice value, struct import_at at)
{
    if (p->n == PAIRS_MAX) /* no configuration; what it is shows without the rest, too */
        return;
    if (p->n % 64 == 0)
        p->pair = mem_resize(p->pair, p->n + 64, sizeof *p->pair);
    p->pair[p->n++] = (struct import_pair){ slice_dup(key), slice_dup(value), at, false };
}

struct import_pair *
import_pairs_find(struct import_pairs *p, const char *key)
{
    struct import_pair *found = NULL;

    for (size_t i = 0; i < p->n; i++)
        if (slice_is_nocase(slice_of(p->pair[i].key), key)) {
            found = &p->pair[i];
            found->used = true;
        }
    return found;
}

bool
import_pairs_has(const struct import_pairs *p, const char *key)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->pair[i].value[0] && strcasecmp(p->pair[i].key, key) == 0)
            return true;
    return false;
}

struct slice
import_pairs_value(struct import_pairs *p, const char *key)
{
    const struct import_pair *found = import_pairs_find(p, key);

    return slice_of(found ? found->value : NULL);
}

void
import_pairs_clear(struct import_pairs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->pair[i].key);
        mem_free_secret(p->pair[i].value);
    }
    free(p->pair);
    *p = (struct import_pairs){ 0 };
}

static const char *
find_reason(const struct import_reason *why, const char *key)
{
    for (; why->key; why++) {
        size_t n = strlen(why->key);
        if (why->key[n - 1] == '*' ? strncasecmp(key, why->key, n - 1) == 0 : strcasecmp(key, why->key) == 0)
            return why->why;
    }
    return "not a key that is known here";
}

static void
leave_own_keys(struct import *im, struct buf *keys, const char *path)
{
    char *why = mem_format("they are about %s itself, how it is installed, runs or takes mail: %s",
        im->program ? im->program : "the program", buf_str(keys));

    import_leave(im, (struct import_at){ path, 0 }, slice_of(NULL), why);
    free(why);
    buf_reset(keys);
}

/* One more for that note, which has to fit into a line */
static void
add_own_key(struct import *im, struct buf *keys, const struct import_pair *pair)
{
    size_t len = strlen(pair->key) < KEY_SHOWN ? strlen(pair->key) : KEY_SHOWN;

    if (keys->len + len > NOTE_KEYS)
        leave_own_keys(im, keys, pair->at.path);
    buf_add_format(keys, "%s%.*s", keys->len ? ", " : "", (int)len, pair->key);
}

void
import_pairs_leave(struct import *im, struct import_pairs *p, const struct import_reason *why)
{
    struct buf own;

    buf_init(&own, NOTE_MAX);
    for (size_t i = 0; i < p->n; i++) {
        const char *reason = p->pair[i].used ? NULL : find_reason(why, p->pair[i].key);
        if (reason && *reason)
            import_leave(im, p->pair[i].at, slice_of(p->pair[i].key), reason);
        else if (reason)
            add_own_key(im, &own, &p->pair[i]);
    }
    if (own.len)
        leave_own_keys(im, &own, p->pair[0].at.path);
    buf_clear(&own);
}

/* ---------------------------------------------------------------- notes */

void
import_leave_pair(struct import *im, const struct import_pair *pair, const char *why)
{
    if (pair)
        import_leave(im, pair->at, slice_of(pair->key), why);
}

/* Once each; beyond the maximum nothing is added, which the reader of the notes is told there */
static void
add_note(struct buf *notes, const char *text)
{
    char shown[NOTE_MAX];
    struct slice rest = buf_slice(notes), line;

    (void)text_escape(shown, sizeof shown, slice_of(text));
    while (slice_cut(&rest, '\n', &line))
        if (slice_is(line, shown))
            return;
    if (notes->len + strlen(shown) + 100 < notes->max)
        buf_add_format(notes, "%s\n", shown);
    else if (!notes->overflow)
        buf_add_format(notes, "and more of the kind\n");
    notes->overflow = notes->overflow || notes->len + strlen(shown) + 100 >= notes->max;
}

void
import_leave(struct import *im, struct import_at at, struct slice key, const char *why)
{
    char shown[120];
    char line[32] = "";
    char *note;

    (void)text_escape(shown, sizeof shown, key);
    if (at.line)
        (void)snprintf(line, sizeof line, " line %u", at.line);
    note = key.len ? mem_format("%s%s: %s: %s", at.path, line, shown, why)
                   : mem_format("%s%s: %s", at.path, line, why);
    add_note(&im->left, note);
    free(note);
}

void
import_tell(struct import *im, const char *format, ...)
{
    struct buf b;
    va_list ap;

    buf_init(&b, WORD_MAX);
    va_start(ap, format);
    buf_add_vformat(&b, format, ap);
    va_end(ap);
    add_note(&im->told, buf_str(&b));
    buf_clear(&b);
}
