/* SPDX-License-Identifier: ISC */
/*
 * crowd: who is here, over how many sessions, and how much an address whose user is not known brought of late; pure, time as an
 * argument (clock_ms).
 *
 * A user of this machine is known by the kernel and answers for himself; an address elsewhere is held to what one application
 * may need, so that one that has run wild, or that somebody has broken into, leaves room for the others.
 */
#ifndef DAEMON_CROWD_H
#define DAEMON_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of one address in a minute; bytes are counted in messages of MaxMessageSize */
enum { CROWD_CONNECTIONS = 1200, CROWD_MESSAGES = 1200, CROWD_SIZES = 20 };

enum crowd_what { CROWD_CONNECTION, CROWD_MESSAGE, CROWD_BYTE, CROWD_WHATS };

struct crowd;
struct party; /* a user, or an address */

struct crowd *crowd_new(void);
void crowd_free(struct crowd *c);
/*
 * One more session of this user, or with uid -1 of this address; a user who comes by TCP (there is an address) is another party
 * than the same on our own socket, so that an application with too many connections leaves sendmail alone. It belongs to the crowd and is valid until crowd_leave, once for
 * each crowd_enter. NULL: more addresses than can be told apart.
 */
struct party *crowd_enter(struct crowd *c, int64_t uid, const char *address, int64_t now);
void crowd_leave(struct party *p);
size_t party_sessions(const struct party *p);
/* The one of all with the most sessions; NULL: nobody is here. */
const struct party *crowd_largest(const struct crowd *c);
/* May it bring one (more) of these now? One that is a user may always. `per_minute` is the limit. */
bool party_may(struct party *p, enum crowd_what what, int64_t per_minute, int64_t now);
/* It did: `n` of them. More than the rest of the minute's is possible and delays what comes next. */
void party_took(struct party *p, enum crowd_what what, int64_t n);

#endif
