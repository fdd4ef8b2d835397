/* SPDX-License-Identifier: ISC */
/*
 * control_batch: a change of many messages (hold, release, remove; retry of what has failed) beside the daemon's own work: a piece
 * after the other, claimed in the schedule by the loop, done by a thread, given back by the loop.
 */
#ifndef DAEMON_CONTROL_BATCH_H
#define DAEMON_CONTROL_BATCH_H

#include "daemon/control.h"
#include "daemon/core.h"

struct control_batch;

/*
 * Begin; `q`, the n ids and `fd` (for how far it is) are the caller's and stay until `done`, which is called from the loop with the
 * end of the answer, and the batch is gone.
 */
struct control_batch *control_batch_begin(struct core *c, struct work *work, const struct control_request *q,
    char (*ids)[SPOOL_ID_MAX + 1], size_t n, int fd, void (*done)(void *ctx, const struct buf *answer),
    void *ctx);
/* Give up; no thread is at it any more. NULL: nothing. */
void control_batch_free(struct control_batch *b);

#endif
