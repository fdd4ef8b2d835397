/* SPDX-License-Identifier: ISC */
/*
 * trouble: what an administrator has to hear of when mail may not be able to tell him: an account that is frozen, mail that waits for
 * longer than WarnAfter, a configuration on disk that cannot be used. Each is told once when it begins and once when it is over, to the helper, which runs the TroubleCommand.
 */
#ifndef DAEMON_TROUBLE_H
#define DAEMON_TROUBLE_H

#include "daemon/core.h"

struct trouble;

/* The daemon has one, in c->trouble; else all of these do nothing. `helper_sock` stays the caller's. */
struct trouble *trouble_new(struct core *c, int helper_sock);
void trouble_free(struct trouble *t);
/* What was learnt of an account. */
void trouble_learnt(struct core *c, const char *account, enum schedule_state state, const char *reason);
/* There are new settings: accounts may have gone, and what is on disk is right again (c->disk). */
void trouble_configured(struct core *c);
/* What is on disk cannot be used since then (seconds since 1970), nor may it have been before: into c->disk. */
void trouble_broken(struct core *c, int64_t since_s, const char *why);

/*
 * The age of the oldest message that is not held at the last look (at least each 15 s), without the time its account was frozen; 0: none
 * waits.
 */
int64_t trouble_oldest_ms(const struct core *c);

enum trouble_kind {
    TROUBLE_FROZEN,
    TROUBLE_THAWED,
    TROUBLE_GONE,
    TROUBLE_LATE,
    TROUBLE_ON_TIME,
    TROUBLE_RUNAWAY,
    TROUBLE_CALM,
    TROUBLE_QUEUE_GONE,
    TROUBLE_QUEUE_BACK,
    TROUBLE_BROKEN,
    TROUBLE_MENDED
};
struct trouble_news {
    enum trouble_kind kind;
    const char *host, *account,
        *reason;        /* RUNAWAY, CALM: account is who; QUEUE_: reason is its path; BROKEN: why */
    const char *advice; /* FROZEN: what helps; NULL: not known */
    size_t waiting;     /* messages in the queue */
    int64_t oldest_s;   /* LATE */
    int64_t limit_s;    /* LATE */
    int64_t duration_s; /* THAWED, ON_TIME, MENDED: it lasted so long; RUNAWAY: for `count` */
    int64_t uid, limit; /* RUNAWAY; limit: messages an hour */
    size_t count;       /* RUNAWAY */
};
/* Log it, have the TroubleCommand told, and, unless it is NULL, `also`. Host and waiting of *n are filled in. */
void trouble_tell(struct core *c, struct trouble_news *n, void (*also)(struct core *c, const char *text));
/* The text, whole within START_TEXT_MAX: what `b` has to have room for. No byte a terminal obeys is in it but line ends. */
void trouble_write(struct buf *b, const struct trouble_news *n);

#endif
