/* SPDX-License-Identifier: ISC */
/* filesys: O_TMPFILE, renameat2, O_NOATIME, and descriptors by their names in /proc. */
#include "base/filesys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

enum { MOVE_NOREPLACE = 1 }; /* RENAME_NOREPLACE: not every libc has renameat2 */
#define FS_BTRFS 0x9123683Eu

int
filesys_unnamed(int dir, const char *path)
{
    return openat(dir, path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static void
name_of(int fd, char name[40])
{
    (void)snprintf(name, 40, "/proc/self/fd/%d", fd);
}

int
filesys_link(int fd, int dir, const char *name)
{
    char self[40];

    name_of(fd, self);
    return linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW);
}

/*
 * btrfs does not log a file without links, and what it logs of it with the folder is its name (before Linux 6.16).
 */
bool
filesys_can_link(int dir)
{
    struct statfs fs;

    return access("/proc/self/fd", X_OK) == 0 && fstatfs(dir, &fs) == 0 && (uint32_t)fs.f_type != FS_BTRFS;
}

int
filesys_reopen(int fd)
{
    char self[40];

    name_of(fd, self);
    return open(self, O_RDONLY | O_CLOEXEC);
}

char *
filesys_path(int fd)
{
    char *path = mem_format("/proc/%ld/fd/%d", (long)getpid(), fd);

    if (access(path, R_OK) == 0)
        return path;
    free(path);
    return NULL;
}

int
filesys_move(int from, int to, const char *name)
{
    return (int)syscall(SYS_renameat2, from, name, to, name, MOVE_NOREPLACE);
}

/* Only the owner may ask for that */
int
filesys_open_quietly(int dir, const char *name, int flags)
{
    int fd = openat(dir, name, flags | O_NOATIME);

    return fd < 0 && errno == EPERM ? openat(dir, name, flags) : fd;
}

int
filesys_folder(int dir, const char *name, bool follow)
{
    return openat(dir, name, O_PATH | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
}
