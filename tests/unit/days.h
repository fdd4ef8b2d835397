/* SPDX-License-Identifier: ISC */
/* days: a machine made of fake time, which tries what a schedule says when it says so. */
#ifndef TESTS_UNIT_DAYS_H
#define TESTS_UNIT_DAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "queue/schedule.h"

/* In the schedule's milliseconds */
#define S ((int64_t)1000)
#define MIN (60 * S)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)

struct days {
    struct schedule *s;
    int64_t now;
    enum schedule_state
        says;           /* what each attempt tells of the account; UP: and the message is deferred, or */
    bool accepts;       /* ... goes */
    int tries, expired; /* counted */
    int64_t least_gap, longest_gap; /* between attempts */
    int64_t last;
};

/* RetryMin 30 seconds, RetryMax an hour, QueueLifetime five days */
extern const struct schedule_limits days_limits;

/* A schedule with these limits and so many messages for the account "hub", due by their age; who begins frees m->s. */
void days_init(struct days *m, int messages);
/* The same with one message, "a", due now. */
struct schedule_entry *days_init_one(struct days *m);
/* One attempt at what was taken; it takes no time. */
void days_try(struct days *m, struct schedule_entry *e);
/* Let it work until then. */
void days_run(struct days *m, int64_t until);
/* How many messages have expired and are there still. */
int days_expired(const struct days *m);
/* A message, due now. */
struct schedule_entry *days_add(struct days *m, const char *id, const char *account);
/* The account "hub" is found in that state. */
void days_tell(struct days *m, enum schedule_state state);

/* The next to be tried is this one; NULL: none. */
void days_expect_take(struct days *m, const struct schedule_entry *want);
void days_expect_between(int64_t got, int64_t min, int64_t max);

#endif
