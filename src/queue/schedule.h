/* SPDX-License-Identifier: ISC */
/*
 * schedule: which waiting message may be tried when. Pure: no I/O, no clock, no names of files; it knows ids, accounts and times.
 *
 * Two back-offs, apart: a message waits by its own age, an account that fails waits by itself. While an account is down, one
 * message of it at a time is the probe; as soon as it works again, all that is due may go. Every `now` is in milliseconds of one
 * clock that never jumps (CLOCK_BOOTTIME) and never runs backwards; a time span may be 10 % shorter or longer than its rule says,
 * so that a thousand messages do not come at once.
 *
 * The order at the end of an attempt: first schedule_account (what it told about the account, if anything), then
 * schedule_remove, schedule_tried or schedule_untried, then perhaps schedule_is_expired. An attempt in which the peer took MAIL
 * says SCHEDULE_UP, whatever became of the message.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Attempts without success that expiry needs besides age, of the message or of its account while that is down. */
#define SCHEDULE_EXPIRY_ATTEMPTS 3
/* Messages of one user that overtake others at the same time. */
#define SCHEDULE_ALERTS_MAX 10
/* The longest an account rests when one attempt after another cannot begin, so that thousands of messages do not spin. */
#define SCHEDULE_PAUSE_MS 1000

struct schedule;
struct schedule_entry; /* where it lies does not change until schedule_remove */

struct schedule_limits {
    int64_t retry_min_ms, retry_max_ms,
        lifetime_ms; /* RetryMin, RetryMax, QueueLifetime; out of range is clamped */
};

enum schedule_state {
    SCHEDULE_UP,
    SCHEDULE_DOWN,   /* it fails: back-off from RetryMin, doubling to RetryMax */
    SCHEDULE_FROZEN, /* only the administrator can mend it: RetryMax at once, its mail does not age */
};

/* When an entry that is added is due for the first time. */
enum schedule_due {
    SCHEDULE_NOW,
    SCHEDULE_BY_AGE, /* as after an attempt: by the back-off from its age */
    SCHEDULE_AT_RUN, /* not before schedule_run or schedule_release */
    SCHEDULE_HELD,   /* not before schedule_let */
};

/* `seed`: of the jitter. Freed with schedule_free. */
struct schedule *schedule_new(const struct schedule_limits *limits, uint64_t seed);
void schedule_free(struct schedule *s);
/* From now on an account that nothing was learnt of yet is tried by one message first: a wrong password costs one login. */
void schedule_doubt(struct schedule *s);
/* New settings: they hold from each entry's and account's next step on; lifetime at once. */
void schedule_set_limits(struct schedule *s, const struct schedule_limits *limits);

/*
 * A message that waits: for how long already (by the wall clock, so it is believed only as far as expiry allows), attempts before.
 * An id that is there already is left as it is and returned. Strings are copied.
 */
struct schedule_entry *schedule_add(struct schedule *s, const char *id, const char *account, int64_t age_ms,
    int64_t attempts, enum schedule_due due, int64_t now);
/* NULL: not there. */
struct schedule_entry *schedule_find(const struct schedule *s, const char *id);
/* Forget it, active or not; `e` is freed. What is known of its account stays. */
void schedule_remove(struct schedule *s, struct schedule_entry *e);

const char *schedule_id(const struct schedule_entry *e);
const char *schedule_account_of(const struct schedule_entry *e);
/* Is an attempt under way? */
bool schedule_is_active(const struct schedule_entry *e);
/* Is it held? */
bool schedule_is_held(const struct schedule_entry *e);
/* Ms until its own next time (not its account's); 0 = due or active, -1 = at the next run, or held. */
int64_t schedule_next(const struct schedule_entry *e, int64_t now);
/* How long it has waited, without the time its account was frozen. */
int64_t schedule_age(const struct schedule *s, const struct schedule_entry *e, int64_t now);

/*
 * It is of a system user (`uid`): it overtakes the others of its account. Of one user only so many at a time do (SCHEDULE_ALERTS_MAX):
 * a hundred messages are no alert.
 */
void schedule_alert(struct schedule *s, struct schedule_entry *e, int64_t uid);

/*
 * May one more attempt of the account begin at once? `reserve`: it may use what is kept for alerts: it is one, or others have had to
 * let so many alerts pass that it is their turn.
 */
typedef bool schedule_may_start(void *ctx, const char *account, bool reserve);
/*
 * The next entry that may be tried now, active from now on; NULL: none. Accounts take turns; in one, alerts come first (four in a row
 * while others wait), then the most overdue. `may_start` NULL: always.
 */
struct schedule_entry *schedule_take(
    struct schedule *s, int64_t now, schedule_may_start *may_start, void *ctx);
/* Those of an account that are due, the first `max` of them in the order in which they will be tried; returns how many. */
size_t schedule_line(const struct schedule *s, const char *account, int64_t now,
    const struct schedule_entry **line, size_t max);
