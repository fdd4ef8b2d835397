/* SPDX-License-Identifier: ISC */
/* control_list: mailq, the queue a line a message, and one message whole. Holds one record at a time, however many there are. */
#include "daemon/control_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "daemon/control_filter.h"

/* Recipients in a line of `queue`; mailq and show have them all */
enum { RECIPIENTS_SHOWN = 5 };

/* ---------------------------------------------------------------- what is known of a message */

bool
control_is_active(const struct control_request *q, const char *id)
{
    for (size_t i = 0; i < q->snapshot.nactive; i++)
        if (strcmp(q->snapshot.active[i], id) == 0)
            return true;
    return false;
}

const struct control_account *
control_account(const struct control_request *q, const char *name)
{
    for (size_t i = 0; name && i < q->snapshot.naccounts; i++)
        if (strcmp(q->snapshot.account[i].name, name) == 0)
            return &q->snapshot.account[i];
    return NULL;
}

const char *
control_reason(const struct control_request *q, const struct record *r, char made[CONTROL_REASON_MAX])
{
    const struct control_account *a = control_account(q, r->account);
    const char *own = r->reason ? r->reason : "", *rate;

    if (r->is_held)
        return r->hold_reason && *r->hold_reason ? r->hold_reason : "held";
    if (r->attempts == 0 && control_is_active(q, r->id))
        return "waiting for the verdict";
    /* what holds all mail of an account says more than what one message met last */
    if (a && *a->reason && (a->state == CONTROL_FROZEN || (a->state == CONTROL_DOWN && !*own)))
        return a->reason;
    rate = control_rate_reason(q, r, made);
    return rate ? rate : own;
}

bool
control_advise(const struct control_request *q, const char *reason, struct buf *out)
{
    return reason && *reason && explain_advise(q->explain, slice_of(""), slice_of(reason), out);
}

int64_t
control_age(const struct record *r)
{
    int64_t age = (int64_t)clock_wall().tv_sec - r->time;

    return age > 0 ? age : 0;
}

int64_t
control_next(const struct control_request *q, const struct record *r)
{
    const struct control_snapshot *s = &q->snapshot;
    const struct control_account *a = control_account(q, r->account);
    int64_t wait, since;
    bool after;

    if (!s->is_daemon || r->is_held || q->filter.failed)
        return -1;
    if (a && a->state != CONTROL_UP)
        return a->next_s;
    wait = control_rate_wait(q, r, &after);
    if (wait >= 0)
        return wait;
    if (r->attempts == 0)
        return r->mode && strcmp(r->mode, "queue") == 0 ? s->next_run_s : 0;
    /* the scheduler's own rule (queue/schedule), without its jitter */
    wait = control_age(r);
    wait = wait < s->retry_min_s ? s->retry_min_s : wait > s->retry_max_s ? s->retry_max_s : wait;
    since = (int64_t)clock_wall().tv_sec - r->last_try;
    return since < 0 ? wait : since > wait ? 0 : wait - since;
}

static const char *
sender_of(const struct record *r)
{
    return r->envelope.sender ? r->envelope.sender : "";
}

/* ---------------------------------------------------------------- the walk */

typedef void record_fn(const struct control_request *q, struct control_out *o, const struct record *r);

struct totals {
    size_t n, shown, hidden;
    uint64_t bytes;
};

/* `heading` NULL: none; `print` NULL: only counted. False with err: something that was asked for is not there. */
static bool
walk(const struct control_request *q, struct control_out *o, struct spool *s, const char *heading,
    record_fn *print, struct totals *t, struct error *err)
{
    struct control_walk w;
    struct record r;
    int fd;

    *t = (struct totals){ .n = 0 };
    control_walk_begin(&w, q, s, o);
    while (control_walk_next(&w, &r, &fd)) {
        t->n++;
        t->bytes += r.content_size;
        if (!control_may_see(q, &r)) {
            t->hidden++;
            control_walk_miss(&w);
        } else if (control_filter_matches(q, &r)) {
            if (t->shown++ == 0 && heading)
                control_line(o, "%s", heading);
            if (print)
                print(q, o, &r);
        }
        record_clear(&r);
        file_close(&fd);
    }
    return control_walk_end(&w, err);
}

