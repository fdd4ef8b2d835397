/* SPDX-License-Identifier: ISC */
/*
 * deliver: jobs of one account, one after the other, over a connection that stays warm between them. Reports facts.
 */
#ifndef WORKER_DELIVER_H
#define WORKER_DELIVER_H

#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "worker/reach.h"

/*
 * Serve jobs from `sock` (ipc/job) with the settings of the one account in `c` until the daemon hangs up, or, behind the first job, until
 * one is there that needs files which this worker cannot read any more (`kept`): unread, it is the next worker's.
 */
void deliver_run(int sock, const struct config *c, const struct reach_kept *kept);
/*
 * The submission servers that SRV records of `domain` name, for `smtprelay setup`, which executes the worker for it: lines "found HOST
 * port NUMBER" in the order to try them; else "none", or "unknown WHY".
 */
void deliver_find(const char *domain, int64_t deadline, struct buf *out);

#endif
