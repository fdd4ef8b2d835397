/* SPDX-License-Identifier: ISC */
/*
 * dispatch: what becomes of messages: interactive attempts while a client waits, the queue where that does not succeed at once, the end
 * when the last fact has come (src/README.md, "The way of a message"). `attempt` tries, `commit` makes durable, `settle` writes down
 * what became of a file, `feed` and `scan` bring what is in the queue.
 */
#ifndef DAEMON_DISPATCH_H
#define DAEMON_DISPATCH_H

#include "daemon/core.h"
#include "daemon/park.h"
#include "daemon/submission.h"

struct client;

/*
 * A finished submission (submission_finish), freed by dispatch. `client` gets one client_verdict, never from within this call; it calls
 * dispatch_leave if it goes before.
 */
struct delivery *dispatch_submit(struct core *c, struct submission *s, struct client *client);
/* Nobody waits for the verdict any more; the message goes on. */
void dispatch_leave(struct delivery *d);
/* Stopping: what is under way for a client gets into the queue, so that the client can go. */
void dispatch_park(struct core *c);
/* The end: nothing more is heard of what is under way. */
void dispatch_abandon(struct core *c);
/* Nothing is under way. */
bool dispatch_is_idle(const struct core *c);

/* attempt: no account is left to be tried. The delivery may be gone afterwards; so it is with the other two. */
void dispatch_finish(struct delivery *d);
/* commit: what was to be made durable is, or d->store_failed. */
void dispatch_stored(struct delivery *d, enum park_which which);
/* commit: what the sender has to hear is in the queue, as far as possible. */
void dispatch_told(struct delivery *d);

#endif
