/* SPDX-License-Identifier: ISC */
/*
 * alarm: the helper's part of trouble: runs the TroubleCommand, one at a time and in the order of what happened, each in a process of
 * its own, so that the helper never waits. What the daemon says is its standard input and nothing else.
 */
#ifndef DAEMON_ALARM_H
#define DAEMON_ALARM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "daemon/identity.h"

struct alarm;

/* A command that takes longer than `limit_ms` is killed. It runs as `id`. */
struct alarm *alarm_new(const struct identity *id, int64_t limit_ms);
/* What runs goes on by itself. NULL is fine. */
void alarm_free(struct alarm *a);
/* Run what `c` has as TroubleCommand (nothing: nothing is done) with `text`. */
void alarm_raise(struct alarm *a, const struct config *c, const char *text);
/* A child of this process has been reaped; it may have been ours. The next one begins. */
void alarm_reaped(struct alarm *a, const struct config *c, pid_t pid, int status);

#endif
