/* SPDX-License-Identifier: ISC */
/*
 * setup_edit: finds where settings begin and end (strings, comments, brackets), and changes those that are named. What settings mean it
 * does not know, nor does it look into included files.
 */
#include "admin/setup_edit.h"

#include <stdlib.h>
#include <string.h>

#include "admin/import_text.h"
#include "base/mem.h"

enum { NESTING_MAX = 30 };

struct setting {
    struct slice name;
    size_t start;            /* of its name */
    size_t value, value_end; /* of its value */
    size_t end;              /* behind its ';', if it has one */
};

/* Settings between `begin` and `end`, which is the text's or stands at a '}' */
struct scope {
    size_t begin, end;
    struct setting *s;
    size_t n;
};

/* ---------------------------------------------------------------- scanning */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_word(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '_' || c == '-' || c == '*' || c == '.' || c == '+';
}

static char
at(struct slice t, size_t i)
{
    return i < t.len ? t.p[i] : '\0';
}

static size_t
line_end(struct slice t, size_t i)
{
    return i + slice_find(slice_from(t, i), '\n');
}

static size_t
skip_block_comment(struct slice t, size_t i)
{
    for (i += 2; i < t.len; i++)
        if (at(t, i) == '*' && at(t, i + 1) == '/')
            return i + 2;
    return t.len;
}

/* Blanks, comments, and lines that include a file */
static size_t
skip_blank(struct slice t, size_t i)
{
    for (;;) {
        if (is_blank(at(t, i)) && i < t.len)
            i++;
        else if (at(t, i) == '#' || (at(t, i) == '/' && at(t, i + 1) == '/') || at(t, i) == '@')
            i = line_end(t, i);
        else if (at(t, i) == '/' && at(t, i + 1) == '*')
            i = skip_block_comment(t, i);
        else
            return i;
    }
}

/* Behind its last quote; false when there is none */
static bool
skip_string(struct slice t, size_t *i)
{
    for (++*i; *i < t.len; ++*i) {
        if (at(t, *i) == '\\')
            ++*i;
        else if (at(t, *i) == '"')
            return ++*i <= t.len;
    }
    return false;
}

static bool
skip_brackets(struct slice t, size_t *i)
{
    size_t depth = 0;

    do {
        char c = at(t, *i);
        if (c == '"') {
            if (!skip_string(t, i))
                return false;
        } else {
            depth += c == '(' || c == '[' || c == '{';
            depth -= c == ')' || c == ']' || c == '}';
            ++*i;
        }
        *i = depth ? skip_blank(t, *i) : *i;
    } while (depth && depth < NESTING_MAX && *i < t.len);
    return depth == 0;
}

/* Strings that follow one another are one */
static bool
skip_value(struct slice t, size_t *i)
{
    size_t next = *i;

    if (strchr("([{", at(t, *i)) && at(t, *i))
        return skip_brackets(t, i);
    if (at(t, *i) == '"') {
        for (; at(t, next) == '"'; next = skip_blank(t, *i)) {
            *i = next;
            if (!skip_string(t, i))
                return false;
        }
        return true;
    }
    while (is_word(at(t, *i)))
        ++*i;
    return *i > next;
}

static bool
scan_setting(struct slice t, size_t *i, struct setting *s)
{
    size_t next;

    s->start = *i;
    while (is_word(at(t, *i)))
        ++*i;
    s->name = slice_sub(t, s->start, *i - s->start);
    *i = skip_blank(t, *i);
    if (s->name.len == 0 || (at(t, *i) != '=' && at(t, *i) != ':'))
        return false;
    *i = s->value = skip_blank(t, *i + 1);
    if (!skip_value(t, i))
        return false;
    s->value_end = s->end = *i;
    next = skip_blank(t, *i);
    if (at(t, next) == ';' || at(t, next) == ',')
        s->end = *i = next + 1;
    return true;
}

/* From scope->begin on; free scope->s either way */
static bool
scan_scope(struct slice t, struct scope *scope)
{
    size_t i = skip_blank(t, scope->begin);

    scope->s = NULL;
    scope->n = 0;
    while (i < t.len && at(t, i) != '}') {
        struct setting s;
        if (!scan_setting(t, &i, &s))
            return false;
        scope->s = mem_resize(scope->s, scope->n + 1, sizeof *scope->s);
        scope->s[scope->n++] = s;
        i = skip_blank(t, i);
    }
    scope->end = i;
    return true;
}

