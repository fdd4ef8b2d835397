/* SPDX-License-Identifier: ISC */
/* control_rate: which messages wait for the rate of their account, and until when; shared by the parts of control and its owner. */
#ifndef DAEMON_CONTROL_RATE_H
#define DAEMON_CONTROL_RATE_H

#include "daemon/control.h"

/* So many messages of an account are told when they go; of the others that it will be later. */
enum { CONTROL_TURNS_MAX = 500, CONTROL_REASON_MAX = 120 };

/*
 * The rate of the account added last: `shown` (what it is in words) and `why` (may be NULL) are copied. Then come the ids that are over
 * it, in the order in which they go, each with when (seconds from now), and control_rate_end.
 */
void control_rate_begin(struct control_request *q, int64_t per_hour, const char *shown, const char *why);
void control_rate_turn(struct control_request *q, const char *id, int64_t at_s);
void control_rate_end(struct control_request *q);
void control_rate_clear(struct control_rate *r);

/* Does it wait for the rate: seconds until it goes; -1: it does not. *after: later than that. */
int64_t control_rate_wait(const struct control_request *q, const struct record *r, bool *after);
/* The same as a reason; NULL: it does not. */
const char *control_rate_reason(
    const struct control_request *q, const struct record *r, char reason[CONTROL_REASON_MAX]);
/* "12:34", with the day in front if that is not today. */
void control_rate_clock(char *out, size_t size, int64_t in_s);

#endif
