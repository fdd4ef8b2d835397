/* SPDX-License-Identifier: ISC */
/*
 * metrics: what the daemon counts, as a text file for Prometheus (MetricsFile), replaced as a whole soon after something changed and
 * every fifteen seconds. A thread writes it; where it cannot be written mail goes on.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "daemon/delivery.h"

struct metrics;

/* The daemon has one, in c->metrics; without it nothing is counted. */
struct metrics *metrics_new(struct core *c);
/* The core's threads may still have to do with it: after core_end. NULL is fine. */
void metrics_free(struct metrics *m);
void metrics_submitted(struct core *c);
/* The word of the log about a message: "sent", "queued", "deferred", "refused", "expired", "failed". */
void metrics_status(const struct delivery *d, const char *status);
/* Something else is to be seen soon. */
void metrics_touch(struct core *c);

struct metrics_account {
    char *name;
    bool up, frozen;
};

struct metrics_certificate {
    char *account, *relay;
    int64_t expires_s;
};

struct metrics_login {
    char *account;
    int64_t token_s, client_s; /* they expire; 0: not known */
};

/* What is counted since the start */
struct metrics_counts {
    uint64_t submitted, queued, sent, deferred, refused, expired, failed;
    double delivery_s; /* of all that were sent together, from hand-in on */
};

/* All that stands in the file */
struct metrics_view {
    const char *version;
    int64_t start_s;  /* of the wall clock */
    int64_t loaded_s; /* when the settings in force were read, likewise */
    bool broken;      /* what is on disk cannot be used */
    struct metrics_counts counts;
    uint64_t messages, bytes, failed, corrupt; /* in the queue */
    int64_t oldest_s;
    uint64_t workers, workers_busy, workers_max;
    const struct metrics_account *account;
    size_t naccounts;
    const struct metrics_certificate *certificate;
    size_t ncertificates;
    const struct metrics_login *login;
    size_t nlogins;
};
/* Names and help lines are Prometheus' text format, version 0.0.4. */
void metrics_write(struct buf *b, const struct metrics_view *v);

#endif
