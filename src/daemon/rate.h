/* SPDX-License-Identifier: ISC */
/*
 * rate: how many messages of an account may go; pure, time as an argument (milliseconds of one clock that never jumps).
 *
 * The rate in force is the smaller of `RateLimit` and of a pace of the account's own, which it has while its smarthost complains: a
 * complaint halves it (without one: what went lately), each five minutes without one give a tenth back, until it limits nothing any more.
 * Ten messages, or a tenth of the rate where that is more, may go at once, the rest comes evenly; no span of RateLimit's (an hour of
 * "100/h", a minute of "5/m") sees more than it says. Of a rate above ten the last fifth of what may go at once is kept for alerts,
 * which are not to be held up by a newsletter.
 */
#ifndef DAEMON_RATE_H
#define DAEMON_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct rates;

struct rates *rates_new(void);
void rates_free(struct rates *r);
/* The account's rate in force, messages an hour; 0: it has none. `limit` is its RateLimit here and below. */
int64_t rates_limit(struct rates *r, const char *account, struct config_rate limit, int64_t now);
/* The same in words: as RateLimit says it ("5/m") where it is in force, else "N/h" */
void rates_format(struct rates *r, const char *account, struct config_rate limit, int64_t now, char out[32]);
/* How long until one more message may go, 0 = now; `reserve`: it may use what is kept for alerts. */
int64_t rates_wait(struct rates *r, const char *account, struct config_rate limit, bool reserve, int64_t now);
/* So long it is from one to the next when many wait. 0: there is no rate. */
int64_t rates_every_ms(struct rates *r, const char *account, struct config_rate limit, int64_t now);
/* One goes. */
void rates_take(struct rates *r, const char *account, struct config_rate limit, int64_t now);
/* It did not go after all. */
void rates_give_back(struct rates *r, const char *account);
/*
 * The peer finds that too much comes, in its words `why` (copied). True: the pace is a new one. False: that is what it said within the
 * last minute, too; what was under way then says nothing new.
 */
bool rates_slow(struct rates *r, const char *account, struct config_rate limit, const char *why, int64_t now);
/* Why the account has a pace of its own; NULL: it has none. Valid until the next call. */
const char *rates_why(struct rates *r, const char *account, struct config_rate limit, int64_t now);

#endif
