/* SPDX-License-Identifier: ISC */
/*
 * A history as anybody may have spoilt it: what is a line has only values that come back the same when written anew; and what is told
 * of it has no byte that a terminal obeys.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "daemon/control_out.h"
#include "daemon/control_why.h"
#include "daemon/history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_line(const struct history_line *l)
{
    struct slice rest = l->fields, again, key, key2;
    struct buf value, line, value2;

    buf_init(&value, HISTORY_LINE_MAX);
    buf_init(&value2, HISTORY_LINE_MAX);
    buf_init(&line, 4 * HISTORY_LINE_MAX);
    while (history_next(&rest, &key, &value)) {
        struct history_draft d = { &line, 0 };
        char *name;
        if (slice_has(key, '\0'))
            continue; /* no key of ours */
        name = slice_dup(key);
        buf_reset(&line);
        history_add_slice(&d, name, buf_slice(&value));
        ensure(line.len <= HISTORY_LINE_MAX);
        again = buf_slice(&line);
        if (line.len && value.len <= HISTORY_VALUE_MAX) {
            ensure(history_next(&again, &key2, &value2));
            ensure(slice_is(key2, name) && slice_eq(buf_slice(&value), buf_slice(&value2)));
        }
        free(name);
    }
    buf_clear(&line);
    buf_clear(&value2);
    buf_clear(&value);
}

static void
check_told(struct slice history)
{
    struct control_request q;
    struct control_out o;
    struct error err;

    control_init(&q);
    q.peer = (struct control_peer){ 0, true };
    q.text = mem_dup("-");
    control_out_begin(&o, -1);
    if (history.len < 20000) {
        (void)control_why_tell(&q, &o, history, NULL, &err);
        q.filter.json = true;
        (void)control_why_tell(&q, &o, history, NULL, &err);
        control_log_tell(&q, &o, history);
        ensure(!o.is_broken);
    }
    for (size_t i = 0; i < o.b.len; i++)
        ensure(o.b.data[i] == '\n' || !ascii_is_control(o.b.data[i]));
    buf_clear(&o.b);
    control_clear(&q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice all = slice_make((const char *)data, size), rest = all, line;
    struct history_line l;

    while (slice_cut(&rest, '\n', &line))
        if (history_parse(line, &l))
            check_line(&l);
    check_told(all);
    return 0;
}
