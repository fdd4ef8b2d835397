/* SPDX-License-Identifier: ISC */
/* explain: the table in memory, and the search; texts are mail/explain_text's, the codes of the RFCs mail/explain_codes's. */
#include "mail/explain.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/explain_text.h"

/* What a condition that fits adds; the length of the phrase decides between equals */
enum {
    BY_HOST = 12000,
    BY_WORDS = 6000,
    BY_ENHANCED = 4000,
    BY_ENHANCED_ANY = 3000,
    BY_CODE = 2000,
    BY_CODE_ANY = 1000
};
enum { PHRASE_MAX = 500, ENTRIES_MAX = 10000, VALUE_MAX = 8000, FILES_MAX = 16 };

struct entry {
    struct explain_entry shown;
    struct slice code, enhanced, host; /* lists */
    struct slice *words;               /* folded alternatives of each line */
    size_t nwords;
    size_t file; /* the number of the explain_add it came with */
};

struct explain {
    struct entry *entry;
    size_t n;
    size_t files;
    char **kept; /* what the slices point into */
    size_t nkept;
};

struct explain *
explain_new(void)
{
    return mem_alloc(sizeof(struct explain));
}

static void
entry_clear(struct entry *e)
{
    struct slice *example;

    memcpy(&example, &e->shown.example, sizeof example); /* ours, const only for others */
    free(example);
    free(e->words);
}

void
explain_free(struct explain *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        entry_clear(&t->entry[i]);
    for (size_t i = 0; i < t->nkept; i++)
        free(t->kept[i]);
    free(t->entry);
    free(t->kept);
    free(t);
}

size_t
explain_count(const struct explain *t)
{
    return t->n;
}

const struct explain_entry *
explain_entry(const struct explain *t, size_t i)
{
    ensure(i < t->n);
    return &t->entry[i].shown;
}

/* ---------------------------------------------------------------- reading */

struct reader {
    struct explain *t;
    const char *name;
    size_t line, at; /* of the value */
    struct buf value;
    char key[16]; /* "" = none */
    bool open;    /* the last entry is of this file and not whole yet */
    struct error *err;
};

static bool
wrong(struct reader *r, const char *why)
{
    return error_set(r->err, ERROR_CONFIG, "%s line %zu: %s", r->name, r->at, why);
}

static struct slice
keep(struct explain *t, struct slice s)
{
    if (s.len == 0)
        return slice_of("");
    t->kept = mem_resize(t->kept, t->nkept + 1, sizeof *t->kept);
    t->kept[t->nkept] = mem_dupn(s.p, s.len);
    return slice_make(t->kept[t->nkept++], s.len);
}

static bool
is_code_pattern(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (i == 0 ? !memchr("2345", s.p[0], 4) : !(ascii_is_digit(s.p[i]) || s.p[i] == 'x'))
            return false;
    return s.len == 3;
}

static bool
is_enhanced_pattern(struct slice s)
{
    char class5[12];

    if (s.len < 5 || s.len >= sizeof class5)
        return false;
    memcpy(class5, s.p, s.len);
    class5[0] = s.p[0] == 'x' ? '5' : s.p[0];
    return explain_text_is_enhanced(slice_make(class5, s.len));
}

static bool
is_domain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!ascii_is_alpha(s.p[i]) && !ascii_is_digit(s.p[i]) && !memchr(".-_", s.p[i], 3))
            return false;
    return s.len > 0;
}

/* Words between blanks, of which each has to be right */
static bool
take_list(struct reader *r, struct slice value, bool (*is_right)(struct slice), struct slice *into)
{
    struct slice rest = value, word;

    while (slice_cut(&rest, ' ', &word))
        if (word.len && !is_right(word))
            return wrong(r, "a value that is not understood");
    *into = keep(r->t, value);
    return true;
}

