/* SPDX-License-Identifier: ISC */
/* control_status: what waits and why, account by account, and what can be done about it. Counts; shows no message. */
#include "daemon/control_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "daemon/control_expiry.h"
#include "daemon/control_why.h"

enum { COMPARED = 500 };

/* What waits for one account */
struct waiting {
    char *name;
    size_t n, active, held;
    int64_t oldest_s;
    int64_t last_try; /* of `reason` */
    char *reason;     /* the latest one the peer may see */
};

struct tally {
    struct waiting *account;
    size_t naccounts;
    size_t n, active, held;
    size_t failed, corrupt;
    struct control_error error[CONTROL_ERRORS_MAX];
    size_t nerrors;
    uint64_t bytes;
    int64_t oldest_s; /* of all; the next: of those that are not held */
    int64_t waiting_s;
    bool is_missing;   /* the folder of the queue is not there */
    struct error full; /* of ERROR_NONE: the queue takes more */
};

static struct waiting *
waiting_for(struct tally *t, const char *name)
{
    for (size_t i = 0; i < t->naccounts; i++)
        if (strcmp(t->account[i].name, name) == 0)
            return &t->account[i];
    t->account = mem_resize(t->account, t->naccounts + 1, sizeof *t->account);
    t->account[t->naccounts] = (struct waiting){ .name = mem_dup(name) };
    return &t->account[t->naccounts++];
}

static void
count(struct tally *t, const struct control_request *q, const struct record *r)
{
    struct waiting *w = waiting_for(t, r->account ? r->account : "default");
    int64_t age = control_age(r);
    bool active = control_is_active(q, r->id);

    w->n++;
    w->active += active;
    w->held += r->is_held;
    t->held += r->is_held;
    if (!r->is_held && age > t->waiting_s)
        t->waiting_s = age;
    w->oldest_s = age > w->oldest_s ? age : w->oldest_s;
    t->n++;
    t->active += active;
    t->bytes += r->content_size;
    t->oldest_s = age > t->oldest_s ? age : t->oldest_s;
    if (!r->is_held && r->reason && *r->reason && r->last_try >= w->last_try && control_may_see(q, r)) {
        free(w->reason);
        w->reason = mem_dup(r->reason);
        w->last_try = r->last_try;
    }
}

/* False: nobody listens any more */
static bool
count_all(struct tally *t, const struct control_request *q, struct control_out *o, struct spool *s)
{
    char id[SPOOL_ID_MAX + 1];
    struct record r;
    struct error gone;

    for (size_t i = 0; i < q->snapshot.naccounts; i++)
        (void)waiting_for(t, q->snapshot.account[i].name); /* also where nothing waits */
    if (s)
        spool_rewind(s);
    while (s && control_alive(o) && spool_next(s, id)) { /* mail of others counts, too */
        int fd = spool_look(s, id, &r, &gone);
        if (fd < 0)
            continue;
        free(r.id);
        r.id = mem_dup(id);
        count(t, q, &r);
        record_clear(&r);
        file_close(&fd);
    }
    t->is_missing = !s;
    t->failed = s ? spool_count(s, SPOOL_FAILED) : 0;
    t->corrupt = s ? spool_count(s, SPOOL_CORRUPT) : 0;
    if (s)
        (void)spool_has_room(s, q->snapshot.min_free, q->snapshot.max_size, &t->full);
    return !o->is_broken;
}

/* What monitoring wants: 2 needs a person, or mail stands still; 1 may pass, or is no hurry */
static int
level_of(const struct control_request *q, const struct tally *t)
{
    const struct control_snapshot *d = &q->snapshot;
    int level = d->broken_s || t->full.class != ERROR_NONE || t->held || t->failed || t->corrupt ||
                (d->warn_after_s > 0 && t->waiting_s >= d->warn_after_s) || d->lacks_config ||
                (t->is_missing && (d->is_daemon || d->wants_queue));

    for (size_t i = 0; i < d->nhubs; i++)
        if (control_expiry_is_near(d->hub[i].expires_s))
            level = 1;
    for (size_t i = 0; i < d->naccounts; i++)
        if (control_expiry_is_trouble(&d->account[i]))
            level = 1;
    for (size_t i = 0; i < d->naccounts; i++)
        if (d->account[i].state == CONTROL_FROZEN)
            return 2;
        else if (d->account[i].state == CONTROL_DOWN && !strchr(d->account[i].name, '/'))
            level = 1; /* one domain of many that is down is no news (config/road) */
    return !d->is_daemon && (d->has_died || t->n > t->held) ? 2 : level;
}

