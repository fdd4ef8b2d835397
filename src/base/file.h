/* SPDX-License-Identifier: ISC */
/* file: whole reads and writes over descriptors, and files opened with care. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/* Write all; EINTR is repeated, EAGAIN waited for. False with errno set. */
bool file_write(int fd, const void *data, size_t len);
/* pwrite all at `offset`. False with errno set. */
bool file_pwrite(int fd, const void *data, size_t len, off_t offset);
/* pread exactly `len` bytes; false with errno set (EIO when the file is shorter). */
bool file_pread(int fd, void *data, size_t len, off_t offset);
/* read(2) with EINTR repeated: bytes, 0 at the end, -1 with errno. */
ssize_t file_read_some(int fd, void *data, size_t len);
/*
 * Open a regular file for reading: never blocks on a FIFO, never a device or folder. Symbolic links are followed (an
 * administrator may use them). *st is that of the open file. -1 with err (class ERROR_CONFIG; ERROR_TEMP where the system is
 * short of something) and errno.
 */
int file_open_regular(const char *path, struct stat *st, struct error *err);
/* The same for one that was just opened, or errno says why not: `fd`, or -1 and it is closed. */
int file_regular(int fd, const char *path, struct stat *st, struct error *err);
/* All of the rest of `fd` into `out` (bounded by out->max: err says the file is too large). */
bool file_read_all(int fd, struct buf *out, const char *name, struct error *err);
/*
 * An unnamed file for writing and reading in the first of `dirs` (NULL-terminated, NULL or "" entries are passed over)
 * that works: O_TMPFILE, else made 0600 with a random name and unlinked at once. -1 with err (ERROR_IO; ERROR_TEMP where there is
 * no descriptor or memory for it now).
 */
int file_temp(const char *const *dirs, struct error *err);
/* A memfd with this content, sealed against any change (F_SEAL_*); an unnamed file where memfd is missing. -1 with err. */
int file_sealed(const char *name, struct slice content, struct error *err);
/* `path`, by the folder the process is in where it does not begin with a slash; as it is where that has no name. Fresh memory. */
char *file_absolute(const char *path);
/* Make the folders above `path` that are missing, for anybody to walk through (0755); what fails shows when `path` is used. */
void file_make_parents(const char *path);
/* The same file again, read-only where /proc allows; -1 with errno. */
int file_reopen(int fd);
/* Make sure descriptors 0, 1 and 2 are open (on /dev/null where they are not). */
bool file_open_standard(void);
/* O_NONBLOCK on or off. */
bool file_nonblocking(int fd, bool on);
/* close(2) unless *fd is -1, and set it to -1. */
void file_close(int *fd);

#endif
