/* SPDX-License-Identifier: ISC */
/*
 * feed: from the queue to the workers: what the schedule says is due is opened, locked and tried, as long as there are workers for it and
 * the rates allow; what has waited too long is given up.
 */
#ifndef DAEMON_FEED_H
#define DAEMON_FEED_H

#include "daemon/core.h"

/* Try what is due, and see to it that what becomes due later is tried then. May be called at any time, from within itself, too. */
void feed_pump(struct core *c);
/* Give up what has waited too long and is not under way, some of it at a time: true when there is more. */
bool feed_expire(struct core *c);

#endif
