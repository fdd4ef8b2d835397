/*
 * rate: `RateLimit`, messages of an account in an hour; pure, time as an argument (milliseconds of one clock that never jumps).
 *
 * A tenth of the limit may go at once, the rest comes evenly, so that no hour sees more than the limit. The last fifth of what
 * may go at once is for system users: an alert is not held up by a newsletter.
 */
#ifndef DAEMON_RATE_H
#define DAEMON_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rates;

struct rates *rates_new(void);
void rates_free(struct rates *r);
/* `per_hour` is the account's limit, 0 = none. How long until one more message may go, 0 = now; `is_system`: of a system user. */
int64_t rates_wait(struct rates *r, const char *account, int64_t per_hour, bool is_system, int64_t now);
/* One goes. */
void rates_take(struct rates *r, const char *account, int64_t per_hour, int64_t now);
/* It did not go after all. */
void rates_give_back(struct rates *r, const char *account);

#endif
