/* SPDX-License-Identifier: ISC */
/* pool_job: jobs that wait in their order, and how their owners hear of the end. */
#include "daemon/pool_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"

void
pool_queue_add(struct pool_queue *q, struct pool_job *job)
{
    job->next = NULL;
    *q->end = job;
    q->end = &job->next;
}

void
pool_queue_add_first(struct pool_queue *q, struct pool_job *job)
{
    job->next = q->first;
    q->first = job;
    if (!job->next)
        q->end = &job->next;
}

bool
pool_queue_remove(struct pool_queue *q, struct pool_job *job)
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

struct pool_queue *
pool_queue_of(const struct pool_job *job)
{
    return &job->pool->waiting[job->urgent ? 0 : 1];
}

void
pool_job_free(struct pool_job *job)
{
    file_close(&job->record_fd);
    free(job->account);
    free(job->bitmap);
    free(job);
}

void
pool_queue_free(struct pool_queue *q)
{
    while (q->first) {
        struct pool_job *job = q->first;
        q->first = job->next;
        pool_job_free(job);
    }
}

/* Tell the owner, and that is the end of it */
void
pool_job_over(struct pool_job *job, const struct error *err, bool maybe_sent, struct slice text)
{
    if (!job->forgotten)
        job->events->over(job->owner, err, maybe_sent, text);
    pool_job_free(job);
}

static void
tell_failed(void *ctx)
{
    struct pool *p = ctx;
    struct pool_job *job;

    p->soon = NULL;
    while ((job = p->failed.first)) {
        (void)pool_queue_remove(&p->failed, job);
        pool_job_over(job, &job->failure, false, slice_of(NULL));
    }
}

/* A job that is in no queue failed: its owner is told from the loop, not from within its own call */
void
pool_job_fail_soon(struct pool_job *job, const struct error *err)
{
    struct pool *p = job->pool;

    job->failure = *err;
    pool_queue_add(&p->failed, job);
    if (!p->soon)
        p->soon = loop_at(p->loop, clock_ms(), tell_failed, p);
}

struct pool_job *
pool_first_waiting(const struct pool *p, const char *account)
{
    for (size_t i = 0; i < 2; i++)
        for (struct pool_job *job = p->waiting[i].first; job; job = job->next)
            if (strcmp(job->account, account) == 0)
                return job;
    return NULL;
}
