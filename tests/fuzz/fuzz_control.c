/* SPDX-License-Identifier: ISC */
/*
 * A request line as anybody may send it: what is understood means the same when it is written anew, and asks for nothing that
 * the verb does not take.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
name_of(enum control_verb verb)
{
    static const char *const names[] = { "list", "queue", "show", "why", "log", "status", "retry", "hold",
        "release", "remove", "run", "verify", "trace", "test", "wake" };

    ensure((size_t)verb < sizeof names / sizeof names[0]);
    return names[verb];
}

static bool
same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void
add_word(struct buf *line, const char *name, const char *value)
{
    char *word = !value ? mem_dup(name) : mem_format("%s=%s", name, value);
    const char *const words[] = { word };

    buf_add_char(line, ' ');
    control_format(line, words, 1);
    free(word);
}

static void
add_filter(const struct control_filter *f, struct buf *line)
{
    const struct {
        const char *name, *text;
        int64_t number;
        bool flag;
    } all[] = { { "--sender", f->sender, -1, 0 }, { "--recipient", f->recipient, -1, 0 },
        { "--account", f->account, -1, 0 }, { "--unit", f->unit, -1, 0 }, { "--reason", f->reason, -1, 0 },
        { "--uid", NULL, f->uid, 0 }, { "--older-than", NULL, f->older_s, 0 },
        { "--larger-than", NULL, f->larger, 0 }, { "--held", NULL, -1, f->held },
        { "--failed", NULL, -1, f->failed }, { "--all", NULL, -1, f->all },
        { "--dry-run", NULL, -1, f->dry_run }, { "--count", NULL, -1, f->count },
        { "--json", NULL, -1, f->json }, { "--progress", NULL, -1, f->progress } };
    char number[32];

    for (size_t i = 0; i < f->nid; i++)
        add_word(line, f->id[i], NULL);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        (void)snprintf(number, sizeof number, "%lld", (long long)all[i].number);
        if (all[i].text)
            add_word(line, all[i].name, all[i].text);
        else if (all[i].number >= 0)
            add_word(line, all[i].name, number);
        else if (all[i].flag)
            add_word(line, all[i].name, NULL);
    }
}

static bool
same_filter(const struct control_filter *a, const struct control_filter *b)
{
    bool ok = a->nid == b->nid && same(a->sender, b->sender) && same(a->recipient, b->recipient) &&
              same(a->account, b->account) && same(a->unit, b->unit) && same(a->reason, b->reason) &&
              a->uid == b->uid && a->older_s == b->older_s && a->larger == b->larger && a->held == b->held &&
              a->failed == b->failed && a->all == b->all && a->dry_run == b->dry_run &&
              a->count == b->count && a->json == b->json && a->progress == b->progress;

    for (size_t i = 0; ok && i < a->nid; i++)
        ok = same(a->id[i], b->id[i]);
    return ok;
}

/* trace: sender and uid first */
static void
format_trace(const struct control_request *q, struct buf *line)
{
    char *uid = q->filter.uid >= 0 ? mem_format("%lld", (long long)q->filter.uid) : mem_dup("-");
    const char *const words[] = { "trace", q->text, uid };

    control_format(line, words, 3);
    for (size_t i = 0; i < q->naddress; i++)
        add_word(line, q->address[i], NULL);
    free(uid);
}

static void
format_test(const struct control_request *q, struct buf *line)
{
    const char *const words[] = { "test" };

    control_format(line, words, 1);
    if (q->text)
        add_word(line, "--account", q->text);
    if (q->file)
        add_word(line, "--config", q->file);
    for (size_t i = 0; i < q->naddress; i++)
        add_word(line, q->address[i], NULL);
}

static void
format_other(const struct control_request *q, struct buf *line)
{
    const char **words = mem_array(q->naddress + 3, sizeof *words);
    char *filter = q->by ? mem_format("%c%s", q->by, q->text) : NULL;
    char *number = q->number ? mem_format("%zu", q->number) : NULL;
    size_t n = 0;

    words[n++] = name_of(q->verb);
    if (filter || q->text)
        words[n++] = filter ? filter : q->text;
    if (number)
        words[n++] = number;
    for (size_t i = 0; i < q->naddress; i++)
        words[n++] = q->address[i];
    control_format(line, words, n);
    add_filter(&q->filter, line);
    free(filter);
    free(number);
    free(words);
}

static void
format(const struct control_request *q, struct buf *line)
{
    if (q->verb == CONTROL_TRACE)
        format_trace(q, line);
    else if (q->verb == CONTROL_TEST)
        format_test(q, line);
    else
        format_other(q, line);
}

static void
check_meaning(const struct control_request *q)
{
    ensure(q->verb == CONTROL_TEST
               ? q->naddress <= 1
               : (q->verb == CONTROL_VERIFY || q->verb == CONTROL_TRACE) == (q->naddress > 0));
    ensure(q->verb == CONTROL_LOG || q->verb == CONTROL_TEST || (q->verb == CONTROL_TRACE && q->text) ||
           (q->verb == CONTROL_WHY || q->by) == (q->text != NULL));
    ensure(!q->number || (q->text && (q->verb == CONTROL_WHY || q->verb == CONTROL_LOG)));
    ensure(!q->by || (q->verb == CONTROL_RUN && strchr("IRS", q->by)));
    ensure(q->peer.uid == -1 && !q->peer.is_operator);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_request q, again;
    struct buf line;
    struct error err;

    if (control_parse(slice_make((const char *)data, size), &q, &err)) {
        check_meaning(&q);
        buf_init(&line, 4 * CONTROL_LINE_MAX);
        format(&q, &line);
        ensure(!slice_has(buf_slice(&line), '\n'));
        if (line.len <= CONTROL_LINE_MAX) {
            ensure(control_parse(buf_slice(&line), &again, &err));
            ensure(again.verb == q.verb && again.by == q.by && again.number == q.number &&
                   same(again.text, q.text) && same(again.file, q.file));
            ensure(again.naddress == q.naddress && same_filter(&q.filter, &again.filter));
            for (size_t i = 0; i < q.naddress; i++)
                ensure(same(again.address[i], q.address[i]));
            control_clear(&again);
        }
        buf_clear(&line);
    } else {
        ensure(err.class == ERROR_USAGE);
    }
    control_clear(&q);
    return 0;
}
