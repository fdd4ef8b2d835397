/* SPDX-License-Identifier: ISC */
/* explain: asks no daemon and no network; everybody may. */
#include "admin/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/json.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/explanations.h"
#include "mail/explain_paste.h"

enum { TEXT_MAX = 1 << 20, SHOWN_MAX = 65536, REPLY_SHOWN = 2000, ALIKE_MAX = 10, CODE_NOTHING = 1 };

/* What was found of what was given */
struct answer {
    const struct explain_entry *entry; /* NULL: none */
    struct buf host, reply, codes;
    bool is_part; /* `reply` is not all that was given */
    /* where there are but codes */
    const struct explain_entry *alike[ALIKE_MAX];
    struct slice example[ALIKE_MAX];
    size_t nalike; /* may be more than there is room for */
};

/* What is beyond TEXT_MAX is the message that came back */
static void
read_input(struct buf *text)
{
    char piece[16384];
    ssize_t n;

    if (isatty(STDIN_FILENO))
        fprintf(stderr, "smtprelay: explain: paste what the server said, then press Ctrl-D\n");
    while ((n = file_read_some(STDIN_FILENO, piece, sizeof piece)) > 0 && text->len < TEXT_MAX)
        buf_add(text, piece, (size_t)n < TEXT_MAX - text->len ? (size_t)n : TEXT_MAX - text->len);
    if (n < 0)
        fatal(EX_IOERR, "cannot read standard input: %s", strerror(errno));
}

/* What is to be explained, and whether as JSON */
static bool
gather(const char *const words[], size_t n, struct buf *text)
{
    bool json = false, input = n < 2;

    for (size_t i = 1; i < n; i++) {
        if (strcmp(words[i], "--json") == 0) {
            json = true;
            input = input || n == 2;
            continue;
        }
        if (strcmp(words[i], "-") == 0) {
            input = true;
            continue;
        }
        if (strncmp(words[i], "--", 2) == 0)
            fatal(EX_USAGE, "explain: unknown option %s; see smtprelay --help", words[i]);
        if (text->len)
            buf_add_char(text, ' ');
        buf_add_str(text, words[i]);
    }
    if (text->len == 0 && input)
        read_input(text);
    return json;
}

static void
print_line(const char *label, struct slice text)
{
    struct buf shown;

    if (text.len == 0)
        return;
    buf_init(&shown, SHOWN_MAX);
    text_add_escaped(&shown, text);
    printf("%-8s%s\n", label, buf_str(&shown));
    buf_clear(&shown);
}

static void
add_json(struct buf *words, const char *key, struct slice text)
{
    if (text.len == 0)
        return;
    buf_add_format(words, "s.%s=", key);
    text_percent_encode(words, text);
    buf_add_char(words, ' ');
}

static void
print_object(const struct explain_entry *e, struct slice example, const struct answer *a)
{
    struct buf words, line;

    buf_init(&words, SHOWN_MAX);
    buf_init(&line, SHOWN_MAX);
    if (e) {
        add_json(&words, "name", e->name);
        add_json(&words, "advice", e->advice);
        add_json(&words, "sender", e->sender);
        add_json(&words, "guide", e->guide);
        add_json(&words, "source", e->source);
        add_json(&words, "like", example);
    }
    if (a) {
        add_json(&words, "codes", buf_slice(&a->codes));
        if (a->is_part)
            add_json(&words, "reply", slice_sub(buf_slice(&a->reply), 0, REPLY_SHOWN));
        if (a->nalike)
            buf_add_format(&words, "n.alike=%zu ", a->nalike);
    }
    if (json_add_line(&line, buf_slice(&words)))
        fputs(buf_str(&line), stdout);
    buf_clear(&words);
    buf_clear(&line);
}

static void
print_json(const struct answer *a)
{
    print_object(a->entry, slice_of(""), a);
    for (size_t i = 0; i < a->nalike && a->nalike <= ALIKE_MAX; i++)
        print_object(a->alike[i], a->example[i], NULL);
}

static void
print_entry(const struct explain_entry *e)
{
    char guide[200];

    print_line("do:", e->advice);
    (void)snprintf(guide, sizeof guide, "smtprelay-guide(7), %.*s", SLICE_ARG(e->guide));
    print_line("see:", e->guide.len ? slice_of(guide) : e->guide);
    print_line("source:", e->source);
}

/* Codes alone: who says what with them, and what helps then */
static void
print_alike(const struct answer *a)
{
    if (a->nalike > ALIKE_MAX) {
        printf(
            "more:   %zu entries know replies with this code; paste the whole reply, or the enhanced code, "
            "too\n",
            a->nalike);
        return;
    }
    for (size_t i = 0; i < a->nalike; i++) {
        print_line("like:", a->example[i]);
        print_entry(a->alike[i]);
        printf("\n");
    }
}

static void
print_text(const struct answer *a)
{
    bool told = a->nalike && a->nalike <= ALIKE_MAX;

    if (a->is_part)
        print_line("reply:", slice_sub(buf_slice(&a->reply), 0, REPLY_SHOWN));
    if (a->entry && !told)
        print_entry(a->entry);
    print_alike(a);
    print_line("codes:", buf_slice(&a->codes));
}

static void
print_warnings(struct slice lines)
{
    struct slice line;

    while (slice_cut(&lines, '\n', &line))
        fprintf(stderr, "smtprelay: warning: %.*s\n", SLICE_ARG(line));
}

/* In one line, as it is shown */
static void
join_lines(struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->data[i] == '\n' || b->data[i] == '\r')
            b->data[i] = ' ';
}

static void
find(const struct explain *t, struct slice given, struct answer *a)
{
    struct slice reply;

    if (!explain_paste(given, &a->host, &a->reply))
        buf_add_slice(&a->reply, given);
    a->is_part = !slice_eq(buf_slice(&a->reply), slice_trim(given)) && slice_has(slice_trim(given), '\n');
    reply = buf_slice(&a->reply);
    a->entry = explain_find(t, buf_slice(&a->host), reply, NULL);
    (void)explain_codes(reply, &a->codes); /* there need not be any */
    a->nalike = explain_alike(t, reply, a->alike, a->example, ALIKE_MAX);
    join_lines(&a->reply);
}

int
explain_ask(uid_t uid, const char *const words[], size_t n)
{
    struct answer a = { .entry = NULL };
    struct buf text, warnings;
    struct explain *t;
    bool json, known;

    buf_init(&text, TEXT_MAX);
    buf_init(&a.host, TEXT_MAX);
    buf_init(&a.reply, TEXT_MAX);
    buf_init(&a.codes, SHOWN_MAX);
    buf_init(&warnings, SHOWN_MAX);
    json = gather(words, n, &text);
    t = explanations_load(uid, &warnings);
    print_warnings(buf_slice(&warnings));
    find(t, buf_slice(&text), &a);
    known = a.entry || a.codes.len || a.nalike;
    (json ? print_json : print_text)(&a);
    if (!known)
        fprintf(stderr, "smtprelay: explain: no entry fits this text and no reply code is in it; "
                        "paste the whole line, as the log or the program shows it\n");
    explain_free(t);
    buf_clear(&text);
    buf_clear(&a.host);
    buf_clear(&a.reply);
    buf_clear(&a.codes);
    buf_clear(&warnings);
    fatal_unless_printed();
    return known ? 0 : CODE_NOTHING;
}
