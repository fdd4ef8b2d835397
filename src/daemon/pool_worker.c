/* SPDX-License-Identifier: ISC */
/* pool_worker: a worker from its first job to its end. What workers say is foreign: a packet out of place ends the worker. */
#include "daemon/pool_state.h"

#include <errno.h>
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
/* A login takes a while, and clocks differ */
#define TOKEN_SPARE_S 30

/* ---------------------------------------------------------------- its life */

void
pool_worker_remove(struct pool_worker *w)
{
    struct pool *p = w->pool;

    for (struct pool_worker **at = &p->workers; *at; at = &(*at)->next) {
        if (*at != w)
            continue;
        *at = w->next;
        break;
    }
    p->n--;
    p->aside -= w->aside;
    loop_unwatch(w->watch);
    file_close(&w->sock); /* it ends by itself when it sees that */
    free(w->account);
    free(w->probe);
    free(w);
}

void
pool_worker_set_aside(struct pool_worker *w)
{
    if (w->aside || w->pool->aside >= POOL_ASIDE_MAX)
        return;
    w->aside = true;
    w->pool->aside++;
}

bool
pool_worker_is_worn(const struct pool_worker *w)
{
    return w->jobs >= WORKER_JOBS_MAX || clock_ms() - w->born_ms >= WORKER_AGE_MAX_MS ||
           (w->token_s && (int64_t)clock_wall().tv_sec >= w->token_s);
}

bool
pool_worker_had_turn(const struct pool_worker *w)
{
    return w->jobs > 0 && w->jobs % TURN_JOBS == 0;
}

void
pool_idle_over(void *ctx)
{
    struct pool *p = ctx;
    int64_t now = clock_ms(), first = CLOCK_NEVER;
    struct pool_worker *next;

    p->idle = NULL;
    for (struct pool_worker *w = p->workers; w; w = next) {
        next = w->next;
        if (w->state != WORKER_IDLE)
            continue;
        if (now - w->idle_ms >= p->idle_ms)
            pool_worker_remove(w);
        else
            first = clock_min(first, w->idle_ms + p->idle_ms);
    }
    if (first != CLOCK_NEVER)
        p->idle = loop_at(p->loop, first, pool_idle_over, p);
}

/* A timer that is there comes early enough: it was set for one that has been idle for longer */
static void
set_idle(struct pool_worker *w)
{
    struct pool *p = w->pool;

    w->state = WORKER_IDLE;
    w->job = NULL;
    p->aside -= w->aside;
    w->aside = false;
    w->idle_ms = clock_ms();
    if (!p->idle && p->idle_ms != CLOCK_NEVER)
        p->idle = loop_at(p->loop, clock_deadline(p->idle_ms), pool_idle_over, p);
}

/* ---------------------------------------------------------------- what it says */

enum ending {
    ENDED_BEFORE, /* it has certainly not begun its job */
    ENDED_UNABLE, /* it says why it cannot do it */
    ENDED_WITHIN, /* nobody knows how far it came */
};

/*
 * The worker is of no more use. A job that it certainly has not begun goes to another one, if it was not the first: a worker that
 * ends each time would be started for ever.
 */
static void
end_worker(struct pool_worker *w, enum ending ending, struct error *err)
{
    struct pool *p = w->pool;
    struct pool_job *job = w->job;
    bool again = job && ending == ENDED_BEFORE && w->jobs > 0 && !job->forgotten;

    pool_worker_remove(w);
    if (job)
        job->worker = NULL;
    if (again)
        pool_queue_add_first(pool_queue_of(job), job);
    pool_dispatch(p);
    if (job && !again)
        pool_job_over(job, err, ending == ENDED_WITHIN, slice_of(NULL));
}

static void
done(struct pool_worker *w, struct slice text)
{
    struct pool *p = w->pool;
    struct pool_job *job = w->job;
    bool works = w->works;

    w->jobs++;
    set_idle(w);
    if (w->retire || pool_worker_is_worn(w) || p->n - p->aside > p->workers_max)
        pool_worker_remove(w);
    pool_dispatch(p);
    if (works)
        pool_probe(p, job->account);
    pool_job_over(job, NULL, false, text);
}

/* What fails is reported (JOB_HUB) before the fact */
static bool
is_of_good_hub(const struct pool_worker *w, const struct job_fact *f)
{
    return f->relay[0] && !hubs_has_failed(&w->pool->hubs, w->account, slice_of(f->relay));
}

/* Before it runs out the next worker gets a fresh one; what has run out already no other worker would have better */
static void
take_token(struct pool_worker *w, const struct job_packet *p)
{
    int64_t now = (int64_t)clock_wall().tv_sec;

    if (p->expires_s > now + TOKEN_SPARE_S)
        w->token_s = p->expires_s - TOKEN_SPARE_S;
    if (!w->retire)
        hubs_token(&w->pool->hubs, w->account, p->expires_s, slice_is(p->text, "short"), now);
}

