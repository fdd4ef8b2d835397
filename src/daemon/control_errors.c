/* SPDX-License-Identifier: ISC */
/* control_errors: the last errors of the history, for `smtprelay status`. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/control_why.h"
#include "daemon/history_file.h"

enum {
    ERRORS_READ = 128 << 10, /* bytes from its end */
    ERRORS_MS = 86400000,    /* a day */
};

/* Newest first; the same words again are the same error */
static size_t
add_error(
    struct control_error errors[CONTROL_ERRORS_MAX], size_t n, const struct history_line *l, const char *text)
{
    size_t at = 0;

    while (at < n && strcmp(errors[at].text, text) != 0)
        at++;
    if (at == n && n < CONTROL_ERRORS_MAX)
        n++;
    else
        at = at < n ? at : n - 1;
    if (errors[at].text) {
        free(errors[at].id);
        free(errors[at].text);
    }
    memmove(errors + 1, errors, at * sizeof *errors);
    errors[0] = (struct control_error){ slice_dup(l->id), mem_dup(text), l->time_ms };
    return n;
}

struct ids {
    struct slice *id;
    size_t n, cap;
};

static int
compare_ids(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;
    int r = memcmp(x->p, y->p, x->len < y->len ? x->len : y->len);

    return r ? r : (x->len > y->len) - (x->len < y->len);
}

/* What has gone after all is in no trouble any more */
static void
find_gone(const struct control_request *q, struct slice history, struct ids *gone)
{
    struct history_line l;
    struct slice line;

    while (control_story_next(q, &history, &line, &l)) {
        if (!slice_is(l.event, "sent"))
            continue;
        if (gone->n == gone->cap) {
            gone->cap = gone->cap ? 2 * gone->cap : 64;
            gone->id = mem_resize(gone->id, gone->cap, sizeof *gone->id);
        }
        gone->id[gone->n++] = l.id;
    }
    if (gone->n)
        qsort(gone->id, gone->n, sizeof *gone->id, compare_ids);
}

static bool
has_gone(const struct ids *gone, struct slice id)
{
    return gone->n && bsearch(&id, gone->id, gone->n, sizeof *gone->id, compare_ids);
}

size_t
control_errors(const struct control_request *q, struct control_error errors[CONTROL_ERRORS_MAX])
{
    int64_t since = (int64_t)clock_wall().tv_sec * 1000 - ERRORS_MS;
    struct history_line l;
    struct slice rest, line;
    struct buf text, value;
    struct ids gone = { 0 };
    struct error unread;
    size_t n = 0;

    memset(errors, 0, CONTROL_ERRORS_MAX * sizeof *errors);
    buf_init(&text, ERRORS_READ + HISTORY_LINE_MAX);
    buf_init(&value, HISTORY_LINE_MAX);
    if (history_file_tail(q->queue_dir, ERRORS_READ, &text, &unread)) {
        rest = buf_slice(&text);
        find_gone(q, rest, &gone);
        while (control_story_next(q, &rest, &line, &l)) {
            if (l.time_ms >= since && slice_is(l.event, "attempt") && !has_gone(&gone, l.id) &&
                history_get(&l, "trouble", &value))
                n = add_error(errors, n, &l, buf_str(&value));
        }
    }
    free(gone.id);
    buf_clear(&text);
    buf_clear(&value);
    return n;
}
