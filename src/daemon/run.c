/* run: takes records one after the other; what a failure means is mail/status's. */
#include "daemon/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "daemon/park.h"
#include "daemon/pool.h"
#include "daemon/settings.h"
#include "mail/status.h"

/* An account whose smarthost is down or refuses us: its other mail waits without being tried */
struct down {
    struct down *next;
    char *account;
};

struct run {
    struct config config;
    const struct run_filter *filter;
    struct loop *loop;
    struct pool *pool;
    struct spool *spool;
    struct down *down;
    struct record record;
    int fd;      /* the record under way, -1 = none */
    bool frozen; /* what only the administrator can mend */
    bool over;   /* the attempt has ended */
    bool account_failed;
};

#define ATTEMPTS_MIN 3 /* expiry needs age and attempts: a clock that jumps returns nothing */

/* ---------------------------------------------------------------- facts */

static void
set_reason(struct run *r, const char *text)
{
    free(r->record.reason);
    r->record.reason = mem_dup(text);
}

static void
take_fact(struct run *r, const struct job_fact *f)
{
    struct envelope *e = &r->record.envelope;
    struct status s;

    if (f->stage < 0 || f->stage >= STATUS_STAGES || f->cause < 0 || f->cause >= STATUS_CAUSES ||
        f->recipient >= e->n)
        return;
    s = status_judge((enum status_stage)f->stage, (enum status_cause)f->cause, f->code);
    if (s.outcome == STATUS_DELIVERED) {
        e->rcpt[f->recipient].state = ENVELOPE_DONE;
    } else if (s.outcome == STATUS_BOUNCED) {
        e->rcpt[f->recipient].state = ENVELOPE_FAILED;
    } else {
        r->account_failed = r->account_failed || s.scope == STATUS_ACCOUNT;
        r->frozen = r->frozen || s.outcome == STATUS_FROZEN;
    }
    if (s.outcome != STATUS_DELIVERED) {
        char *text = settings_fact_text(f);
        set_reason(r, text);
        log_line(s.outcome == STATUS_BOUNCED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
            "id=%s to=<%s> status=%s why=\"%s\"", r->record.id, e->rcpt[f->recipient].address,
            s.outcome == STATUS_BOUNCED ? "refused" : "deferred", text);
        free(text);
    }
}

static void
on_packet(void *ctx, const struct job_packet *p)
{
    struct run *r = ctx;

    if (p->type == JOB_FACT)
        take_fact(r, &p->fact);
    else if (p->type == JOB_LOG)
        log_line((enum log_level)p->level, "%s: %.*s", r->record.id, SLICE_ARG(p->text));
}

static void
on_over(void *ctx, const struct error *err, struct slice text)
{
    struct run *r = ctx;

    if (err) {
        r->account_failed = true;
        r->frozen = r->frozen || err->class == ERROR_ADMIN || err->class == ERROR_CONFIG;
        set_reason(r, err->text);
        log_line(LOG_LEVEL_WARNING, "id=%s status=deferred why=\"%s\"", r->record.id, err->text);
    } else {
        log_line(
            LOG_LEVEL_INFO, "id=%s from=<%s> %.*s", r->record.id, r->record.envelope.sender, SLICE_ARG(text));
    }
    r->over = true;
    loop_stop(r->loop);
}

static const struct pool_events events = { on_packet, on_over, NULL };

/* ---------------------------------------------------------------- one message */

static bool
is_down(const struct run *r, const char *account)
{
    for (const struct down *d = r->down; d; d = d->next)
        if (strcmp(d->account, account) == 0)
            return true;
    return false;
}

static void
set_down(struct run *r, const char *account)
{
    struct down *d = mem_alloc(sizeof *d);

    d->account = mem_dup(account);
    d->next = r->down;
    r->down = d;
}

static bool
is_expired(const struct run *r)
{
    int64_t age_s = (int64_t)clock_wall().tv_sec - r->record.time;

    return !r->frozen && r->record.attempts >= ATTEMPTS_MIN &&
           age_s >= config_number(&r->config, 0, CONFIG_QUEUE_LIFETIME) / 1000;
}

