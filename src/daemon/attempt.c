/* SPDX-License-Identifier: ISC */
/* attempt: jobs for workers and the facts they bring; what a fact means is mail/status's. */
#include "daemon/attempt.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/road.h"
#include "config/route.h"
#include "daemon/client.h"
#include "daemon/dispatch.h"
#include "daemon/feed.h"
#include "daemon/metrics.h"
#include "daemon/settings.h"
#include "daemon/story.h"
#include "daemon/trouble.h"
#include "mail/status.h"
#include "mail/throttle.h"

struct config_rate
attempt_rate(const struct core *c, const char *account)
{
    static const struct config_rate none = { 0, 1 };
    size_t a = road_account(&c->config, account);

    return c->rates && a < c->config.n ? config_rate(&c->config, a, CONFIG_RATE_LIMIT) : none;
}

/*
 * Of a message that waits for several domains: one that is known to be down is not tried with each of the others, whose worker would wait
 * for it
 */
static bool
is_put_off(struct delivery *d, const char *road, const unsigned char *bitmap)
{
    struct core *c = d->core;
    const char *why = NULL;

    if (!c->schedule || !d->entry || !road[road_account_len(road)] ||
        strcmp(schedule_account_of(d->entry), road) == 0 ||
        schedule_account_state(c->schedule, road, clock_ms(), &why) == SCHEDULE_UP)
        return false;
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        if (bitmap[i / 8] & 1u << (i % 8))
            submission_failed(d->sub, (uint32_t)i, false, ERROR_TEMP, why ? why : "the domain is down");
    return true;
}

void
attempt_next(struct delivery *d)
{
    unsigned char *bitmap = NULL;
    const char *account;
    bool urgent = !d->from_queue;

    while ((account = submission_next(d->sub, &bitmap)) != NULL && is_put_off(d, account, bitmap)) {
        free(bitmap);
        bitmap = NULL;
    }
    if (!account) {
        dispatch_finish(d);
        return;
    }
    d->reached = d->account_failed = d->frozen = d->delivered = d->throttled = false;
    delivery_attempt_begin(d);
    free(d->account);
    d->account = mem_dup(account);
    if (d->core->schedule && !d->entry)
        schedule_probe(d->core->schedule, account, clock_ms());
    if (d->core->rates)
        rates_take(
            d->core->rates, delivery_account(d->core, account), attempt_rate(d->core, account), clock_ms());
    d->job =
        pool_start(d->core->pool, d, delivery_account(d->core, account), d->sub->verbose ? JOB_VERBOSE : 0,
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
    const struct submission_member *m;

    if (i >= d->sub->record.envelope.n)
        return false;
    m = &d->sub->member[i];
    return m->tried && submission_state(m) == ENVELOPE_OPEN && strcmp(m->account, d->account) == 0;
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

static bool
is_direct(const struct delivery *d)
{
    const struct config *c = &d->core->config;
    size_t a = road_account(c, d->account);

    return a < c->n && road_is_direct(c, a);
}

/*
 * Whoever is slow by himself is not made slow by others: less comes, nothing is refused. Of many domains each waits by itself
 * already.
 */
static void
slow_down(struct delivery *d, const struct job_fact *f, const char *text)
{
    struct core *c = d->core;
    struct config_rate rate = attempt_rate(c, d->account);
    int64_t now = clock_ms();

    if (!c->rates || is_direct(d) || f->cause != STATUS_REPLY ||
        !throttle_is_said(f->code, f->enhanced, slice_of(f->text)))
        return;
    d->throttled = true;
    if (!rates_slow(c->rates, d->account, rate, text, now))
        return;
    log_line(LOG_LEVEL_WARNING, "account %s: slows down to %lld messages an hour: %s", d->account,
        (long long)rates_limit(c->rates, d->account, rate, now), text);
}

static struct status
judge(const struct delivery *d, const struct job_fact *f)
{
    return (is_direct(d) ? status_judge_direct : status_judge)(
        (enum status_stage)f->stage, (enum status_cause)f->cause, f->code);
}

static void
take_fact(struct delivery *d, const struct job_fact *f)
{
    struct status s;
    char *text;

    if (!is_fact_valid(f) || !is_asked(d, f->recipient))
        return;
    s = judge(d, f);
    d->reached =
        d->reached || (f->stage >= STATUS_MAIL && s.scope != STATUS_ACCOUNT) || s.outcome == STATUS_DELIVERED;
    if (s.outcome == STATUS_DELIVERED) {
        submission_delivered(d->sub, f->recipient);
        d->delivered = true;
        count_fact(d, f->recipient, &s, f->text);
        take_relayed(d, f);
        if (!d->sub->used.len)
            delivery_add_words(&d->sub->used, "reply=\"", f->text);
        return;
    }
    text = settings_fact_text(f);
    slow_down(d, f, text);
    count_fact(d, f->recipient, &s, text);
    submission_said(d->sub, f->recipient, f);
    submission_failed(d->sub, f->recipient, s.scope == STATUS_RECIPIENT, s.class, text);
    d->sub->member[f->recipient].maybe_sent = f->maybe_sent;
    if (s.scope == STATUS_ACCOUNT && !f->others) {
        d->account_failed = true;
        d->frozen = d->frozen || s.outcome == STATUS_FROZEN;
    }
    if (s.scope == STATUS_ACCOUNT)
        delivery_because(d, text);
    free(text);
}

void
attempt_packet(void *owner, const struct job_packet *p)
{
    struct delivery *d = owner;

    if (p->type == JOB_FACT) {
        take_fact(d, &p->fact);
    } else if (p->type == JOB_STEP) {
        if (d->client)
            client_progress(d->client, p->text);
    } else if (p->type == JOB_LOG) {
        log_line((enum log_level)p->level, "%s: %.*s", d->sub->record.id, SLICE_ARG(p->text));
    } else if (p->type == JOB_WAITS) {
        feed_pump(d->core);
    }
}

/* Members of the account just tried that no fact came for */
static void
fail_rest(struct delivery *d, const struct error *err, bool maybe_sent)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++) {
        struct submission_member *m = &d->sub->member[i];
        if (!m->tried || submission_state(m) != ENVELOPE_OPEN || m->text)
            continue;
        submission_failed(d->sub, (uint32_t)i, false, maybe_sent ? ERROR_TEMP : err->class, err->text);
        m->maybe_sent = maybe_sent;
    }
    /* a worker that died says nothing of the account; one that could not begin does */
    if (maybe_sent)
        return;
    d->account_failed = true;
    d->frozen = err->class == ERROR_ADMIN || err->class == ERROR_CONFIG;
    delivery_because(d, err->text);
}

