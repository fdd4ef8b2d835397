/* SPDX-License-Identifier: ISC */
/*
 * mime_word: a value is cut into blanks, words and punctuation; neighbouring words that need it go into one run.
 *
 * Blanks between two encoded-words vanish when they are shown (RFC 2047, 6.2), so blanks beside another encoded-word go inside.
 */
#include "mail/mime_word.h"

#include <string.h>

#include "base/text.h"
#include "mail/base64.h"

#define LINE_CHARS 76
#define WORD_CHARS 75
#define ROOM_MIN 30 /* an encoded-word in less is not worth it */

struct coder {
    struct buf *out;
    size_t column;
    bool eight_bit;
    bool in_run;
    bool after_word;      /* what went out last is an encoded-word */
    struct slice blanks;  /* in front of the next word */
    struct slice leading; /* in front of the run */
    struct buf run;       /* text that will be encoded */
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
put(struct coder *c, struct slice s)
{
    size_t lf = slice_find_last(s, '\n');

    buf_add_slice(c->out, s);
    c->column = lf < s.len ? s.len - lf - 1 : c->column + s.len;
}

/* Without line breaks: what a folded value means */
static void
add_unfolded(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] != '\r' && s.p[i] != '\n')
            buf_add_char(out, s.p[i]);
}

static void
coder_init(struct coder *c, struct buf *out, size_t column, bool eight_bit)
{
    memset(c, 0, sizeof *c);
    c->out = out;
    c->column = column;
    c->eight_bit = eight_bit;
    buf_init(&c->run, out->max);
}

/* Blanks; the line is broken at them when `next` characters would not fit */
static void
put_blanks(struct coder *c, struct slice blanks, size_t next)
{
    if (blanks.len && !slice_has(blanks, '\n') && c->column + blanks.len + next > LINE_CHARS && c->column > 1)
        put(c, slice_of("\r\n"));
    put(c, blanks);
}

/* ---------------------------------------------------------------- runs */

/* As many bytes of whole characters as fit into `room` characters of one encoded-word */
static size_t
fitting(struct slice text, bool utf8, size_t room, size_t overhead)
{
    size_t max = room > overhead ? (room - overhead) / 4 * 3 : 0, n = 0;

    while (n < text.len) {
        size_t step = utf8 ? text_utf8_length(slice_from(text, n)) : 1;
        if (n + step > max)
            break;
        n += step;
    }
    return n;
}

static void
put_words(struct coder *c, struct slice text)
{
    bool utf8 = text_is_utf8(text);
    const char *head = utf8 ? "=?utf-8?B?" : "=?unknown-8bit?B?";
    size_t overhead = strlen(head) + 2;

    for (bool first = true; text.len; first = false) {
        if (!first)
            put(c, slice_of("\r\n "));
        size_t room = c->column + ROOM_MIN > LINE_CHARS ? WORD_CHARS : LINE_CHARS - c->column;
        size_t n = fitting(text, utf8, room < WORD_CHARS ? room : WORD_CHARS, overhead), before = c->out->len;
        buf_add_str(c->out, head);
        base64_add(c->out, slice_sub(text, 0, n));
        buf_add_str(c->out, "?=");
        c->column += c->out->len - before;
        text = slice_from(text, n);
    }
}

static void
end_run(struct coder *c)
{
    if (!c->in_run)
        return;
    put_blanks(c, c->leading, ROOM_MIN);
    put_words(c, buf_slice(&c->run));
    buf_reset(&c->run);
    c->in_run = false;
    c->after_word = true;
}

/* Does a word end right here, so that an encoded-word needs a blank before it (RFC 2047, 5)? */
static bool
is_behind_word(const struct coder *c)
{
    char last = c->out->len ? c->out->data[c->out->len - 1] : ' ';

    return !is_space(last) && !strchr("(<,:;", last);
}

