/* SPDX-License-Identifier: ISC */
/* control_session: one question at `Socket`.ctl and its answer (daemon/control), for the loop of a daemon. */
#ifndef DAEMON_CONTROL_SESSION_H
#define DAEMON_CONTROL_SESSION_H

#include "daemon/core.h"
#include "daemon/listen.h"

struct control_desk;

struct control_desk *control_desk_new(struct core *core, const struct listen *clients);
/* Ends all sessions; waits for answers that are being written, which has its time limit. */
void control_desk_free(struct control_desk *d);
/* Accept questions on a listening socket, which is owned from now on. */
void control_desk_add(struct control_desk *d, int fd);
/* Nobody new. */
void control_desk_stop(struct control_desk *d);
/* For `status`: when the queue is run next (clock_ms). */
void control_desk_next_run(struct control_desk *d, int64_t at);

#endif
