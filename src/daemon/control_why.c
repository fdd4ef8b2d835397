/* SPDX-License-Identifier: ISC */
/* control_why: the history as people read it: a story for each message (`why`), or one line after the other (`log`). */
#include "daemon/control_why.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "daemon/control_list.h"
#include "daemon/history.h"
#include "daemon/history_file.h"

enum { INDENT = 25, RECIPIENTS_SHOWN = 5, SETTLED_MS = 600000 };

/* Lines of one event: under each other, or behind each other */
struct teller {
    struct control_out *o;
    bool one_line;
    struct buf value;
};

/* ---------------------------------------------------------------- the words of an event */

static void
add_stamp(struct teller *t, int64_t time_ms)
{
    time_t when = (time_t)(time_ms / 1000);
    char stamp[32];
    struct tm tm;

    if (!localtime_r(&when, &tm) || strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(stamp, sizeof stamp, "%lld", (long long)(time_ms / 1000));
    buf_add_format(&t->o->b, "%s.%03d", stamp, (int)(time_ms % 1000));
}

static void
next_line(struct teller *t)
{
    if (t->one_line) {
        buf_add_str(&t->o->b, "; ");
        return;
    }
    control_line_end(t->o);
    control_line_begin(t->o);
    buf_add_format(&t->o->b, "%*s", INDENT, "");
}

static void
add_value(struct teller *t, const char *before, const char *behind)
{
    buf_add_str(&t->o->b, before);
    text_add_escaped(&t->o->b, buf_slice(&t->value));
    buf_add_str(&t->o->b, behind);
}

/* "before VALUE behind" where the line has that field */
static bool
add_field(
    struct teller *t, const struct history_line *l, const char *key, const char *before, const char *behind)
{
    if (!history_get(l, key, &t->value))
        return false;
    add_value(t, before, behind);
    return true;
}

static uint64_t
number_of(struct teller *t, const struct history_line *l, const char *key)
{
    uint64_t n = 0;

    if (history_get(l, key, &t->value) && slice_number(buf_slice(&t->value), INT64_MAX, &n))
        return n;
    return 0;
}

static void
add_who(struct teller *t, const struct history_line *l)
{
    if (history_get(l, "of", &t->value)) {
        add_value(t, "written by smtprelayd, a report about ", "");
        return;
    }
    buf_add_str(&t->o->b, "handed in by ");
    if (!add_field(t, l, "login", "", " ") && l->uid < 0)
        buf_add_str(&t->o->b, "somebody of unknown user");
    if (l->uid >= 0)
        buf_add_format(&t->o->b, "(uid %lld)", (long long)l->uid);
    (void)add_field(t, l, "client", l->uid < 0 ? " at " : ", from ", "");
    (void)add_field(t, l, "program", ", program ", "");
    (void)add_field(t, l, "unit", ", unit ", "");
    (void)add_field(t, l, "cwd", ", in ", " as it says");
    (void)add_field(t, l, "origin", ", by way of ", "");
}

static void
add_recipients(struct teller *t, const struct history_line *l)
{
    struct slice rest = l->fields, key;
    uint64_t n = number_of(t, l, "nrcpt"), shown = 0;

    buf_add_str(&t->o->b, " to");
    while (shown < RECIPIENTS_SHOWN && history_next(&rest, &key, &t->value)) {
        if (!slice_is(key, "rcpt"))
            continue;
        add_value(t, shown ? ", <" : " <", ">");
        shown++;
    }
    if (n > shown)
        buf_add_format(&t->o->b, " and %llu more", (unsigned long long)(n - shown));
}

static void
tell_submitted(struct teller *t, const struct history_line *l)
{
    add_who(t, l);
    next_line(t);
    buf_add_str(&t->o->b, "from <");
    (void)add_field(t, l, "sender", "", "");
    buf_add_char(&t->o->b, '>');
    add_recipients(t, l);
    buf_add_str(&t->o->b, ", ");
    control_add_size(&t->o->b, number_of(t, l, "size"));
    buf_add_str(&t->o->b, number_of(t, l, "size") < 1024 ? " bytes" : "");
    (void)add_field(t, l, "mode", ", ", "");
    if (history_get(l, "received", &t->value)) {
        next_line(t);
        add_value(t, "received ", "");
    }
}

/* "0.001/0.002/0.030/0.040": how long each stage took */
static void
add_delays(struct teller *t, const struct history_line *l)
{
    static const char *const stages[] = { "names", "connection", "session", "message" };
    struct slice rest, one;

    if (!history_get(l, "delays", &t->value))
        return;
    rest = buf_slice(&t->value);
    for (size_t i = 0; i < 4 && slice_cut(&rest, '/', &one); i++) {
        buf_add_format(&t->o->b, "%s%s ", i ? ", " : ": ", stages[i]);
        text_add_escaped(&t->o->b, one);
        buf_add_str(&t->o->b, " s");
    }
}

static void
add_count(struct teller *t, const struct history_line *l, const char *key)
{
    uint64_t n = number_of(t, l, key);

    if (n)
        buf_add_format(&t->o->b, ", %s %llu", key, (unsigned long long)n);
}

static void
tell_attempt(struct teller *t, const struct history_line *l)
{
    uint64_t took = number_of(t, l, "took");

    buf_add_str(&t->o->b, "attempt");
    (void)add_field(t, l, "relay", " at ", "");
    (void)add_field(t, l, "account", ", account ", "");
    (void)add_field(t, l, "tls", ", TLS ", "");
    (void)add_field(t, l, "auth", ", login ", "");
    add_count(t, l, "sent");
    add_count(t, l, "refused");
    add_count(t, l, "deferred");
    next_line(t);
    buf_add_format(
        &t->o->b, "took %llu.%03llu s", (unsigned long long)(took / 1000), (unsigned long long)(took % 1000));
    add_delays(t, l);
    if (history_get(l, "reply", &t->value)) {
        next_line(t);
        add_value(t, "taken: ", "");
    }
    if (history_get(l, "trouble", &t->value)) {
        next_line(t);
        add_value(t, "trouble: ", "");
    }
}

struct ending {
    const char *event, *words;
    bool is_final;
};

static const struct ending endings[] = {
    { "sent", "sent to all", true },
    { "queued", "queued", false },
    { "deferred", "waits for the next attempt", false },
    { "refused", "refused", true },
    { "expired", "given up, it has waited for too long", true },
    { "failed", "not taken, the caller was told so", true },
    { "removed", "removed", true },
};

static const struct ending *
ending_of(const struct history_line *l)
{
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (slice_is(l->event, endings[i].event))
            return &endings[i];
    return NULL;
}

static void
tell_event(struct teller *t, const struct history_line *l)
{
    const struct ending *e = ending_of(l);

    if (slice_is(l->event, "submitted")) {
        tell_submitted(t, l);
    } else if (slice_is(l->event, "attempt")) {
        tell_attempt(t, l);
    } else {
        if (e)
            buf_add_str(&t->o->b, e->words);
        else
            text_add_escaped(&t->o->b, l->event);
        (void)add_field(t, l, "why", ": ", "");
    }
}

/* ---------------------------------------------------------------- what was kept */

static bool
read_history(
    const struct control_request *q, struct history_place *place, struct buf *text, struct error *err)
{
    buf_init(text, HISTORY_READ_MAX);
    if (history_file_read(q->queue_dir, place, text, err))
        return true;
    buf_clear(text);
    return false;
}

bool
control_story_next(
    const struct control_request *q, struct slice *rest, struct slice *line, struct history_line *l)
{
    while (slice_cut(rest, '\n', line))
        if (history_parse(*line, l) && (q->peer.is_operator || (q->peer.uid >= 0 && q->peer.uid == l->uid)))
            return true;
    return false;
}

/* ---------------------------------------------------------------- why */

struct stories {
    struct control_story *one;
    size_t n;
};

static int
compare_stories(const void *a, const void *b)
{
    struct slice x = ((const struct control_story *)a)->id, y = ((const struct control_story *)b)->id;
    int r = memcmp(x.p, y.p, x.len < y.len ? x.len : y.len);

    return r ? r : (x.len > y.len) - (x.len < y.len);
}

/* An address is meant whole, or by what stands before its @ */
static bool
is_address(struct slice address, struct slice wanted)
{
    return slice_eq_nocase(address, wanted) ||
           (!slice_has(wanted, '@') &&
               slice_eq_nocase(slice_sub(address, 0, slice_find(address, '@')), wanted));
}

static bool
is_wanted(const struct control_request *q, const struct history_line *l, struct buf *value)
{
    struct slice wanted = slice_of(q->text), rest = l->fields, key;
    bool submitted = slice_is(l->event, "submitted");

    if (slice_is(wanted, "-"))
        return submitted;
    if (slice_eq(history_base(l->id), history_base(wanted)))
        return true;
    while (submitted && history_next(&rest, &key, value))
        if ((slice_is(key, "sender") || slice_is(key, "rcpt")) && is_address(buf_slice(value), wanted))
            return true;
    return false;
}

/* The last ones that are meant, by their ids, which sort by time */
static void
choose(const struct control_request *q, struct slice text, struct stories *s, struct buf *value)
{
    struct slice line;
    struct history_line l;
    size_t cap = 0, n = 0, most = q->number ? q->number : CONTROL_WHY_DEFAULT;

    while (control_story_next(q, &text, &line, &l)) {
        if (!is_wanted(q, &l, value) || (s->n && slice_eq(s->one[s->n - 1].id, history_base(l.id))))
            continue;
        if (s->n == cap) {
            cap = cap ? 2 * cap : 64;
            s->one = mem_resize(s->one, cap, sizeof *s->one);
        }
        s->one[s->n++] = (struct control_story){ history_base(l.id), NULL, 0 };
    }
    if (s->n)
        qsort(s->one, s->n, sizeof *s->one, compare_stories);
    for (size_t i = 0; i < s->n; i++)
        if (n == 0 || compare_stories(&s->one[n - 1], &s->one[i]) != 0)
            s->one[n++] = s->one[i];
    if (n > most)
        memmove(s->one, s->one + (n - most), most * sizeof *s->one);
    s->n = n > most ? most : n;
}

static void
gather(const struct control_request *q, struct slice text, struct stories *s)
{
    struct slice line;
    struct history_line l;

    while (s->n && control_story_next(q, &text, &line, &l)) {
        struct control_story key = { history_base(l.id), NULL, 0 };
        struct control_story *one = bsearch(&key, s->one, s->n, sizeof *s->one, compare_stories);
        if (!one)
            continue;
        one->line = mem_resize(one->line, one->n + 1, sizeof *one->line);
        one->line[one->n++] = line;
    }
}

bool
control_story_waits(const struct history_line *l, struct spool *spool)
{
    struct record r;
    struct error gone;
    char *id = slice_dup(l->id);
    int fd = spool && strlen(id) <= SPOOL_ID_MAX ? spool_look(spool, id, &r, &gone) : -1;

    free(id);
    if (fd < 0)
        return false;
    record_clear(&r);
    file_close(&fd);
    return true;
}

/* A part of the message by its last line: is it over, and does it still wait? */
static void
tell_rest(struct teller *t, const struct history_line *l, struct spool *spool)
{
    const struct ending *e = ending_of(l);
    struct timespec now = clock_wall();

    if (e && e->is_final)
        return;
    if (control_story_waits(l, spool)) {
        control_line_begin(t->o);
        buf_add_format(&t->o->b, "  %*s", INDENT - 2, "");
        buf_add_str(&t->o->b, "it is in the queue: smtprelay show ");
        text_add_escaped(&t->o->b, l->id);
        control_line_end(t->o);
    } else if (((int64_t)now.tv_sec * 1000 - l->time_ms) > SETTLED_MS) {
        control_line(t->o, "%*snothing more is known of it; it is not in the queue", INDENT, "");
    }
}

bool
control_story_advise(const struct control_request *q, const struct control_story *s, struct buf *advice)
{
    struct buf last, value;
    struct history_line l;
    bool known;

    buf_init(&last, HISTORY_LINE_MAX);
    buf_init(&value, HISTORY_LINE_MAX);
    for (size_t i = 0; i < s->n && history_parse(s->line[i], &l); i++) {
        if (slice_is(l.event, "sent"))
            buf_reset(&last);
        else if (history_get(&l, slice_is(l.event, "attempt") ? "trouble" : "why", &value)) {
            buf_reset(&last);
            buf_add_slice(&last, buf_slice(&value));
        }
    }
    known = control_advise(q, buf_str(&last), advice);
    buf_clear(&last);
    buf_clear(&value);
    return known;
}

static void
tell_advice(struct teller *t, const struct control_request *q, const struct control_story *s)
{
    struct buf advice;

    buf_init(&advice, HISTORY_LINE_MAX);
    if (control_story_advise(q, s, &advice))
        control_line(t->o, "%*sdo: %s", INDENT, "", buf_str(&advice));
    buf_clear(&advice);
}

bool
control_story_ends(const struct control_story *s, size_t i, const struct history_line *l)
{
    struct history_line other;

    for (size_t k = i + 1; k < s->n; k++)
        if (history_parse(s->line[k], &other) && slice_eq(other.id, l->id))
            return false;
    return true;
}

static void
tell_story(
    struct teller *t, const struct control_request *q, const struct control_story *s, struct spool *spool)
{
    struct history_line l;

    control_line_begin(t->o);
    text_add_escaped(&t->o->b, s->id);
    control_line_end(t->o);
    for (size_t i = 0; i < s->n && history_parse(s->line[i], &l); i++) {
        control_line_begin(t->o);
        add_stamp(t, l.time_ms);
        buf_add_str(&t->o->b, "  ");
        if (!slice_eq(l.id, s->id)) {
            buf_add_str(&t->o->b, "part ");
            text_add_escaped(&t->o->b, l.id);
            buf_add_str(&t->o->b, ": ");
        }
        tell_event(t, &l);
        control_line_end(t->o);
    }
    for (size_t i = 0; i < s->n && history_parse(s->line[i], &l); i++)
        if (control_story_ends(s, i, &l))
            tell_rest(t, &l, spool);
    tell_advice(t, q, s);
}

bool
control_why_tell(const struct control_request *q, struct control_out *o, struct slice history,
    struct spool *spool, struct error *err)
{
    struct teller t = { .o = o };
    struct stories s = { NULL, 0 };
    bool found;

    buf_init(&t.value, HISTORY_LINE_MAX);
    choose(q, history, &s, &t.value);
    gather(q, history, &s);
    found = s.n > 0;
    for (size_t i = 0; i < s.n; i++) {
        if (i > 0 && !q->filter.json)
            control_line(o, "%s", "");
        if (control_alive(o) && q->filter.json)
            control_story_words(q, o, &s.one[i], spool);
        else if (control_alive(o))
            tell_story(&t, q, &s.one[i], spool);
        free(s.one[i].line);
    }
    free(s.one);
    buf_clear(&t.value);
    if (found)
        return true;
    if (strcmp(q->text, "-") == 0)
        return error_set(err, ERROR_REFUSED,
            "the history tells of no message%s: none came by the daemon or the queue",
            q->peer.is_operator ? "" : " that you may see");
    return error_set(err, ERROR_REFUSED, "%s: the history tells nothing of it%s", q->text,
        q->peer.is_operator ? "" : " that you may see");
}

bool
control_why(const struct control_request *q, struct control_out *o, struct spool *spool, struct error *err)
{
    struct history_place place = { 0, 0 };
    struct buf text;
    bool ok;

    if (!read_history(q, &place, &text, err))
        return false;
    ok = control_why_tell(q, o, buf_slice(&text), spool, err);
    buf_clear(&text);
    return ok;
}

/* ---------------------------------------------------------------- log */

/* "INODE-OFFSET" as the last answer said; anything else is the beginning */
static bool
parse_place(const char *text, struct history_place *place)
{
    struct slice rest = slice_of(text), word;

    return text && slice_cut(&rest, '-', &word) && slice_number(word, UINT64_MAX, &place->inode) &&
           slice_number(rest, INT64_MAX, &place->offset);
}

/* Where the last `most` lines begin that the peer may see */
static struct slice
last_lines(const struct control_request *q, struct slice text, size_t most)
{
    struct slice rest = text, line;
    struct history_line l;
    size_t n = 0;

    while (control_story_next(q, &rest, &line, &l))
        n++;
    for (rest = text; n > most; n--)
        (void)control_story_next(q, &rest, &line, &l);
    return rest;
}

void
control_log_tell(const struct control_request *q, struct control_out *o, struct slice history)
{
    struct teller t = { .o = o, .one_line = true };
    struct history_line l;
    struct slice line;

    buf_init(&t.value, HISTORY_LINE_MAX);
    while (control_alive(o) && control_story_next(q, &history, &line, &l)) {
        control_line_begin(o);
        add_stamp(&t, l.time_ms);
        buf_add_char(&o->b, ' ');
        text_add_escaped(&o->b, l.id);
        buf_add_char(&o->b, ' ');
        tell_event(&t, &l);
        control_line_end(o);
    }
    buf_clear(&t.value);
}

bool
control_log(const struct control_request *q, struct control_out *o, struct error *err)
{
    struct history_place place = { 0, 0 };
    bool go_on = parse_place(q->text, &place);
    struct slice history;
    struct buf text;

    if (!go_on)
        place = (struct history_place){ 0, 0 };
    if (!read_history(q, &place, &text, err))
        return false;
    history = buf_slice(&text);
    control_log_tell(
        q, o, go_on ? history : last_lines(q, history, q->number ? q->number : CONTROL_LOG_DEFAULT));
    control_line(o, "@%llu-%llu", (unsigned long long)place.inode, (unsigned long long)place.offset);
    buf_clear(&text);
    return true;
}
