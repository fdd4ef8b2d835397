/* SPDX-License-Identifier: ISC */
/* mime_param: a cursor over `; name=value`; lenient, for real senders quote too little and too much. */
#include "mail/mime_param.h"

#include <string.h>

#include "base/text.h"

/* Segments of one parameter that are put together (RFC 2231, 3) */
#define SEGMENTS_MAX 100
/* Characters of a parameter's value on one line */
#define SEGMENT_CHARS 54

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where the comment that begins at `at` is over */
static size_t
skip_comment(struct slice v, size_t at)
{
    size_t depth = 0;

    for (; at < v.len; at++) {
        if (v.p[at] == '\\')
            at++;
        else if (v.p[at] == '(')
            depth++;
        else if (v.p[at] == ')' && --depth == 0)
            return at + 1;
    }
    return v.len;
}

static size_t
skip_space(struct slice v, size_t at)
{
    while (at < v.len) {
        if (v.p[at] == '(')
            at = skip_comment(v, at);
        else if (is_space(v.p[at]))
            at++;
        else
            break;
    }
    return at;
}

/* As far as no byte of `stops`, blank or comment comes */
static size_t
skip_token(struct slice v, size_t at, const char *stops)
{
    while (at < v.len && !is_space(v.p[at]) && v.p[at] != '(' && (!v.p[at] || !strchr(stops, v.p[at])))
        at++;
    return at;
}

static size_t
skip_quoted(struct slice v, size_t at)
{
    for (at++; at < v.len && v.p[at] != '"'; at++)
        if (v.p[at] == '\\')
            at++;
    return at < v.len ? at + 1 : v.len;
}

/* ---------------------------------------------------------------- parameters one by one */

struct param {
    struct slice name;  /* with the '*' of RFC 2231 */
    struct slice value; /* with its quotes */
    size_t start, end;  /* of all of it, without the ';' */
};

/* The next parameter behind *at; false: there is none. What is no parameter is passed over. */
static bool
next_param(struct slice v, size_t *at, struct param *p)
{
    while (*at < v.len) {
        size_t i = skip_space(v, *at);
        size_t end = skip_token(v, i, ";=\"");
        p->start = i;
        p->name = slice_sub(v, i, end - i);
        i = skip_space(v, end);
        if (i < v.len && v.p[i] == '=' && p->name.len) {
            i = skip_space(v, i + 1);
            end = i < v.len && v.p[i] == '"' ? skip_quoted(v, i) : skip_token(v, i, ";");
            p->value = slice_sub(v, i, end - i);
            p->end = end;
            *at = end;
            return true;
        }
        *at = i < v.len && v.p[i] == '"' ? skip_quoted(v, i) : i + 1;
    }
    return false;
}

static size_t
params_begin(struct slice v)
{
    size_t at = 0;

    while (at < v.len && v.p[at] != ';') {
        if (v.p[at] == '"')
            at = skip_quoted(v, at);
        else if (v.p[at] == '(')
            at = skip_comment(v, at);
        else
            at++;
    }
    return at;
}

/* What a value means: without quotes, backslashes and folding */
static void
add_value(struct buf *out, struct slice value)
{
    bool quoted = value.len && value.p[0] == '"';

    if (!quoted) {
        buf_add_slice(out, value);
        return;
    }
    for (size_t i = 1; i < value.len && value.p[i] != '"'; i++) {
        if (value.p[i] == '\r' || value.p[i] == '\n')
            continue;
        if (value.p[i] == '\\' && i + 1 < value.len)
            i++;
        buf_add_char(out, value.p[i]);
    }
}

