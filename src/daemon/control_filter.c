/* SPDX-License-Identifier: ISC */
/* control_filter: options of a request as a table; what is done with what is meant it does not know. */
#include "daemon/control_filter.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/control_list.h"

enum kind { FLAG, TEXT, NUMBER, DURATION, SIZE };

static const struct {
    const char *name;
    enum kind kind;
    size_t offset;
} options[] = {
    { "sender", TEXT, offsetof(struct control_filter, sender) },
    { "recipient", TEXT, offsetof(struct control_filter, recipient) },
    { "account", TEXT, offsetof(struct control_filter, account) },
    { "unit", TEXT, offsetof(struct control_filter, unit) },
    { "reason", TEXT, offsetof(struct control_filter, reason) },
    { "uid", NUMBER, offsetof(struct control_filter, uid) },
    { "older-than", DURATION, offsetof(struct control_filter, older_s) },
    { "larger-than", SIZE, offsetof(struct control_filter, larger) },
    { "held", FLAG, offsetof(struct control_filter, held) },
    { "failed", FLAG, offsetof(struct control_filter, failed) },
    { "all", FLAG, offsetof(struct control_filter, all) },
    { "dry-run", FLAG, offsetof(struct control_filter, dry_run) },
    { "count", FLAG, offsetof(struct control_filter, count) },
    { "json", FLAG, offsetof(struct control_filter, json) },
    { "progress", FLAG, offsetof(struct control_filter, progress) },
};

/* Each with its letter; a number without one is seconds, or bytes */
static const struct {
    char letter;
    int64_t factor;
} spans[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } },
  sizes[] = { { 'k', 1 << 10 }, { 'm', 1 << 20 }, { 'g', 1 << 30 } };

/* ---------------------------------------------------------------- options */

static bool
parse_number(enum kind kind, struct slice text, int64_t *out)
{
    int64_t factor = 1;
    uint64_t n;
    char last = text.len ? (char)(text.p[text.len - 1] | 0x20) : '0';

    for (size_t i = 0; kind == DURATION && i < sizeof spans / sizeof spans[0]; i++)
        factor = spans[i].letter == last ? spans[i].factor : factor;
    for (size_t i = 0; kind == SIZE && i < sizeof sizes / sizeof sizes[0]; i++)
        factor = sizes[i].letter == last ? sizes[i].factor : factor;
    if (kind != NUMBER && (last < '0' || last > '9') && (factor > 1 || (kind == DURATION && last == 's')))
        text.len--;
    if (!slice_number(text, (uint64_t)(INT64_MAX / factor), &n))
        return false;
    *out = (int64_t)n * factor;
    return true;
}

static bool
take_option(struct control_filter *f, struct slice name, const char *value, struct error *err)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        char *at = (char *)f + options[i].offset;
        if (!slice_is(name, options[i].name))
            continue;
        if ((options[i].kind == FLAG) != !value)
            return error_set(err, ERROR_USAGE, "--%s: %s", options[i].name,
                value ? "takes no value" : "its value is missing");
        if (options[i].kind == FLAG) {
            *(bool *)at = true;
        } else if (options[i].kind == TEXT) {
            free(*(char **)at);
            *(char **)at = mem_dup(value);
        } else if (!parse_number(options[i].kind, slice_of(value), (int64_t *)at)) {
            return error_set(err, ERROR_USAGE, "--%s=%s: not %s", options[i].name, value,
                options[i].kind == NUMBER     ? "a number"
                : options[i].kind == DURATION ? "a time such as 2h"
                                              : "a size such as 10M");
        }
        return true;
    }
    return error_set(err, ERROR_USAGE, "unknown option --%.*s", SLICE_ARG(name));
}

bool
control_filter_take(struct control_filter *f, const char *word, struct error *err)
{
    const char *value;

    if (strncmp(word, "--", 2) != 0) {
        f->id = mem_resize(f->id, f->nid + 1, sizeof *f->id);
        f->id[f->nid++] = mem_dup(word);
        return true;
    }
    value = strchr(word, '=');
    return take_option(f, slice_make(word + 2, value ? (size_t)(value - word) - 2 : strlen(word) - 2),
        value ? value + 1 : NULL, err);
}

void
control_filter_clear(struct control_filter *f)
{
    for (size_t i = 0; i < f->nid; i++)
        free(f->id[i]);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (options[i].kind == TEXT)
            free(*(char **)((char *)f + options[i].offset));
    free(f->id);
    memset(f, 0, sizeof *f);
    f->uid = f->older_s = f->larger = -1;
}

bool
control_filter_is_given(const struct control_filter *f)
{
    return f->nid || f->sender || f->recipient || f->account || f->unit || f->reason || f->uid >= 0 ||
           f->older_s >= 0 || f->larger >= 0 || f->held || f->all;
}

