/* dispatch: from the client to the workers, the queue and back; what a failure means is mail/status's. */
#include "daemon/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/route.h"
#include "daemon/client.h"
#include "daemon/delivery.h"
#include "daemon/metrics.h"
#include "daemon/park.h"
#include "daemon/report.h"
#include "daemon/settle.h"
#include "daemon/settings.h"
#include "daemon/story.h"
#include "daemon/trouble.h"
#include "mail/status.h"

static void start_next(struct delivery *d);
static void finish(struct delivery *d);

/* ---------------------------------------------------------------- the end */

void
dispatch_abandon(struct core *c)
{
    c->stopping = true;
    c->rest = NULL;
    while (c->deliveries)
        delivery_free(c->deliveries);
}

bool
dispatch_is_idle(const struct core *c)
{
    return !c->deliveries;
}

void
dispatch_leave(struct delivery *d)
{
    d->client = NULL;
}

/* ---------------------------------------------------------------- the answer */

static bool
is_any_queued(const struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        if (d->sub->member[i].queued)
            return true;
    return false;
}

/* The client is told, once */
static void
answer(struct delivery *d)
{
    struct client *client = d->client;
    bool queued = is_any_queued(d);
    const char *why = delivery_trouble(d);
    struct verdict v;
    char *text;

    submission_verdict(d->sub, d->core->spool != NULL, &v);
    if (v.class != ERROR_NONE)
        text = mem_dup(buf_str(&v.text));
    else if (queued)
        text = mem_format("queued as %s%s%s", d->sub->record.id, why ? ": " : "", why ? why : "");
    else
        text = mem_format("sent as %s", d->sub->record.id);
    delivery_log(d,
        v.class != ERROR_NONE ? "failed"
        : queued              ? "queued"
                              : "sent",
        v.class != ERROR_NONE ? text : why);
    d->answered = true;
    d->client = NULL;
    d->refused = client && v.class != ERROR_NONE;
    if (client)
        client_verdict(client, v.class, text, (const char *const *)v.refused, v.nrefused);
    free(text);
    verdict_clear(&v);
}

/* ---------------------------------------------------------------- making it durable */

struct storing {
    struct delivery *d;
    struct spool *spool;
    enum park_which which;
    enum schedule_due due;
    struct parcel *list;
    struct park_limits limits;
    int fd;
    uint64_t offset, size;
    bool ok;
    struct error err;
};

static void
store_run(void *arg)
{
    struct storing *s = arg;

    if (s->ok)
        s->ok = park_store(s->spool, s->list, &s->limits, s->fd, s->offset, s->size, &s->err);
}

/* What is in the queue now is known to the schedule */
static void
schedule_parcels(struct storing *s)
{
    struct delivery *d = s->d;
    struct core *c = d->core;

    c->has_added = c->has_added || (!c->schedule && s->due != SCHEDULE_AT_RUN);
    for (struct parcel *p = s->list; p; p = p->next) {
        struct schedule_entry *e =
            !c->schedule ? NULL
                         : schedule_add(c->schedule, p->id, p->record.account, delivery_age_ms(&p->record),
                               p->record.attempts, s->due, clock_ms());
        if (s->which == PARK_DEFERRED)
            continue;
        /* the attempt that is under way is the file's */
        d->entry = e;
        d->fd = p->draft.fd;
        p->draft.fd = -1;
        if (e)
            schedule_activate(c->schedule, e);
        d->sub->record.hint_offset = p->record.hint_offset;
        d->sub->record.hold_offset = p->record.hold_offset;
        for (size_t i = 0; i < p->record.envelope.n; i++)
            d->sub->record.envelope.rcpt[i].mark = p->record.envelope.rcpt[i].mark;
    }
}

static void
store_done(void *arg)
{
    struct storing *s = arg;
    struct delivery *d = s->d;
    bool was_all = s->which == PARK_ALL;

    d->storing = false;
    d->store_failed = !s->ok;
    if (s->ok) {
        schedule_parcels(s);
        submission_queued(d->sub);
    } else {
        log_line(LOG_LEVEL_ERROR, "id=%s: %s", d->sub->record.id, s->err.text);
    }
    park_free(s->spool, s->list);
    free(s);
    if (was_all && d->job) {
        if (!d->store_failed && !d->answered)
            answer(d); /* the attempt goes on */
        return;
    }
    if (d->store_failed && !was_all)
        start_next(d); /* what was to be queued at once goes directly after all */
    else
        finish(d);
}