/* A word to encode; `content` is what it means */
static void
take_encoded(struct coder *c, struct slice content)
{
    if (!c->in_run && !c->blanks.len && is_behind_word(c))
        c->blanks = slice_of(" ");
    if (c->in_run) {
        add_unfolded(&c->run, c->blanks);
    } else {
        c->leading = c->blanks;
        if (c->after_word) {
            add_unfolded(&c->run, c->blanks);
            c->leading = slice_of(" ");
        }
        c->in_run = true;
    }
    c->blanks = slice_of("");
    add_unfolded(&c->run, content);
}

static bool
is_encoded_word(struct slice s)
{
    return s.len > 6 && slice_starts(s, "=?") && s.p[s.len - 2] == '?' && s.p[s.len - 1] == '=';
}

/* A word that stays */
static void
take_plain(struct coder *c, struct slice word)
{
    bool encoded = is_encoded_word(word);

    if (c->in_run && encoded && c->blanks.len) {
        add_unfolded(&c->run, c->blanks);
        c->blanks = slice_of(" ");
    }
    end_run(c);
    put_blanks(c, c->blanks, word.len);
    c->blanks = slice_of("");
    put(c, word);
    c->after_word = encoded;
}

static void
take_mark(struct coder *c, struct slice mark)
{
    end_run(c);
    put(c, c->blanks);
    c->blanks = slice_of("");
    put(c, mark);
    c->after_word = false;
}

static void
coder_end(struct coder *c)
{
    end_run(c);
    put(c, c->blanks);
    buf_clear(&c->run);
}

/* ---------------------------------------------------------------- words */

static bool
needs(struct slice s, bool eight_bit)
{
    size_t word = 0;

    for (size_t i = 0; i < s.len; i++) {
        word = is_space(s.p[i]) ? 0 : word + 1;
        if (word > MIME_WORD_LONG || (eight_bit && (unsigned char)s.p[i] > 127))
            return true;
    }
    return false;
}

static size_t
space_length(struct slice s, size_t at)
{
    size_t n = 0;

    while (at + n < s.len && is_space(s.p[at + n]))
        n++;
    return n;
}

void
mime_word_text(struct buf *out, struct slice value, size_t column, bool eight_bit)
{
    struct coder c;

    coder_init(&c, out, column, eight_bit);
    for (size_t i = 0; i < value.len;) {
        size_t n = space_length(value, i);
        c.blanks = slice_sub(value, i, n);
        i += n;
        for (n = 0; i + n < value.len && !is_space(value.p[i + n]);)
            n++;
        struct slice word = slice_sub(value, i, n);
        if (needs(word, eight_bit))
            take_encoded(&c, word);
        else if (n)
            take_plain(&c, word);
        i += n;
    }
    coder_end(&c);
}

/* ---------------------------------------------------------------- address lists */

/* A backslash and what it stands before; a line break it does not touch */
static size_t
step_length(struct slice s, size_t at)
{
    bool pair = s.p[at] == '\\' && at + 1 < s.len && s.p[at + 1] != '\r' && s.p[at + 1] != '\n';

    return pair ? 2 : 1;
}

/* Without the outer characters and without backslashes: what a quoted string or a part of a comment means */
static void
unquote(struct buf *out, struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\\' && i + 1 < s.len)
            i++;
        buf_add_char(out, s.p[i]);
    }
}

static size_t
quoted_length(struct slice s, size_t at)
{
    size_t i = at + 1;

    while (i < s.len && s.p[i] != '"')
        i += step_length(s, i);
    return (i < s.len ? i + 1 : s.len) - at;
}

static void
take_quoted(struct coder *c, struct slice s)
{
    bool ended = s.len > 1 && s.p[s.len - 1] == '"';
    struct buf text;

    if (!needs(s, c->eight_bit)) {
        take_plain(c, s);
        return;
    }
    buf_init(&text, s.len + 1);
    unquote(&text, slice_sub(s, 1, s.len - (ended ? 2 : 1)));
    if ((c->in_run || c->after_word) && !c->blanks.len)
        c->blanks = slice_of(" ");
    take_encoded(c, buf_slice(&text));
    buf_clear(&text);
}

