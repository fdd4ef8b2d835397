/*
 * pool: the daemon's ends of worker processes, one for each account in use; a worker stays warm for the next message.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "ipc/job.h"

struct pool;

/* What the owner hears of the job that is under way. */
struct pool_events {
    void (*packet)(void *ctx, const struct job_packet *packet); /* STEP, LOG, FACT; not to be kept */
    /* over: err == NULL after DONE, else why no (further) fact will come; text is DONE's "key=value ..." or "" */
    void (*over)(void *ctx, const struct error *err, struct slice text);
};

/* `helper_sock` stays the caller's; answers on it are read by the pool from now on. */
struct pool *pool_new(struct loop *loop, int helper_sock, const struct pool_events *events, void *ctx);
void pool_free(struct pool *p);
/*
 * Let a worker of `account` try the recipients in `bitmap` of the record behind `record_fd` (stays the caller's). One job at a
 * time. The answer comes by events, never from within this call.
 */
void pool_start(struct pool *p, const char *account, uint32_t flags, uint32_t recipients,
    const unsigned char *bitmap, int record_fd);

#endif