static void
store(struct delivery *d, enum park_which which, enum schedule_due due)
{
    struct storing *s = mem_alloc(sizeof *s);
    const struct config *config = &d->core->config;
    int64_t min = config_number(config, 0, CONFIG_MIN_FREE),
            max = config_number(config, 0, CONFIG_MAX_QUEUE_SIZE);

    s->d = d;
    s->spool = d->core->spool;
    s->which = which;
    s->due = due;
    s->fd = d->sub->fd_read;
    s->offset = d->sub->record.content_offset;
    s->size = d->sub->size;
    s->limits = (struct park_limits){ min > 0 ? (uint64_t)min : 0, max > 0 ? (uint64_t)max : 0 };
    s->list = park_pack(d->sub, which, d->reason, &s->ok);
    if (!s->ok)
        error_set(&s->err, ERROR_REFUSED, "message: for too many accounts");
    d->storing = true;
    work_start(d->core->work, store_run, store_done, s);
}

/* ---------------------------------------------------------------- attempts */

struct telling {
    struct delivery *d;
    struct report *report;
    bool ok;
    struct error err;
};

static void
tell_run(void *arg)
{
    struct telling *t = arg;

    t->ok = report_store(t->report, t->d->core->spool, &t->err);
}

static void
tell_done(void *arg)
{
    struct telling *t = arg;
    struct delivery *d = t->d;

    if (!t->ok)
        log_line(LOG_LEVEL_ERROR, "id=%s: its sender is not told: %s", d->sub->record.id, t->err.text);
    d->storing = false;
    report_end(d->core, t->report);
    free(t);
    finish(d);
}

static bool
has_news(const struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        if (d->sub->member[i].is_relayed || submission_state(&d->sub->member[i]) == ENVELOPE_FAILED)
            return true;
    return false;
}

static bool
is_told_by_exit_code(const struct delivery *d)
{
    struct verdict v;
    bool failed;

    submission_verdict(d->sub, d->core->spool != NULL, &v);
    failed = v.class != ERROR_NONE;
    verdict_clear(&v);
    return failed && d->client;
}

/* What the sender is to hear besides the caller is durable before the caller has its 250. False: there is nothing to be told. */
static bool
tell(struct delivery *d)
{
    struct telling *t;
    struct report *r;

    if (d->told || !has_news(d) || is_told_by_exit_code(d))
        return false;
    d->told = true;
    r = report_begin(d->core, d->sub, 0);
    if (!r)
        return false;
    t = mem_alloc(sizeof *t);
    t->d = d;
    t->report = r;
    d->storing = true;
    work_start(d->core->work, tell_run, tell_done, t);
    return true;
}

/* No attempt is under way, and none is to begin */
static void
finish(struct delivery *d)
{
    bool deferred = false;

    loop_cancel(d->timer);
    d->timer = NULL;
    if (d->storing)
        return; /* store_done comes back here */
    if (d->fd >= 0) {
        if (!d->from_queue && !d->answered)
            answer(d);
        settle_begin(d);
        return;
    }
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        deferred = deferred || submission_is_deferred(&d->sub->member[i]);
    if (deferred && d->core->spool && !d->store_failed) {
        store(d, PARK_DEFERRED, SCHEDULE_BY_AGE);
        return;
    }
    if (tell(d))
        return;
    answer(d);
    delivery_free(d);
}

static int64_t
rate_of(const struct core *c, const char *account)
{
    size_t a = config_account_find(&c->config, account);
    const struct config_value *v = a < c->config.n ? config_value(&c->config, a, CONFIG_RATE_LIMIT) : NULL;

    return c->rates && v && v->set ? v->number : 0;
}

static void
start_next(struct delivery *d)
{
    unsigned char *bitmap = NULL;
    const char *account = submission_next(d->sub, &bitmap);
    bool urgent = !d->from_queue;

    if (!account) {
        finish(d);
        return;
    }
    d->reached = d->account_failed = d->frozen = d->delivered = false;
    delivery_attempt_begin(d);
    free(d->account);
    d->account = mem_dup(account);
    if (d->core->schedule && !d->entry)
        schedule_probe(d->core->schedule, account, clock_ms());
    if (d->core->rates)
        rates_take(d->core->rates, account, rate_of(d->core, account), clock_ms());
    d->job = pool_start(d->core->pool, d, account, d->sub->verbose ? JOB_VERBOSE : 0,
        (uint32_t)d->sub->record.envelope.n, bitmap, d->sub->fd_read, urgent);
    free(bitmap);
}