/* Length of the word at `at` that ends before a blank or one of `stops` */
static size_t
word_length(struct slice s, size_t at, const char *stops)
{
    size_t n = 0;

    while (at + n < s.len && !is_space(s.p[at + n]) && (!s.p[at + n] || !strchr(stops, s.p[at + n])))
        n += step_length(s, at + n);
    return n;
}

static void
take_word(struct coder *c, struct slice word)
{
    struct buf text;

    if (!needs(word, c->eight_bit)) {
        take_plain(c, word);
        return;
    }
    buf_init(&text, word.len + 1);
    unquote(&text, word);
    take_encoded(c, buf_slice(&text));
    buf_clear(&text);
}

/* The comment at `at`, nested ones included; returns its length */
static size_t
take_comment(struct coder *c, struct slice s, size_t at)
{
    size_t i = at, depth = 0;

    do {
        size_t n = space_length(s, i);
        c->blanks = n ? slice_sub(s, i, n) : c->blanks;
        i += n;
        if (i >= s.len)
            break;
        if (s.p[i] == '(' || s.p[i] == ')') {
            depth += s.p[i] == '(' ? 1 : (size_t)-1;
            take_mark(c, slice_sub(s, i++, 1));
        } else {
            n = word_length(s, i, "()");
            take_word(c, slice_sub(s, i, n));
            i += n;
        }
    } while (i < s.len && depth);
    return i - at;
}

/* Up to where one of < : @ , ; > stands outside quotes and comments */
static size_t
segment_length(struct slice s, size_t at)
{
    size_t i = at, depth = 0;

    while (i < s.len && (depth || !s.p[i] || !strchr("<:@,;>", s.p[i]))) {
        if (s.p[i] == '"' && !depth) {
            i += quoted_length(s, i);
            continue;
        }
        if (s.p[i] == '(')
            depth++;
        else if (s.p[i] == ')' && depth)
            depth--;
        i += step_length(s, i);
    }
    return i - at;
}

/* Words, quoted strings and comments up to the next mark; only those of a phrase are encoded, comments always */
static void
take_segment(struct coder *c, struct slice s, bool phrase)
{
    for (size_t i = 0; i < s.len;) {
        size_t n = space_length(s, i);
        if (n) {
            c->blanks = slice_sub(s, i, n);
        } else if (s.p[i] == '(') {
            n = take_comment(c, s, i);
        } else if (s.p[i] == '"') {
            n = quoted_length(s, i);
            if (phrase)
                take_quoted(c, slice_sub(s, i, n));
            else
                take_plain(c, slice_sub(s, i, n));
        } else {
            n = word_length(s, i, "(\"");
            n = n ? n : 1;
            if (phrase)
                take_word(c, slice_sub(s, i, n));
            else
                take_plain(c, slice_sub(s, i, n));
        }
        i += n;
    }
}

void
mime_word_addresses(struct buf *out, struct slice value, size_t column, bool eight_bit)
{
    struct coder c;
    bool in_angle = false, in_address = false;

    coder_init(&c, out, column, eight_bit);
    for (size_t i = 0; i < value.len;) {
        size_t n = segment_length(value, i);
        char mark = i + n < value.len ? value.p[i + n] : '\0';
        take_segment(&c, slice_sub(value, i, n), !in_angle && !in_address && mark != '@');
        if (i + n < value.len)
            take_mark(&c, slice_sub(value, i + n, 1));
        i += n + 1;
        if (mark == '<')
            in_angle = true;
        else if (mark == '>')
            in_angle = false;
        else if (mark == '@')
            in_address = true;
        else if (!in_angle)
            in_address = false;
    }
    coder_end(&c);
}