static bool
take_words(struct reader *r, struct entry *e, struct slice value)
{
    struct slice rest = value, phrase;
    struct buf folded;
    bool ok = true;

    buf_init(&folded, VALUE_MAX);
    while (ok && slice_cut(&rest, '|', &phrase)) {
        ok = slice_trim(phrase).len > 0 && slice_trim(phrase).len <= PHRASE_MAX;
        if (folded.len)
            buf_add_char(&folded, '|');
        explain_text_fold(&folded, phrase);
    }
    if (ok) {
        e->words = mem_resize(e->words, e->nwords + 1, sizeof *e->words);
        e->words[e->nwords++] = keep(r->t, buf_slice(&folded));
    }
    buf_clear(&folded);
    return ok || wrong(r, "an empty phrase, or one that is too long");
}

static bool
take_example(struct reader *r, struct entry *e, struct slice value)
{
    struct slice *all;

    memcpy(&all, &e->shown.example, sizeof all);
    all = mem_resize(all, e->shown.nexamples + 1, sizeof *all);
    all[e->shown.nexamples++] = keep(r->t, value);
    e->shown.example = all;
    return true;
}

static bool
take_text(struct reader *r, struct slice value, struct slice *into)
{
    if (into->len)
        return wrong(r, "it has been said before");
    *into = keep(r->t, value);
    return true;
}

/* "key: value", all lines of it together */
static bool
end_value(struct reader *r)
{
    struct slice value = buf_slice(&r->value);
    struct entry *e = r->open ? &r->t->entry[r->t->n - 1] : NULL;
    const char *key = r->key;

    if (!*key)
        return true;
    if (!e)
        return wrong(r, "it belongs to no entry; a line with [name] is missing");
    if (value.len == 0 || r->value.overflow)
        return wrong(r, value.len ? "the value is too long" : "the value is missing");
    if (strcmp(key, "code") == 0)
        return take_list(r, value, is_code_pattern, &e->code);
    if (strcmp(key, "enhanced") == 0)
        return take_list(r, value, is_enhanced_pattern, &e->enhanced);
    if (strcmp(key, "host") == 0)
        return take_list(r, value, is_domain, &e->host);
    if (strcmp(key, "words") == 0)
        return take_words(r, e, value);
    if (strcmp(key, "example") == 0)
        return take_example(r, e, value);
    if (strcmp(key, "advice") == 0)
        return take_text(r, value, &e->shown.advice);
    if (strcmp(key, "sender") == 0)
        return take_text(r, value, &e->shown.sender);
    if (strcmp(key, "guide") == 0)
        return take_text(r, value, &e->shown.guide);
    if (strcmp(key, "source") == 0)
        return take_text(r, value, &e->shown.source);
    return wrong(r, "none of code, enhanced, host, words, advice, sender, guide, source, example");
}

/* The last entry of this file is whole */
static bool
end_entry(struct reader *r)
{
    struct entry *e = r->open ? &r->t->entry[r->t->n - 1] : NULL;

    if (!e)
        return true;
    if (!e->code.len && !e->enhanced.len && !e->host.len && !e->nwords)
        return wrong(r, "the entry has no condition (code, enhanced, host or words)");
    if (!e->shown.advice.len)
        return wrong(r, "the entry has no advice");
    r->open = false;
    return true;
}

static bool
begin_entry(struct reader *r, struct slice line)
{
    struct slice name = slice_sub(line, 1, line.len - 2);

    if (!end_entry(r))
        return false;
    r->at = r->line;
    if (line.len < 3 || line.p[line.len - 1] != ']' || !is_domain(name))
        return wrong(r, "a line [name] is expected; letters, digits and '-'");
    if (r->t->n == ENTRIES_MAX)
        return wrong(r, "too many entries");
    r->t->entry = mem_resize(r->t->entry, r->t->n + 1, sizeof *r->t->entry);
    memset(&r->t->entry[r->t->n], 0, sizeof *r->t->entry);
    r->t->entry[r->t->n].file = r->t->files;
    r->t->entry[r->t->n++].shown.name = keep(r->t, name);
    r->open = true;
    return true;
}