static bool
is_fact_valid(const struct job_fact *f)
{
    return f->stage >= 0 && f->stage < STATUS_STAGES && f->cause >= 0 && f->cause < STATUS_CAUSES;
}

/* Workers know of more recipients than they are asked for */
static bool
is_asked(const struct delivery *d, uint32_t i)
{
    const struct submission_member *m = &d->sub->member[i];

    return i < d->sub->record.envelope.n && m->tried && submission_state(m) == ENVELOPE_OPEN &&
           strcmp(m->account, d->account) == 0;
}

static void
set_reason(struct delivery *d, const char *text)
{
    free(d->reason);
    d->reason = mem_dup(text);
}

/* Who asked to be told of success is told that nobody will */
static void
take_relayed(struct delivery *d, const struct job_fact *f)
{
    struct submission_member *m = &d->sub->member[f->recipient];

    m->is_relayed = !f->has_dsn && (d->sub->record.envelope.rcpt[f->recipient].notify & ENVELOPE_SUCCESS);
    if (m->is_relayed)
        submission_said(d->sub, f->recipient, f);
}

/* For the history; of several recipients the first with trouble is named */
static void
count_fact(struct delivery *d, uint32_t i, const struct status *s, const char *words)
{
    const struct envelope *e = &d->sub->record.envelope;
    struct delivery_attempt *a = &d->attempt;
    char **kept = s->outcome == STATUS_DELIVERED ? &a->reply : &a->trouble;

    a->sent += s->outcome == STATUS_DELIVERED;
    a->refused += s->outcome == STATUS_BOUNCED;
    a->deferred += s->outcome != STATUS_DELIVERED && s->outcome != STATUS_BOUNCED;
    if (!*kept)
        *kept = s->scope == STATUS_RECIPIENT && e->n > 1 ? mem_format("<%s>: %s", e->rcpt[i].address, words)
                                                         : mem_dup(words);
}

static void
take_fact(struct delivery *d, const struct job_fact *f)
{
    struct status s;
    char *text;

    if (!is_fact_valid(f) || !is_asked(d, f->recipient))
        return;
    s = status_judge((enum status_stage)f->stage, (enum status_cause)f->cause, f->code);
    d->reached =
        d->reached || (f->stage >= STATUS_MAIL && s.scope != STATUS_ACCOUNT) || s.outcome == STATUS_DELIVERED;
    if (s.outcome == STATUS_DELIVERED) {
        submission_delivered(d->sub, f->recipient);
        d->delivered = true;
        count_fact(d, f->recipient, &s, f->text);
        take_relayed(d, f);
        if (!d->sub->used.len)
            buf_add_format(&d->sub->used, "reply=\"%s\" ", f->text);
        return;
    }
    text = settings_fact_text(f);
    count_fact(d, f->recipient, &s, text);
    submission_said(d->sub, f->recipient, f);
    submission_failed(d->sub, f->recipient, s.scope == STATUS_RECIPIENT, s.class, text);
    if (s.scope == STATUS_ACCOUNT) {
        d->account_failed = true;
        d->frozen = d->frozen || s.outcome == STATUS_FROZEN;
        set_reason(d, text);
    }
    free(text);
}

void
dispatch_packet(void *owner, const struct job_packet *p)
{
    struct delivery *d = owner;

    if (p->type == JOB_FACT) {
        take_fact(d, &p->fact);
    } else if (p->type == JOB_STEP) {
        if (d->client)
            client_progress(d->client, p->text);
    } else if (p->type == JOB_LOG) {
        log_line((enum log_level)p->level, "%s: %.*s", d->sub->record.id, SLICE_ARG(p->text));
    }
}

/* It may be this very message that does it */
static bool
has_killed(const struct error *err)
{
    return strstr(err->text, "ended unexpectedly") != NULL;
}

static bool
is_maybe_sent(const char *text)
{
    return text && strstr(text, "may have been sent");
}

/* Members of the account just tried that no fact came for */
static void
fail_rest(struct delivery *d, const struct error *err)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++) {
        struct submission_member *m = &d->sub->member[i];
        if (m->tried && submission_state(m) == ENVELOPE_OPEN && !m->text)
            submission_failed(d->sub, (uint32_t)i, false, err->class, err->text);
    }
    /* a worker that died says nothing of the account; one that could not begin does */
    if (is_maybe_sent(err->text))
        return;
    d->account_failed = true;
    d->frozen = err->class == ERROR_ADMIN || err->class == ERROR_CONFIG;
    set_reason(d, err->text);
}