/* What the attempt came to goes into the file, and the file where it belongs */
static void
settle(struct run *r, struct error *err)
{
    const struct envelope *e = &r->record.envelope;
    size_t failed = 0, open = envelope_open(e);
    bool ok;

    for (size_t i = 0; i < e->n; i++)
        failed += e->rcpt[i].state == ENVELOPE_FAILED;
    r->record.attempts++;
    r->record.last_try = clock_wall().tv_sec;
    (void)spool_note(r->spool, r->fd, &r->record); /* a hint */
    if (open == 0 && failed == 0) {
        ok = spool_remove(r->spool, r->record.id, err);
    } else if (open == 0 || is_expired(r)) {
        ok = spool_mark(r->spool, r->fd, &r->record, err) && spool_fail(r->spool, r->record.id, err);
        log_line(LOG_LEVEL_ERROR, "id=%s from=<%s> status=%s why=\"%s\": kept under failed/", r->record.id,
            e->sender, open ? "expired" : "refused", r->record.reason ? r->record.reason : "");
    } else {
        ok = spool_mark(r->spool, r->fd, &r->record, err);
    }
    if (!ok)
        log_line(LOG_LEVEL_ERROR, "%s", err->text);
}

/* The account as it is now; where it has gone, the default one */
static const char *
account_of(const struct run *r)
{
    size_t a = config_account_find(&r->config, r->record.account);

    return config_account_name(&r->config, a < r->config.n ? a : 0);
}

static void
attempt(struct run *r, const char *account)
{
    const struct envelope *e = &r->record.envelope;
    unsigned char *bitmap = mem_alloc((e->n + 7) / 8);
    int fd = file_reopen(r->fd);
    struct error err;

    for (size_t i = 0; i < e->n; i++)
        if (e->rcpt[i].state == ENVELOPE_OPEN)
            bitmap[i / 8] = (unsigned char)(bitmap[i / 8] | 1u << (i % 8));
    r->over = r->account_failed = r->frozen = false;
    (void)pool_start(r->pool, r, account, 0, (uint32_t)e->n, bitmap, fd, false);
    free(bitmap);
    loop_reset(r->loop);
    loop_run(r->loop);
    ensure(r->over);
    file_close(&fd);
    if (r->account_failed)
        set_down(r, account);
    settle(r, &err);
}

static bool
is_meant(const struct run *r, const char *id)
{
    const struct run_filter *f = r->filter;

    if (f->by == 'I')
        return strcasestr(id, f->match) != NULL;
    if (f->by == 'S')
        return strcasestr(r->record.envelope.sender, f->match) != NULL;
    for (size_t i = 0; f->by == 'R' && i < r->record.envelope.n; i++)
        if (strcasestr(r->record.envelope.rcpt[i].address, f->match))
            return true;
    return f->by == 0;
}

static void
try_one(struct run *r, const char *id)
{
    struct error err;

    r->fd = spool_take(r->spool, id, &r->record, &err);
    if (r->fd < 0) {
        if (err.class == ERROR_DATA)
            log_line(LOG_LEVEL_ERROR, "%s: moved to corrupt/", err.text);
        return;
    }
    const char *account = account_of(r);
    if (is_meant(r, id) && !is_down(r, account))
        attempt(r, account);
    record_clear(&r->record);
    file_close(&r->fd);
}

int
run_queue(int helper_sock, const struct run_filter *filter)
{
    struct run r = { .filter = filter, .fd = -1 };
    char id[SPOOL_ID_MAX + 1];
    struct error err;
    struct stat st;

    record_init(&r.record);
    if (!settings_receive(&r.config, helper_sock, &err)) {
        fprintf(stderr, "sendmail: %s\n", err.text);
        config_end(&r.config);
        return (int)err.class;
    }
    settings_open_log(&r.config);
    if (stat(config_text(&r.config, 0, CONFIG_QUEUE_DIR), &st) != 0 && errno == ENOENT) {
        config_end(&r.config);
        return 0; /* no queue, nothing waits */
    }
    r.spool = park_open(config_text(&r.config, 0, CONFIG_QUEUE_DIR), &err);
    if (!r.spool || !spool_lock(r.spool, &err)) {
        fprintf(stderr, "sendmail: %s\n", err.text);
        spool_close(r.spool);
        config_end(&r.config);
        return (int)err.class;
    }
    r.loop = loop_new();
    r.pool = pool_new(r.loop, helper_sock, &events, &r);
    pool_configure(r.pool, (size_t)config_number(&r.config, 0, CONFIG_WORKERS),
        config_number(&r.config, 0, CONFIG_IDLE_TIMEOUT));
    spool_rewind(r.spool);
    while (spool_next(r.spool, id))
        try_one(&r, id);
    pool_free(r.pool);
    loop_free(r.loop);
    spool_close(r.spool);
    while (r.down) {
        struct down *d = r.down;
        r.down = d->next;
        free(d->account);
        free(d);
    }
    config_end(&r.config);
    return 0;
}