static const struct setting *
find(const struct scope *scope, const char *name)
{
    for (size_t i = 0; i < scope->n; i++)
        if (slice_is_nocase(scope->s[i].name, name))
            return &scope->s[i];
    return NULL;
}

/* What is between the quotes, without backslashes */
static bool
read_text(struct slice t, const struct setting *s, struct buf *out)
{
    struct slice v = slice_sub(t, s->value, s->value_end - s->value);

    buf_reset(out);
    if (v.len < 2 || v.p[0] != '"')
        return false;
    for (size_t i = 1; i < v.len && v.p[i] != '"'; i++) {
        if (v.p[i] == '\\' && i + 1 < v.len)
            i++;
        buf_add_char(out, v.p[i]);
    }
    return !out->overflow;
}

/* ---------------------------------------------------------------- accounts */

struct place {
    struct scope top, group; /* group.s NULL and group.begin 0: there is none of that name */
    size_t list;             /* behind the '(' of accounts; 0: there is none */
    size_t last;             /* behind the last group there; 0: the list is empty */
};

static bool
is_named(struct slice t, const struct scope *group, const char *account)
{
    const struct setting *name = find(group, "name");
    struct buf b;
    bool is;

    buf_init(&b, 1000);
    is = name && read_text(t, name, &b) && slice_is(buf_slice(&b), account);
    buf_clear(&b);
    return is;
}

static bool
find_group(struct slice t, const char *account, struct place *p)
{
    const struct setting *list = find(&p->top, "accounts");
    size_t i;

    if (!list)
        return true;
    if (at(t, list->value) != '(')
        return false;
    p->list = list->value + 1;
    for (i = skip_blank(t, p->list); at(t, i) == '{'; i = skip_blank(t, i)) {
        struct scope group = { .begin = i + 1 };
        bool ok = scan_scope(t, &group) && at(t, group.end) == '}';
        if (ok && is_named(t, &group, account)) {
            p->group = group;
            return true;
        }
        free(group.s);
        if (!ok)
            return false;
        p->last = group.end + 1;
        i = skip_blank(t, p->last);
        if (at(t, i) == ',')
            i++;
    }
    return at(t, i) == ')';
}

static void
place_clear(struct place *p)
{
    free(p->top.s);
    free(p->group.s);
}

/* False: not understood. Clear it either way. */
static bool
place_find(struct slice t, const char *account, struct place *p)
{
    memset(p, 0, sizeof *p);
    return scan_scope(t, &p->top) && p->top.end == t.len && (!account || find_group(t, account, p));
}

/* ---------------------------------------------------------------- changing */

struct change {
    size_t from, to; /* these octets ... */
    char *text;      /* ... become these */
};

struct changes {
    struct change *c;
    size_t n;
};

static void
add_change(struct changes *all, size_t from, size_t to, char *text)
{
    all->c = mem_resize(all->c, all->n + 1, sizeof *all->c);
    all->c[all->n++] = (struct change){ from, to, text };
}

static int
compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to; /* what is put in before what is taken out there */
}

static void
apply(struct slice t, struct changes *all, struct buf *out)
{
    size_t i = 0;

    if (all->n)
        qsort(all->c, all->n, sizeof *all->c, compare_changes);
    for (size_t k = 0; k < all->n; k++) {
        buf_add_slice(out, slice_sub(t, i, all->c[k].from - i));
        buf_add_str(out, all->c[k].text);
        i = all->c[k].to;
        mem_free_secret(all->c[k].text);
    }
    buf_add_slice(out, slice_from(t, i));
    free(all->c);
}

static bool
is_blank_between(struct slice t, size_t from, size_t to)
{
    return slice_trim(slice_sub(t, from, to - from)).len == 0;
}

static size_t
line_start(struct slice t, size_t i)
{
    size_t before = slice_find_last(slice_sub(t, 0, i), '\n');

    return before < i ? before + 1 : 0;
}

/* With its line, where it stands alone there */
static void
take_out(struct slice t, const struct setting *s, struct changes *all)
{
    size_t from = line_start(t, s->start), to = line_end(t, s->end);

    if (is_blank_between(t, from, s->start) && is_blank_between(t, s->end, to))
        add_change(all, from, to < t.len ? to + 1 : to, mem_dup(""));
    else
        add_change(all, s->start, s->end, mem_dup(""));
}

