/* SPDX-License-Identifier: ISC */
/*
 * commit: what waits becomes a file of the queue, what a sender has to hear a report in it, in threads: nobody is told before it is
 * durable. When something is to be queued is dispatch's decision.
 */
#ifndef DAEMON_COMMIT_H
#define DAEMON_COMMIT_H

#include "daemon/delivery.h"
#include "daemon/park.h"

/*
 * Make `which` of the members durable, due as `due` says. d->storing until it is over; then the members count as queued, or
 * d->store_failed says that the queue cannot take them, and dispatch_stored is called.
 */
void commit_begin(struct delivery *d, enum park_which which, enum schedule_due due);
/*
 * Has the sender to hear what the caller does not: make it durable, then call dispatch_told, whether that succeeded or not (the log says
 * so). False: there is nothing to tell, and nothing is called.
 */
bool commit_report(struct delivery *d);

#endif
