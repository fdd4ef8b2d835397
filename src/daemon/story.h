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
/* Have what was gathered written now. */
void story_flush(struct core *c);
/* The end of the core, whose threads have ended. */
void story_end(struct core *c);

#endif