/* ---------------------------------------------------------------- mailq */

static void
format_stamp(int64_t seconds, char out[64])
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if (!localtime_r(&when, &tm) || strftime(out, 64, "%a %b %e %H:%M:%S ", &tm) == 0)
        out[0] = '\0';
}

/* mailq -v, which no program parses */
static void
print_advice(const struct control_request *q, struct control_out *o, const char *reason)
{
    struct buf advice;

    if (!q->verbose)
        return;
    buf_init(&advice, 1000);
    if (control_advise(q, reason, &advice))
        control_line(o, "%12s(do: %s)", "", buf_str(&advice));
    buf_clear(&advice);
}

/* As Postfix's postqueue -p (showq_compat.c): "%-11s %7ld %20.20s %s", the reason to the right, a recipient a line */
static void
print_mailq(const struct control_request *q, struct control_out *o, const struct record *r)
{
    char made[CONTROL_REASON_MAX];
    const char *reason = control_reason(q, r, made);
    size_t width = strlen(reason);
    char stamp[64], name[SPOOL_ID_MAX + 2];

    format_stamp(r->time, stamp);
    (void)snprintf(name, sizeof name, "%s%s", r->id,
        control_is_active(q, r->id) ? "*"
        : r->is_held                ? "!"
                                    : "");
    control_line_begin(o);
    buf_add_format(&o->b, "%-11s %7llu %20.20s ", name, (unsigned long long)r->content_size, stamp);
    control_add_text(o, *sender_of(r) ? sender_of(r) : "MAILER-DAEMON");
    control_line_end(o);
    if (width) {
        control_line_begin(o);
        buf_add_format(&o->b, "%*s(", width < 76 ? (int)(76 - width) : 0, "");
        control_add_text(o, reason);
        buf_add_char(&o->b, ')');
        control_line_end(o);
    }
    print_advice(q, o, reason);
    for (size_t i = 0; i < r->envelope.n; i++)
        if (r->envelope.rcpt[i].state == ENVELOPE_OPEN) {
            control_line_begin(o);
            buf_add_format(&o->b, "%-10s %8s %-20s ", "", "", "");
            control_add_text(o, r->envelope.rcpt[i].address);
            control_line_end(o);
        }
    control_line(o, "%s", ""); /* between two, and before the last line */
}

void
control_list(const struct control_request *q, struct control_out *o, struct spool *s)
{
    struct totals t;
    struct error none;

    (void)walk(q, o, s, "-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------", print_mailq, &t,
        &none); /* nothing is asked for by its id */
    if (t.n == 0)
        control_line(o, "Mail queue is empty");
    else
        control_line(o, "-- %llu Kbytes in %zu Request%s.", (unsigned long long)(t.bytes / 1024), t.n,
            t.n == 1 ? "" : "s");
}

/* ---------------------------------------------------------------- a line a message */

/* Those in `state` (ENVELOPE_OPEN: who it still waits for) */
static void
add_recipients(struct control_out *o, const struct envelope *e, char state)
{
    size_t n = 0;

    for (size_t i = 0; i < e->n; i++) {
        if (e->rcpt[i].state != state || n++ >= RECIPIENTS_SHOWN)
            continue;
        buf_add_char(&o->b, n > 1 ? ',' : '<');
        control_add_text(o, e->rcpt[i].address);
    }
    buf_add_str(&o->b, n ? ">" : "-");
    if (n > RECIPIENTS_SHOWN)
        buf_add_format(&o->b, "+%zu", n - RECIPIENTS_SHOWN);
}

static void
add_next(struct buf *b, const struct control_request *q, const struct record *r)
{
    int64_t next = control_next(q, r);

    if (control_is_active(q, r->id) || next == 0)
        buf_add_str(b, "now");
    else if (next < 0)
        buf_add_char(b, '-');
    else
        control_add_duration(b, next);
}

