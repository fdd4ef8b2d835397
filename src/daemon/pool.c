/*
 * pool: asks the helper for workers, gives them jobs, passes on what they say. What workers say is foreign: a packet out of place
 * ends the worker.
 */
#include "daemon/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

/* A worker that has done so much or is so old is followed by a fresh one, which reads resolver and certificates anew */
#define WORKER_JOBS_MAX 1000
#define WORKER_AGE_MAX_MS (60 * 60 * 1000)
/* So many jobs of its account go before older ones of others, or two accounts would close each other's workers by turns */
#define TURN_JOBS 20

enum worker_state { WORKER_STARTING, WORKER_IDLE, WORKER_BUSY };

struct worker {
    struct worker *next; /* those that are asked for in the order of the answers */
    struct pool *pool;
    char *account;
    enum worker_state state;
    int sock;
    struct loop_watch *watch;
    struct pool_job *job; /* BUSY */
    bool sent, heard;     /* BUSY: the job went out to it; it has said something of it */
    bool claimed;         /* STARTING: there is a job for it */
    bool wanted[2];       /* IDLE: jobs of its account wait, urgent [0] and others [1] */
    bool retire;          /* after its job */
    unsigned jobs;        /* done */
    int64_t born_ms, idle_ms;
};

struct pool_job {
    struct pool_job *next;
    struct pool *pool;
    void *owner;
    bool forgotten;
    char *account;
    uint32_t flags, recipients;
    unsigned char *bitmap;
    int record_fd;
    bool urgent;
    struct worker *worker; /* who has it */
    struct error failure;  /* in the queue of those that failed */
};

struct queue {
    struct pool_job *first, **end;
};

struct pool {
    struct loop *loop;
    int helper;
    const struct pool_events *events;
    void *ctx;
    struct loop_watch *helper_watch; /* NULL: the helper has gone */
    struct worker *workers;
    size_t n, workers_max;
    int64_t idle_ms;
    struct loop_timer *idle;
    struct queue waiting[2]; /* urgent, others */
    struct queue failed;     /* their owners are told from the loop */
    struct loop_timer *soon;
    char buffer[JOB_PACKET_MAX];
};

/* ---------------------------------------------------------------- jobs */

static void
queue_add(struct queue *q, struct pool_job *job)
{
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
}

static void
queue_add_first(struct queue *q, struct pool_job *job)
{
    job->next = q->first;
    q->first = job;
    if (!job->next)
        q->end = &job->next;
}

static bool
queue_remove(struct queue *q, struct pool_job *job)
{
    for (struct pool_job **at = &q->first; *at; at = &(*at)->next) {
        if (*at != job)
            continue;
        *at = job->next;
        if (!job->next)
            q->end = at;
        return true;
    }
    return false;
}

static struct queue *
queue_of(const struct pool_job *job)
{
    return &job->pool->waiting[job->urgent ? 0 : 1];
}

static void
job_free(struct pool_job *job)
{
    file_close(&job->record_fd);
    free(job->account);
    free(job->bitmap);
    free(job);
}

static void
queue_free(struct queue *q)
{
    while (q->first) {
        struct pool_job *job = q->first;
        q->first = job->next;
        job_free(job);
    }
}

/* Tell the owner, and that is the end of it */
static void
job_over(struct pool_job *job, const struct error *err, struct slice text)
{
    if (!job->forgotten)
        job->pool->events->over(job->owner, err, text);
    job_free(job);
}

static void
tell_failed(void *ctx)
{
    struct pool *p = ctx;
    struct pool_job *job;

    p->soon = NULL;
    while ((job = p->failed.first)) {
        (void)queue_remove(&p->failed, job);
        job_over(job, &job->failure, slice_of(NULL));
    }
}

/* A job that is in no queue failed: its owner is told from the loop, not from within its own call */
static void
fail_soon(struct pool_job *job, const struct error *err)
{
    struct pool *p = job->pool;

    job->failure = *err;
    queue_add(&p->failed, job);
    if (!p->soon)
        p->soon = loop_at(p->loop, clock_ms(), tell_failed, p);
}

static struct pool_job *
first_waiting(const struct pool *p, const char *account)
{
    for (size_t i = 0; i < 2; i++)
        for (struct pool_job *job = p->waiting[i].first; job; job = job->next)
            if (strcmp(job->account, account) == 0)
                return job;
    return NULL;
}

/* ---------------------------------------------------------------- workers */

