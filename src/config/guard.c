/* SPDX-License-Identifier: ISC */
/* guard: a small scanner over the text; it knows strings, comments, numbers and includes, not what settings mean. */
#include "config/guard.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define TEXT_MAX (1u << 20)
#define FILES_MAX 100 /* a file may include itself many times at each depth */
#define INCLUDE_DEPTH 10
#define NESTING_MAX 20 /* the library's parser recurses */

struct scan {
    struct guard_text *g;
    struct slice text;
    size_t i;
    unsigned line;
    size_t file;
    unsigned depth;
    unsigned nesting;
    bool fresh; /* only blanks so far on this line */
    struct error *err;
};

static bool
wrong(struct scan *s, unsigned line, const char *why)
{
    return error_set(s->err, ERROR_CONFIG, "%s line %u: %s", s->g->file[s->file].path, line, why);
}

static char
at(const struct scan *s, size_t ahead)
{
    return s->i + ahead < s->text.len ? s->text.p[s->i + ahead] : '\0';
}

/* ---------------------------------------------------------------- the text that comes out */

static void
add_line(struct guard_text *g, size_t file, unsigned line)
{
    if ((g->lines & (g->lines - 1)) == 0)
        g->line = mem_resize(g->line, g->lines ? g->lines * 2 : 1, sizeof *g->line);
    g->line[g->lines++] = (struct guard_line){ file, line };
}

/* Copy `n` bytes from the text, which are passed by that */
static void
copy(struct scan *s, size_t n)
{
    for (; n && s->i < s->text.len; n--, s->i++) {
        buf_add_char(&s->g->text, s->text.p[s->i]);
        if (s->text.p[s->i] == '\n')
            add_line(s->g, s->file, ++s->line);
    }
}

static size_t
add_file(struct guard_text *g, const char *path, const struct stat *st)
{
    g->file = mem_resize(g->file, g->files + 1, sizeof *g->file);
    g->file[g->files].path = mem_dup(path);
    g->file[g->files].st = *st;
    return g->files++;
}

/* ---------------------------------------------------------------- what has to hold */

/* A string, from its first quote to behind its last; *out is what stands between, escapes and all */
static bool
scan_string(struct scan *s, struct slice *out)
{
    size_t start = ++s->i;

    for (; s->i < s->text.len && at(s, 0) != '"'; s->i++) {
        if (at(s, 0) == '\\') {
            if (at(s, 1) == 'x' && at(s, 2) == '0' && at(s, 3) == '0')
                return wrong(s, s->line, "a NUL byte");
            s->i++;
        }
        if (at(s, 0) == '\n')
            return wrong(s, s->line, "a string is not closed");
    }
    if (s->i >= s->text.len)
        return wrong(s, s->line, "a string is not closed");
    *out = slice_sub(s->text, start, s->i - start);
    s->i++;
    return true;
}

static bool
copy_string(struct scan *s)
{
    size_t start = s->i, end;
    struct slice ignored;

    if (!scan_string(s, &ignored))
        return false;
    end = s->i;
    s->i = start;
    copy(s, end - start);
    return true;
}

/* A comment is passed over; its lines stay */
static bool
scan_comment(struct scan *s)
{
    unsigned line = s->line;

    if (at(s, 0) == '#' || at(s, 1) == '/') {
        s->i += slice_find(slice_from(s->text, s->i), '\n');
        return true;
    }
    buf_add_char(&s->g->text, ' ');
    for (s->i += 2; s->i < s->text.len && !(at(s, 0) == '*' && at(s, 1) == '/');) {
        if (at(s, 0) == '\n')
            copy(s, 1);
        else
            s->i++;
    }
    if (s->i >= s->text.len)
        return wrong(s, line, "a comment is not closed");
    s->i += 2;
    return true;
}

static bool
is_word(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-' || c == '*' || c == '.';
}

/* 0x..., decimal; false for what is no integer */
static bool
parse_integer(struct slice word, bool *fits)
{
    uint64_t v = 0, max = INT_MAX;
    bool hex = slice_starts_nocase(word, "0x");

    if (word.len > 1 && word.p[word.len - 1] == 'L') {
        word.len -= word.len > 2 && word.p[word.len - 2] == 'L' ? 2 : 1;
        max = INT64_MAX;
    }
    word = slice_from(word, hex ? 2 : 0);
    *fits = true;
    for (size_t i = 0; i < word.len; i++) {
        char c = ascii_lower(word.p[i]);
        bool letter = hex && c >= 'a' && c <= 'f';
        if (!ascii_is_digit(c) && !letter)
            return false;
        uint64_t base = hex ? 16 : 10, digit = (uint64_t)(letter ? c - 'a' + 10 : c - '0');
        *fits = *fits && v <= (max - digit) / base;
        v = *fits ? v * base + digit : 0;
    }
    return word.len > 0;
}