/* ---------------------------------------------------------------- lines */

/* ", and WHY" of a daemon that is not there */
static const char *
absence(const struct control_snapshot *d)
{
    if (d->has_died)
        return ", and it left its socket behind: it was killed, or crashed; look at its log, and start it";
    if (d->lacks_config)
        return ", and there is no configuration: 'smtprelay setup ADDRESS' makes one";
    return "; sendmail delivers by itself, sendmail -q tries what waits";
}

static void
print_daemon(const struct control_snapshot *d, struct control_out *o)
{
    if (!d->is_daemon) {
        control_line(o, "smtprelayd: not running%s", absence(d));
        return;
    }
    control_line_begin(o);
    buf_add_format(&o->b, "smtprelayd: running for ");
    control_add_duration(&o->b, d->uptime_s);
    if (d->pid)
        buf_add_format(&o->b, ", process %lld", (long long)d->pid);
    buf_add_format(&o->b, ", version %s, %zu of %zu workers (%zu busy), ", version, d->workers,
        d->workers_max, d->workers_busy);
    control_add_count(&o->b, d->sessions, "caller");
    control_line_end(o);
    if (d->unprotected)
        control_line(
            o, "smtprelayd: this system has not all that it defends itself with: %s", d->unprotected);
}

static int64_t
ago(int64_t at_s)
{
    int64_t s = (int64_t)clock_wall().tv_sec - at_s;

    return s > 0 ? s : 0;
}

static void
print_disk(const struct control_snapshot *d, struct control_out *o)
{
    if (!d->broken_s)
        return;
    control_line_begin(o);
    buf_add_str(&o->b, "configuration: what is on disk cannot be used");
    if (d->broken) {
        buf_add_str(&o->b, ": ");
        control_add_text(o, d->broken);
    }
    buf_add_str(&o->b, "; tried ");
    control_add_duration(&o->b, ago(d->broken_s));
    buf_add_str(&o->b, " ago; smtprelayd goes on with the one it read ");
    control_add_duration(&o->b, ago(d->loaded_s));
    buf_add_str(&o->b, " ago");
    control_line_end(o);
    control_line(o, "configuration: do: mend it (smtprelay check says when it is right), then reload "
                    "smtprelayd (SIGHUP); after a restart it would not start");
}

static void
print_queue(const struct control_request *q, const struct tally *t, struct control_out *o)
{
    control_line_begin(o);
    if (t->is_missing) {
        buf_add_str(&o->b, "queue: 0 messages; there is no ");
        control_add_text(o, q->queue_dir);
        buf_add_str(&o->b, ": mail that the smarthost does not take at once is refused");
        control_line_end(o);
        return;
    }
    buf_add_str(&o->b, "queue: ");
    control_add_count(&o->b, t->n, "message");
    if (t->n) {
        buf_add_str(&o->b, ", ");
        control_add_size(&o->b, t->bytes);
        buf_add_str(&o->b, t->bytes < 1024 ? " bytes, the oldest " : ", the oldest ");
        control_add_duration(&o->b, t->oldest_s);
        buf_add_str(&o->b, " old");
    }
    if (t->active)
        buf_add_format(&o->b, ", %zu under way", t->active);
    if (t->held)
        buf_add_format(&o->b, ", %zu held", t->held);
    buf_add_str(&o->b, "; ");
    control_add_text(o, q->queue_dir);
    control_line_end(o);
    if (t->full.class != ERROR_NONE)
        control_line(o, "%s: mail that the smarthost does not take at once is refused", t->full.text);
}