static void
remove_worker(struct worker *w)
{
    struct pool *p = w->pool;

    for (struct worker **at = &p->workers; *at; at = &(*at)->next) {
        if (*at != w)
            continue;
        *at = w->next;
        break;
    }
    p->n--;
    loop_unwatch(w->watch);
    file_close(&w->sock); /* it ends by itself when it sees that */
    free(w->account);
    free(w);
}

static void
ask_for_worker(struct pool *p, struct pool_job *job)
{
    struct worker *w, **at = &p->workers;
    struct error err;

    if (!p->helper_watch || !start_send(p->helper, START_WORKER, ERROR_NONE, job->account, -1)) {
        if (p->helper_watch)
            error_sys(&err, ERROR_TEMP, errno, "smtprelay-worker: cannot be asked for");
        else
            error_set(&err, ERROR_TEMP, "smtprelayd: its helper process has ended");
        (void)queue_remove(queue_of(job), job);
        fail_soon(job, &err);
        return;
    }
    w = mem_alloc(sizeof *w);
    w->pool = p;
    w->account = mem_dup(job->account);
    w->sock = -1;
    while (*at)
        at = &(*at)->next;
    *at = w;
    p->n++;
}

static bool
is_worn(const struct worker *w)
{
    return w->jobs >= WORKER_JOBS_MAX || clock_ms() - w->born_ms >= WORKER_AGE_MAX_MS;
}

/* It has served its account for a while: an older job of another account may have its place */
static bool
turn_is_over(const struct worker *w)
{
    return w->jobs > 0 && w->jobs % TURN_JOBS == 0;
}

static void
idle_over(void *ctx)
{
    struct pool *p = ctx;
    int64_t now = clock_ms(), first = CLOCK_NEVER;
    struct worker *next;

    p->idle = NULL;
    for (struct worker *w = p->workers; w; w = next) {
        next = w->next;
        if (w->state != WORKER_IDLE)
            continue;
        if (now - w->idle_ms >= p->idle_ms)
            remove_worker(w);
        else
            first = clock_min(first, w->idle_ms + p->idle_ms);
    }
    if (first != CLOCK_NEVER)
        p->idle = loop_at(p->loop, first, idle_over, p);
}

/* A timer that is there comes early enough: it was set for one that has been idle for longer */
static void
set_idle(struct worker *w)
{
    struct pool *p = w->pool;

    w->state = WORKER_IDLE;
    w->job = NULL;
    w->idle_ms = clock_ms();
    if (!p->idle && p->idle_ms != CLOCK_NEVER)
        p->idle = loop_at(p->loop, clock_deadline(p->idle_ms), idle_over, p);
}

/* ---------------------------------------------------------------- who does what */

/*
 * True when the job has left its queue. A worker that had ended is removed; one that never had a job may have sent why it ends,
 * so it keeps the job until that was read.
 */
static bool
give(struct worker *w, struct pool_job *job)
{
    struct error err;
    bool sent = job_send_start(w->sock, job->flags, job->recipients, job->bitmap, job->record_fd);
    bool ended = !sent && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN);

    if (ended && w->jobs > 0) {
        remove_worker(w);
        return false;
    }
    (void)queue_remove(queue_of(job), job);
    if (sent || ended) {
        w->state = WORKER_BUSY;
        w->job = job;
        w->sent = sent;
        w->heard = false;
        job->worker = w;
        return true;
    }
    error_sys(&err, ERROR_TEMP, errno, "smtprelay-worker: cannot be given the message");
    remove_worker(w);
    fail_soon(job, &err);
    return true;
}

static struct worker *
find_worker(const struct pool *p, const char *account, enum worker_state state)
{
    for (struct worker *w = p->workers; w; w = w->next)
        if (w->state == state && !w->claimed && strcmp(w->account, account) == 0)
            return w;
    return NULL;
}

/* The worker that has been idle for longest and whose own account does not come first; NULL: none */
static struct worker *
find_spare(const struct pool *p, const struct pool_job *job)
{
    struct worker *spare = NULL;

    for (struct worker *w = p->workers; w; w = w->next) {
        bool kept = !turn_is_over(w) && (w->wanted[0] || (w->wanted[1] && !job->urgent));
        if (w->state == WORKER_IDLE && !kept && (!spare || w->idle_ms < spare->idle_ms))
            spare = w;
    }
    return spare;
}

