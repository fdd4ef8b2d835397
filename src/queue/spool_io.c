/* SPDX-License-Identifier: ISC */
/* spool_io: the queue's system calls as they are. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/filesys.h"
#include "queue/spool.h"

static int
io_mkdir(int dir, const char *name)
{
    return mkdirat(dir, name, 0700);
}

static int
io_temp(int dir)
{
    return filesys_unnamed(dir, ".");
}

static int
io_create(int dir, const char *name)
{
    return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int
io_rename(int from, int to, const char *name)
{
    return renameat(from, name, to, name);
}

/* Some file systems cannot promise it; ids are made not to meet */
static int
io_enter(int from, int to, const char *name)
{
    int r = filesys_move(from, to, name);

    return r != 0 && (errno == EINVAL || errno == ENOSYS) ? io_rename(from, to, name) : r;
}

static int
io_unlink(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

static int
io_open(int dir, const char *name, int flags)
{
    return filesys_open_quietly(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static int
io_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

const struct spool_io spool_io_system = { io_mkdir, io_temp, io_create, pwrite, fdatasync, fsync,
    filesys_link, io_rename, io_enter, io_unlink, io_open, pread, io_lock };