static void
print_kept(
    const struct control_request *q, struct control_out *o, const char *folder, size_t n, const char *what)
{
    if (n == 0)
        return;
    control_line_begin(o);
    buf_add_format(&o->b, "%s: ", folder);
    control_add_count(&o->b, n, what);
    buf_add_str(&o->b, "; ");
    control_add_text(o, q->queue_dir);
    buf_add_format(&o->b, "/%s", folder);
    control_line_end(o);
}

static const char *
state_name(const struct control_account *a)
{
    static const char *const names[] = {
        [CONTROL_UP] = "ok", [CONTROL_DOWN] = "down", [CONTROL_FROZEN] = "frozen"
    };

    return names[a->state];
}

static void
print_why(struct control_out *o, const char *name, const char *reason)
{
    control_line_begin(o);
    buf_add_str(&o->b, "account ");
    control_add_text(o, name);
    buf_add_str(&o->b, ": why: ");
    control_add_text(o, reason);
    control_line_end(o);
}

/* What a person can do about it, where there is something */
static const char *
advice(const struct control_snapshot *d, const struct control_account *a)
{
    if (!d->is_daemon)
        return "sendmail -q tries it now; smtprelay queue shows each message";
    if (a && a->state == CONTROL_FROZEN)
        return "mend that in smtprelay.conf or the secret (smtprelay check) and reload smtprelayd (SIGHUP), "
               "or at the smarthost and run sendmail -q; its mail does not age meanwhile";
    if (a && a->state == CONTROL_DOWN)
        return "it is tried again by itself; sendmail -q tries it now";
    return NULL;
}

/* What may go in an hour, and how much is over it */
static void
print_rate(struct control_out *o, const struct control_account *a)
{
    const struct control_rate *r = &a->rate;
    int64_t first = INT64_MAX, end = 0;
    char when[40];

    if (r->per_hour == 0)
        return;
    for (size_t i = 0; i < r->nturns; i++) {
        first = r->turn[i].at_s < first ? r->turn[i].at_s : first;
        end = r->turn[i].at_s > end ? r->turn[i].at_s : end;
    }
    control_line_begin(o);
    buf_add_str(&o->b, "account ");
    control_add_text(o, a->name);
    buf_add_format(&o->b, ": rate: %s", r->shown);
    if (r->nturns) {
        control_rate_clock(when, sizeof when, first);
        buf_add_format(
            &o->b, ", %zu%s over it: the next goes at %s", r->nturns, r->after_s ? " and more" : "", when);
        control_rate_clock(when, sizeof when, end);
        if (r->nturns > 1)
            buf_add_format(&o->b, ", the last %s %s", r->after_s ? "after" : "at", when);
    }
    control_line_end(o);
    if (!r->why)
        return;
    control_line_begin(o);
    buf_add_str(&o->b, "account ");
    control_add_text(o, a->name);
    buf_add_str(&o->b, ": slowed down, rises again by itself: ");
    control_add_text(o, r->why);
    control_line_end(o);
}

static void
print_do(struct control_out *o, const char *name, const char *what)
{
    control_line_begin(o);
    buf_add_str(&o->b, "account ");
    control_add_text(o, name);
    buf_add_format(&o->b, ": do: %s", what);
    control_line_end(o);
}

static void
print_hub(struct control_out *o, const struct control_hub *h)
{
    if (h->alone_s) {
        control_line_begin(o);
        buf_add_str(&o->b, "account ");
        control_add_text(o, h->account);
        buf_add_str(&o->b, ": smarthost ");
        control_add_text(o, h->relay);
        buf_add_str(&o->b, ": failed of late, the others go first for ");
        control_add_duration(&o->b, h->alone_s);
        control_line_end(o);
    }
    control_expiry_print_hub(o, h);
}

