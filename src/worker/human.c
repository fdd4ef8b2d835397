/* SPDX-License-Identifier: ISC */
/* human: display names in the making; knows no policy. */
#include "worker/human.h"

#include <string.h>

/* ---------------------------------------------------------------- phrases */

#define TEXT_MAX_BYTES 240   /* of a display name that is made of what was found */
#define PHRASE_MAX_BYTES 800 /* with encoded-words */

/* A display name in the making: encoded-words stay what they are, the text between them becomes quoted strings */
struct phrase {
    struct buf *out;
    struct buf text; /* to be quoted */
};

static void
phrase_begin(struct phrase *p, struct buf *out)
{
    p->out = out;
    buf_init(&p->text, TEXT_MAX_BYTES);
}

/* The last character may have been cut */
static void
trim_character(struct buf *b)
{
    size_t n = 0;

    while (n < 3 && n < b->len && ((unsigned char)b->data[b->len - 1 - n] & 0xc0) == 0x80)
        n++;
    if (b->overflow && n < b->len && (unsigned char)b->data[b->len - 1 - n] >= 0xc0)
        buf_truncate(b, b->len - 1 - n);
}

static void
phrase_flush(struct phrase *p)
{
    struct slice s;

    trim_character(&p->text);
    s = slice_trim(buf_slice(&p->text));
    if (s.len && p->out->len + s.len < PHRASE_MAX_BYTES) {
        buf_add_str(p->out, " \"");
        for (size_t i = 0; i < s.len; i++) {
            if (s.p[i] == '"' || s.p[i] == '\\')
                buf_add_char(p->out, '\\');
            buf_add_char(p->out, s.p[i]);
        }
        buf_add_char(p->out, '"');
    }
    buf_reset(&p->text);
}

static void
phrase_end(struct phrase *p)
{
    phrase_flush(p);
    buf_clear(&p->text);
}

/* Control characters are blanks, and blanks in a row are one */
static void
add_character(struct phrase *p, char c)
{
    const struct buf *t = &p->text;

    if (ascii_is_control(c) || c == ' ') {
        if (t->len == 0 || t->data[t->len - 1] == ' ')
            return;
        c = ' ';
    }
    buf_add_char(&p->text, c);
}

static void
phrase_add(struct phrase *p, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        add_character(p, text.p[i]);
}

/* May it stand in a phrase (RFC 2047, 5, rule 3)? */
static bool
is_encoded_word(struct slice s)
{
    size_t marks = 0;

    if (s.len < 8 || s.len > 75 || !slice_starts(s, "=?") || s.p[s.len - 2] != '?' || s.p[s.len - 1] != '=')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        marks += c == '?';
        if (!ascii_is_alpha(c) && !ascii_is_digit(c) && (c == '\0' || !strchr("!*+-/=_?", c)))
            return false;
    }
    return marks == 4;
}

static bool
is_blank(char c)
{
    return ascii_is_control(c) || c == ' ';
}

/* A quoted string at `at`: its content; returns its length */
static size_t
add_quoted(struct phrase *p, struct slice s, size_t at)
{
    size_t i = at + 1;

    for (; i < s.len && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\' && i + 1 < s.len)
            i++;
        add_character(p, s.p[i]);
    }
    return (i < s.len ? i + 1 : i) - at;
}

static size_t
add_word(struct phrase *p, struct slice s, size_t at)
{
    size_t n = 0;
    struct slice word;

    while (at + n < s.len && !is_blank(s.p[at + n]) && s.p[at + n] != '"')
        n += s.p[at + n] == '\\' && at + n + 1 < s.len ? 2 : 1;
    word = slice_sub(s, at, n);
    if (!is_encoded_word(word)) {
        for (size_t i = 0; i < word.len; i++) {
            if (word.p[i] == '\\' && i + 1 < word.len)
                i++;
            add_character(p, word.p[i]);
        }
        return n;
    }
    phrase_flush(p);
    if (p->out->len + n < PHRASE_MAX_BYTES) {
        buf_add_char(p->out, ' ');
        buf_add_slice(p->out, word);
    }
    return n;
}