/* charset'language'text with %XX; only the first segment has the charset */
static void
add_extended(struct buf *out, struct slice value, bool first)
{
    if (first) {
        size_t i = slice_find(value, '\'');
        struct slice rest = slice_from(value, i + 1);
        size_t k = slice_find(rest, '\'');
        if (i < value.len && k < rest.len)
            value = slice_from(rest, k + 1);
    }
    for (size_t i = 0; i < value.len; i++) {
        int high = i + 2 < value.len && value.p[i] == '%' ? ascii_hex_value(value.p[i + 1]) : -1;
        int low = high >= 0 ? ascii_hex_value(value.p[i + 2]) : -1;
        if (low >= 0) {
            buf_add_char(out, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_add_char(out, value.p[i]);
        }
    }
}

/* The segment `n` of `name`, or with n < 0 the plain parameter; false: there is none */
static bool
find_segment(struct slice v, const char *name, int n, struct buf *out)
{
    size_t at = params_begin(v), len = strlen(name);
    struct param p;

    while (next_param(v, &at, &p)) {
        struct slice rest = slice_from(p.name, len);
        bool extended = false;
        uint64_t number;
        if (!slice_starts_nocase(p.name, name))
            continue;
        if (rest.len > 0 && rest.p[rest.len - 1] == '*') {
            extended = true;
            rest.len--;
        }
        if (n < 0 ? rest.len > 0
                  : rest.len < 2 || rest.p[0] != '*' ||
                        !slice_number(slice_from(rest, 1), SEGMENTS_MAX, &number) || number != (uint64_t)n)
            continue;
        if (extended)
            add_extended(out, p.value, n <= 0);
        else
            add_value(out, p.value);
        return true;
    }
    return false;
}

static void
find_boundary(struct slice v, struct mime_type *t)
{
    struct buf b;

    buf_init(&b, MIME_BOUNDARY_MAX);
    if (!find_segment(v, "boundary", -1, &b))
        for (int n = 0; n < SEGMENTS_MAX && find_segment(v, "boundary", n, &b); n++)
            ;
    while (b.len && is_space(b.data[b.len - 1]))
        b.len--; /* RFC 2046: a boundary does not end with a blank */
    if (!b.overflow && b.len)
        memcpy(t->boundary, b.data, t->boundary_len = b.len);
    buf_clear(&b);
}

/* ---------------------------------------------------------------- types */

static bool
copy_lower(char *out, struct slice s)
{
    if (s.len == 0 || s.len > MIME_TOKEN_MAX || slice_has(s, '\0'))
        return false;
    for (size_t i = 0; i < s.len; i++)
        out[i] = ascii_lower(s.p[i]);
    out[s.len] = '\0';
    return true;
}

void
mime_type_parse(struct slice value, struct mime_type *t)
{
    size_t start = skip_space(value, 0), end = skip_token(value, start, "/;");
    struct slice type = slice_sub(value, start, end - start);

    memset(t, 0, sizeof *t);
    end = skip_space(value, end);
    if (end == value.len || value.p[end] != '/')
        return;
    start = skip_space(value, end + 1);
    end = skip_token(value, start, "/;");
    if (!copy_lower(t->type, type) || !copy_lower(t->subtype, slice_sub(value, start, end - start))) {
        t->type[0] = t->subtype[0] = '\0';
        return;
    }
    find_boundary(value, t);
}

bool
mime_type_is(const struct mime_type *t, const char *type, const char *subtype)
{
    return strcmp(t->type, type) == 0 && strcmp(t->subtype, subtype) == 0;
}

struct slice
mime_token(struct slice value)
{
    size_t start = skip_space(value, 0);

    return slice_sub(value, start, skip_token(value, start, ";") - start);
}

/* ---------------------------------------------------------------- encoding */

static void
add_ascii(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        buf_add_char(out, (unsigned char)s.p[i] > 127 ? '?' : s.p[i]);
}

static bool
is_attribute_char(char c)
{
    return (unsigned char)c > 32 && (unsigned char)c < 127 && !strchr("*'%()<>@,;:\\\"/[]?=", c);
}

static size_t
add_percent(struct buf *out, struct slice s)
{
    size_t before = out->len;

    for (size_t i = 0; i < s.len; i++)
        if (is_attribute_char(s.p[i]))
            buf_add_char(out, s.p[i]);
        else
            buf_add_format(out, "%%%02X", (unsigned char)s.p[i]);
    return out->len - before;
}

/* name*=charset''text, or name*0*=..., name*1*=... on lines of their own; no character is parted */
static void
add_2231(struct buf *out, struct slice name, struct slice text)
{
    bool utf8 = text_is_utf8(text);
    const char *charset = utf8 ? "utf-8" : "unknown-8bit";
    struct buf one;

    buf_init(&one, 3 * text.len + 1);
    if (add_percent(&one, text) <= SEGMENT_CHARS) {
        buf_add_format(out, "%.*s*=%s''", SLICE_ARG(name), charset);
        buf_add_slice(out, buf_slice(&one));
        buf_clear(&one);
        return;
    }
    for (unsigned n = 0; text.len; n++) {
        size_t used = 0;
        buf_add_format(out, n ? ";\r\n %.*s*%u*=" : "%.*s*%u*=", SLICE_ARG(name), n);
        if (n == 0)
            buf_add_format(out, "%s''", charset);
        while (text.len && used + 12 <= SEGMENT_CHARS) {
            size_t step = utf8 ? text_utf8_length(text) : 1;
            used += add_percent(out, slice_sub(text, 0, step));
            text = slice_from(text, step);
        }
    }
    buf_clear(&one);
}

static void
add_param(struct buf *out, const struct param *p)
{
    struct buf text;

    buf_init(&text, p->value.len + 1);
    add_value(&text, p->value);
    add_2231(out, p->name, buf_slice(&text));
    buf_clear(&text);
}

void
mime_param_encode(struct buf *out, struct slice value)
{
    size_t at = params_begin(value), done = 0;
    struct param p;

    while (next_param(value, &at, &p)) {
        if (text_is_ascii(p.value) || !text_is_ascii(p.name) || slice_has(p.name, '*'))
            continue; /* a segment with raw bytes only loses them: who makes such knows RFC 2231 */
        add_ascii(out, slice_sub(value, done, p.start - done));
        add_param(out, &p);
        done = p.end;
    }
    add_ascii(out, slice_from(value, done));
}
