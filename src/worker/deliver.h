/* SPDX-License-Identifier: ISC */
/*
 * deliver: jobs of one account, one after the other, over a connection that stays warm between them. Reports facts.
 */
#ifndef WORKER_DELIVER_H
#define WORKER_DELIVER_H

#include "config/config.h"

/* Serve jobs from `sock` (ipc/job) with the settings of the one account in `c` until the daemon hangs up. */
void deliver_run(int sock, const struct config *c);

#endif