/* What the attempt has shown of its account */
static void
learn(struct delivery *d)
{
    struct core *c = d->core;
    enum schedule_state state = d->reached ? SCHEDULE_UP : d->frozen ? SCHEDULE_FROZEN : SCHEDULE_DOWN;
    const char *reason = d->reached ? NULL : d->reason;

    if (!c->schedule || !(d->reached || d->account_failed))
        return;
    schedule_account(c->schedule, d->account, state, reason, clock_ms());
    trouble_learnt(c, d->account, state, reason);
    metrics_touch(c);
}

/* The account to take this one's place, NULL: there is none this user may use */
static const char *
fallback_of(const struct delivery *d, const char *account)
{
    const struct config *c = &d->core->config;
    size_t a = config_account_find(c, account);
    const char *next = a < c->n ? config_text(c, a, CONFIG_FALLBACK) : NULL;

    return next && route_may_use(c, config_account_find(c, next), d->sub->record.uid) ? next : NULL;
}

/* The account's place is taken by its fallback for what failed for the account's sake */
static void
fall_back(struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++) {
        struct submission_member *m = &d->sub->member[i];
        const char *next = fallback_of(d, m->account);
        if (!next || !m->tried || submission_state(m) != ENVELOPE_OPEN || m->of_recipient ||
            (m->class != ERROR_TEMP && m->class != ERROR_ADMIN) || is_maybe_sent(m->text))
            continue;
        char *copy = mem_dup(next);
        free(m->account);
        m->account = copy;
        m->tried = false;
    }
}

void
dispatch_over(void *owner, const struct error *err, struct slice text)
{
    struct delivery *d = owner;

    d->job = NULL;
    if (err && has_killed(err))
        d->sub->record.deaths++;
    if (err)
        fail_rest(d, err);
    buf_add_slice(&d->sub->used, text);
    story_attempt(d, err, text);
    learn(d);
    if (d->core->rates && !d->delivered)
        rates_give_back(d->core->rates, d->account);
    fall_back(d);
    start_next(d); /* or the end */
}

/* ---------------------------------------------------------------- from the client */

/* The caller has waited long enough */
static void
on_timeout(void *ctx)
{
    struct delivery *d = ctx;

    d->timer = NULL;
    if (d->job && !d->storing && d->fd < 0 && !d->store_failed) {
        set_reason(d, "waiting for the verdict");
        store(d, PARK_ALL, SCHEDULE_NOW);
    }
}

static bool
has_several_accounts(const struct submission *s)
{
    for (size_t i = 1; i < s->record.envelope.n; i++)
        if (strcmp(s->member[i].account, s->member[0].account) != 0)
            return true;
    return false;
}

/* An account that is known to be down is not tried again for each message; its fallback may be up */
static bool
is_account_down(struct delivery *d)
{
    struct core *c = d->core;
    const char *account = d->sub->member[0].account, *why = NULL, *next;

    if (schedule_account_state(c->schedule, account, clock_ms(), &why) == SCHEDULE_UP)
        return false;
    set_reason(d, why ? why : "smarthost is down");
    next = fallback_of(d, account);
    if (!next || schedule_account_state(c->schedule, next, clock_ms(), NULL) != SCHEDULE_UP)
        return true;
    for (size_t i = 0; i < d->sub->record.envelope.n; i++) {
        char *copy = mem_dup(next);
        free(d->sub->member[i].account);
        d->sub->member[i].account = copy;
    }
    return false;
}

/* Of a service, not of a person: what it has to say is short of time */
static bool
is_of_system(const struct core *c, int64_t uid)
{
    return uid >= 0 && uid < config_number(&c->config, 0, CONFIG_MIN_USER_ID);
}

/* RateLimit is reached: it waits its turn in the queue */
static bool
is_over_rate(struct delivery *d)
{
    struct core *c = d->core;
    const char *account = d->sub->member[0].account;
    int64_t per_hour = rate_of(c, account),
            wait = rates_wait(c->rates, account, per_hour, is_of_system(c, d->sub->record.uid), clock_ms());
    char text[100];

    if (wait == 0)
        return false;
    (void)snprintf(text, sizeof text, "RateLimit of %lld an hour is reached", (long long)per_hour);
    set_reason(d, text);
    return true;
}

