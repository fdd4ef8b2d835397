/* park: what cannot be delivered now goes from a submission into the queue. */
#ifndef DAEMON_PARK_H
#define DAEMON_PARK_H

#include "daemon/submission.h"
#include "queue/spool.h"

/*
 * The queue at `path` where this process may write to it. NULL: there is none, and the caller keeps the message; err says
 * why. Root becomes the owner of the folder first, for good (user, group, no other groups).
 */
struct spool *park_open(const char *path, struct error *err);
/*
 * Commit a record for each account that has deferred members (submission_is_deferred); these are `queued` then. False with err:
 * nothing of it is in the queue.
 */
bool park_rest(struct spool *spool, struct submission *s, struct error *err);

#endif
