/* SPDX-License-Identifier: ISC */
/*
 * explain_text: replies come as the server sent them, joined by " / " (mail/reply), pasted from the logs of other programs (lines joined
 * by blanks, codes and all), or behind the host, port and stage that we put in front. Words are compared without all that.
 */
#include "mail/explain_text.h"

#include <string.h>

enum { WORDS_MAX = 16384 };

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next run of bytes that are no blanks; false at the end */
static bool
next_word(struct slice *rest, struct slice *word)
{
    size_t from = 0, to;

    while (from < rest->len && is_blank(rest->p[from]))
        from++;
    for (to = from; to < rest->len && !is_blank(rest->p[to]);)
        to++;
    *word = slice_sub(*rest, from, to - from);
    *rest = slice_from(*rest, to);
    return word->len > 0;
}

bool
explain_text_is_enhanced(struct slice s)
{
    struct slice class = slice_of(""), subject = slice_of("");
    uint64_t n;

    return slice_cut(&s, '.', &class) && slice_cut(&s, '.', &subject) && class.len == 1 &&
           memchr("245", class.p[0], 3) && subject.len <= 3 && slice_number(subject, 999, &n) && s.len <= 3 &&
           slice_number(s, 999, &n);
}

/* The reply code that a word begins with: "550", "550-5.1.1", "550-text" */
static int
code_of(struct slice word)
{
    uint64_t code;

    if (word.len < 3 || (word.len > 3 && word.p[3] != '-') ||
        !slice_number(slice_sub(word, 0, 3), 599, &code) || code < 200)
        return 0;
    return (int)code;
}

/* A word without what stands around a code: "(#5.7.1)", "550-5.7.1", "5.7.1:" */
static struct slice
bare(struct slice word)
{
    if (code_of(word) && word.len > 4)
        word = slice_from(word, 4);
    while (word.len && memchr("(#[<\"'", word.p[0], 6))
        word = slice_from(word, 1);
    while (word.len && memchr(")]>\"':;,", word.p[word.len - 1], 8))
        word.len--;
    return word;
}

/* Behind what we put in front ("host:25: RCPT TO:"), or at the very beginning, a number is a code; in a sentence it is a number */
static bool
may_be_code(struct slice before, bool first)
{
    return first || (before.len && memchr(":;('\"", before.p[before.len - 1], 5)) ||
           slice_is_nocase(before, "said") || slice_is_nocase(before, "error") ||
           slice_is_nocase(before, "code");
}

/* Behind a quote, a bracket, or msmtp's "smtpmsg='" */
static struct slice
unquoted(struct slice word, bool *quoted)
{
    for (size_t i = 0; i + 3 <= word.len && !ascii_is_digit(word.p[i]); i++)
        if (memchr("('\"", word.p[i], 3) && ascii_is_digit(word.p[i + 1])) {
            *quoted = word.p[i] != '(';
            return slice_from(word, i + 1);
        }
    *quoted = false;
    return word;
}

static void
find_codes(struct explain_text *t, struct slice rest)
{
    struct slice word, before = slice_of("");
    bool first = true;

    while (next_word(&rest, &word)) {
        bool quoted;
        int code = code_of(unquoted(word, &quoted));
        if (!t->code && code && (quoted || may_be_code(before, first)))
            t->code = code;
        if (!t->enhanced.len && explain_text_is_enhanced(bare(word)) &&
            (!t->code || bare(word).p[0] == (char)('0' + t->code / 100)))
            t->enhanced = bare(word);
        before = word;
        first = false;
    }
}

static void
add_folded(struct buf *out, struct slice word)
{
    if (out->len)
        buf_add_char(out, ' ');
    for (size_t i = 0; i < word.len; i++)
        buf_add_char(out, ascii_lower(word.p[i]));
}

/* The code of one more line of the same reply, or the sign between two lines */
static bool
is_of_form(const struct explain_text *t, struct slice word, bool begun)
{
    if (slice_is(word, "/"))
        return true;
    if (!begun || !t->code || code_of(word) != t->code)
        return begun && t->enhanced.len && slice_eq(word, t->enhanced);
    return word.len == 3 || (t->enhanced.len && slice_eq(slice_from(word, 4), t->enhanced));
}

void
explain_text_init(struct explain_text *t, struct slice given)
{
    struct slice rest = given = slice_sub(given, 0, WORDS_MAX / 2), word;
    bool begun = false;

    memset(t, 0, sizeof *t);
    buf_init(&t->words, WORDS_MAX);
    find_codes(t, given);
    while (next_word(&rest, &word)) {
        bool has_code = t->code && code_of(word) == t->code;
        if (begun && has_code && word.len > 4 && !is_of_form(t, word, begun))
            word = slice_from(word, 4); /* "550-and so on" */
        if (!is_of_form(t, word, begun))
            add_folded(&t->words, word);
        begun = begun || has_code;
    }
}

void
explain_text_clear(struct explain_text *t)
{
    buf_clear(&t->words);
    memset(t, 0, sizeof *t);
}

void
explain_text_fold(struct buf *out, struct slice phrase)
{
    struct slice word;
    size_t from = out->len;

    while (next_word(&phrase, &word)) {
        if (out->len > from)
            buf_add_char(out, ' ');
        for (size_t i = 0; i < word.len; i++)
            buf_add_char(out, ascii_lower(word.p[i]));
    }
}

bool
explain_text_is_bare(struct slice given)
{
    struct slice word;
    bool any = false;

    for (; next_word(&given, &word); any = true)
        if (!explain_text_is_enhanced(bare(word)) && !(code_of(bare(word)) && bare(word).len <= 4))
            return false;
    return any;
}