static void
begin_soon(void *ctx)
{
    struct delivery *d = ctx;
    struct core *c = d->core;
    bool queue_first = c->spool && d->sub->mode != 'i';

    d->timer = NULL;
    if (c->is_daemon && c->spool && !queue_first)
        queue_first = has_several_accounts(d->sub) || is_account_down(d) || is_over_rate(d);
    if (queue_first) {
        store(d, PARK_DEFERRED, d->sub->mode == 'q' ? SCHEDULE_AT_RUN : SCHEDULE_NOW);
        return;
    }
    if (c->is_daemon && c->spool)
        d->timer = loop_at(
            c->loop, clock_deadline(config_number(&c->config, 0, CONFIG_INTERACTIVE_TIMEOUT)), on_timeout, d);
    start_next(d);
}

struct delivery *
dispatch_submit(struct core *c, struct submission *s, struct client *client)
{
    struct delivery *d = delivery_new(c, s);

    d->client = client;
    story_submitted(c, &s->record, s->size, NULL);
    metrics_submitted(c);
    d->timer = loop_at(c->loop, clock_ms(), begin_soon, d); /* no verdict from within */
    return d;
}

void
dispatch_park(struct core *c)
{
    for (struct delivery *d = c->deliveries; d; d = d->next) {
        if (!c->spool || !d->client || !d->job)
            continue;
        loop_cancel(d->timer);
        on_timeout(d);
    }
}

/* ---------------------------------------------------------------- from the queue */

/* The account as it is now; where it has gone, the one such a message would get today */
static const char *
account_of(const struct core *c, const struct record *r)
{
    const char *name = r->account ? r->account : "";
    size_t a = config_account_find(&c->config, name);

    if (a >= c->config.n)
        a = route_account(&c->config, r->envelope.sender ? r->envelope.sender : "", r->uid,
            r->envelope.n ? r->envelope.rcpt[0].address : "");
    return config_account_name(&c->config, a);
}

/* It cannot be taken: gone, in another process's hands, or unreadable */
static void
pass_over(struct core *c, struct schedule_entry *e, const struct error *err)
{
    struct record r;
    struct error ignored;

    if (err->class != ERROR_TEMP)
        log_line(LOG_LEVEL_ERROR, "%s", err->text);
    if (err->class == ERROR_TEMP && spool_head(c->spool, schedule_id(e), &r, &ignored))
        record_clear(&r); /* another process has it */
    else if (err->class != ERROR_IO) {
        schedule_remove(c->schedule, e);
        return;
    }
    schedule_untried(c->schedule, e, clock_ms());
}

/* A delivery of an active entry, NULL where there is none to be had */
static struct delivery *
take_up(struct core *c, struct schedule_entry *e)
{
    struct submission *s;
    struct delivery *d;
    struct record r;
    struct error err;
    int fd = spool_take(c->spool, schedule_id(e), &r, &err);

    if (fd < 0) {
        pass_over(c, e, &err);
        return NULL;
    }
    if (r.is_held) {
        record_clear(&r);
        file_close(&fd);
        schedule_hold(c->schedule, e);
        return NULL;
    }
    s = mem_alloc(sizeof *s);
    submission_init(s);
    if (!submission_take(s, &r, fd, account_of(c, &r))) {
        log_line(LOG_LEVEL_ERROR, "id=%s: cannot be read: %s", schedule_id(e), strerror(errno));
        submission_clear(s);
        free(s);
        file_close(&fd);
        schedule_untried(c->schedule, e, clock_ms());
        return NULL;
    }
    d = delivery_new(c, s);
    d->from_queue = d->answered = true;
    d->entry = e;
    d->fd = fd;
    return d;
}

static void
try_entry(struct core *c, struct schedule_entry *e)
{
    struct delivery *d = take_up(c, e);

    if (d)
        start_next(d);
}

/* Each has descriptors open until it is settled: a queue that expires as a whole is not taken up at once */
enum { EXPIRE_AT_ONCE = 16 };

static size_t
count_expired(const struct core *c)
{
    size_t n = 0;

    for (const struct delivery *d = c->deliveries; d; d = d->next)
        n += d->expired;
    return n;
}

bool
dispatch_expire(struct core *c)
{
    size_t n = count_expired(c);
    struct schedule_entry *next;

    for (struct schedule_entry *e = schedule_first(c->schedule); e; e = next) {
        struct delivery *d;
        next = schedule_after(e);
        if (schedule_is_active(e) || !schedule_is_expired(c->schedule, e, clock_ms()))
            continue;
        if (n >= EXPIRE_AT_ONCE)
            return true;
        schedule_activate(c->schedule, e);
        d = take_up(c, e);
        if (!d)
            continue;
        d->expired = true;
        settle_begin(d);
        n++;
    }
    return false;
}

