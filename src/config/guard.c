/* guard: a small scanner over the text; it knows strings, comments and numbers, not what settings mean. */
#include "config/guard.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"

#define INCLUDE_DEPTH 10
#define INCLUDE_MAX (1u << 20)

struct scan {
    struct slice text;
    size_t i;
    unsigned line;
    const char *path;
    unsigned depth;
    struct error *err;
};

static bool
wrong(struct scan *s, unsigned line, const char *why)
{
    return error_set(s->err, ERROR_CONFIG, "%s line %u: %s", s->path, line, why);
}

static char
at(const struct scan *s, size_t ahead)
{
    return s->i + ahead < s->text.len ? s->text.p[s->i + ahead] : '\0';
}

static void
step(struct scan *s)
{
    if (at(s, 0) == '\n')
        s->line++;
    s->i++;
}

/* A string, from its first quote to behind its last; *out is what stands between, escapes and all */
static bool
scan_string(struct scan *s, struct slice *out)
{
    unsigned line = s->line;
    size_t start = ++s->i;

    while (s->i < s->text.len && at(s, 0) != '"') {
        if (at(s, 0) == '\\')
            step(s);
        if (at(s, 0) == '\n')
            return wrong(s, line, "a string is not closed");
        step(s);
    }
    if (s->i >= s->text.len)
        return wrong(s, line, "a string is not closed");
    *out = slice_sub(s->text, start, s->i - start);
    s->i++;
    return true;
}

static bool
scan_comment(struct scan *s)
{
    unsigned line = s->line;

    if (at(s, 0) == '#' || at(s, 1) == '/') {
        while (s->i < s->text.len && at(s, 0) != '\n')
            s->i++;
        return true;
    }
    s->i += 2;
    while (s->i < s->text.len && !(at(s, 0) == '*' && at(s, 1) == '/'))
        step(s);
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

/* A word or number: plain decimal integers have to fit, libconfig cuts them in silence */
static bool
scan_word(struct scan *s)
{
    size_t start = s->i;
    struct slice word;
    uint64_t v;
    bool digits = true;

    while (s->i < s->text.len && is_word(at(s, 0)))
        s->i++;
    word = slice_sub(s->text, start, s->i - start);
    if (word.len && word.p[0] == '-')
        word = slice_from(word, 1);
    for (size_t i = 0; i < word.len; i++)
        digits = digits && ascii_is_digit(word.p[i]);
    if (word.len && digits && !slice_number(word, INT_MAX, &v))
        return wrong(s, s->line, "a number is too large");
    if (slice_starts_nocase(word, "0x") && word.len > 10)
        return wrong(s, s->line, "a number is too large");
    return true;
}

static bool scan_all(struct scan *s);

static bool
scan_include(struct scan *s)
{
    struct scan inner = { .line = 1, .depth = s->depth + 1, .err = s->err };
    unsigned line = s->line;
    struct slice name;
    struct stat st;
    struct buf b;
    bool ok;
    int fd;

    s->i += strlen("@include");
    while (at(s, 0) == ' ' || at(s, 0) == '\t')
        s->i++;
    if (at(s, 0) != '"' || !scan_string(s, &name))
        return wrong(s, line, "@include: a file name in quotes is wanted");
    if (name.len == 0 || name.p[0] != '/')
        return wrong(s, line, "@include: an absolute path is wanted");
    if (inner.depth > INCLUDE_DEPTH)
        return wrong(s, line, "@include: too many files inside one another");
    char *path = slice_dup(name);
    fd = file_open_regular(path, &st, s->err);
    if (fd < 0) {
        free(path);
        return error_context(s->err, "%s line %u: @include", s->path, line);
    }
    buf_init(&b, INCLUDE_MAX);
    ok = file_read_all(fd, &b, path, s->err);
    file_close(&fd);
    inner.text = buf_slice(&b);
    inner.path = path;
    ok = ok && scan_all(&inner);
    buf_wipe(&b);
    free(path);
    return ok;
}

static bool
scan_one(struct scan *s)
{
    struct slice ignored;
    char c = at(s, 0);

    if (c == '\0')
        return wrong(s, s->line, "a NUL byte");
    if (c == '"')
        return scan_string(s, &ignored);
    if (c == '#' || (c == '/' && (at(s, 1) == '/' || at(s, 1) == '*')))
        return scan_comment(s);
    if (c == '@' && slice_starts(slice_from(s->text, s->i), "@include"))
        return scan_include(s);
    if (is_word(c))
        return scan_word(s);
    step(s);
    return true;
}

static bool
scan_all(struct scan *s)
{
    while (s->i < s->text.len)
        if (!scan_one(s))
            return false;
    return true;
}

/* "mailhub=mail:25" without quotes and semicolon: what ssmtp's file looks like */
static bool
is_ssmtp(struct slice text)
{
    static const char *const keys[] = { "mailhub=", "root=", "rewritedomain=", "hostname=",
        "fromlineoverride=", "usetls=", "usestarttls=", "authuser=", "authpass=" };
    struct slice rest = text, line;
    size_t hits = 0;

    while (slice_cut(&rest, '\n', &line)) {
        line = slice_trim(line);
        if (slice_has(line, ';') || slice_has(line, '"') || slice_has(line, ' '))
            continue;
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            hits += slice_starts_nocase(line, keys[i]);
    }
    return hits > 0;
}

bool
guard_check(struct slice text, const char *path, struct error *err)
{
    struct scan s = { .text = text, .line = 1, .path = path, .err = err };

    if (is_ssmtp(text))
        return error_set(err, ERROR_CONFIG,
            "%s line 1: this is a configuration of ssmtp; write name = \"value\"; in smtprelay.conf instead "
            "(smtprelay import will do that once it is built)",
            path);
    return scan_all(&s);
}