/* A column made by `add`, to the right */
static void
add_right(struct control_out *o, int width, struct buf *column)
{
    buf_add_format(&o->b, " %*s", width, buf_str(column));
    buf_reset(column);
}

static void
print_line(const struct control_request *q, struct control_out *o, const struct record *r)
{
    char made[CONTROL_REASON_MAX];
    const char *reason = control_reason(q, r, made);
    struct buf column;

    buf_init(&column, 100);
    control_line_begin(o);
    buf_add_format(&o->b, "%-18s", r->id);
    control_add_duration(&column, control_age(r));
    add_right(o, 6, &column);
    control_add_size(&column, r->content_size);
    add_right(o, 7, &column);
    buf_add_format(&o->b, " %5lld", (long long)r->attempts);
    add_next(&column, q, r);
    add_right(o, 6, &column);
    buf_add_str(&o->b, " <");
    control_add_text(o, sender_of(r));
    buf_add_str(&o->b, "> ");
    add_recipients(o, &r->envelope, q->filter.failed ? ENVELOPE_FAILED : ENVELOPE_OPEN);
    buf_add_char(&o->b, ' ');
    control_add_text(o, *reason ? reason : "-");
    control_line_end(o);
    buf_clear(&column);
}

static void
print_totals(const struct control_request *q, struct control_out *o, const struct totals *t)
{
    if (q->filter.count)
        control_line(o, "%zu", t->shown);
    if (q->filter.count || q->filter.json)
        return;
    if (control_filter_is_given(&q->filter)) {
        control_line_begin(o);
        control_add_count(&o->b, t->shown, "message");
        control_line_end(o);
    } else if (t->n == 0) {
        control_line(o, q->filter.failed ? "nothing has failed" : "nothing waits");
    } else if (t->hidden) {
        control_line(o, "and %zu of others", t->hidden);
    }
}

bool
control_queue(const struct control_request *q, struct control_out *o, struct spool *s, struct error *err)
{
    static const char heading[] = "ID                    AGE    SIZE TRIES   NEXT SENDER RECIPIENTS WHY";
    bool plain = !q->filter.json && !q->filter.count;
    struct totals t;
    bool ok = walk(q, o, s, plain ? heading : NULL,
        q->filter.count  ? NULL
        : q->filter.json ? control_message
                         : print_line,
        &t, err);

    print_totals(q, o, &t);
    return ok;
}

/* ---------------------------------------------------------------- one message */

static void
print_field(struct control_out *o, const char *name, const char *value)
{
    if (!value || !*value)
        return;
    control_line_begin(o);
    buf_add_format(&o->b, "%s: ", name);
    control_add_text(o, value);
    control_line_end(o);
}

static void
print_origin(struct control_out *o, const struct record *r)
{
    char stamp[64];

    format_stamp(r->time, stamp);
    control_line_begin(o);
    buf_add_format(&o->b, "came: %s(", stamp);
    control_add_duration(&o->b, control_age(r));
    if (r->uid < 0)
        buf_add_str(&o->b, " ago) from an unknown user");
    else
        buf_add_format(&o->b, " ago) from uid %lld", (long long)r->uid);
    control_line_end(o);
    print_field(o, "login", r->login);
    print_field(o, "client", r->client);
    print_field(o, "program", r->program);
    print_field(o, "unit", r->unit);
    print_field(o, "folder", r->cwd);
}

static void
print_attempts(const struct control_request *q, struct control_out *o, const struct record *r)
{
    char made[CONTROL_REASON_MAX];

    control_line_begin(o);
    buf_add_format(&o->b, "attempts: %lld", (long long)r->attempts);
    if (r->last_try > 0) {
        buf_add_str(&o->b, ", the last one ");
        control_add_duration(&o->b, (int64_t)clock_wall().tv_sec - r->last_try);
        buf_add_str(&o->b, " ago");
    }
    control_line_end(o);
    if (q->snapshot.is_daemon) {
        control_line_begin(o);
        buf_add_str(&o->b, "next: ");
        add_next(&o->b, q, r);
        control_line_end(o);
    }
    print_field(o, "why", control_reason(q, r, made));
}

