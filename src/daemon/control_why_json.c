/* SPDX-License-Identifier: ISC */
/* control_why_json: the history of a message as words for programs, under the names that `queue --json` and `test --json` have for them. */
#include "daemon/control_why.h"

#include "daemon/control_list.h"

struct words {
    struct control_out *o;
    struct buf value;
};

static void
add_text(struct words *w, const struct history_line *l, const char *field, const char *key)
{
    if (history_get(l, field, &w->value))
        control_word_text(w->o, key, buf_str(&w->value));
}

/* times `scale`; false where there is no such number */
static bool
add_number(struct words *w, const struct history_line *l, const char *field, const char *key, int64_t scale)
{
    uint64_t n;

    if (!history_get(l, field, &w->value) ||
        !slice_number(buf_slice(&w->value), (uint64_t)(INT64_MAX / scale), &n))
        return false;
    control_word_number(w->o, key, (int64_t)n * scale);
    return true;
}

static void
add_slice(struct words *w, const char *key, struct slice text)
{
    buf_reset(&w->value);
    buf_add_slice(&w->value, text);
    control_word_text(w->o, key, buf_str(&w->value));
}

/* ---------------------------------------------------------------- how it came */

static void
add_origin(struct words *w, const struct history_line *l)
{
    control_word_number(w->o, "arrival_time", l->time_ms / 1000);
    if (l->uid >= 0)
        control_word_number(w->o, "uid", l->uid);
    add_text(w, l, "login", "login");
    add_text(w, l, "client", "client");
    add_text(w, l, "program", "program");
    add_text(w, l, "unit", "unit");
    add_text(w, l, "cwd", "cwd");
    add_text(w, l, "origin", "origin");
    add_text(w, l, "mode", "mode");
    add_text(w, l, "received", "received");
    add_text(w, l, "of", "report_about");
    if (!history_get(l, "sender", &w->value))
        buf_reset(&w->value);
    control_word_text(w->o, "sender", buf_str(&w->value)); /* "" is the null sender */
    (void)add_number(w, l, "size", "size", 1);
    (void)add_number(w, l, "nrcpt", "recipient_count", 1);
}

static void
add_recipients(struct words *w, const struct history_line *l)
{
    struct slice rest = l->fields, key;

    while (history_next(&rest, &key, &w->value))
        if (slice_is(key, "rcpt")) {
            control_word_object(w->o, "recipients");
            control_word_text(w->o, "address", buf_str(&w->value));
        }
}

/* ---------------------------------------------------------------- what became of it */

/* "0.001/12": seconds into microseconds */
static bool
parse_seconds(struct slice text, int64_t *us)
{
    struct slice whole;
    uint64_t s = 0, part = 0;
    int64_t scale = 1000000;

    if (!slice_cut(&text, '.', &whole) || !slice_number(whole, INT32_MAX, &s))
        return false;
    for (size_t i = 0; i < text.len && i < 6; i++)
        scale /= 10;
    text = slice_sub(text, 0, 6);
    if (text.len && !slice_number(text, 999999, &part))
        return false;
    *us = (int64_t)s * 1000000 + (int64_t)part * scale;
    return true;
}

static void
add_delays(struct words *w, const struct history_line *l)
{
    static const char *const keys[] = { "names_us", "connection_us", "session_us", "message_us" };
    struct slice rest, one;
    int64_t us;

    if (!history_get(l, "delays", &w->value))
        return;
    rest = buf_slice(&w->value);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && slice_cut(&rest, '/', &one); i++)
        if (parse_seconds(one, &us))
            control_word_number(w->o, keys[i], us);
}

static void
add_attempt(struct words *w, const struct history_line *l)
{
    add_text(w, l, "account", "account");
    add_text(w, l, "relay", "relay");
    add_text(w, l, "tls", "tls");
    add_text(w, l, "auth", "auth");
    (void)add_number(w, l, "took", "us", 1000);
    add_delays(w, l);
    (void)add_number(w, l, "sent", "sent", 1);
    (void)add_number(w, l, "refused", "refused", 1);
    (void)add_number(w, l, "deferred", "deferred", 1);
    add_text(w, l, "reply", "reply");
    add_text(w, l, "trouble", "reason");
}

static void
add_event(struct words *w, const struct history_line *l)
{
    control_word_object(w->o, "events");
    control_word_number(w->o, "time", l->time_ms / 1000);
    add_slice(w, "event", l->event);
    add_slice(w, "id", l->id);
    if (slice_is(l->event, "attempt"))
        add_attempt(w, l);
    else
        add_text(w, l, "why", "reason");
}

static void
add_part(struct words *w, const struct history_line *l, struct spool *spool)
{
    control_word_object(w->o, "parts");
    add_slice(w, "id", l->id);
    add_slice(w, "state", l->event);
    control_word_bool(w->o, "waits", control_story_waits(l, spool));
}

/* The line that says how the message came; false where the history no longer reaches back to it */
static bool
find_origin(const struct control_story *s, struct history_line *l)
{
    for (size_t i = 0; i < s->n; i++)
        if (history_parse(s->line[i], l) && slice_is(l->event, "submitted"))
            return true;
    return false;
}

void
control_story_words(const struct control_request *q, struct control_out *o, const struct control_story *s,
    struct spool *spool)
{
    struct words w = { .o = o };
    struct history_line l;
    bool has_origin = find_origin(s, &l);

    buf_init(&w.value, HISTORY_LINE_MAX);
    control_line_begin(o);
    add_slice(&w, "id", s->id);
    if (has_origin)
        add_origin(&w, &l);
    buf_reset(&w.value);
    if (control_story_advise(q, s, &w.value))
        control_word_text(o, "advice", buf_str(&w.value));
    if (has_origin)
        add_recipients(&w, &l);
    for (size_t i = 0; i < s->n && history_parse(s->line[i], &l); i++)
        if (!slice_is(l.event, "submitted"))
            add_event(&w, &l);
    for (size_t i = 0; i < s->n && history_parse(s->line[i], &l); i++)
        if (control_story_ends(s, i, &l))
            add_part(&w, &l, spool);
    control_line_end(o);
    buf_clear(&w.value);
}