static void
hear(struct pool_worker *w, const struct job_packet *packet)
{
    struct error err;

    switch (packet->type) {
    case JOB_FAILED:
        err.class = (enum error_class)packet->level;
        (void)text_escape(err.text, sizeof err.text, packet->text);
        end_worker(w, ENDED_UNABLE, &err);
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
        if (packet->type == JOB_FACT)
            w->works = is_of_good_hub(w, &packet->fact);
        if (!w->job->forgotten)
            w->job->events->packet(w->job->owner, packet);
        return;
    case JOB_WAITS:
        if (!w->job)
            break;
        w->heard = true;
        pool_worker_set_aside(w);
        pool_dispatch(w->pool);
        if (!w->job->forgotten)
            w->job->events->packet(w->job->owner, packet);
        return;
    case JOB_HUB:
        if (!w->job)
            break;
        hubs_report(&w->pool->hubs, w->account, packet->text, (enum job_health)packet->level, clock_ms());
        return;
    case JOB_CERTIFICATE:
        if (!w->job)
            break;
        if (!w->retire) /* its smarthost may be meant no longer */
            hubs_certificate(&w->pool->hubs, w->account, packet->text, packet->expires_s);
        return;
    case JOB_TOKEN:
        if (!w->job)
            break;
        take_token(w, packet);
        return;
    case JOB_CLIENT:
        if (!w->job)
            break;
        if (!w->retire)
            hubs_client(&w->pool->hubs, w->account, packet->expires_s);
        return;
    case JOB_STARVED: /* what comes next is its end */
        w->starved = true;
        w->unread = packet->unread;
        return;
    case JOB_START:
    case JOB_AVOID:
    case JOB_LATE:
    case JOB_PROBE:
        break;
    }
    error_set(&err, ERROR_INTERNAL,
        "smtprelay-worker: said what it has no business to say; the message may have been sent");
    end_worker(w, ENDED_WITHIN, &err);
}

static void
worker_ready(void *ctx, int fd, short revents)
{
    struct pool_worker *w = ctx;
    struct job_packet packet;
    struct error err;
    int r = job_receive(fd, w->pool->buffer, &packet, &err);
    bool untouched = r == 0 && !w->heard && (packet.unread || w->unread || !w->sent);

    (void)revents;
    if (r == -2)
        return;
    if (r == 1) {
        file_close(&packet.fd); /* workers send none */
        hear(w, &packet);
        return;
    }
    if (untouched)
        error_set(&err, ERROR_TEMP, "smtprelay-worker: ended before it took the message; it is tried again");
    else if (r == 0 && w->starved)
        error_set(&err, ERROR_OS,
            "smtprelay-worker: no memory was to be had for it, or it was killed; the message may have been "
            "sent");
    else if (r == 0)
        error_set(&err, ERROR_TEMP, "smtprelay-worker: ended unexpectedly; the message may have been sent");
    else
        error_context(&err, "smtprelay-worker: the message may have been sent");
    end_worker(w, untouched ? ENDED_BEFORE : ENDED_WITHIN, &err);
}

/* ---------------------------------------------------------------- what it gets */

void
pool_worker_new(struct pool *p, const char *account, const char *probe)
{
    struct pool_worker *w = mem_alloc(sizeof *w), **at = &p->workers;

    w->pool = p;
    w->account = mem_dup(account);
    w->probe = probe ? mem_dup(probe) : NULL;
    w->sock = -1;
    if (probe)
        pool_worker_set_aside(w);
    while (*at)
        at = &(*at)->next;
    *at = w;
    p->n++;
}

void
pool_worker_begin(struct pool_worker *w, int sock)
{
    w->sock = sock;
    (void)file_nonblocking(sock, true); /* one that takes nothing must not hold up the daemon */
    w->watch = loop_watch(w->pool->loop, sock, POLLIN, worker_ready, w);
    w->born_ms = clock_ms();
    set_idle(w);
}

/* Each time, or a worker would leave alone what works again. If it cannot be sent, the job cannot, either. */
static void
tell_of_hubs(struct pool_worker *w, enum job_type type,
    void (*list)(const struct hubs *h, const char *account, struct buf *out), bool *told)
{
    struct buf text;

    buf_init(&text, JOB_PACKET_MAX - 64);
    list(&w->pool->hubs, w->account, &text);
    if (text.len || *told)
        (void)job_send_text(w->sock, type, 0, buf_str(&text));
    *told = text.len > 0;
    buf_clear(&text);
}

/*
 * True when the job has left its queue. A worker that had ended is removed; one that never had a job may have sent why it ends,
 * so it keeps the job until that was read.
 */
bool
pool_worker_give(struct pool_worker *w, struct pool_job *job)
{
    struct error err;
    tell_of_hubs(w, JOB_AVOID, hubs_avoid, &w->avoids);
    tell_of_hubs(w, JOB_LATE, hubs_late, &w->expects_late);
    bool sent = job_send_start(w->sock, job->flags, job->recipients, job->bitmap, job->record_fd);
    bool ended = !sent && (errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN);

    if (ended && w->jobs > 0) {
        pool_worker_remove(w);
        return false;
    }
    (void)pool_queue_remove(pool_queue_of(job), job);
    if (sent || ended) {
        w->state = WORKER_BUSY;
        w->job = job;
        w->sent = sent;
        w->heard = w->works = false;
        job->worker = w;
        return true;
    }
    error_sys(&err, ERROR_TEMP, errno, "smtprelay-worker: cannot be given the message");
    pool_worker_remove(w);
    pool_job_fail_soon(job, &err);
    return true;
}
