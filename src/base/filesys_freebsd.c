/* SPDX-License-Identifier: ISC */
/* filesys: there are no files without a name, so a message has one in tmp/ from the start. */
#include "base/filesys.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

static int
missing(int e)
{
    errno = e;
    return -1;
}

int
filesys_unnamed(int dir, const char *path)
{
    (void)dir;
    (void)path;
    return missing(EOPNOTSUPP);
}

int
filesys_link(int fd, int dir, const char *name)
{
    (void)fd;
    (void)dir;
    (void)name;
    return missing(EOPNOTSUPP);
}

bool
filesys_can_link(int dir)
{
    (void)dir;
    return false;
}

int
filesys_reopen(int fd)
{
    return openat(fd, "", O_RDONLY | O_CLOEXEC | O_EMPTY_PATH);
}

char *
filesys_path(int fd)
{
    (void)fd;
    return NULL;
}

int
filesys_move(int from, int to, const char *name)
{
    (void)from;
    (void)to;
    (void)name;
    return missing(ENOSYS);
}

int
filesys_open_quietly(int dir, const char *name, int flags)
{
    return openat(dir, name, flags);
}

int
filesys_folder(int dir, const char *name, bool follow)
{
    return openat(dir, name, O_SEARCH | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
}
