/* SPDX-License-Identifier: ISC */
/* pool: who gets which job. What a worker makes of it is pool_worker's. */
#include "daemon/pool_state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/* ---------------------------------------------------------------- who does what */

static void
ask_for_worker(struct pool *p, struct pool_job *job)
{
    struct error err;

    if (!p->helper_watch || !start_send(p->helper, START_WORKER, ERROR_NONE, job->account, -1)) {
        if (p->helper_watch)
            error_sys(&err, ERROR_TEMP, errno, "smtprelay-worker: cannot be asked for");
        else
            error_set(&err, ERROR_TEMP, "smtprelayd: its main process has ended; it has to be started again");
        (void)pool_queue_remove(pool_queue_of(job), job);
        pool_job_fail_soon(job, &err);
        return;
    }
    pool_worker_new(p, job->account, NULL);
}

/* There are as many workers as there may be */
static bool
has_all_workers(const struct pool *p)
{
    return p->n - p->aside >= p->workers_max;
}

static struct pool_worker *
find_worker(const struct pool *p, const char *account, enum worker_state state)
{
    for (struct pool_worker *w = p->workers; w; w = w->next)
        if (w->state == state && !w->claimed && !w->probe && strcmp(w->account, account) == 0)
            return w;
    return NULL;
}

/* Its smarthost takes no more connections at a time */
static bool
is_full(const struct pool *p, const char *account)
{
    size_t limit = p->events->limit ? p->events->limit(p->events->limit_ctx, account) : 0, n = 0;

    for (const struct pool_worker *w = p->workers; limit && w; w = w->next)
        n += !w->probe && strcmp(w->account, account) == 0;
    return limit && n >= limit;
}

/* The worker that has been idle for longest and whose own account does not come first; NULL: none */
static struct pool_worker *
find_spare(const struct pool *p, const struct pool_job *job)
{
    struct pool_worker *spare = NULL;

    for (struct pool_worker *w = p->workers; w; w = w->next) {
        bool kept = !pool_worker_had_turn(w) && (w->wanted[0] || (w->wanted[1] && !job->urgent));
        if (w->state == WORKER_IDLE && !kept && (!spare || w->idle_ms < spare->idle_ms))
            spare = w;
    }
    return spare;
}

/* Look at all afresh: which idle workers are wanted; worn ones go */
static void
survey(struct pool *p)
{
    struct pool_worker *next;

    for (struct pool_worker *w = p->workers; w; w = next) {
        next = w->next;
        w->claimed = w->wanted[0] = w->wanted[1] = false;
        if (w->state != WORKER_IDLE)
            continue;
        const struct pool_job *job = pool_first_waiting(p, w->account);
        if (pool_worker_is_worn(w))
            pool_worker_remove(w);
        else if (job)
            w->wanted[job->urgent ? 0 : 1] = true;
    }
}

enum step { STEP_NEXT, STEP_AGAIN, STEP_BLOCKED };

/* Bring a job that waits nearer to a worker. AGAIN: something has changed that others may profit from. */
static enum step
advance(struct pool *p, struct pool_job *job)
{
    struct pool_worker *w = find_worker(p, job->account, WORKER_IDLE);

    if (w) {
        (void)pool_worker_give(w, job); /* if not, the next round finds another */
        return STEP_AGAIN;
    }
    w = find_worker(p, job->account, WORKER_STARTING);
    if (w) {
        w->claimed = true;
        return STEP_NEXT;
    }
    if (is_full(p, job->account))
        return STEP_NEXT; /* one of its own will be free */
    if (has_all_workers(p)) {
        w = find_spare(p, job);
        if (!w)
            return STEP_BLOCKED;
        pool_worker_remove(w);
    }
    ask_for_worker(p, job);
    return STEP_AGAIN;
}

static bool
has_idle(const struct pool *p)
{
    for (const struct pool_worker *w = p->workers; w; w = w->next)
        if (w->state == WORKER_IDLE)
            return true;
    return false;
}

