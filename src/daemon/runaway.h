/* SPDX-License-Identifier: ISC */
/*
 * runaway: who hands in more mail than anybody means to: counts by user and, for system users, by unit; pure, time as an argument
 * (milliseconds of one clock that never jumps).
 *
 * Over the limit within an hour one is a runaway, and stays one until an hour sees no more than half of it, or until somebody says that
 * it is all right. A person's units do not count (each session, each systemd-run has one of its own), nor do such of system users, of
 * whom some units are told apart and all others count as one.
 */
#ifndef DAEMON_RUNAWAY_H
#define DAEMON_RUNAWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct runaways;

enum runaway_state {
    RUNAWAY_NONE,
    RUNAWAY_NEW, /* since this message; nobody was told of it within the last hour */
    RUNAWAY_KNOWN,
};

/* Valid until the next call. */
struct runaway {
    int64_t uid;
    const char *unit; /* "": all of them */
    size_t count;     /* messages in so many minutes */
    int64_t minutes;
};

struct runaways *runaways_new(void);
void runaways_free(struct runaways *r);
/*
 * One more message of `uid` from `unit` (may be NULL or ""); `by_unit`: a system user. `per_hour` is the limit, 0 = none. *out is set
 * unless the answer is NONE.
 */
enum runaway_state runaways_count(struct runaways *r, int64_t uid, const char *unit, bool by_unit,
    int64_t per_hour, int64_t now, struct runaway *out);
/* It is all right: what `uid` (-1: everybody) has handed in so far counts no more. */
void runaways_forgive(struct runaways *r, int64_t uid);
/* One that was a runaway and is none any more; each is told once. */
bool runaways_calm(struct runaways *r, int64_t per_hour, int64_t now, struct runaway *out);

#endif
