/* SPDX-License-Identifier: ISC */
/*
 * spool: the queue as folders and files: the only code that names them. src/queue/README.md lists the legal states, each
 * transition and every crash point. It decides nothing about mail and keeps no list: the folder is the list.
 *
 * Its functions may be called from several threads at once (but a record is one thread's, and so is the walk over them).
 */
#ifndef QUEUE_SPOOL_H
#define QUEUE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "queue/record.h"

#define SPOOL_ID_MAX 40

struct spool;

/* A record that spool_store has written: its descriptor, locked */
struct draft {
    int fd;
};

/*
 * All system calls on the queue's files that a test may want to note or let fail. Each as the call of its name: -1 with errno.
 */
struct spool_io {
    int (*mkdir)(int dir, const char *name);
    int (*temp)(int dir); /* an unnamed file, O_TMPFILE */
    int (*create)(int dir, const char *name);
    ssize_t (*write)(int fd, const void *data, size_t len, off_t offset);
    int (*sync)(int fd); /* fdatasync(2); fsync(2) for folders */
    int (*sync_dir)(int dir);
    int (*link)(int fd, int dir, const char *name);
    int (*rename)(int from, int to, const char *name);
    int (*enter)(int from, int to, const char *name); /* rename that replaces nothing: EEXIST */
    int (*unlink)(int dir, const char *name);
    /* these change nothing */
    int (*open)(int dir, const char *name, int flags);
    ssize_t (*read)(int fd, void *data, size_t len, off_t offset);
    int (*lock)(int fd); /* flock(2), exclusive, EWOULDBLOCK where another one has it */
};
extern const struct spool_io spool_io_system;

/*
 * Open the queue at `path`, which must exist, belong to this process's user and be writable by nobody else; its folders are made
 * where they are missing. NULL with err (75; 78 where it is not safe or of another version). `io` must outlive the spool.
 */
struct spool *spool_open(const char *path, const struct spool_io *io, struct error *err);
void spool_close(struct spool *s);
/*
 * Take the queue's lock for reading existing records; false with err (75) when another process has it. Removes from tmp/ what
 * nobody writes any more, and moves what has no message's name from queue/ to corrupt/.
 */
bool spool_lock(struct spool *s, struct error *err);
/* The same again, for who keeps the lock for long. */
void spool_clean(struct spool *s);

/* Is it still what lies at its path? Not where somebody has removed or moved it. */
bool spool_is_there(const struct spool *s);

/* The size of all files of what waits: looks at each of them. */
uint64_t spool_bytes(struct spool *s);
/*
 * May more be added: the file system has `min_free` bytes left for it, and what waits is not over `max_size` bytes (0 = no
 * limit; what another process adds counts a few minutes later)? False with err (75).
 */
bool spool_has_room(struct spool *s, uint64_t min_free, uint64_t max_size, struct error *err);
/*
 * spool_store - add a record to the queue, with content from another file
 *
 * r->id names it; the content is `size` bytes of `content_fd` from `content_offset` on. The record's hints are written, too. On
 * true it survives a power cut, and the caller may answer 250; *out stays locked, so that nobody else tries it, until
 * spool_drop, and *r is as spool_take gives it. On false nothing is left in the queue (74; 69 where the envelope is too large).
 */
bool spool_store(struct spool *s, struct record *r, int content_fd, uint64_t content_offset, uint64_t size,
    struct draft *out, struct error *err);
/* Unlock and close it; the record stays in the queue. */
void spool_drop(struct spool *s, struct draft *d);

/*
 * Take a committed record for an attempt: its descriptor (locked, for reading and marking) and its head. -1 with err:
 * ERROR_TEMP: it is gone or another process has it; ERROR_DATA: it cannot be understood, or is not ours to read, and lies in
 * corrupt/ now (or err says why not); ERROR_IO: it could not be opened or read this time (no descriptor, a disk's error) and stays.
 */
int spool_take(struct spool *s, const char *id, struct record *r, struct error *err);
/* Only look at a record, without a lock; for lists. -1 with err. */
int spool_look(struct spool *s, const char *id, struct record *r, struct error *err);
/*
 * The same as cheap as can be (three calls), for many: only the head is read, whether all of it is there is spool_take's to say.
 * On true the caller clears *r.
 */
bool spool_head(struct spool *s, const char *id, struct record *r, struct error *err);
/* Write the recipients' states of *r into its file, durably. False with err (74): some may be lost. May be called again. */
bool spool_mark(struct spool *s, int fd, const struct record *r, struct error *err);
/* Write the hints of *r into its file. False: they are lost, which harms nothing. */
bool spool_note(struct spool *s, int fd, const struct record *r);
/* Hold it, or let it go: is_held and hold_reason of *r into its file, durably. False with err (74; 69: a file of an older version). */
bool spool_hold(struct spool *s, int fd, const struct record *r, struct error *err);
/* It is over: away, or into failed/ for what could not be returned. False with err (74). */
bool spool_remove(struct spool *s, const char *id, struct error *err);
bool spool_fail(struct spool *s, const char *id, struct error *err);
/*
 * Remove from failed/ what was last written to before `before` (seconds of the wall clock), as an attempt writes to it. Returns how
 * many. For who has the queue's lock.
 */
size_t spool_expire(struct spool *s, int64_t before);

/*
 * What lies in failed/: look at it as spool_look does; remove it; put it back into the queue, its refused recipients open again.
 * False (-1) with err. For who has the queue's lock.
 */
int spool_look_failed(struct spool *s, const char *id, struct record *r, struct error *err);
bool spool_remove_failed(struct spool *s, const char *id, struct error *err);
bool spool_revive(struct spool *s, const char *id, struct error *err);

/* How many files lie in failed/ or corrupt/. */
enum spool_kept { SPOOL_FAILED, SPOOL_CORRUPT };
size_t spool_count(struct spool *s, enum spool_kept which);

/*
 * Walk over what is committed, in no order: the next id into `id`, false at the end. Begin with spool_rewind. There is one walk
 * at a time.
 */
void spool_rewind(struct spool *s);
/* The same walk over failed/. */
void spool_rewind_failed(struct spool *s);
bool spool_next(struct spool *s, char id[SPOOL_ID_MAX + 1]);

#endif