/* Look at all afresh: which idle workers are wanted; worn ones go */
static void
survey(struct pool *p)
{
    struct worker *next;

    for (struct worker *w = p->workers; w; w = next) {
        next = w->next;
        w->claimed = w->wanted[0] = w->wanted[1] = false;
        if (w->state != WORKER_IDLE)
            continue;
        const struct pool_job *job = first_waiting(p, w->account);
        if (is_worn(w))
            remove_worker(w);
        else if (job)
            w->wanted[job->urgent ? 0 : 1] = true;
    }
}

enum step { STEP_NEXT, STEP_AGAIN, STEP_BLOCKED };

/* Bring a job that waits nearer to a worker. AGAIN: something has changed that others may profit from. */
static enum step
advance(struct pool *p, struct pool_job *job)
{
    struct worker *w = find_worker(p, job->account, WORKER_IDLE);

    if (w) {
        (void)give(w, job); /* if not, the next round finds another */
        return STEP_AGAIN;
    }
    w = find_worker(p, job->account, WORKER_STARTING);
    if (w) {
        w->claimed = true;
        return STEP_NEXT;
    }
    if (p->n >= p->workers_max) {
        w = find_spare(p, job);
        if (!w)
            return STEP_BLOCKED;
        remove_worker(w);
    }
    ask_for_worker(p, job);
    return STEP_AGAIN;
}

static bool
has_idle(const struct pool *p)
{
    for (const struct worker *w = p->workers; w; w = w->next)
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

static void
dispatch(struct pool *p)
{
    while ((p->waiting[0].first || p->waiting[1].first) && dispatch_some(p))
        ;
}

/* ---------------------------------------------------------------- what workers say */

/*
 * The worker is of no more use. A job that it certainly has not begun goes to another one, if it was not the first: a worker that
 * ends each time would be started for ever.
 */
static void
end_worker(struct worker *w, bool untouched, struct error *err)
{
    struct pool *p = w->pool;
    struct pool_job *job = w->job;
    bool again = job && untouched && w->jobs > 0 && !job->forgotten;

    remove_worker(w);
    if (job)
        job->worker = NULL;
    if (again)
        queue_add_first(queue_of(job), job);
    dispatch(p);
    if (job && !again)
        job_over(job, err, slice_of(NULL));
}

static void
done(struct worker *w, struct slice text)
{
    struct pool *p = w->pool;
    struct pool_job *job = w->job;

    w->jobs++;
    set_idle(w);
    if (w->retire || is_worn(w) || p->n > p->workers_max)
        remove_worker(w);
    dispatch(p);
    job_over(job, NULL, text);
}

static void
hear(struct worker *w, const struct job_packet *packet)
{
    struct error err;

    switch (packet->type) {
    case JOB_FAILED:
        err.class = (enum error_class)packet->level;
        (void)text_escape(err.text, sizeof err.text, packet->text);
        end_worker(w, false, &err);
        return;
    case JOB_DONE:
        if (!w->job)
            break;
        done(w, packet->text);
        return;
    case JOB_STEP:
    case JOB_LOG:
    case JOB_FACT:
        if (!w->job)
            break;
        w->heard = true;
        if (!w->job->forgotten)
            w->pool->events->packet(w->job->owner, packet);
        return;
    case JOB_START:
        break;
    }
    error_set(&err, ERROR_INTERNAL,
        "smtprelay-worker: said what it has no business to say; the message may have been sent");
    end_worker(w, false, &err);
}

static void
worker_ready(void *ctx, int fd, short revents)
{
    struct worker *w = ctx;
    struct job_packet packet;
    struct error err;
    int r = job_receive(fd, w->pool->buffer, &packet, &err);
    bool untouched = r == 0 && !w->heard && (packet.unread || !w->sent);

    (void)revents;
    if (r == -2)
        return;
    if (r == 1) {
        file_close(&packet.fd); /* workers send none */
        hear(w, &packet);
        return;
    }
    if (untouched)
        error_set(&err, ERROR_TEMP, "smtprelay-worker: ended before it took the message");
    else if (r == 0)
        error_set(&err, ERROR_TEMP, "smtprelay-worker: ended unexpectedly; the message may have been sent");
    else
        error_context(&err, "smtprelay-worker: the message may have been sent");
    end_worker(w, untouched, &err);
}

/* ---------------------------------------------------------------- what the helper says */

static struct worker *
first_starting(const struct pool *p)
{
    for (struct worker *w = p->workers; w; w = w->next)
        if (w->state == WORKER_STARTING)
            return w;
    return NULL;
}

static void
start_failed(struct worker *w, const struct error *err)
{
    struct pool *p = w->pool;
    struct pool_job *job = first_waiting(p, w->account);

    remove_worker(w);
    if (job)
        (void)queue_remove(queue_of(job), job);
    dispatch(p); /* others of that account have a try of their own */
    if (job)
        job_over(job, err, slice_of(NULL));
}

static void
helper_gone(struct pool *p)
{
    struct worker *w;

    loop_unwatch(p->helper_watch);
    p->helper_watch = NULL;
    while ((w = first_starting(p)))
        remove_worker(w);
    dispatch(p);
    if (p->events->control)
        p->events->control(p->ctx, NULL);
}

static void
helper_ready(void *ctx, int fd, short revents)
{
    struct pool *p = ctx;
    struct worker *w = first_starting(p);
    struct start_packet packet;
    struct error err;
    int r = start_receive(fd, &packet, &err);

    (void)revents;
    if (r == -2)
        return;
    if (r <= 0) {
        helper_gone(p);
    } else if (w && packet.type == START_READY) {
        w->sock = packet.fd;
        (void)file_nonblocking(w->sock, true); /* one that takes nothing must not hold up the daemon */
        w->watch = loop_watch(p->loop, w->sock, POLLIN, worker_ready, w);
        w->born_ms = clock_ms();
        set_idle(w);
        dispatch(p);
    } else if (w && packet.type == START_FAILED) {
        error_set(&err, packet.class, "%s", packet.text);
        start_failed(w, &err);
    } else if (p->events->control && packet.type != START_READY) {
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
    struct queue *queues[] = { &p->waiting[0], &p->waiting[1], &p->failed };

    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++)
        queues[i]->end = &queues[i]->first;
    p->loop = loop;
    p->helper = helper_sock;
    p->events = events;
    p->ctx = ctx;
    p->workers_max = 1;
    p->idle_ms = CLOCK_NEVER;
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
            job_free(p->workers->job);
        remove_worker(p->workers);
    }
    for (size_t i = 0; i < 2; i++)
        queue_free(&p->waiting[i]);
    queue_free(&p->failed);
    loop_unwatch(p->helper_watch);
    loop_cancel(p->idle);
    loop_cancel(p->soon);
    free(p);
}

