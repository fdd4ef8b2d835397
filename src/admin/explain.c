/* SPDX-License-Identifier: ISC */
/* explain: asks no daemon and no network; everybody may. */
#include "admin/explain.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/json.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/explanations.h"

enum { TEXT_MAX = 65536, SHOWN_MAX = 65536, CODE_NOTHING = 1 };

/* What is to be explained, and whether as JSON */
static bool
gather(const char *const words[], size_t n, struct buf *text)
{
    struct error err;
    bool json = false;

    for (size_t i = 1; i < n; i++) {
        if (strcmp(words[i], "--json") == 0) {
            json = true;
            continue;
        }
        if (strncmp(words[i], "--", 2) == 0)
            fatal(EX_USAGE, "explain: unknown option %s; see smtprelay --help", words[i]);
        if (text->len)
            buf_add_char(text, ' ');
        buf_add_str(text, words[i]);
    }
    if (text->len == 0 && isatty(STDIN_FILENO))
        fprintf(stderr, "smtprelay: explain: paste what the server said, then press Ctrl-D\n");
    if (text->len == 0 && !file_read_all(STDIN_FILENO, text, "standard input", &err))
        fatal(EX_IOERR, "%s", err.text);
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
print_json(const struct explain_entry *e, struct slice codes)
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
    }
    add_json(&words, "codes", codes);
    if (json_add_line(&line, buf_slice(&words)))
        fputs(buf_str(&line), stdout);
    buf_clear(&words);
    buf_clear(&line);
}

static void
print_text(const struct explain_entry *e, struct slice codes)
{
    char guide[200];

    if (e) {
        print_line("do:", e->advice);
        (void)snprintf(guide, sizeof guide, "smtprelay-guide(7), %.*s", SLICE_ARG(e->guide));
        print_line("see:", e->guide.len ? slice_of(guide) : e->guide);
        print_line("source:", e->source);
    }
    print_line("codes:", codes);
}

static void
print_warnings(struct slice lines)
{
    struct slice line;

    while (slice_cut(&lines, '\n', &line))
        fprintf(stderr, "smtprelay: warning: %.*s\n", SLICE_ARG(line));
}

int
explain_ask(uid_t uid, const char *const words[], size_t n)
{
    const struct explain_entry *e;
    struct buf text, codes, warnings;
    struct explain *t;
    bool json, known;

    buf_init(&text, TEXT_MAX);
    buf_init(&codes, SHOWN_MAX);
    buf_init(&warnings, SHOWN_MAX);
    json = gather(words, n, &text);
    t = explanations_load(uid, &warnings);
    print_warnings(buf_slice(&warnings));
    e = explain_find(t, slice_of(""), buf_slice(&text), NULL);
    known = explain_codes(buf_slice(&text), &codes) || e;
    if (json)
        print_json(e, buf_slice(&codes));
    else
        print_text(e, buf_slice(&codes));
    if (!known)
        fprintf(stderr, "smtprelay: explain: no entry fits this text and no reply code is in it; "
                        "paste the whole line, as the log or the program shows it\n");
    explain_free(t);
    buf_clear(&text);
    buf_clear(&codes);
    buf_clear(&warnings);
    if (fflush(stdout) != 0)
        fatal(EX_IOERR, "cannot write to standard output");
    return known ? 0 : CODE_NOTHING;
}
