/* SPDX-License-Identifier: ISC */
/* core: what the parts of the daemon share: one for a daemon, one for each `--stdio` and `--run`. */
#ifndef DAEMON_CORE_H
#define DAEMON_CORE_H

#include "base/loop.h"
#include "base/work.h"
#include "config/config.h"
#include "daemon/pool.h"
#include "daemon/rate.h"
#include "daemon/runaway.h"
#include "daemon/submission.h"
#include "queue/schedule.h"
#include "queue/spool.h"

struct client;
struct explain;
struct report_cap;
struct delivery;

/* What the helper says of the configuration on disk */
struct core_disk {
    int64_t loaded_s; /* when the settings in force were read, in seconds since 1970; 0: not known */
    int64_t broken_s; /* since then what is on disk cannot be used; 0: it can */
    char *why;        /* of broken_s */
};

struct core {
    struct config config;
    /* since then the settings are in force, 0: from the beginning; what began before tells nothing of them */
    int64_t settings_ms;
    struct core_disk disk;
    struct loop *loop;
    struct pool *pool;
    struct pool_events pool_events;
    struct work *work;
    struct spool *spool;       /* NULL: there is no queue to write to */
    char *no_queue;            /* why not, where there should be one */
    struct schedule *schedule; /* NULL: what is committed is tried by somebody else (--stdio) */
    bool is_daemon;            /* callers get 250 at InteractiveTimeout; what is due is tried by itself */
    bool has_added; /* without a schedule: something was committed that somebody else is to try soon */
    bool stopping, pumping;
    struct submission_load load; /* of all clients */
    struct trouble *trouble;     /* the daemon's; NULL: nobody is told */
    struct metrics *metrics;     /* likewise */
    struct story *story;         /* of the history; story.c's */
    int diag;                    /* tcpowner_open, -1 = none */
    char *unprotected;           /* bounds_missing; NULL: nothing is */
    struct delivery *deliveries;
    struct rates *rates;       /* of a daemon: RateLimit */
    struct runaways *runaways; /* likewise: RunawayLimit */
    int64_t
        rate_wait; /* found by may_start: ms until an account may go on that its limit holds up; -1 = none */
    struct loop_timer *due;  /* when something of the queue is to be tried */
    struct loop_timer *scan; /* the next piece of reading the queue; NULL: it has been read */
    enum schedule_due scan_due;
    struct report_cap *told;    /* reports to senders in the last hour; NULL: none yet */
    struct loop_timer *summary; /* of those beyond the cap */
    struct explain *explain;    /* daemon/advice's */
    void (*rest)(void *ctx);
    void *rest_ctx; /* called when nothing is under way any more */
};

/*
 * Begin; all of *c but the settings is zero. core_configure is still to be called, if there are settings. `helper_sock` stays the caller's; packets on it
 * that are not about workers go to `control`.
 */
void core_begin(
    struct core *c, int helper_sock, void (*control)(void *ctx, struct start_packet *p), void *ctx);
/* There is a queue to work on: c->spool is open and locked. `limits` NULL: those of the settings. */
void core_schedule(struct core *c, const struct schedule_limits *limits);
/* The settings in c->config are new. */
void core_configure(struct core *c);
/* Everything; what is under way is left to its fate, what is in the queue stays there. */
void core_end(struct core *c);

#endif
