/* SPDX-License-Identifier: ISC */
/* scan: finds what is committed and not in the schedule yet: at the start, at each QueueRun, and when others have added something. */
#ifndef DAEMON_SCAN_H
#define DAEMON_SCAN_H

#include "daemon/core.h"

/* Look from the beginning, a piece at a time, from the loop; what is new is due by `due`. One that is under way begins anew. */
void scan_begin(struct core *c, enum schedule_due due);
/* All in one go (`--run`). */
void scan_all(struct core *c, enum schedule_due due);

#endif
