/* SPDX-License-Identifier: ISC */
/* aliases: joins the lines into entries, sorts them, finds them. */
#include "config/aliases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define ALIASES_MAX (16u << 20)

/* ---------------------------------------------------------------- lines */

/* Entries one a line in a->text; line[i] is where entry i began in the file */
struct joined {
    unsigned *line;
    size_t n;
};

static void
add_entry(struct joined *j, unsigned line)
{
    if ((j->n & (j->n - 1)) == 0)
        j->line = mem_resize(j->line, j->n ? j->n * 2 : 1, sizeof *j->line);
    j->line[j->n++] = line;
}

static void
join_lines(struct aliases *a, struct slice text, struct joined *j)
{
    struct slice line;
    bool goes_on = false; /* a backslash ended the line before, as sendmail has it */

    for (unsigned n = 1; slice_cut(&text, '\n', &line); n++) {
        struct slice words = slice_trim(line);
        bool is_entry = words.len && !goes_on && line.p[0] != ' ' && line.p[0] != '\t';
        if (words.len == 0 || words.p[0] == '#')
            continue;
        goes_on = words.p[words.len - 1] == '\\';
        if (goes_on)
            words.len--;
        if (is_entry) {
            if (j->n)
                buf_add_char(&a->text, '\n');
            add_entry(j, n);
        } else if (j->n == 0) {
            a->bad_line = a->bad_line ? a->bad_line : n;
            continue;
        } else {
            buf_add_char(&a->text, ' ');
        }
        buf_add_slice(&a->text, words);
    }
}

/* "name: members"; the name may be quoted */
static bool
split_entry(struct slice entry, struct alias *out)
{
    size_t colon = 0;
    bool quoted = false;

    while (colon < entry.len && (quoted || entry.p[colon] != ':')) {
        if (entry.p[colon] == '"')
            quoted = !quoted;
        colon++;
    }
    if (colon == entry.len)
        return false;
    out->name = slice_trim(slice_sub(entry, 0, colon));
    out->members = slice_trim(slice_from(entry, colon + 1));
    if (out->name.len >= 2 && out->name.p[0] == '"' && out->name.p[out->name.len - 1] == '"')
        out->name = slice_sub(out->name, 1, out->name.len - 2);
    return out->name.len > 0 && !slice_has(entry, '\0');
}

/* ---------------------------------------------------------------- order */

static int
compare_names(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;

    for (size_t i = 0; i < n; i++) {
        int d = (unsigned char)ascii_lower(a.p[i]) - (unsigned char)ascii_lower(b.p[i]);
        if (d != 0)
            return d;
    }
    return (a.len > b.len) - (a.len < b.len);
}

static int
compare_entries(const void *x, const void *y)
{
    const struct alias *a = x, *b = y;
    int d = compare_names(a->name, b->name);

    return d != 0 ? d : (a->line > b->line) - (a->line < b->line);
}

struct alias *
aliases_find(struct aliases *a, struct slice name)
{
    size_t low = 0, high = a->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_names(a->entry[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < a->n && slice_eq_nocase(a->entry[low].name, name) ? &a->entry[low] : NULL;
}

/* ---------------------------------------------------------------- all of it */

bool
aliases_take(struct aliases *a, struct slice text, const char *path, struct error *err)
{
    struct joined j = { NULL, 0 };
    struct slice rest, entry;

    memset(a, 0, sizeof *a);
    buf_init(&a->text, ALIASES_MAX);
    a->path = mem_dup(path);
    join_lines(a, text, &j);
    a->entry = mem_array(j.n, sizeof *a->entry);
    rest = buf_slice(&a->text);
    for (size_t i = 0; slice_cut(&rest, '\n', &entry); i++) {
        struct alias *next = &a->entry[a->n];
        next->line = j.line[i];
        if (split_entry(entry, next))
            a->n++;
        else
            a->bad_line = a->bad_line ? a->bad_line : j.line[i];
    }
    free(j.line);
    if (a->text.overflow)
        return error_set(err, ERROR_CONFIG, "aliases: %s: larger than %u bytes", path, ALIASES_MAX);
    if (a->n)
        qsort(a->entry, a->n, sizeof *a->entry, compare_entries);
    return true;
}

bool
aliases_read(struct aliases *a, const char *path, struct error *err)
{
    struct stat st;
    struct buf b;
    bool ok;
    int fd = file_open_regular(path, &st, err);

    memset(a, 0, sizeof *a);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return true;
        if (errno == EACCES)
            err->class = ERROR_TEMP;
        return error_context(err, "aliases");
    }
    buf_init(&b, ALIASES_MAX);
    ok = file_read_all(fd, &b, path, err) && aliases_take(a, buf_slice(&b), path, err);
    file_close(&fd);
    buf_clear(&b);
    return ok;
}

void
aliases_clear(struct aliases *a)
{
    free(a->path);
    free(a->entry);
    buf_clear(&a->text);
    memset(a, 0, sizeof *a);
}

/* Where the member at the start of `s` ends: commas in quotes and comments are its own */
static size_t
member_length(struct slice s)
{
    size_t i = 0, comments = 0;
    bool quoted = false;

    for (; i < s.len && (quoted || comments || s.p[i] != ','); i++) {
        if (s.p[i] == '\\' && (quoted || comments) && i + 1 < s.len)
            i++;
        else if (s.p[i] == '"' && !comments)
            quoted = !quoted;
        else if (s.p[i] == '(' && !quoted)
            comments++;
        else if (s.p[i] == ')' && comments)
            comments--;
    }
    return i;
}

bool
aliases_next_member(struct slice *rest, struct slice *member)
{
    while (rest->len > 0) {
        size_t i = member_length(*rest);
        *member = slice_trim(slice_sub(*rest, 0, i));
        *rest = slice_from(*rest, i < rest->len ? i + 1 : i);
        if (member->len > 0)
            return true;
    }
    return false;
}