/* A display name as it stood in a field, or the inside of a comment */
static void
phrase_add_words(struct phrase *p, struct slice s)
{
    for (size_t i = 0; i < s.len;) {
        if (is_blank(s.p[i])) {
            add_character(p, ' ');
            i++;
        } else if (s.p[i] == '"') {
            i += add_quoted(p, s, i);
        } else {
            i += add_word(p, s, i);
        }
    }
}

/* ---------------------------------------------------------------- the human part */

struct slice
human_host(const struct rewrite *r)
{
    struct slice host = slice_of(r->hostname), rest = host, label;
    size_t dots = 0;

    for (size_t i = 0; host.len && host.p[0] == '[' && i < r->nown; i++)
        if (r->own_names[i][0] != '[' && !slice_starts_nocase(slice_of(r->own_names[i]), "localhost"))
            rest = host = slice_of(r->own_names[i]);
    for (size_t i = 0; i < host.len; i++)
        dots += host.p[i] == '.';
    return dots >= 2 && host.p[0] != '[' && slice_cut(&rest, '.', &label) ? label : host;
}

static bool
is_word_byte(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c > 127;
}

/* Does the text say it already, as a word? */
static bool
has_word(struct slice text, struct slice word)
{
    for (size_t i = 0; word.len && i + word.len <= text.len; i++)
        if (slice_eq_nocase(slice_sub(text, i, word.len), word) && (i == 0 || !is_word_byte(text.p[i - 1])) &&
            (i + word.len == text.len || !is_word_byte(text.p[i + word.len])))
            return true;
    return false;
}

/* The content of "(Cron Daemon)", quotes and all; false when it is no such name (cronie writes one) */
static bool
is_comment_name(struct slice name, struct slice *inner)
{
    struct slice s = name;

    if (s.len > 2 && s.p[0] == '"' && s.p[s.len - 1] == '"')
        s = slice_sub(s, 1, s.len - 2);
    if (s.len < 3 || s.p[0] != '(' || s.p[s.len - 1] != ')')
        return false;
    *inner = slice_sub(s, 1, s.len - 2);
    return true;
}

/* "root on web1 (Cron Daemon)" */
static void
add_machine(struct phrase *p, const struct rewrite *r, const struct human *h, struct slice inner)
{
    bool words = inner.len > 7 && slice_starts(inner, "=?"); /* parentheses would stand apart from them */

    phrase_add(p, buf_slice(&h->local));
    phrase_add(p, slice_of(h->local.len ? " on " : "on "));
    phrase_add(p, human_host(r));
    if (!slice_trim(inner).len)
        return;
    phrase_add(p, slice_of(words ? " " : " ("));
    phrase_add_words(p, inner);
    phrase_add(p, slice_of(words ? "" : ")"));
}

void
human_add(struct buf *out, const struct rewrite *r, const struct human *h)
{
    struct slice inner = h->inner, host = human_host(r);
    bool named = h->name.len && !is_comment_name(h->name, &inner);
    struct phrase p;

    phrase_begin(&p, out);
    if (named) {
        phrase_add_words(&p, h->name);
        if (h->is_local && !has_word(h->name, host)) {
            phrase_add(&p, slice_of(" on "));
            phrase_add(&p, host);
        }
    } else if (h->is_local) {
        add_machine(&p, r, h, inner);
    } else if (slice_trim(inner).len) {
        phrase_add_words(&p, inner);
    } else {
        /* no '@': a name that looks like another address looks like fraud */
        phrase_add(&p, buf_slice(&h->local));
        phrase_add(&p, slice_of(" at "));
        phrase_add(&p, buf_slice(&h->domain));
    }
    phrase_end(&p);
}
