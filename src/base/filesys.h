/* SPDX-License-Identifier: ISC */
/* filesys: what systems and their file systems can do with files beyond POSIX. Each has an answer for "not here". */
#ifndef BASE_FILESYS_H
#define BASE_FILESYS_H

#include <stdbool.h>

/*
 * A file without a name below `path`, itself below the folder `dir` (AT_FDCWD), 0600, for reading and writing. -1 with errno:
 * EOPNOTSUPP, EISDIR or EINVAL where system or file system have none.
 */
int filesys_unnamed(int dir, const char *path);

/* Give it a name, which must be free: -1 with errno. Only where filesys_can_link. */
int filesys_link(int fd, int dir, const char *name);

/*
 * Can a file without a name get one in this folder, and does it have its content after a power cut, if it was synced before and the
 * folder afterwards?
 */
bool filesys_can_link(int dir);

/* The same file, opened again for reading only; -1: it cannot be done. */
int filesys_reopen(int fd);

/* Where other processes of the same user find it as long as this one lives; the caller's. NULL: nowhere. */
char *filesys_path(int fd);

/* renameat, but a file of that name is not replaced (EEXIST), if the file system can promise that: -1 with EINVAL or ENOSYS. */
int filesys_move(int from, int to, const char *name);

/*
 * A folder to go on from, by openat and its kin and fchdir: nobody needs the right to list it. `follow`: it may be a link. -1 with errno.
 */
int filesys_folder(int dir, const char *name, bool follow);

/* openat for reading; that it was read leaves no trace, where the system has that and the caller may ask for it. -1 with errno. */
int filesys_open_quietly(int dir, const char *name, int flags);

#endif