static const char *
state_text(char state)
{
    return state == ENVELOPE_DONE       ? "delivered"
           : state == ENVELOPE_FAILED   ? "refused"
           : state == ENVELOPE_RETURNED ? "returned"
                                        : "waits";
}

static void
print_envelope(struct control_out *o, const struct record *r)
{
    control_line_begin(o);
    buf_add_str(&o->b, "sender: <");
    control_add_text(o, sender_of(r));
    buf_add_char(&o->b, '>');
    control_line_end(o);
    for (size_t i = 0; i < r->envelope.n; i++) {
        control_line_begin(o);
        buf_add_str(&o->b, "recipient: <");
        control_add_text(o, r->envelope.rcpt[i].address);
        buf_add_format(&o->b, "> %s", state_text(r->envelope.rcpt[i].state));
        control_line_end(o);
    }
    control_line(o, "size: %llu", (unsigned long long)r->content_size);
}

/* A line of the content; its tabs do no harm */
static void
print_content_line(struct control_out *o, struct slice line)
{
    struct slice part;
    bool first = true;

    if (line.len && line.p[line.len - 1] == '\r')
        line.len--;
    control_line_begin(o);
    while (slice_cut(&line, '\t', &part)) {
        if (!first)
            buf_add_char(&o->b, '\t');
        first = false;
        text_add_escaped(&o->b, part);
    }
    control_line_end(o);
}

static bool
print_content(struct control_out *o, int fd, const struct record *r, struct error *err)
{
    char piece[16384];
    struct buf b;
    uint64_t at = 0;

    buf_init(&b, 2 * sizeof piece);
    while (at < r->content_size && control_alive(o)) {
        size_t n = r->content_size - at < sizeof piece ? (size_t)(r->content_size - at) : sizeof piece, end;
        if (!file_pread(fd, piece, n, (off_t)(r->content_offset + at))) {
            buf_clear(&b);
            return error_set(err, ERROR_IO, "%s: its content cannot be read", r->id);
        }
        at += n;
        buf_add(&b, piece, n);
        while ((end = slice_find(buf_slice(&b), '\n')) < b.len) {
            print_content_line(o, slice_sub(buf_slice(&b), 0, end));
            buf_consume(&b, end + 1);
        }
        if (b.len >= sizeof piece ||
            (at == r->content_size && b.len)) { /* a line longer than any should be */
            print_content_line(o, buf_slice(&b));
            buf_reset(&b);
        }
    }
    buf_clear(&b);
    return true;
}

static bool
print_whole(
    const struct control_request *q, struct control_out *o, int fd, const struct record *r, struct error *err)
{
    print_field(o, "id", r->id);
    print_field(o, "account", r->account);
    print_origin(o, r);
    print_envelope(o, r);
    print_attempts(q, o, r);
    control_line(o, "%s", "");
    return print_content(o, fd, r, err);
}

bool
control_show(const struct control_request *q, struct control_out *o, struct spool *s, struct error *err)
{
    struct control_walk w;
    struct record r;
    size_t shown = 0;
    struct error missing;
    bool ok = true, all;
    int fd;

    control_walk_begin(&w, q, s, o);
    while (ok && control_walk_next(&w, &r, &fd)) {
        if (!control_may_see(q, &r)) {
            control_walk_miss(&w);
        } else if (control_filter_matches(q, &r)) {
            if (shown++)
                control_line(o, "%s", "");
            ok = print_whole(q, o, fd, &r, err);
        }
        record_clear(&r);
        file_close(&fd);
    }
    all = control_walk_end(&w, &missing);
    if (ok && !all)
        *err = missing;
    return ok && all;
}