/* ---------------------------------------------------------------- matching */

static bool
has_text(const char *text, const char *part)
{
    if (strcmp(part, "<>") == 0) /* the null sender */
        return !text || !*text;
    return text && strcasestr(text, part);
}

static bool
has_recipient(const struct record *r, const char *part)
{
    for (size_t i = 0; i < r->envelope.n; i++)
        if (has_text(r->envelope.rcpt[i].address, part))
            return true;
    return false;
}

static bool
is_same(const char *text, const char *other)
{
    return !other || (text && strcasecmp(text, other) == 0);
}

/* An account's, or that of one of its roads */
static bool
is_of_account(const char *road, const char *account)
{
    size_t n = account ? strlen(account) : 0;

    return is_same(road, account) || (road && strncasecmp(road, account, n) == 0 && road[n] == '/');
}

bool
control_filter_matches(const struct control_request *q, const struct record *r)
{
    const struct control_filter *f = &q->filter;
    char made[CONTROL_REASON_MAX];

    if (f->nid == 0 && ((q->verb == CONTROL_RELEASE && !r->is_held) ||
                           (q->verb == CONTROL_RETRY && !f->failed && r->is_held)))
        return false;
    return (!f->sender || has_text(r->envelope.sender, f->sender)) &&
           (!f->recipient || has_recipient(r, f->recipient)) && is_of_account(r->account, f->account) &&
           is_same(r->unit, f->unit) && (!f->reason || has_text(control_reason(q, r, made), f->reason)) &&
           (f->uid < 0 || r->uid == f->uid) && (f->older_s < 0 || control_age(r) >= f->older_s) &&
           (f->larger < 0 || r->content_size > (uint64_t)f->larger) && (!f->held || r->is_held);
}

/* ---------------------------------------------------------------- the walk */

void
control_walk_begin(
    struct control_walk *w, const struct control_request *q, struct spool *s, struct control_out *o)
{
    *w = (struct control_walk){ .q = q, .s = s, .o = o };
    if (s && q->filter.nid == 0)
        w->order =
            spool_order_new(s, q->filter.failed ? spool_rewind_failed : spool_rewind, SPOOL_ORDER_WINDOW);
}

static void
miss(struct control_walk *w, size_t i)
{
    if (w->missing++ == 0)
        w->first_missing = w->q->filter.id[i];
}

/* spool_head would not see whose file it is */
static int
look(const struct control_walk *w, const char *id, struct record *r)
{
    struct error gone;

    return w->q->filter.failed ? spool_look_failed(w->s, id, r, &gone) : spool_look(w->s, id, r, &gone);
}

bool
control_walk_next(struct control_walk *w, struct record *r, int *fd)
{
    const struct control_filter *f = &w->q->filter;
    char id[SPOOL_ID_MAX + 1];

    while (!w->o || control_alive(w->o)) {
        const char *name = id;
        if (f->nid && w->at == f->nid)
            return false;
        if (f->nid)
            name = f->id[w->at++];
        else if (!w->order || !spool_order_next(w->order, id))
            return false;
        *fd = w->s ? look(w, name, r) : -1;
        if (*fd < 0) { /* delivered meanwhile */
            if (f->nid)
                miss(w, w->at - 1);
            continue;
        }
        free(r->id); /* the name of the file is what counts */
        r->id = mem_dup(name);
        return true;
    }
    return false;
}

/* Is it in failed/ (or in the queue) */
static bool
lies_in(struct spool *s, const char *id, bool failed)
{
    struct record r;
    struct error none;
    int fd = failed ? spool_look_failed(s, id, &r, &none) : spool_look(s, id, &r, &none);

    if (fd < 0)
        return false;
    record_clear(&r);
    file_close(&fd);
    return true;
}

void
control_filter_find(struct control_request *q, struct spool *s)
{
    struct control_filter *f = &q->filter;
    bool failed = false;

    if (!s || f->failed || q->verb == CONTROL_HOLD || q->verb == CONTROL_RELEASE)
        return;
    for (size_t i = 0; i < f->nid; i++) {
        if (lies_in(s, f->id[i], false))
            return;
        failed = failed || lies_in(s, f->id[i], true);
    }
    f->failed = failed;
}

void
control_walk_miss(struct control_walk *w)
{
    if (w->q->filter.nid)
        miss(w, w->at - 1);
}

bool
control_walk_end(struct control_walk *w, struct error *err)
{
    spool_order_free(w->order);
    w->order = NULL;
    if (w->missing == 0)
        return true;
    return error_set(err, ERROR_REFUSED, "%s: no such message%s", w->first_missing,
        w->missing > 1 ? ", nor some of the others" : "");
}