/* One round over the jobs in their order; true when there should be another */
static bool
dispatch_some(struct pool *p)
{
    bool idle = has_idle(p);

    survey(p);
    for (size_t i = 0; i < 2; i++) {
        for (struct pool_job *job = p->waiting[i].first; job; job = job->next) {
            enum step step = advance(p, job);
            if (step == STEP_AGAIN)
                return true;
            if (step == STEP_BLOCKED && !idle)
                return false; /* no job behind it can do better */
        }
    }
    return false;
}

void
pool_dispatch(struct pool *p)
{
    while ((p->waiting[0].first || p->waiting[1].first) && dispatch_some(p))
        ;
}

/* ---------------------------------------------------------------- what the helper says */

static struct pool_worker *
first_starting(const struct pool *p)
{
    for (struct pool_worker *w = p->workers; w; w = w->next)
        if (w->state == WORKER_STARTING)
            return w;
    return NULL;
}

static void
start_failed(struct pool_worker *w, const struct error *err)
{
    struct pool *p = w->pool;
    struct pool_job *job = w->probe ? NULL : pool_first_waiting(p, w->account);

    pool_worker_remove(w);
    if (job)
        (void)pool_queue_remove(pool_queue_of(job), job);
    pool_dispatch(p); /* others of that account have a try of their own */
    if (job)
        pool_job_over(job, err, false, slice_of(NULL));
}

static void
helper_gone(struct pool *p)
{
    struct pool_worker *w;

    loop_unwatch(p->helper_watch);
    p->helper_watch = NULL;
    while ((w = first_starting(p)))
        pool_worker_remove(w);
    pool_dispatch(p);
    if (p->events->control)
        p->events->control(p->ctx, NULL);
}

static void
helper_ready(void *ctx, int fd, short revents)
{
    struct pool *p = ctx;
    struct pool_worker *w = first_starting(p);
    struct start_packet packet;
    struct error err;
    int r = start_receive(fd, &packet, &err);

    (void)revents;
    if (r == -2)
        return;
    if (r > 0 && packet.type == START_READY && (!w || strcmp(w->account, packet.text) != 0)) {
        file_close(&packet.fd); /* one that was not asked for: an answer was lost */
        r = -1;
    }
    if (r <= 0) {
        helper_gone(p);
    } else if (packet.type == START_READY) {
        pool_worker_begin(w, packet.fd);
        if (w->probe)
            pool_probe_begin(w);
        pool_dispatch(p);
    } else if (w && packet.type == START_FAILED) {
        error_set(&err, packet.class, "%s", packet.text);
        start_failed(w, &err);
    } else if (p->events->control) {
        p->events->control(p->ctx, &packet);
    } else {
        file_close(&packet.fd);
    }
}

/* ---------------------------------------------------------------- the owner's side */

struct pool *
pool_new(struct loop *loop, int helper_sock, const struct pool_events *events, void *ctx)
{
    struct pool *p = mem_alloc(sizeof *p);
    struct pool_queue *queues[] = { &p->waiting[0], &p->waiting[1], &p->failed };

    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
        queues[i]->end = &queues[i]->first;
    p->loop = loop;
    p->helper = helper_sock;
    p->events = events;
    p->ctx = ctx;
    p->workers_max = 1;
    p->idle_ms = CLOCK_NEVER;
    hubs_init(&p->hubs);
    p->helper_watch = loop_watch(loop, helper_sock, POLLIN, helper_ready, p);
    return p;
}

void
pool_free(struct pool *p)
{
    if (!p)
        return;
    while (p->workers) {
        if (p->workers->job)
            pool_job_free(p->workers->job);
        pool_worker_remove(p->workers);
    }
    for (size_t i = 0; i < 2; i++)
        pool_queue_free(&p->waiting[i]);
    pool_queue_free(&p->failed);
    loop_unwatch(p->helper_watch);
    loop_cancel(p->idle);
    loop_cancel(p->soon);
    hubs_clear(&p->hubs);
    free(p);
}

