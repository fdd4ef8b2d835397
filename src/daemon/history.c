/* SPDX-License-Identifier: ISC */
/* history: writes and reads lines; what they mean is story's and control_why's. Trusts no byte it reads. */
#include "daemon/history.h"

#include <string.h>

#include "base/text.h"

#define RESERVE 1    /* the line's end */
#define ID_LENGTH 16 /* intake_make_id */

struct history_draft
history_begin(struct buf *b, int64_t time_ms, const char *event, const char *id, int64_t uid)
{
    struct history_draft d = { b, b->len };

    buf_add_format(b, "%lld %s ", (long long)time_ms, event);
    text_percent_encode(b, slice_of(id));
    buf_add_format(b, " %lld", (long long)uid);
    return d;
}

void
history_add_slice(struct history_draft *d, const char *key, struct slice value)
{
    size_t before = d->b->len;

    if (value.len == 0)
        return;
    buf_add_format(d->b, " %s=", key);
    text_percent_encode(d->b, slice_sub(value, 0, HISTORY_VALUE_MAX));
    if (d->b->len - d->begin > HISTORY_LINE_MAX - RESERVE)
        buf_truncate(d->b, before);
}

void
history_add(struct history_draft *d, const char *key, const char *value)
{
    history_add_slice(d, key, slice_of(value));
}

void
history_add_number(struct history_draft *d, const char *key, int64_t value)
{
    size_t before = d->b->len;

    buf_add_format(d->b, " %s=%lld", key, (long long)value);
    if (d->b->len - d->begin > HISTORY_LINE_MAX - RESERVE)
        buf_truncate(d->b, before);
}

void
history_end(struct history_draft *d)
{
    buf_add_char(d->b, '\n');
}

/* -1 is a number, too */
static bool
take_number(struct slice word, int64_t *out)
{
    bool minus = word.len > 1 && word.p[0] == '-';
    uint64_t v;

    if (!slice_number(minus ? slice_from(word, 1) : word, INT64_MAX, &v))
        return false;
    *out = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

bool
history_parse(struct slice line, struct history_line *l)
{
    struct slice word;

    memset(l, 0, sizeof *l);
    if (line.len >= HISTORY_LINE_MAX)
        return false;
    if (!slice_cut(&line, ' ', &word) || !take_number(word, &l->time_ms) || l->time_ms < 0)
        return false;
    if (!slice_cut(&line, ' ', &l->event) || l->event.len == 0)
        return false;
    if (!slice_cut(&line, ' ', &l->id) || l->id.len == 0)
        return false;
    if (!slice_cut(&line, ' ', &word) || !take_number(word, &l->uid) || l->uid < -1)
        return false;
    l->fields = line;
    return true;
}

bool
history_next(struct slice *fields, struct slice *key, struct buf *value)
{
    struct slice field;

    buf_reset(value);
    while (slice_cut(fields, ' ', &field)) {
        if (!slice_has(field, '=') || !slice_cut(&field, '=', key) || key->len == 0)
            continue;
        if (text_percent_decode(value, field) && !value->overflow)
            return true;
        buf_reset(value);
    }
    return false;
}

bool
history_get(const struct history_line *l, const char *key, struct buf *value)
{
    struct slice rest = l->fields, name;

    while (history_next(&rest, &name, value))
        if (slice_is(name, key))
            return true;
    return false;
}

struct slice
history_base(struct slice id)
{
    bool is_part = id.len > ID_LENGTH && id.p[ID_LENGTH] == 'X';

    return is_part ? slice_sub(id, 0, ID_LENGTH) : id;
}
