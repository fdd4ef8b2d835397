/* SPDX-License-Identifier: ISC */
/*
 * health: what the schedule knows of one account: whether it works, its back-off, its probe, and a clock that stands still
 * while it is frozen. Knows no messages; `now` as in schedule.h.
 */
#ifndef QUEUE_HEALTH_H
#define QUEUE_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/schedule.h"

/* So long nothing else of the queue is tried while the first attempt tells nothing of its account. */
#define HEALTH_TEST_MS 30000
/* A time that never comes. */
#define HEALTH_NEVER INT64_MAX

struct health {
    enum schedule_state state;   /* what was learnt last */
    int64_t since;               /* while it is not up: when it went into this state */
    char *reason;                /* NULL while it is up */
    int64_t step_ms;             /* of the back-off, without jitter; 0 while it is up */
    int64_t next;                /* not to be tried before; while it is not up */
    bool hurried;                /* the next failure is no further step */
    int64_t claimed_until;       /* an interactive attempt is the probe */
    bool untested;               /* nothing was learnt yet: one attempt of the queue at a time, */
    int64_t tested_until;        /* until something is, or until then */
    const void *probe;           /* the entry of the queue that is, or NULL */
    int64_t rest_until, rest_ms; /* an attempt could not begin */
    int64_t frozen_ms;           /* in all, up to frozen_since */
    int64_t frozen_since;        /* while it is frozen */
    /* the last times it failed while down, by its clock, in a ring */
    int64_t failed[SCHEDULE_EXPIRY_ATTEMPTS];
    uint32_t failures;
};

/* Zeroed is a health that is up. */
void health_clear(struct health *h);
/* `ms` or up to 10 % more or less; `seed` is changed. */
int64_t health_jitter(uint64_t *seed, int64_t ms);
/* An attempt told this; see schedule_account. */
void health_report(struct health *h, enum schedule_state state, const char *reason,
    const struct schedule_limits *limits, uint64_t *seed, int64_t now);
/* An attempt could not begin: no other for a moment. */
void health_rest(struct health *h, int64_t now);
/*
 * An attempt of the queue is over, `probe` or another. True when it was the account's probe and failed with it; a probe after
 * which nothing was reported counts as one more wait of the same length.
 */
bool health_over(struct health *h, const void *probe, uint64_t *seed, int64_t now);
/* An attempt of the queue begins; it is the probe where one is wanted. */
void health_begin(struct health *h, const void *probe, int64_t now);
/* The earliest time of a new attempt from the queue; HEALTH_NEVER while one of the queue is the probe. */
int64_t health_ready(const struct health *h);
/* See schedule_account_state and schedule_probe. */
enum schedule_state health_state(const struct health *h, int64_t now);
void health_claim(struct health *h, int64_t now);
/* The settings are new: whoever is the probe tells nothing of them. */
void health_renew(struct health *h, int64_t now);
/* Somebody wants it tried now. */
void health_hurry(struct health *h, int64_t now);
/* `now` by the clock that stands still while the account is frozen. */
int64_t health_clock(const struct health *h, int64_t now);
/* How often it failed at or after `since` (by its clock), at most SCHEDULE_EXPIRY_ATTEMPTS; 0 while it is not down. */
int health_failures(const struct health *h, int64_t since);

#endif