static void
close_idle(struct pool *p)
{
    struct pool_worker *next;

    for (struct pool_worker *w = p->workers; w; w = next) {
        next = w->next;
        if (w->state == WORKER_IDLE)
            pool_worker_remove(w);
    }
}

void
pool_configure(struct pool *p, size_t workers_max, int64_t idle_ms)
{
    ensure(workers_max > 0);
    if (p->n - p->aside > workers_max)
        close_idle(p); /* it happens once in a reload */
    p->workers_max = workers_max;
    p->idle_ms = idle_ms;
    loop_cancel(p->idle);
    p->idle = NULL;
    if (idle_ms != CLOCK_NEVER)
        pool_idle_over(p);
    pool_dispatch(p);
}

void
pool_backoff(struct pool *p, int64_t min_ms, int64_t max_ms)
{
    hubs_configure(&p->hubs, min_ms, max_ms);
}

void
pool_retire(struct pool *p)
{
    close_idle(p);
    hubs_forget_the_good(&p->hubs);
    for (struct pool_worker *w = p->workers; w; w = w->next)
        w->retire = w->state == WORKER_BUSY;
    pool_dispatch(p);
}

const struct hubs *
pool_hubs(const struct pool *p)
{
    return &p->hubs;
}

struct pool_job *
pool_start(struct pool *p, void *owner, const char *account, uint32_t flags, uint32_t recipients,
    const unsigned char *bitmap, int record_fd, bool urgent)
{
    return pool_start_for(p, p->events, owner, account, flags, recipients, bitmap, record_fd, urgent);
}

struct pool_job *
pool_start_for(struct pool *p, const struct pool_events *events, void *owner, const char *account,
    uint32_t flags, uint32_t recipients, const unsigned char *bitmap, int record_fd, bool urgent)
{
    struct pool_job *job = mem_alloc(sizeof *job);
    size_t bytes = (recipients + 7) / 8;
    struct error err;

    job->pool = p;
    job->events = events;
    job->owner = owner;
    job->account = mem_dup(account);
    job->flags = flags;
    job->recipients = recipients;
    job->bitmap = mem_alloc(bytes);
    if (bytes)
        memcpy(job->bitmap, bitmap, bytes);
    job->urgent = urgent;
    job->record_fd = fcntl(record_fd, F_DUPFD_CLOEXEC, 0);
    if (job->record_fd < 0) {
        error_sys(&err, ERROR_TEMP, errno, "smtprelay-worker: cannot be given the message");
        pool_job_fail_soon(job, &err);
        return job;
    }
    pool_queue_add(pool_queue_of(job), job);
    pool_dispatch(p);
    return job;
}

bool
pool_is_waiting(const struct pool_job *job)
{
    return !job->worker;
}

void
pool_forget(struct pool_job *job)
{
    struct pool *p = job->pool;

    job->forgotten = true;
    if (job->worker)
        return;
    if (!pool_queue_remove(pool_queue_of(job), job))
        (void)pool_queue_remove(&p->failed, job);
    pool_job_free(job);
}

bool
pool_is_aside(const struct pool_job *job)
{
    return job->worker && job->worker->aside;
}

bool
pool_has_room(const struct pool *p, const char *account)
{
    if (find_worker(p, account, WORKER_IDLE))
        return true;
    return p->helper_watch && !is_full(p, account) && (!has_all_workers(p) || has_idle(p));
}

bool
pool_is_warm(const struct pool *p, const char *account)
{
    const struct pool_worker *w = find_worker(p, account, WORKER_IDLE);

    return w && !pool_worker_had_turn(w);
}

size_t
pool_busy(const struct pool *p)
{
    size_t n = 0;

    for (const struct pool_worker *w = p->workers; w; w = w->next)
        n += w->state == WORKER_BUSY;
    return n;
}

size_t
pool_workers(const struct pool *p)
{
    return p->n;
}
