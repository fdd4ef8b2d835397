/* SPDX-License-Identifier: ISC */
/*
 * attempt: a message's attempts, one account after the other: starts the job, takes the facts a worker reports of its recipients, learns
 * what they say of the account, and goes on to the fallback or the next account. What becomes of the message is dispatch's.
 */
#ifndef DAEMON_ATTEMPT_H
#define DAEMON_ATTEMPT_H

#include "daemon/delivery.h"
#include "ipc/job.h"

/* The next account that has members nobody has tried; dispatch_finish where there is none. */
void attempt_next(struct delivery *d);
/* The road by the account that may take the place of member i's, in fresh memory; NULL: there is none for this message's user. */
char *attempt_fallback(const struct delivery *d, size_t i);
/* RateLimit of the road's account. */
struct config_rate attempt_rate(const struct core *c, const char *account);

/* pool: the events of its jobs (pool.h). */
void attempt_packet(void *owner, const struct job_packet *p);
void attempt_over(void *owner, const struct error *err, bool maybe_sent, struct slice text);

#endif
