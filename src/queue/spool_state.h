/* SPDX-License-Identifier: ISC */
/* spool_state: what the files of spool share. Nobody else includes it. */
#ifndef QUEUE_SPOOL_STATE_H
#define QUEUE_SPOOL_STATE_H

#include <dirent.h>
#include <stdatomic.h>

#include "queue/spool.h"

struct spool {
    const struct spool_io *io;
    char *path;
    int dir, queue, tmp, failed, corrupt, lock;
    atomic_bool named; /* no O_TMPFILE here, or no links: drafts lie in tmp/ */
    /* of all records, kept up by what is added and removed here; others are seen when it is counted again */
    _Atomic int64_t size;
    _Atomic int64_t counted; /* clock_ms, 0 = never asked for */
    DIR *walk;
    bool walks_failed; /* it goes over failed/ */
};

/* A name of ours: nothing but digits and capitals, not too long. */
bool spool_is_id(const char *id);
/* A walk of its own over one of the folders; NULL with errno. */
DIR *spool_list(struct spool *s, const char *folder);
/* The next id; false at the end, and where `d` is NULL. */
bool spool_list_next(DIR *d, char id[SPOOL_ID_MAX + 1]);
/* All of it at `offset`. False with errno. */
bool spool_write(const struct spool *s, int fd, const void *data, size_t len, uint64_t offset);
/* Bytes of a record in queue/, 0 where it is not there. */
int64_t spool_size(struct spool *s, const char *id);

#endif