static void
close_idle(struct pool *p)
{
    struct worker *next;

    for (struct worker *w = p->workers; w; w = next) {
        next = w->next;
        if (w->state == WORKER_IDLE)
            remove_worker(w);
    }
}

void
pool_configure(struct pool *p, size_t workers_max, int64_t idle_ms)
{
    ensure(workers_max > 0);
    if (p->n > workers_max)
        close_idle(p); /* it happens once in a reload */
    p->workers_max = workers_max;
    p->idle_ms = idle_ms;
    loop_cancel(p->idle);
    p->idle = NULL;
    if (idle_ms != CLOCK_NEVER)
        idle_over(p);
    dispatch(p);
}

void
pool_retire(struct pool *p)
{
    close_idle(p);
    for (struct worker *w = p->workers; w; w = w->next)
        w->retire = w->state == WORKER_BUSY;
    dispatch(p);
}

struct pool_job *
pool_start(struct pool *p, void *owner, const char *account, uint32_t flags, uint32_t recipients,
    const unsigned char *bitmap, int record_fd, bool urgent)
{
    struct pool_job *job = mem_alloc(sizeof *job);
    size_t bytes = (recipients + 7) / 8;
    struct error err;

    job->pool = p;
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
        fail_soon(job, &err);
        return job;
    }
    queue_add(queue_of(job), job);
    dispatch(p);
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
    if (!queue_remove(queue_of(job), job))
        (void)queue_remove(&p->failed, job);
    job_free(job);
}

bool
pool_has_room(const struct pool *p, const char *account)
{
    if (find_worker(p, account, WORKER_IDLE))
        return true;
    return p->helper_watch && (p->n < p->workers_max || has_idle(p));
}

bool
pool_is_warm(const struct pool *p, const char *account)
{
    const struct worker *w = find_worker(p, account, WORKER_IDLE);

    return w && !turn_is_over(w);
}

size_t
pool_busy(const struct pool *p)
{
    size_t n = 0;

    for (const struct worker *w = p->workers; w; w = w->next)
        n += w->state == WORKER_BUSY;
    return n;
}

size_t
pool_workers(const struct pool *p)
{
    return p->n;
}