/* What the attempt has shown of its account, as the settings have it now */
static void
learn(struct delivery *d)
{
    struct core *c = d->core;
    enum schedule_state state = d->reached ? SCHEDULE_UP : d->frozen ? SCHEDULE_FROZEN : SCHEDULE_DOWN;
    const char *reason = d->reached ? NULL : d->reason;

    if (!c->schedule || !(d->reached || d->account_failed) || delivery_is_outdated(d))
        return;
    schedule_account(c->schedule, d->account, state, reason, clock_ms());
    trouble_learnt(c, d->account, state, reason);
    metrics_touch(c);
}

/* The road by the account that takes the place of this member's, NULL: there is none this user may use */
char *
attempt_fallback(const struct delivery *d, size_t i)
{
    const struct config *c = &d->core->config;
    size_t a = road_account(c, d->sub->member[i].account);
    const char *name = a < c->n ? config_text(c, a, CONFIG_FALLBACK) : NULL;
    size_t next = name ? config_account_find(c, name) : c->n;

    if (next >= c->n || !route_may_use(c, next, d->sub->record.uid))
        return NULL;
    return road_name(c, next, d->sub->record.envelope.rcpt[i].address);
}

/* The account's place is taken by its fallback for what failed for the account's sake */
static void
fall_back(struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++) {
        struct submission_member *m = &d->sub->member[i];
        char *next;
        if (!m->tried || submission_state(m) != ENVELOPE_OPEN || m->of_recipient ||
            (m->class != ERROR_TEMP && m->class != ERROR_ADMIN) || m->maybe_sent)
            continue;
        next = attempt_fallback(d, i);
        if (!next)
            continue;
        free(m->account);
        m->account = next;
        m->tried = false;
    }
}

void
attempt_over(void *owner, const struct error *err, bool maybe_sent, struct slice text)
{
    struct delivery *d = owner;

    d->job = NULL;
    if (maybe_sent) /* it may be this very message that does it */
        d->sub->record.deaths += err && err->class == ERROR_OS ? RECORD_DEATH_STARVED : RECORD_DEATH;
    if (err)
        fail_rest(d, err, maybe_sent);
    delivery_add_used(&d->sub->used, text);
    story_attempt(d, err, text);
    learn(d);
    if (d->core->rates && !d->delivered && !d->throttled)
        rates_give_back(d->core->rates, delivery_account(d->core, d->account));
    fall_back(d);
    attempt_next(d); /* or the end */
}