/* A line that is neither blank, comment, name nor the rest of a value */
static bool
begin_value(struct reader *r, struct slice line)
{
    struct slice key = slice_of("");

    r->at = r->line;
    if (!slice_has(line, ':') || !slice_cut(&line, ':', &key) || key.len >= sizeof r->key)
        return wrong(r, "neither \"key: value\" nor [name]");
    memcpy(r->key, key.p, key.len);
    r->key[key.len] = '\0';
    buf_add_slice(&r->value, slice_trim(line));
    return true;
}

static bool
take_line(struct reader *r, struct slice line)
{
    struct slice bare = slice_trim(line);
    bool goes_on = line.len && (line.p[0] == ' ' || line.p[0] == '\t');

    if (bare.len && goes_on && *r->key) {
        buf_add_char(&r->value, ' ');
        buf_add_slice(&r->value, bare);
        return true;
    }
    if (!end_value(r))
        return false;
    r->key[0] = '\0';
    buf_reset(&r->value);
    if (bare.len == 0 || bare.p[0] == '#')
        return true;
    return bare.p[0] == '[' ? begin_entry(r, bare) : begin_value(r, bare);
}

bool
explain_add(struct explain *t, const char *name, struct slice text, struct error *err)
{
    struct reader r = { .t = t, .name = name, .err = err };
    struct slice line;
    bool ok = true;

    if (text.len > EXPLAIN_TEXT_MAX || slice_has(text, '\0') || t->files == FILES_MAX)
        return error_set(err, ERROR_CONFIG, "%s: too large, or it has a NUL in it", name);
    buf_init(&r.value, VALUE_MAX);
    t->files++;
    while (ok && slice_cut(&text, '\n', &line)) {
        r.line++;
        ok = take_line(&r, line);
    }
    ok = ok && end_value(&r) && end_entry(&r);
    if (r.open) /* each is whole, or not there */
        entry_clear(&t->entry[--t->n]);
    buf_clear(&r.value);
    return ok;
}

/* ---------------------------------------------------------------- searching */

static size_t
match_code(struct slice list, int code)
{
    struct slice word;
    size_t best = 0;
    char text[8] = { (char)('0' + code / 100), (char)('0' + code / 10 % 10), (char)('0' + code % 10) };

    while (code && slice_cut(&list, ' ', &word)) {
        bool fits = word.len == 3, any = false;
        for (size_t i = 0; fits && i < 3; i++) {
            any = any || word.p[i] == 'x';
            fits = word.p[i] == 'x' || word.p[i] == text[i];
        }
        if (fits)
            best = any && best < BY_CODE ? BY_CODE_ANY : BY_CODE;
    }
    return best;
}

static size_t
match_enhanced(struct slice list, struct slice enhanced)
{
    struct slice word;
    size_t best = 0;

    while (enhanced.len && slice_cut(&list, ' ', &word)) {
        bool any = word.len && word.p[0] == 'x';
        if (any ? slice_eq(slice_from(word, 1), slice_from(enhanced, 1)) : slice_eq(word, enhanced))
            best = any && best < BY_ENHANCED ? BY_ENHANCED_ANY : BY_ENHANCED;
    }
    return best;
}

static bool
is_in_name(char c)
{
    return ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '_';
}

/* Is the domain named in the text: whole labels, and not of somebody's address? */
static bool
is_named(struct slice text, struct slice domain)
{
    for (size_t i = 0; i + domain.len <= text.len; i++) {
        size_t end = i + domain.len;
        if (!slice_eq_nocase(slice_sub(text, i, domain.len), domain))
            continue;
        if (i > 0 && (is_in_name(text.p[i - 1]) || text.p[i - 1] == '@'))
            continue;
        if (end < text.len && (is_in_name(text.p[end]) ||
                                  (text.p[end] == '.' && end + 1 < text.len && is_in_name(text.p[end + 1]))))
            continue;
        return true;
    }
    return false;
}

