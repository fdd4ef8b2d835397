/* SPDX-License-Identifier: ISC */
/* control_snapshot: what a question at the control socket needs of the running daemon. */
#ifndef DAEMON_CONTROL_SNAPSHOT_H
#define DAEMON_CONTROL_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/control.h"
#include "daemon/core.h"

/* What only the desk knows; times by clock_ms() */
struct control_desk_view {
    int64_t begun_ms, next_run_ms; /* the daemon; the next QueueRun, 0: none */
    size_t sessions;               /* of callers */
};

/*
 * Fills `q` with the state of accounts, smarthosts, rates and deliveries; it owns copies of all it is given. Only the loop's thread
 * may call it. `is_operator`: `q` may hold what not everybody may read.
 */
void control_take_snapshot(
    struct control_request *q, struct core *c, bool is_operator, const struct control_desk_view *d);

#endif
