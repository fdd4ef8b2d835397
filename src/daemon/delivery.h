/* SPDX-License-Identifier: ISC */
/*
 * delivery: a message that somebody works on, from the end of its content, or from when its turn comes, until what became of it is
 * written down (daemon/README.md). Shared by dispatch, attempt, commit and settle, which change it; the loop's alone, but while settling.
 */
#ifndef DAEMON_DELIVERY_H
#define DAEMON_DELIVERY_H

#include "daemon/core.h"
#include "daemon/submission.h"

/* What the attempt that is under way, or ended last, has brought, for the history */
struct delivery_attempt {
    int64_t begun_ms;
    size_t sent, refused, deferred; /* recipients that facts came for */
    char *reply, *trouble;          /* the first words; NULL: none */
};

struct delivery {
    struct delivery *next;
    struct core *core;
    struct client *client; /* who waits for the verdict, NULL = nobody (any more) */
    bool from_queue, expired;
    struct submission *sub;
    struct schedule_entry *entry; /* of the queue, active; NULL = not there */
    int fd;                       /* its file in the queue, locked; -1 = not there */
    struct pool_job *job;
    char *account;              /* of the attempt that is under way or ended last */
    struct loop_timer *timer;   /* InteractiveTimeout */
    bool storing, store_failed; /* a commit is under way; the queue cannot take it */
    char *unqueued;             /* why the queue cannot; NULL: nobody said */
    bool answered, refused;     /* the client knows; it knows of a failure */
    /* what the attempt that ended last, or is under way, said of its account */
    bool reached, account_failed, frozen, delivered, throttled;
    char *reason;
    struct delivery_attempt attempt;
    char *hold; /* somebody wants it held when the attempt is over, and why; NULL: nobody */
};

/* `s` becomes the delivery's. */
struct delivery *delivery_new(struct core *c, struct submission *s);
/* It is over: also looks for what may be tried next, and says so when nothing is left. */
void delivery_free(struct delivery *d);
/* One line a message in the log: who, from whom, to whom, how it went; and in the history. `why` may be NULL. */
void delivery_log(const struct delivery *d, const char *status, const char *why);
/* An attempt begins: nothing is known of it. */
void delivery_attempt_begin(struct delivery *d);
/* The attempt that is under way, or ended last, went by settings that are no longer in force. */
bool delivery_is_outdated(const struct delivery *d);
/* KEY (with ="), words and '"' for that line: what a peer says, at most 1000 octets, ends where its quotes do. */
void delivery_add_words(struct buf *b, const char *key, const char *words);
/* What the worker says it used (JOB_DONE): one of relay, tls, auth, delays of "key=value key="quoted value" ..." */
struct slice delivery_used_value(struct slice used, const char *key);
/* These four for that line, as far as each can be one word of it; nothing else that the worker says. */
void delivery_add_used(struct buf *b, struct slice used);
/* Why it is not, or not wholly, delivered; NULL: nobody said. */
const char *delivery_trouble(const struct delivery *d);
/* Why it is not delivered, where no recipient says more. */
void delivery_because(struct delivery *d, const char *reason);
/* The road of a message as it is now (config/road), in fresh memory; where its account has gone, of the one it would get today. */
char *delivery_road(const struct core *c, const struct record *r);
/* The same for each of the members. */
void delivery_find_roads(const struct core *c, struct submission *s);
/* The name of a road's account: whose workers and whose limits it has. */
const char *delivery_account(const struct core *c, const char *road);
/* Of a service, not of a person: what it has to say is short of time. */
bool delivery_is_of_system(const struct core *c, int64_t uid);
/* By the wall clock, never negative. */
int64_t delivery_age_ms(const struct record *r);
/* What is done with the active entry `e` ends with its being held, unless nothing is left of it; NULL: no more. */
void delivery_hold(struct core *c, const struct schedule_entry *e, const char *reason);

#endif
