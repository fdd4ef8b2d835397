/* SPDX-License-Identifier: ISC */
/*
 * report: tells the sender of a message what became of it, by a message of its own in the queue (mail/dsn): its making, its way into
 * the queue, its cap. Whether there is something to tell is written in the members of the submission.
 *
 * A report has the null sender, so nothing is ever reported about it.
 */
#ifndef DAEMON_REPORT_H
#define DAEMON_REPORT_H

#include "daemon/core.h"
#include "daemon/submission.h"

struct report;

enum {
    REPORT_EXPIRED = 1, /* those who still wait are given up */
    REPORT_LATE = 2,    /* those who still wait have waited for WarnAfter */
};

/*
 * What is to be told of the members as they are now; NULL: nothing, or nobody can be told (null sender, no queue, cap). The submission
 * must stay as it is until report_end.
 */
struct report *report_begin(struct core *c, const struct submission *s, unsigned flags);
/* Is the failure of recipient `i` told in it (NULL: no)? */
bool report_has_failure(const struct report *r, size_t i);
/* Into the queue, durably; false with err. In any thread, once. */
bool report_store(struct report *r, struct spool *spool, struct error *err);
/* In the loop: what was stored is due (feed_pump is the caller's). Frees it; NULL is fine. */
void report_end(struct core *c, struct report *r);

/* The end of the core: what the cap has held back is told now, by c->work. */
void report_finish(struct core *c);

#endif
