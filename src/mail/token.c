/* SPDX-License-Identifier: ISC */
/* token: base64url (RFC 4648, 5) and just enough of JSON (RFC 8259) to find two members; whatever is not quite right is no token. */
#include "mail/token.h"

#include <string.h>

enum { SECRET_MAX = 65536, DEPTH_MAX = 32, SHORT_S = 2 * 86400 };

/* ---------------------------------------------------------------- base64url, without padding */

static int
digit_of(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = c ? strchr(alphabet, c) : NULL;

    return at ? (int)(at - alphabet) : -1;
}

static bool
decode(struct slice in, struct buf *out)
{
    unsigned bits = 0, n = 0;

    for (size_t i = 0; i < in.len; i++) {
        int d = digit_of(in.p[i]);
        if (d < 0)
            return false;
        bits = (bits << 6 | (unsigned)d) & 0xffffff;
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_add_char(out, (char)(bits >> n & 0xff));
        }
    }
    return in.len > 0 && n < 6 && !out->overflow;
}

/* ---------------------------------------------------------------- JSON */

struct reader {
    struct slice rest;
    unsigned depth;
    struct token_times times;
    bool twice; /* a member of ours is there again: nobody knows which one counts */
};

static char
peek(struct reader *r)
{
    while (r->rest.len && memchr(" \t\r\n", r->rest.p[0], 4))
        r->rest = slice_from(r->rest, 1);
    return r->rest.len ? r->rest.p[0] : '\0';
}

static bool
take(struct reader *r, char c)
{
    if (c == '\0' || peek(r) != c)
        return false;
    r->rest = slice_from(r->rest, 1);
    return true;
}

/* As it stands there, between its quotes */
static bool
take_string(struct reader *r, struct slice *raw)
{
    size_t i = 0;

    if (!take(r, '"'))
        return false;
    while (i < r->rest.len && r->rest.p[i] != '"') {
        if ((unsigned char)r->rest.p[i] < ' ')
            return false;
        i += r->rest.p[i] == '\\' ? 2 : 1;
    }
    if (i >= r->rest.len)
        return false;
    *raw = slice_sub(r->rest, 0, i);
    r->rest = slice_from(r->rest, i + 1);
    return true;
}

static size_t
count_digits(struct slice s)
{
    size_t n = 0;

    while (n < s.len && ascii_is_digit(s.p[n]))
        n++;
    return n;
}

/* A NumericDate may have a fraction, which does not count; *seconds is 0 where it is no time */
static bool
take_number(struct reader *r, int64_t *seconds)
{
    bool negative = take(r, '-');
    size_t n = count_digits(r->rest);
    uint64_t v = 0;

    if (n == 0 || (n > 1 && r->rest.p[0] == '0'))
        return false;
    *seconds = !negative && slice_number(slice_sub(r->rest, 0, n), TOKEN_TIME_MAX, &v) ? (int64_t)v : 0;
    r->rest = slice_from(r->rest, n);
    if (r->rest.len && r->rest.p[0] == '.') {
        n = count_digits(slice_from(r->rest, 1));
        r->rest = slice_from(r->rest, n + 1);
        if (n == 0)
            return false;
    }
    if (r->rest.len && (r->rest.p[0] | 0x20) == 'e') { /* nobody writes times like that */
        *seconds = 0;
        r->rest = slice_from(r->rest, 1);
        if (r->rest.len && memchr("+-", r->rest.p[0], 2))
            r->rest = slice_from(r->rest, 1);
        n = count_digits(r->rest);
        r->rest = slice_from(r->rest, n);
        return n > 0;
    }
    return true;
}

static bool
take_word(struct reader *r)
{
    static const char *const words[] = { "true", "false", "null" };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_starts(r->rest, words[i])) {
            r->rest = slice_from(r->rest, strlen(words[i]));
            return true;
        }
    return false;
}

static bool take_value(struct reader *r, int64_t *number);

static void
note_member(struct reader *r, struct slice key, int64_t number)
{
    int64_t *into = slice_is(key, "exp")   ? &r->times.expires_s
                    : slice_is(key, "iat") ? &r->times.issued_s
                                           : NULL;

    if (!into || r->depth != 1)
        return;
    r->twice = r->twice || *into;
    *into = number;
}

static bool
take_members(struct reader *r, char end)
{
    struct slice key = slice_of("");
    int64_t number;
    bool named = end == '}', ok = ++r->depth <= DEPTH_MAX;

    if (ok && take(r, end)) {
        r->depth--;
        return true;
    }
    do {
        number = 0;
        ok = ok && (!named || (take_string(r, &key) && take(r, ':'))) && take_value(r, &number);
        if (ok && named)
            note_member(r, key, number);
    } while (ok && take(r, ','));
    ok = ok && take(r, end);
    r->depth--;
    return ok;
}

static bool
take_value(struct reader *r, int64_t *number)
{
    struct slice text;
    char c = peek(r);

    *number = 0;
    if (c == '"')
        return take_string(r, &text);
    if (c == '{' || c == '[') {
        r->rest = slice_from(r->rest, 1);
        return take_members(r, c == '{' ? '}' : ']');
    }
    if (c == '-' || ascii_is_digit(c))
        return take_number(r, number);
    return take_word(r);
}

static bool
read_object(struct slice text, struct token_times *t)
{
    struct reader r = { .rest = text };
    int64_t number;
    bool ok = peek(&r) == '{' && take_value(&r, &number) && peek(&r) == '\0' && r.rest.len == 0 && !r.twice;

    *t = r.times;
    return ok;
}

/* ---------------------------------------------------------------- the token */

bool
token_read(struct slice secret, struct token_times *t)
{
    struct slice rest = secret, part = slice_of("");
    struct token_times head;
    struct buf text;
    bool ok = secret.len <= SECRET_MAX;

    memset(t, 0, sizeof *t);
    buf_init(&text, SECRET_MAX);
    ok = ok && slice_has(rest, '.') && slice_cut(&rest, '.', &part) && decode(part, &text) &&
         read_object(buf_slice(&text), &head);
    buf_wipe(&text);
    buf_init(&text, SECRET_MAX);
    ok = ok && slice_has(rest, '.') && slice_cut(&rest, '.', &part) && decode(part, &text) &&
         read_object(buf_slice(&text), t) && t->expires_s > 0;
    for (size_t i = 0; ok && i < rest.len; i++) /* the signature */
        ok = digit_of(rest.p[i]) >= 0;
    buf_wipe(&text);
    if (!ok)
        memset(t, 0, sizeof *t);
    return ok;
}

bool
token_is_short(const struct token_times *t)
{
    return t->issued_s > 0 && t->expires_s - t->issued_s < SHORT_S;
}

void
token_describe(int64_t expires_s, int64_t now_s, struct buf *out)
{
    long long left = expires_s > now_s ? expires_s - now_s : now_s - expires_s;
    long long unit = left < 2 * 60 ? 1 : left < 2 * 3600 ? 60 : left < SHORT_S ? 3600 : 86400;
    const char *name = unit == 1 ? "second" : unit == 60 ? "minute" : unit == 3600 ? "hour" : "day";
    const char *plural = left / unit == 1 ? "" : "s";

    if (expires_s > now_s)
        buf_add_format(out, "valid for %lld %s%s", left / unit, name, plural);
    else
        buf_add_format(out, "expired %lld %s%s ago", left / unit, name, plural);
}
