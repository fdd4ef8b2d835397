/* SPDX-License-Identifier: ISC */
/* watched: a queue of its own whose calls are noted, and fail when they are told to. */
#ifndef TESTS_UNIT_WATCHED_H
#define TESTS_UNIT_WATCHED_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/spool.h"

/* The one that is open */
struct watched {
    char dir[64];
    char calls[256]; /* a letter for each call that changed something, in order */
    char fail_at;    /* this one fails; R: reading, o: opening, k: locking */
    int fails_with;
    bool fail_unlink;
    size_t opens, reads;
};
extern struct watched watched;

/* A file system that has unnamed files, one that has none, one that takes less at a time than it is given */
extern const struct spool_io watched_io, watched_named, watched_short;

/* The content of all messages here, and it in a file behind 7 other bytes */
#define WATCHED_TEXT "Subject: x\r\n\r\nhi\r\n"
int watched_content(void);

/* Make an empty queue, and remove it with all that is in it. */
struct spool *watched_open(const struct spool_io *with);
void watched_close(struct spool *s);
/* How many files are in that folder of it. */
size_t watched_count(const char *folder);
/* A message to two recipients, and store it. */
void watched_record(struct record *r, const char *id);
bool watched_commit(struct spool *s, const char *id, struct error *err);

#endif
