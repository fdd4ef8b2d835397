/* SPDX-License-Identifier: ISC */
/* schedule_state: what the parts of schedule share; nobody else includes it. */
#ifndef QUEUE_SCHEDULE_STATE_H
#define QUEUE_SCHEDULE_STATE_H

#include "base/heap.h"
#include "queue/health.h"
#include "queue/schedule.h"

#define SCHEDULE_ACCOUNTS_MANY 256

struct account {
    char *name;
    struct health health;
    struct heap waiting; /* its entries that are not active, */
    struct heap alerts;  /* and those of them that overtake */
    unsigned in_a_row;   /* alerts taken while others waited */
    size_t entries;      /* active ones included */
    bool blocked;        /* may_start said no in the last schedule_take */
};

/* Alerts of a user that are in the schedule */
struct alerting {
    int64_t uid;
    unsigned n; /* 0: the place is free */
};
enum { ALERTING_MAX = 100, ALERTS_IN_A_ROW = 4 };

/* A hundred thousand of them fit in little memory: 64 bytes and the id. */
struct schedule_entry {
    struct heap_node node; /* first: a node is its entry */
    uint8_t failures;      /* see schedule_is_expired; stops at 255 */
    uint8_t alert;         /* its user's place + 1, 0 = it is none */
    bool active, held;
    struct schedule_entry *before, *after; /* in the list */
    struct schedule_entry *chain;          /* in the table */
    struct account *account;
    int64_t due;         /* HEALTH_NEVER: at the next run */
    int64_t born, added; /* by the account's clock */
    char id[];
};

struct schedule {
    struct schedule_limits limits;
    uint64_t seed;
    bool doubts; /* of new accounts */
    struct account **account;
    size_t accounts, turn; /* where schedule_take begins */
    size_t accounts_max;   /* before some are forgotten */
    struct schedule_entry **table;
    size_t buckets, count; /* buckets is a power of two */
    struct alerting alerting[ALERTING_MAX];
    struct schedule_entry *first, *last;
};

/* schedule_account.c */
struct account *schedule_find_account(const struct schedule *s, const char *name);
/* That, or a new one. */
struct account *schedule_want_account(struct schedule *s, const char *name, int64_t now);
void schedule_free_account(struct account *a);

/* schedule_table.c */
/* Into the table and at the end of the list, and out of both. */
void schedule_table_add(struct schedule *s, struct schedule_entry *e);
void schedule_table_remove(struct schedule *s, struct schedule_entry *e);

#endif
