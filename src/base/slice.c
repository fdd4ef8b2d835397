/* SPDX-License-Identifier: ISC */
/* slice: comparing and cutting borrowed bytes; owns nothing, knows no protocol. */
#include "base/slice.h"

#include <string.h>

#include "base/mem.h"

struct slice
slice_make(const char *p, size_t len)
{
    struct slice s = { p, len };

    return s;
}

struct slice
slice_of(const char *s)
{
    return slice_make(s, s ? strlen(s) : 0);
}

bool
slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool
slice_is(struct slice a, const char *s)
{
    return slice_eq(a, slice_of(s));
}

bool
slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

bool
slice_is_nocase(struct slice a, const char *s)
{
    return slice_eq_nocase(a, slice_of(s));
}

bool
slice_starts(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);

    return a.len >= n && slice_is(slice_sub(a, 0, n), prefix);
}

bool
slice_starts_nocase(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);

    return a.len >= n && slice_is_nocase(slice_sub(a, 0, n), prefix);
}

bool
slice_ends_nocase(struct slice a, const char *suffix)
{
    size_t n = strlen(suffix);

    return a.len >= n && slice_is_nocase(slice_from(a, a.len - n), suffix);
}

struct slice
slice_sub(struct slice a, size_t from, size_t len)
{
    if (from > a.len)
        from = a.len;
    if (len > a.len - from)
        len = a.len - from;
    return slice_make(a.p ? a.p + from : NULL, len);
}

struct slice
slice_from(struct slice a, size_t from)
{
    return slice_sub(a, from, a.len);
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice
slice_trim(struct slice a)
{
    while (a.len && is_blank(a.p[0])) {
        a.p++;
        a.len--;
    }
    while (a.len && is_blank(a.p[a.len - 1]))
        a.len--;
    return a;
}

size_t
slice_find(struct slice a, char c)
{
    const char *q = a.len ? memchr(a.p, c, a.len) : NULL;

    return q ? (size_t)(q - a.p) : a.len;
}

size_t
slice_find_last(struct slice a, char c)
{
    const char *q = a.len ? memrchr(a.p, c, a.len) : NULL;

    return q ? (size_t)(q - a.p) : a.len;
}

bool
slice_has(struct slice a, char c)
{
    return slice_find(a, c) < a.len;
}

bool
slice_cut(struct slice *rest, char sep, struct slice *part)
{
    size_t i;

    if (rest->len == 0)
        return false;
    i = slice_find(*rest, sep);
    *part = slice_sub(*rest, 0, i);
    *rest = slice_from(*rest, i < rest->len ? i + 1 : i);
    return true;
}

bool
slice_number(struct slice a, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;

    if (a.len == 0)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        if (!ascii_is_digit(a.p[i]))
            return false;
        uint64_t d = (uint64_t)(a.p[i] - '0');
        if (v > (max - d) / 10 || d > max)
            return false;
        v = v * 10 + d;
    }
    *value = v;
    return true;
}

char *
slice_dup(struct slice a)
{
    return mem_dupn(a.p, a.len);
}