/*
 * Ms until schedule_take may have something, 0 = now, -1 = not without an event. Accounts that `may_start` refused in the last
 * schedule_take are left out: whoever ends an attempt calls schedule_take anyway.
 */
int64_t schedule_wait(const struct schedule *s, int64_t now);
/* Somebody else is trying it (an interactive attempt that was committed while under way): it is active; no harm if it is. */
void schedule_activate(struct schedule *s, struct schedule_entry *e);
/*
 * The attempt is over and the message stays: its next time by its age. A probe that failed with its account waits for that alone;
 * one that told nothing of the account leaves it down for as long as before.
 */
void schedule_tried(struct schedule *s, struct schedule_entry *e, int64_t now);
/*
 * The attempt did not begin (another process has the file, it cannot be read now): again after RetryMin. The account pauses for a
 * moment, longer each time until an attempt ends or tells something.
 */
void schedule_untried(struct schedule *s, struct schedule_entry *e, int64_t now);

/*
 * Hold it: it is not tried, whatever runs, and does not expire, until schedule_let. One whose attempt is under way is to be left
 * until that is over.
 */
void schedule_hold(struct schedule *s, struct schedule_entry *e);
/* Let it go: neither held nor active any more, due now. */
void schedule_let(struct schedule *s, struct schedule_entry *e, int64_t now);

/*
 * May the message be given up? It needs age without frozen time >= QueueLifetime, time since it was added (4 RetryMax or
 * QueueLifetime, the shorter) and SCHEDULE_EXPIRY_ATTEMPTS failures since it got so old: its own (attempts from before it was
 * added count as one) and, while its account is down, the account's. So a clock that jumps, a machine that slept and a smarthost
 * that just came back expire nothing: never true while the account is frozen, nor when it is up and the message's turn is next.
 * To be asked after schedule_tried, and now and then of all entries that are not active.
 */
bool schedule_is_expired(const struct schedule *s, const struct schedule_entry *e, int64_t now);

/*
 * What was learnt of an account, by attempts from the queue and interactive ones alike. UP ends its back-off. DOWN and FROZEN are
 * one step of it, but not while its next time has not come: that only says again what is known. `reason` is copied, NULL for UP.
 */
void schedule_account(
    struct schedule *s, const char *account, enum schedule_state state, const char *reason, int64_t now);
/*
 * Shall a new message try the account? DOWN and FROZEN only while its next time has not come or a probe is under way; else UP:
 * the message is the probe (say so with schedule_probe). `*reason` (may be NULL) is why its last attempt failed, also then;
 * NULL when that was none; valid until the next schedule_account.
 */
enum schedule_state schedule_account_state(
    const struct schedule *s, const char *account, int64_t now, const char **reason);
/* What was learnt last, probe or not: for lists. */
enum schedule_state schedule_account_last(const struct schedule *s, const char *account, const char **reason);
/* For how many ms it has been so: down or frozen, 0 while it is up. */
int64_t schedule_account_since(const struct schedule *s, const char *account, int64_t now);
/* The name of one after the other of those that something is known of, NULL behind the last; how many entries it has. */
const char *schedule_account_name(const struct schedule *s, size_t i);
size_t schedule_account_waiting(const struct schedule *s, size_t i);
/* Ms until an account that is down may be tried; 0 = now, or it is up. */
int64_t schedule_account_next(const struct schedule *s, const char *account, int64_t now);
/*
 * An interactive attempt begins. If its account is down, this is the probe: nothing else tries it until schedule_account, or
 * until the back-off's present step has passed without.
 */
void schedule_probe(struct schedule *s, const char *account, int64_t now);

/*
 * `sendmail -q`: all entries that are `meant` (NULL: all) are due now, and their accounts (NULL: all accounts) may be tried now;
 * where that fails, the back-off goes on from where it was. Entries under way are left alone. Not for a timer: each call may cost a login.
 */
void schedule_run(
    struct schedule *s, bool (*meant)(void *ctx, const struct schedule_entry *), void *ctx, int64_t now);
/* The settings are new: as schedule_run of all, and no probe is waited for that is under way by those of before. */
void schedule_renew(struct schedule *s, int64_t now);
/* As schedule_run for one of them, unless it is held. */
void schedule_hurry(struct schedule *s, struct schedule_entry *e, int64_t now);
/* QueueRun's timer: the entries that wait for a run are due now; nothing that failed is hurried. */
void schedule_release(struct schedule *s, int64_t now);

/* Walk over all in the order they were added. Adding and removing others meanwhile is fine. */
struct schedule_entry *schedule_first(const struct schedule *s);
struct schedule_entry *schedule_after(const struct schedule_entry *e);
size_t schedule_count(const struct schedule *s);

#endif
