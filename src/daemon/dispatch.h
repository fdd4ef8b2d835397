/*
 * dispatch: what becomes of messages: interactive attempts while a client waits, the queue where that does not succeed at once,
 * attempts from the queue. INTERFACE "The two ways a message goes", src/README.md "The way of a message".
 */
#ifndef DAEMON_DISPATCH_H
#define DAEMON_DISPATCH_H

#include "daemon/core.h"
#include "daemon/submission.h"

struct client;

/*
 * A finished submission (submission_finish), freed by dispatch. `client` gets one client_verdict, never from within this call; it calls
 * dispatch_leave if it goes before.
 */
struct delivery *dispatch_submit(struct core *c, struct submission *s, struct client *client);
/* Nobody waits for the verdict any more; the message goes on. */
void dispatch_leave(struct delivery *d);
/* Try what is due, and see to it that what becomes due later is tried then. */
void dispatch_pump(struct core *c);
/* Look at what is committed and take up what is not known yet, as due by `due`; a piece at a time, from the loop. */
void dispatch_scan(struct core *c, enum schedule_due due);
/* Read the queue in one go (`--run`). */
void dispatch_scan_all(struct core *c, enum schedule_due due);
/* Give up what has waited too long and is not under way, some of it at a time: true when there is more. */
bool dispatch_expire(struct core *c);
/* Stopping: what is under way for a client gets into the queue, so that the client can go. */
void dispatch_park(struct core *c);
/* The end: nothing more is heard of what is under way. */
void dispatch_abandon(struct core *c);
/* Nothing is under way. */
bool dispatch_is_idle(const struct core *c);

/* pool: the events of its jobs. */
void dispatch_packet(void *owner, const struct job_packet *p);
void dispatch_over(void *owner, const struct error *err, struct slice text);

#endif
