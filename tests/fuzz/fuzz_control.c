/*
 * A request line as anybody may send it: what is understood means the same when it is written anew, and asks for nothing that
 * the verb does not take.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "daemon/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *
name_of(enum control_verb verb)
{
    static const char *const names[] = { "list", "queue", "show", "why", "log", "status", "run", "verify",
        "wake" };

    return names[verb];
}

static void
format(const struct control_request *q, struct buf *line)
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
    free(filter);
    free(number);
    free(words);
}

static bool
same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void
check_meaning(const struct control_request *q)
{
    ensure((q->verb == CONTROL_VERIFY) == (q->naddress > 0));
    ensure(q->verb == CONTROL_LOG ||
           (q->verb == CONTROL_SHOW || q->verb == CONTROL_WHY || q->by) == (q->text != NULL));
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
                   same(again.text, q.text));
            ensure(again.naddress == q.naddress);
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
