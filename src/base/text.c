/* SPDX-License-Identifier: ISC */
/* text: escaping and UTF-8 checks; pure. */
#include "base/text.h"

#include <string.h>

static const char hex[] = "0123456789ABCDEF";

size_t
text_utf8_length(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t need;

    if (s.len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        need = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        need = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        need = 4;
    else
        return 0;
    if (s.len < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    /* overlong forms, surrogates, beyond U+10FFFF (RFC 3629, 4) */
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) ||
        (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return need;
}

bool
text_is_utf8(struct slice s)
{
    while (s.len) {
        size_t n = text_utf8_length(s);
        if (n == 0)
            return false;
        s = slice_from(s, n);
    }
    return true;
}

bool
text_is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* C1 controls, the characters that reorder a terminal line, and those that end one for some */
static bool
is_hidden(const unsigned char *p, size_t n)
{
    if (n == 2)
        return (p[0] == 0xC2 && p[1] < 0xA0) || (p[0] == 0xD8 && p[1] == 0x9C);
    if (n != 3 || p[0] != 0xE2)
        return false;
    if (p[1] == 0x80)
        return p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE);
    return p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9;
}

size_t
text_shown_length(struct slice s)
{
    size_t n = text_utf8_length(s);

    return n && !(n == 1 && ascii_is_control(s.p[0])) && !is_hidden((const unsigned char *)s.p, n) ? n : 0;
}

bool
text_is_shown(struct slice s)
{
    size_t n;

    while (s.len && (n = text_shown_length(s)) > 0)
        s = slice_from(s, n);
    return s.len == 0;
}

/* The next piece of `s` in harmless form in `out` (at most 16 bytes); *used says how much of s it was. */
static size_t
escape_one(struct slice s, char out[16], size_t *used)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t n = text_utf8_length(s), len = 0;

    if (n == 1 && (p[0] == '\r' || p[0] == '\n' || p[0] == '\t')) {
        *used = p[0] == '\r' && s.len > 1 && p[1] == '\n' ? 2 : 1;
        out[0] = ' ';
        return 1;
    }
    *used = n ? n : 1;
    if (text_shown_length(s)) {
        memcpy(out, s.p, n);
        return n;
    }
    for (size_t i = 0; i < *used; i++) {
        out[len++] = '\\';
        out[len++] = 'x';
        out[len++] = hex[p[i] >> 4];
        out[len++] = hex[p[i] & 15];
    }
    return len;
}

size_t
text_escape(char *out, size_t size, struct slice s)
{
    size_t len = 0, safe = 0, used;
    char piece[16];

    if (size == 0)
        return 0;
    while (s.len) {
        size_t n = escape_one(s, piece, &used);
        if (len + n >= size) {
            /* cut where "..." still fits */
            len = safe;
            if (size > 3) {
                memcpy(out + len, "...", 3);
                len += 3;
            }
            break;
        }
        memcpy(out + len, piece, n);
        len += n;
        if (len + 3 < size)
            safe = len;
        s = slice_from(s, used);
    }
    out[len] = '\0';
    return len;
}

void
text_add_escaped(struct buf *b, struct slice s)
{
    char piece[16];
    size_t used;

    while (s.len) {
        buf_add(b, piece, escape_one(s, piece, &used));
        s = slice_from(s, used);
    }
}

size_t
text_distance(const char *a, const char *b)
{
    size_t row[65];
    size_t n = strlen(a), m = strlen(b);

    if (n > 64 || m > 64)
        return 64;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t cost = diagonal + (ascii_lower(a[i - 1]) != ascii_lower(b[j - 1]));
            diagonal = row[j];
            if (row[j] + 1 < cost)
                cost = row[j] + 1;
            if (row[j - 1] + 1 < cost)
                cost = row[j - 1] + 1;
            row[j] = cost;
        }
    }
    return row[m];
}

void
text_percent_encode(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c > 32 && c < 127 && c != '+' && c != '=' && c != '%') {
            buf_add_char(out, (char)c);
        } else {
            buf_add_char(out, '%');
            buf_add_char(out, hex[c >> 4]);
            buf_add_char(out, hex[c & 15]);
        }
    }
}

bool
text_percent_decode(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '%') {
            const char *end = memchr(s.p + i, '%', s.len - i);
            size_t run = end ? (size_t)(end - s.p) - i : s.len - i;
            buf_add(out, s.p + i, run);
            i += run - 1;
            continue;
        }
        if (i + 2 >= s.len)
            return false;
        int high = ascii_hex_value(s.p[i + 1]), low = ascii_hex_value(s.p[i + 2]);
        if (high < 0 || low < 0)
            return false;
        buf_add_char(out, (char)(high * 16 + low));
        i += 2;
    }
    return true;
}
