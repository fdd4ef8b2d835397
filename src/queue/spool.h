/*
 * spool: the queue as folders and files: the only code that names them. src/queue/README.md lists the legal states, each
 * transition and every crash point. It decides nothing about mail and keeps no list: the folder is the list.
 */
#ifndef QUEUE_SPOOL_H
#define QUEUE_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "queue/record.h"

#define SPOOL_ID_MAX 40

struct spool;

/* A record being written; not mail before spool_commit. */
struct draft {
    int fd;
    char tmp_name[SPOOL_ID_MAX + 1]; /* "" = it has no name yet */
};

/*
 * All system calls of the queue that change something, so that a test can note them or let them fail. Each as the call of its
 * name: -1 with errno.
 */
struct spool_io {
    int (*temp)(int dir); /* an unnamed file, O_TMPFILE */
    int (*create)(int dir, const char *name);
    int (*sync)(int fd); /* fdatasync(2); fsync(2) for folders */
    int (*sync_dir)(int dir);
    int (*link)(int fd, int dir, const char *name);
    int (*rename)(int from, const char *name, int to, const char *new_name);
    int (*unlink)(int dir, const char *name);
};
extern const struct spool_io spool_io_system;

/*
 * Open the queue at `path`, which must exist, belong to this process's user and be writable by nobody else; its folders are made
 * where they are missing. NULL with err (75; 78 where it is not safe or of another version). `io` must outlive the spool.
 */
struct spool *spool_open(const char *path, const struct spool_io *io, struct error *err);
void spool_close(struct spool *s);
/* Take the queue's lock for reading existing records; false with err (75) when another process has it. */
bool spool_lock(struct spool *s, struct error *err);

/*
 * May more be added: the file system has `min_free` bytes left for it, and what waits is not over `max_size` bytes (0 = no
 * limit)? False with err (75).
 */
bool spool_has_room(struct spool *s, uint64_t min_free, uint64_t max_size, struct error *err);
/* Begin a record in the queue's file system; false with err (74). */
bool spool_draft(struct spool *s, const char *id, struct draft *d, struct error *err);
/* Forget a draft; nothing is left of it. A committed one is only closed. */
void spool_drop(struct spool *s, struct draft *d);
/*
 * Make a finished record (record_finish) durable and visible as `id`. On true it survives a power cut, and the caller may answer
 * 250; the draft's descriptor stays open and locked until spool_drop. On false nothing is left in the queue (74).
 */
bool spool_commit(struct spool *s, const char *id, struct draft *d, struct error *err);

/*
 * Take a committed record for an attempt: its descriptor (locked, for reading and marking) and its head. -1: it is gone or
 * another process has it; also when it cannot be read, it lies in corrupt/ then (err.class is ERROR_DATA).
 */
int spool_take(struct spool *s, const char *id, struct record *r, struct error *err);
/* Only look at a record, without a lock; for lists. -1 with err. */
int spool_look(struct spool *s, const char *id, struct record *r, struct error *err);
/* Write the recipients' states of *r into its file, durably. False with err (74). */
bool spool_mark(struct spool *s, int fd, const struct record *r, struct error *err);
/* It is over: away, or into failed/ for what could not be returned. False with err (74). */
bool spool_remove(struct spool *s, const char *id, struct error *err);
bool spool_fail(struct spool *s, const char *id, struct error *err);

/* Walk over what is committed, in no order: the next id into `id`, false at the end. Begin with spool_rewind. */
void spool_rewind(struct spool *s);
bool spool_next(struct spool *s, char id[SPOOL_ID_MAX + 1]);

#endif