/* A word or number: integers have to fit, libconfig cuts them in silence */
static bool
scan_word(struct scan *s)
{
    size_t n = 0;
    struct slice word;
    bool fits;

    while (is_word(at(s, n)))
        n++;
    word = slice_sub(s->text, s->i, n);
    if (word.p[0] == '-')
        word = slice_from(word, 1);
    if (word.len && ascii_is_digit(word.p[0])) {
        if (parse_integer(word, &fits) && !fits)
            return wrong(s, s->line, "a number is too large");
        if (slice_starts_nocase(word, "0b") || slice_starts_nocase(word, "0o"))
            return wrong(s, s->line, "a number is written in decimal");
    }
    copy(s, n);
    return true;
}

/* ---------------------------------------------------------------- included files */

static bool scan_file(struct scan *s);

/* A name that is not absolute begins in the folder of the file that includes */
static char *
include_path(const char *from, struct slice name)
{
    const char *slash = strrchr(from, '/');

    if (name.p[0] == '/' || !slash)
        return slice_dup(name);
    return mem_format("%.*s/%.*s", (int)(slash - from), from, SLICE_ARG(name));
}

static bool
include_file(struct scan *s, const char *path, unsigned line)
{
    struct scan inner = { .g = s->g, .line = 1, .depth = s->depth + 1, .err = s->err, .fresh = true };
    struct stat st;
    struct buf b;
    bool ok;
    int fd = file_open_regular(path, &st, s->err);

    if (fd < 0)
        return error_context(s->err, "%s line %u: @include", s->g->file[s->file].path, line);
    inner.file = add_file(s->g, path, &st);
    buf_init(&b, TEXT_MAX);
    ok = file_read_all(fd, &b, path, s->err);
    file_close(&fd);
    inner.text = buf_slice(&b);
    if (ok) {
        buf_add_char(&s->g->text, '\n');
        add_line(s->g, inner.file, 1);
        ok = scan_file(&inner);
        buf_add_char(&s->g->text, '\n');
        add_line(s->g, s->file, s->line);
    }
    buf_wipe(&b);
    return ok;
}

static bool
scan_include(struct scan *s)
{
    struct slice name;
    unsigned line = s->line;
    char *path;
    bool ok;

    if (!s->fresh)
        return wrong(s, line, "@include: it has to begin a line");
    s->i += strlen("@include");
    while (at(s, 0) == ' ' || at(s, 0) == '\t')
        s->i++;
    if (at(s, 0) != '"')
        return wrong(s, line, "@include: a file name in quotes is wanted");
    if (!scan_string(s, &name))
        return false;
    if (name.len == 0 || name.len > 4000 || slice_has(name, '\\'))
        return wrong(s, line, "@include: the name of a file is wanted, without backslashes");
    if (s->depth == INCLUDE_DEPTH || s->g->files == FILES_MAX)
        return wrong(s, line, "@include: too many files inside one another");
    path = include_path(s->g->file[s->file].path, name);
    ok = include_file(s, path, line);
    free(path);
    return ok;
}

/* ---------------------------------------------------------------- a file */

static bool
scan_bracket(struct scan *s)
{
    char c = at(s, 0);

    if (c == '(' || c == '[' || c == '{') {
        if (++s->nesting > NESTING_MAX)
            return wrong(s, s->line, "brackets are nested too deeply");
    } else if ((c == ')' || c == ']' || c == '}') && s->nesting > 0) {
        s->nesting--;
    }
    copy(s, 1);
    return true;
}

static bool
scan_one(struct scan *s)
{
    char c = at(s, 0);
    bool fresh = s->fresh;

    s->fresh = c == '\n' || (fresh && (c == ' ' || c == '\t'));
    if (c == '"')
        return copy_string(s);
    if (c == '#' || (c == '/' && (at(s, 1) == '/' || at(s, 1) == '*')))
        return scan_comment(s);
    if (c == '@' && slice_starts(slice_from(s->text, s->i), "@include")) {
        s->fresh = fresh;
        return scan_include(s);
    }
    return is_word(c) ? scan_word(s) : scan_bracket(s);
}