static bool
match_host(struct slice list, struct slice host, struct slice text)
{
    struct slice domain;

    if (host.len && host.p[host.len - 1] == '.')
        host.len--;
    while (slice_cut(&list, ' ', &domain)) {
        if (domain.len == 0)
            continue;
        if (host.len >= domain.len && slice_eq_nocase(slice_from(host, host.len - domain.len), domain) &&
            (host.len == domain.len || host.p[host.len - domain.len - 1] == '.'))
            return true;
        if (is_named(text, domain))
            return true;
    }
    return false;
}

static bool
has_phrase(struct slice text, struct slice phrase)
{
    return phrase.len <= text.len && memmem(text.p, text.len, phrase.p, phrase.len) != NULL;
}

/* The length of the longest alternative that is there, 0: none */
static size_t
match_words(struct slice alternatives, struct slice text)
{
    struct slice phrase;
    size_t best = 0;

    while (slice_cut(&alternatives, '|', &phrase))
        if (phrase.len > best && has_phrase(text, phrase))
            best = phrase.len;
    return best;
}

/* How well it fits; 0: not at all */
static size_t
score(const struct entry *e, struct slice host, struct slice given, const struct explain_text *text)
{
    size_t all = 0, one = 0;

    if (e->code.len && (one = match_code(e->code, text->code)) == 0)
        return 0;
    all += e->code.len ? one : 0;
    if (e->enhanced.len && (one = match_enhanced(e->enhanced, text->enhanced)) == 0)
        return 0;
    all += e->enhanced.len ? one : 0;
    if (e->host.len && !match_host(e->host, host, given))
        return 0;
    all += e->host.len ? BY_HOST : 0;
    for (size_t i = 0; i < e->nwords; i++) {
        if ((one = match_words(e->words[i], buf_slice(&text->words))) == 0)
            return 0;
        all += BY_WORDS + one;
    }
    return all;
}

const struct explain_entry *
explain_find(const struct explain *t, struct slice host, struct slice text, size_t *rivals)
{
    const struct entry *best = NULL;
    struct explain_text read;
    size_t best_score = 0, n = 0;

    explain_text_init(&read, text);
    for (size_t i = 0; i < t->n; i++) {
        const struct entry *e = &t->entry[i];
        size_t s = score(e, host, text, &read);
        if (s == 0 || (best && e->file == best->file && s < best_score))
            continue;
        n = best && e->file == best->file && s == best_score ? n + 1 : 0;
        best = e;
        best_score = s;
    }
    explain_text_clear(&read);
    if (rivals)
        *rivals = n;
    return best ? &best->shown : NULL;
}

static bool
has_codes_of(const struct explain_text *codes, struct slice example)
{
    struct explain_text t;
    bool same;

    explain_text_init(&t, example);
    same = (!codes->code || t.code == codes->code) &&
           (!codes->enhanced.len || slice_eq(t.enhanced, codes->enhanced));
    explain_text_clear(&t);
    return same;
}

size_t
explain_alike(const struct explain *t, struct slice text, const struct explain_entry *found[],
    struct slice example[], size_t max)
{
    struct explain_text codes;
    size_t n = 0;

    if (!explain_text_is_bare(text))
        return 0;
    explain_text_init(&codes, text);
    for (size_t i = 0; i < t->n; i++) {
        const struct explain_entry *e = &t->entry[i].shown;
        size_t k = 0;
        while (k < e->nexamples && !has_codes_of(&codes, e->example[k]))
            k++;
        if (k < e->nexamples && n < max) {
            found[n] = e;
            example[n] = e->example[k];
        }
        n += k < e->nexamples;
    }
    explain_text_clear(&codes);
    return n;
}

bool
explain_advise(const struct explain *t, struct slice host, struct slice text, struct buf *out)
{
    const struct explain_entry *e = t ? explain_find(t, host, text, NULL) : NULL;

    if (!e)
        return false;
    text_add_escaped(out, e->advice);
    if (e->guide.len) {
        buf_add_str(out, " (smtprelay-guide(7), ");
        text_add_escaped(out, e->guide);
        buf_add_char(out, ')');
    }
    return true;
}