static bool
is_among(const struct setup_setting *s, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (s[i].value && slice_is_nocase(name, s[i].name))
            return true;
    return false;
}

/* Lines that are new: behind the last one of ours that is there, else at the end */
static void
put_in(struct slice t, const struct scope *scope, const struct setup_setting *s, size_t n, const char *indent,
    const char *added, struct changes *all)
{
    const struct setting *last = NULL;
    size_t where = scope->end, end;

    for (size_t i = 0; i < scope->n; i++)
        if (is_among(s, n, scope->s[i].name))
            last = &scope->s[i];
    if (!last && scope->n)
        last = &scope->s[scope->n - 1];
    if (last) {
        where = last->end;
        end = line_end(t, where);
        size_t rest = where;
        while (rest < end && is_blank(at(t, rest)))
            rest++;
        if (rest == end || at(t, rest) == '#')
            where = end < t.len ? end + 1 : end;
    }
    bool fresh = where == 0 || at(t, where - 1) == '\n';
    bool alone = fresh || where == t.len;
    add_change(all, where, where,
        alone ? mem_format("%s%s", fresh ? "" : "\n", added)
              : mem_format("\n%s%s", added, at(t, where) == '\n' ? "" : indent));
}

static void
edit_scope(struct slice t, const struct scope *scope, const struct setup_setting *s, size_t n,
    const char *indent, struct changes *all)
{
    struct buf added;

    buf_init(&added, 1 << 16);
    for (size_t i = 0; i < n; i++) {
        const struct setting *there = find(scope, s[i].name);
        if (there && s[i].value)
            add_change(all, there->value, there->value_end, mem_dup(s[i].value));
        else if (there)
            take_out(t, there, all);
        else if (s[i].value)
            buf_add_format(&added, "%s%s = %s;\n", indent, s[i].name, s[i].value);
    }
    if (added.len)
        put_in(t, scope, s, n, indent, buf_str(&added), all);
    buf_wipe(&added);
}

/* As the other groups are written, or where there is none as smtprelay.conf(5) writes them */
static char *
format_group(const char *account, const struct setup_setting *s, size_t n)
{
    struct buf b;

    buf_init(&b, 1 << 16);
    buf_add_str(&b, "    {\n        name = ");
    import_text_quote(&b, account);
    buf_add_str(&b, ";\n");
    for (size_t i = 0; i < n; i++)
        if (s[i].value)
            buf_add_format(&b, "        %s = %s;\n", s[i].name, s[i].value);
    buf_add_str(&b, "    }");
    return buf_steal(&b);
}

static void
add_group(struct slice t, const struct place *p, const char *account, const struct setup_setting *s, size_t n,
    struct changes *all)
{
    char *group = format_group(account, s, n);
    bool fresh = t.len == 0 || at(t, t.len - 1) == '\n';

    if (p->last)
        add_change(all, p->last, p->last, mem_format(",\n%s", group));
    else if (p->list)
        add_change(all, p->list, p->list, mem_format("\n%s\n", group));
    else
        add_change(all, t.len, t.len, mem_format("%s\naccounts = (\n%s\n);\n", fresh ? "" : "\n", group));
    mem_free_secret(group);
}

bool
setup_edit(struct slice text, const char *account, const struct setup_setting *s, size_t n, struct buf *out)
{
    struct changes all = { 0 };
    struct place p;
    bool ok = place_find(text, account, &p);

    if (ok && !account)
        edit_scope(text, &p.top, s, n, "", &all);
    else if (ok && p.group.begin)
        edit_scope(text, &p.group, s, n, "        ", &all);
    else if (ok)
        add_group(text, &p, account, s, n, &all);
    if (ok)
        apply(text, &all, out);
    place_clear(&p);
    return ok && !out->overflow;
}

bool
setup_edit_find(struct slice text, const char *account, const char *name, struct buf *value)
{
    struct place p;
    bool ok = place_find(text, account, &p);
    const struct setting *there = ok ? find(account ? &p.group : &p.top, name) : NULL;

    ok = there && read_text(text, there, value);
    place_clear(&p);
    return ok;
}

bool
setup_edit_has(struct slice text, const char *account, const char *name)
{
    struct place p;
    bool has = place_find(text, account, &p) && find(account ? &p.group : &p.top, name);

    place_clear(&p);
    return has;
}
