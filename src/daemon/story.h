/* SPDX-License-Identifier: ISC */
/*
 * story: what the daemon tells the history of a message: that it came, each attempt, what became of it. Lines are gathered for a
 * moment and written by a thread; what cannot be written is left out, and mail goes on.
 */
#ifndef DAEMON_STORY_H
#define DAEMON_STORY_H

#include "daemon/delivery.h"

struct story;

/* Events of the core: nothing is kept where it has no queue. */
void story_submitted(struct core *c, const struct record *r, uint64_t size, const char *about);
/* An attempt ended: `err` as of attempt_over, `used` is what the worker said it used ("key=value ..."). */
void story_attempt(struct delivery *d, const struct error *err, struct slice used);
void story_status(const struct delivery *d, const char *status, const char *why);
/* A test message, whole: where it came from, the only attempt, what became of it. */
struct story_test {
    bool is_sent;
    int64_t took_ms;
    const char *reply, *trouble;
    struct slice used; /* as of story_attempt */
};
void story_tested(
    struct core *c, const struct submission *s, const char *account, const struct story_test *t);
/* Somebody who reads the history next: its memory, and `call` and `ctx`, are the caller's. */
struct story_reader {
    void (*call)(void *ctx);
    void *ctx;
    struct story_reader *next; /* story's own */
};
/*
 * Have what was told until now written at once, and `call` called when it is on its way to readers or cannot be written; from within,
 * if nothing is left to write. Until then the reader stays where it is, or is forgotten.
 */
void story_settle(struct core *c, struct story_reader *r);
/* No call any more; also of one that does not wait. */
void story_forget(struct core *c, const struct story_reader *r);
/* The end of the core, whose threads have ended. */
void story_end(struct core *c);

#endif