static bool
check_no_nul(struct scan *s)
{
    size_t nul = slice_find(s->text, '\0');
    unsigned line = 1;

    if (nul == s->text.len)
        return true;
    for (size_t i = 0; i < nul; i++)
        line += s->text.p[i] == '\n';
    return wrong(s, line, "a NUL byte");
}

static bool
scan_file(struct scan *s)
{
    if (!check_no_nul(s))
        return false;
    while (s->i < s->text.len)
        if (!scan_one(s))
            return false;
    if (s->nesting > 0 && s->depth > 0)
        return wrong(s, s->line, "a bracket is not closed in this file");
    if (s->g->text.overflow)
        return wrong(s, s->line, "the configuration is larger than 1 MB");
    return true;
}

/* ---------------------------------------------------------------- ssmtp */

/* "mailhub = mail:25" without quotes: no value of libconfig's, but one of ssmtp's */
static bool
is_ssmtp_line(struct slice line, struct slice *key, struct slice *value)
{
    static const char *const keys[] = { "root", "mailhub", "remoteport", "rewritedomain", "hostname",
        "fromlineoverride", "addheader", "usetls", "usestarttls", "usetlscert", "tlscert", "tls_ca_file",
        "tls_ca_dir", "authuser", "authpass", "authmethod", "useoldauth" };
    uint64_t number;

    if (!slice_has(line, '='))
        return false;
    (void)slice_cut(&line, '=', key);
    *key = slice_trim(*key);
    *value = slice_trim(line);
    if (value->len == 0 || memchr("\"([{", value->p[0], 4) || slice_has(*value, ';') ||
        slice_number(*value, UINT64_MAX, &number) || slice_starts_nocase(*value, "true") ||
        slice_starts_nocase(*value, "false"))
        return false;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (slice_is_nocase(*key, keys[i]))
            return true;
    return false;
}

void
guard_name_ssmtp(struct slice text, const char *path, struct error *err)
{
    struct slice line, key, value;

    for (unsigned n = 1; slice_cut(&text, '\n', &line); n++) {
        if (!is_ssmtp_line(line, &key, &value))
            continue;
        const char *quote = "\"";
        if (slice_starts_nocase(key, "auth")) {
            value = slice_of("...");
        } else if (slice_is_nocase(value, "yes") || slice_is_nocase(value, "no")) {
            value = slice_of(slice_is_nocase(value, "yes") ? "true" : "false");
            quote = "";
        }
        error_set(err, ERROR_CONFIG,
            "%s line %u: this is a configuration of ssmtp; smtprelay import translates it, or write "
            "%.*s = %s%.*s%s; and so on",
            path, n, SLICE_ARG(key), quote, SLICE_ARG(value), quote);
        return;
    }
}

/* ---------------------------------------------------------------- all of it */

bool
guard_take(
    struct guard_text *g, struct slice text, const char *path, const struct stat *st, struct error *err)
{
    struct scan s = { .g = g, .text = text, .line = 1, .err = err, .fresh = true };

    memset(g, 0, sizeof *g);
    buf_init(&g->text, TEXT_MAX);
    s.file = add_file(g, path, st);
    add_line(g, s.file, 1);
    if (scan_file(&s)) {
        (void)buf_str(&g->text); /* the NUL behind it */
        return true;
    }
    guard_name_ssmtp(text, path, err);
    return false;
}

bool
guard_read(struct guard_text *g, const char *path, struct error *err)
{
    return guard_read_at(g, path, path, err);
}

bool
guard_read_at(struct guard_text *g, const char *at, const char *path, struct error *err)
{
    struct stat st;
    struct buf b;
    bool ok;
    int fd = file_open_regular(at, &st, err);

    memset(g, 0, sizeof *g);
    if (fd < 0)
        return false;
    buf_init(&b, TEXT_MAX);
    ok = file_read_all(fd, &b, path, err) && guard_take(g, buf_slice(&b), path, &st, err);
    file_close(&fd);
    buf_wipe(&b);
    errno = 0;
    return ok;
}

void
guard_clear(struct guard_text *g)
{
    for (size_t i = 0; i < g->files; i++)
        free(g->file[i].path);
    free(g->file);
    free(g->line);
    buf_wipe(&g->text);
    memset(g, 0, sizeof *g);
}

const struct guard_file *
guard_where(const struct guard_text *g, unsigned line, unsigned *line_there)
{
    size_t i = line == 0 ? 0 : line > g->lines ? g->lines - 1 : line - 1;

    *line_there = g->line[i].line;
    return &g->file[g->line[i].file];
}
