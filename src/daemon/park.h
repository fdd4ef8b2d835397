/* SPDX-License-Identifier: ISC */
/*
 * park: what cannot be delivered now goes from a submission into the queue: a record for each road (config/road). Packing is done where the
 * submission lives, storing may be done in another thread: a parcel shares nothing that changes meanwhile.
 */
#ifndef DAEMON_PARK_H
#define DAEMON_PARK_H

#include "daemon/submission.h"
#include "queue/spool.h"

/* One record to be. */
struct parcel {
    struct parcel *next;
    struct record record; /* its strings, but for those of its own, are the submission's */
    char id[SPOOL_ID_MAX + 1];
    struct draft draft; /* after park_store: its file, locked */
};

enum park_which {
    PARK_DEFERRED, /* those who are not served: attempts under way have ended */
    PARK_ALL, /* everybody with the same index, as it is now: an attempt of the one account is under way */
};

struct park_limits {
    uint64_t min_free, max_size; /* MinFree, MaxQueueSize; 0 = none */
};

/*
 * The queue at `path` where this process may write to it. NULL: there is none, and the caller keeps the message; err says
 * why. Root becomes the owner of the folder first, for good (user, group, no other groups).
 */
struct spool *park_open(const char *path, struct error *err);
/*
 * Records for what `which` says, one for each account, and with direct delivery for each domain as long as those are few; NULL when there is nobody. `reason` (may be NULL) is why they wait where no
 * member knows. False in *fits: for too many accounts.
 */
struct parcel *park_pack(const struct submission *s, enum park_which which, const char *reason, bool *fits);
/*
 * Make them durable, all or none: `fd` has the content of `from` (record.content_offset, `size` bytes). False with err (74; 75 where
 * there is no room): nothing of it is in the queue. Runs in any thread.
 */
bool park_store(struct spool *spool, struct parcel *list, const struct park_limits *limits, int fd,
    uint64_t offset, uint64_t size, struct error *err);
/* Free the list; drafts that were not taken over (fd = -1) are closed. */
void park_free(struct spool *spool, struct parcel *list);

#endif
