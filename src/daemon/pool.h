/* SPDX-License-Identifier: ISC */
/*
 * pool: the daemon's ends of worker processes, and the jobs they are to do. A worker serves one account and stays warm for the
 * next message of it. Decides which job a worker gets, never what becomes of a message.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "ipc/job.h"
#include "ipc/start.h"

struct hubs;
struct pool;
struct pool_job;

/* All come from the loop, never from within a call of the pool, and may call the pool (but not pool_free). */
struct pool_events {
    void (*packet)(void *owner, const struct job_packet *packet); /* STEP, LOG, WAITS, FACT; not to be kept */
    /*
     * The job is over and its handle gone. err == NULL after DONE, else why no (further) fact will come: `maybe_sent` when its worker
     * came to a bad end in the middle of it, so that nobody knows, err->class being ERROR_OS if that was for want of memory. text is DONE's "key=value ..." or "". The worker's place has been
     * given on to who waits already.
     */
    void (*over)(void *owner, const struct error *err, bool maybe_sent, struct slice text);
    /*
     * What the helper says that is no answer to the pool, packet->fd being the receiver's; NULL: the helper has gone, and no more
     * workers come. May be NULL itself: nobody cares.
     */
    void (*control)(void *ctx, struct start_packet *packet);
    /* At most so many workers for this account, 0: as many as there may be. Called from within the pool. NULL: no limit. */
    size_t (*limit)(void *limit_ctx, const char *account);
    void *limit_ctx;
};

/*
 * `helper_sock` stays the caller's; what comes on it is read by the pool from now on. One worker at most, kept for ever, until
 * pool_configure. `ctx` is for events.control.
 */
struct pool *pool_new(struct loop *loop, int helper_sock, const struct pool_events *events, void *ctx);
/* Hangs up on all workers; no event comes any more. */
void pool_free(struct pool *p);
/*
 * At most `workers_max` (> 0) workers, some that only wait for their smarthosts (JOB_WAITS) not counted; those that have had nothing to do for `idle_ms` are closed (CLOCK_NEVER: none).
 */
void pool_configure(struct pool *p, size_t workers_max, int64_t idle_ms);
/* How long a smarthost that failed is left alone while its account has others (daemon/hubs). */
void pool_backoff(struct pool *p, int64_t min_ms, int64_t max_ms);
/*
 * pool_start - let a worker of `account` try the recipients in `bitmap` of the record behind `record_fd`
 *
 * All is copied, the descriptor too. Urgent jobs go before others, each in their order; a few jobs of the account a worker is
 * for go before older ones of others. The handle lives until over() is called or pool_forget.
 */
struct pool_job *pool_start(struct pool *p, void *owner, const char *account, uint32_t flags,
    uint32_t recipients, const unsigned char *bitmap, int record_fd, bool urgent);
/* The same, with events of its own in place of the pool's; `events` must live as long as the job. */
struct pool_job *pool_start_for(struct pool *p, const struct pool_events *events, void *owner,
    const char *account, uint32_t flags, uint32_t recipients, const unsigned char *bitmap, int record_fd,
    bool urgent);
/* No worker has it yet: pool_forget would undo it. */
bool pool_is_waiting(const struct pool_job *job);
/* Its smarthost takes its time, and its worker does not count among those there may be. */
bool pool_is_aside(const struct pool_job *job);
/* The owner has gone: no more events. A job that waits is taken back; one that a worker has goes on to its end unheard. */
void pool_forget(struct pool_job *job);
/* Would a job of this account begin at once: by an idle worker, in the place of an idle one of another account, or by one more? */
bool pool_has_room(const struct pool *p, const char *account);
/*
 * Is a worker of this account idle, and not yet due to let others have its place? Who chooses from several accounts asks this
 * first, or each job would find that the job before had its worker closed.
 */
bool pool_is_warm(const struct pool *p, const char *account);
/* There is a new configuration: idle workers end now, busy ones after their job. Those that are asked for have it already. What is known
   of certificates may be of smarthosts that are no longer meant, and is forgotten. */
void pool_retire(struct pool *p);
/* Workers that have a job; all, those included that are asked for. */
size_t pool_busy(const struct pool *p);
size_t pool_workers(const struct pool *p);
/* What is known of the smarthosts; lives until the next event. */
const struct hubs *pool_hubs(const struct pool *p);

#endif
