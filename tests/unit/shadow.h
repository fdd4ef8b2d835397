/* SPDX-License-Identifier: ISC */
/*
 * shadow: what of a queue is on the disk, as a pessimist sees it.
 *
 * All calls of a spool (shadow_io) are noted. What a file system may lose in a power cut is everything but: the bytes of a file
 * that was synced after they were written, and the names of a folder that was synced after they were made. A rename is one step.
 * Whatever else was done may be there or not, in any order, and what was written may be there in part. shadow_states makes each
 * such folder in turn.
 */
#ifndef TESTS_UNIT_SHADOW_H
#define TESTS_UNIT_SHADOW_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/spool.h"

/* Calls of the program under test, as they are noted */
enum shadow_kind {
    SHADOW_MKDIR,
    SHADOW_NAME,
    SHADOW_RENAME,
    SHADOW_UNLINK,
    SHADOW_WRITE,
    SHADOW_SYNC,
    SHADOW_SYNC_DIR,
    SHADOW_TOLD
};

struct shadow_event {
    enum shadow_kind kind;
    int inode, dir, to; /* folders as indices: 0 is the queue's own */
    char name[48];
    char *data; /* SHADOW_WRITE */
    size_t len, offset;
    int told; /* SHADOW_TOLD: the test's own: what the program was told, and of what */
};

/* Begin with the queue at `path`, in which nothing has been noted; its calls go through *shadow_io(). One at a time. */
void shadow_begin(const char *path, bool unnamed_files);
const struct spool_io *shadow_io(void);
/* Let call number `n` from now on fail with EIO (0 = the next one, -1 = none). */
void shadow_fail(int n);
/* Was it made; which kind was it, and how many events came before? */
bool shadow_has_failed(enum shadow_kind *kind, size_t *event);
/* Note what the program was told. */
void shadow_tell(int told, const char *name);
void shadow_end(void);

size_t shadow_count(void);
const struct shadow_event *shadow_event(size_t i);
/*
 * For each state the disk may be in when the power goes after the first `n` events: make it below `path` (an empty folder, emptied
 * again afterwards) and call `look`. Returns how many there were.
 */
size_t shadow_states(size_t n, const char *path, void (*look)(void *ctx), void *ctx);

#endif