static void
print_account(const struct control_request *q, struct control_out *o, const struct waiting *w)
{
    const struct control_account *a = control_account(q, w->name);
    const char *reason = a && *a->reason ? a->reason : w->reason;
    const char *what = w->n || (a && a->state != CONTROL_UP) ? advice(&q->snapshot, a) : NULL;
    struct buf known;

    control_line_begin(o);
    buf_add_str(&o->b, "account ");
    control_add_text(o, w->name);
    buf_add_str(&o->b, ": ");
    if (a)
        buf_add_format(&o->b, "%s, ", state_name(a));
    control_add_count(&o->b, w->n, "message");
    if (w->n) {
        buf_add_str(&o->b, ", the oldest ");
        control_add_duration(&o->b, w->oldest_s);
        buf_add_str(&o->b, " old");
    }
    if (a && a->state != CONTROL_UP && a->next_s >= 0) {
        buf_add_str(&o->b, a->next_s ? ", next try in " : ", tried now");
        if (a->next_s)
            control_add_duration(&o->b, a->next_s);
    }
    if (a && a->state != CONTROL_UP) {
        buf_add_format(&o->b, ", %s for ", state_name(a));
        control_add_duration(&o->b, a->since_s);
    }
    control_line_end(o);
    if (a) {
        print_rate(o, a);
        control_expiry_print(o, a);
    }
    for (size_t i = 0; i < q->snapshot.nhubs; i++)
        if (strcmp(q->snapshot.hub[i].account, w->name) == 0)
            print_hub(o, &q->snapshot.hub[i]);
    if (reason && *reason)
        print_why(o, w->name, reason);
    buf_init(&known, 2000);
    if (control_advise(q, reason, &known))
        print_do(o, w->name, buf_str(&known));
    if (what)
        print_do(o, w->name, what);
    buf_clear(&known);
}

/* What the accounts say already is not said again */
static bool
is_said(const struct control_request *q, const struct tally *t, const char *text)
{
    for (size_t i = 0; i < t->naccounts; i++) {
        const struct control_account *a = control_account(q, t->account[i].name);
        const char *reason = a && *a->reason ? a->reason : t->account[i].reason;
        if (reason && strncmp(reason, text, COMPARED) == 0) /* the history cuts long ones */
            return true;
    }
    return false;
}

static int64_t
error_age(const struct control_error *e)
{
    int64_t age = (int64_t)clock_wall().tv_sec - e->time_ms / 1000;

    return age > 0 ? age : 0;
}

static void
print_error(const struct control_request *q, struct control_out *o, const struct control_error *e)
{
    struct buf known;

    control_line_begin(o);
    buf_add_str(&o->b, "error ");
    control_add_duration(&o->b, error_age(e));
    buf_add_str(&o->b, " ago: ");
    control_add_text(o, e->id);
    buf_add_str(&o->b, ": ");
    control_add_text(o, e->text);
    control_line_end(o);
    buf_init(&known, 2000);
    if (control_advise(q, e->text, &known))
        control_line(o, "error: do: %s", buf_str(&known));
    buf_clear(&known);
}

/* ---------------------------------------------------------------- for programs */

static void
add_advice(const struct control_request *q, struct control_out *o, const char *text)
{
    struct buf known;

    buf_init(&known, 2000);
    if (control_advise(q, text, &known))
        control_word_text(o, "advice", buf_str(&known));
    buf_clear(&known);
}

static void
add_account(const struct control_request *q, struct control_out *o, const struct waiting *w)
{
    const struct control_account *a = control_account(q, w->name);
    const char *reason = a && *a->reason ? a->reason : w->reason;

    control_word_object(o, "accounts");
    control_word_text(o, "name", w->name);
    control_word_text(o, "state", a ? state_name(a) : NULL);
    control_word_number(o, "messages", (int64_t)w->n);
    control_word_number(o, "held", (int64_t)w->held);
    control_word_number(o, "oldest", w->oldest_s);
    if (a && a->state != CONTROL_UP && a->next_s >= 0)
        control_word_number(o, "next_in", a->next_s);
    if (a && a->state != CONTROL_UP)
        control_word_number(o, "since", a->since_s);
    control_word_text(o, "reason", reason);
    add_advice(q, o, reason);
    if (a && a->rate.per_hour) {
        control_word_number(o, "rate", a->rate.per_hour);
        control_word_number(o, "over_rate", (int64_t)a->rate.nturns);
        control_word_text(o, "slowed", a->rate.why);
    }
    if (a)
        control_expiry_add(o, a);
}

