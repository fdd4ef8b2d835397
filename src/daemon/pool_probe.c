/* SPDX-License-Identifier: ISC */
/* pool_probe: smarthosts that failed are looked at beside the jobs, so that no message waits for them. */
#include "daemon/pool_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static void
on_packet(void *owner, const struct job_packet *packet)
{
    const struct pool_job *job = owner;

    if (packet->type == JOB_LOG)
        log_line((enum log_level)packet->level, "account %s: %.*s", job->account, SLICE_ARG(packet->text));
}

/* It is looked at again when its time comes */
static void
on_over(void *owner, const struct error *err, bool maybe_sent, struct slice text)
{
    (void)owner;
    (void)err;
    (void)maybe_sent;
    (void)text;
}

static const struct pool_events events = { .packet = on_packet, .over = on_over };

void
pool_probe(struct pool *p, const char *account)
{
    const char *relay;

    if (!p->helper_watch || p->aside >= POOL_ASIDE_MAX ||
        !(relay = hubs_due(&p->hubs, account, clock_ms())) ||
        !start_send(p->helper, START_WORKER, ERROR_NONE, account, -1))
        return;
    pool_worker_new(p, account, relay);
}

void
pool_probe_begin(struct pool_worker *w)
{
    struct pool_job *job = mem_alloc(sizeof *job);

    job->pool = w->pool;
    job->events = &events;
    job->owner = job;
    job->account = mem_dup(w->account);
    job->record_fd = -1;
    job->worker = w;
    w->state = WORKER_BUSY;
    w->job = job;
    w->retire = w->sent = true;
    pool_worker_set_aside(w);
    (void)job_send_text(w->sock, JOB_PROBE, 0, w->probe); /* one that has gone will be seen to have gone */
}