/* One worker is left to callers who wait, whatever a slow smarthost does to the queue */
static bool
is_queue_busy(const struct core *c)
{
    size_t max = (size_t)config_number(&c->config, 0, CONFIG_WORKERS), n = 0;

    for (const struct delivery *d = c->deliveries; d; d = d->next)
        n += d->from_queue && d->job;
    return max > 1 && n + 1 >= max;
}

/* Else it is remembered when it will be */
static bool
is_within_rate(struct core *c, const char *account)
{
    int64_t wait = c->rates ? rates_wait(c->rates, account, rate_of(c, account), true, clock_ms()) : 0;

    if (wait > 0 && (c->rate_wait < 0 || wait < c->rate_wait))
        c->rate_wait = wait;
    return wait == 0;
}

static bool
may_go_on(void *ctx, const char *account)
{
    struct core *c = ctx;

    return !is_queue_busy(c) && pool_is_warm(c->pool, account) && is_within_rate(c, account);
}

static bool
may_start(void *ctx, const char *account)
{
    struct core *c = ctx;

    return !is_queue_busy(c) && pool_has_room(c->pool, account) && is_within_rate(c, account);
}

/* Where a connection is there first, or accounts would close each other's connections by turns */
static struct schedule_entry *
take_next(struct core *c)
{
    struct schedule_entry *e = schedule_take(c->schedule, clock_ms(), may_go_on, c);

    return e ? e : schedule_take(c->schedule, clock_ms(), may_start, c);
}

static void
on_due(void *ctx)
{
    struct core *c = ctx;

    c->due = NULL;
    dispatch_pump(c);
}

void
dispatch_pump(struct core *c)
{
    struct schedule_entry *e;
    int64_t wait;

    if (!c->schedule || !c->spool || c->stopping || c->pumping)
        return;
    c->rate_wait = -1;
    c->pumping = true; /* what ends at once comes back here */
    while ((e = take_next(c)))
        try_entry(c, e);
    c->pumping = false;
    loop_cancel(c->due);
    c->due = NULL;
    wait = schedule_wait(c->schedule, clock_ms());
    if (c->rate_wait >= 0 && (wait < 0 || c->rate_wait < wait))
        wait = c->rate_wait;
    if (wait >= 0)
        c->due = loop_at(c->loop, clock_deadline(wait), on_due, c);
}

/* ---------------------------------------------------------------- what is committed */

/* So long the loop is kept from others for a piece of the folder, however slow the disk is */
enum { SCAN_PIECE_MS = 5 };

static void
take_in(struct core *c, const char *id)
{
    struct record r;
    struct error err;

    if (schedule_find(c->schedule, id))
        return;
    if (!spool_head(c->spool, id, &r, &err)) {
        if (err.class == ERROR_TEMP)
            return; /* it has gone since the folder was read */
        /* one that cannot be read is seen to when it is taken */
        (void)schedule_add(
            c->schedule, id, config_account_name(&c->config, 0), 0, 0, c->scan_due, clock_ms());
        return;
    }
    (void)schedule_add(c->schedule, id, account_of(c, &r), delivery_age_ms(&r), r.attempts,
        r.is_held ? SCHEDULE_HELD : c->scan_due, clock_ms());
    record_clear(&r);
}

/* True when there is more */
static bool
scan_piece(struct core *c)
{
    int64_t end = clock_deadline(SCAN_PIECE_MS);
    char id[SPOOL_ID_MAX + 1];

    do {
        if (!spool_next(c->spool, id))
            return false;
        take_in(c, id);
    } while (clock_left(end) > 0);
    return true;
}

static void
on_scan(void *ctx)
{
    struct core *c = ctx;

    c->scan = scan_piece(c) ? loop_at(c->loop, clock_ms(), on_scan, c) : NULL;
    dispatch_pump(c);
}

void
dispatch_scan(struct core *c, enum schedule_due due)
{
    if (!c->spool || !c->schedule)
        return;
    c->scan_due = due;
    loop_cancel(c->scan);
    spool_rewind(c->spool);
    c->scan = loop_at(c->loop, clock_ms(), on_scan, c);
}

void
dispatch_scan_all(struct core *c, enum schedule_due due)
{
    c->scan_due = due;
    spool_rewind(c->spool);
    while (scan_piece(c))
        ;
}