static void
add_hub(struct control_out *o, const struct control_hub *h)
{
    control_word_object(o, "smarthosts");
    control_word_text(o, "account", h->account);
    control_word_text(o, "relay", h->relay);
    if (h->alone_s)
        control_word_number(o, "left_alone", h->alone_s);
    if (h->expires_s) {
        control_word_number(o, "certificate_expires", h->expires_s);
        control_word_number(o, "certificate_days_left", control_expiry_days(h->expires_s));
    }
}

static void
add_error(const struct control_request *q, struct control_out *o, const struct control_error *e)
{
    control_word_object(o, "errors");
    control_word_text(o, "id", e->id);
    control_word_number(o, "age", error_age(e));
    control_word_text(o, "text", e->text);
    add_advice(q, o, e->text);
}

static void
print_words(const struct control_request *q, struct control_out *o, const struct tally *t)
{
    const struct control_snapshot *d = &q->snapshot;

    control_line_begin(o);
    control_word_number(o, "level", level_of(q, t));
    control_word_text(o, "version", version);
    control_word_bool(o, "daemon", d->is_daemon);
    if (d->has_died)
        control_word_bool(o, "daemon_died", true);
    if (d->is_daemon) {
        control_word_number(o, "pid", d->pid);
        control_word_number(o, "uptime", d->uptime_s);
        control_word_number(o, "workers", (int64_t)d->workers);
        control_word_number(o, "workers_busy", (int64_t)d->workers_busy);
        control_word_number(o, "workers_max", (int64_t)d->workers_max);
        control_word_number(o, "callers", (int64_t)d->sessions);
        control_word_bool(o, "config_ok", d->broken_s == 0);
        control_word_number(o, "config_loaded", d->loaded_s);
        if (d->broken_s)
            control_word_number(o, "config_broken_since", d->broken_s);
        control_word_text(o, "config_error", d->broken);
        control_word_text(o, "unprotected", d->unprotected);
    }
    if (d->lacks_config)
        control_word_bool(o, "config_ok", false);
    control_word_text(o, "queue_dir", q->queue_dir);
    if (t->is_missing)
        control_word_bool(o, "queue_missing", true);
    control_word_number(o, "messages", (int64_t)t->n);
    control_word_number(o, "bytes", (int64_t)t->bytes);
    control_word_number(o, "oldest", t->oldest_s);
    control_word_number(o, "active", (int64_t)t->active);
    control_word_number(o, "held", (int64_t)t->held);
    control_word_number(o, "failed", (int64_t)t->failed);
    control_word_number(o, "corrupt", (int64_t)t->corrupt);
    for (size_t i = 0; i < t->naccounts; i++)
        add_account(q, o, &t->account[i]);
    for (size_t i = 0; i < d->nhubs; i++)
        add_hub(o, &d->hub[i]);
    for (size_t i = 0; i < t->nerrors; i++)
        add_error(q, o, &t->error[i]);
    control_line_end(o);
}

static void
print_lines(const struct control_request *q, struct control_out *o, const struct tally *t)
{
    print_daemon(&q->snapshot, o);
    print_disk(&q->snapshot, o);
    print_queue(q, t, o);
    print_kept(q, o, "failed", t->failed, "message that could not be returned");
    print_kept(q, o, "corrupt", t->corrupt, "file that cannot be read");
    for (size_t i = 0; i < t->naccounts; i++)
        print_account(q, o, &t->account[i]);
    for (size_t i = 0; i < t->nerrors; i++)
        if (!is_said(q, t, t->error[i].text))
            print_error(q, o, &t->error[i]);
}

int
control_status(const struct control_request *q, struct control_out *o, struct spool *s)
{
    struct tally t = { .n = 0 };
    int level = 0;

    error_init(&t.full);
    if (count_all(&t, q, o, s)) {
        t.nerrors = control_errors(q, t.error);
        (q->filter.json ? print_words : print_lines)(q, o, &t);
        level = level_of(q, &t);
    }
    for (size_t i = 0; i < t.naccounts; i++) {
        free(t.account[i].name);
        free(t.account[i].reason);
    }
    for (size_t i = 0; i < t.nerrors; i++) {
        free(t.error[i].id);
        free(t.error[i].text);
    }
    free(t.account);
    return level;
}
