/* SPDX-License-Identifier: ISC */
/* settle: writes down what became of a message of the queue, in a thread. */
#ifndef DAEMON_SETTLE_H
#define DAEMON_SETTLE_H

#include "daemon/delivery.h"

/* Its attempts are over, or its time is. The delivery ends when it is written down. */
void settle_begin(struct delivery *d);

#endif
