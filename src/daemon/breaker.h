/* SPDX-License-Identifier: ISC */
/*
 * breaker: RunawayLimit: what a runaway (runaway.h) hands in is taken, durable as any, and held; the administrator is told once, by mail
 * and by TroubleCommand, who it is and how to let it go. Mail of others goes on.
 */
#ifndef DAEMON_BREAKER_H
#define DAEMON_BREAKER_H

#include "daemon/delivery.h"

/* A new message counts. True: its record says now that it is held, and why. A daemon with a queue has a breaker, nothing else. */
bool breaker_holds(struct delivery *d);
/* The administrator has let mail of `uid` (-1: of everybody) go: it may go on. */
void breaker_forgive(struct core *c, int64_t uid);
/* Now and then: who has become quiet again is told of. */
void breaker_look(struct core *c);

#endif
