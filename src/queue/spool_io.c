/* SPDX-License-Identifier: ISC */
/* spool_io: the queue's system calls as they are. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/spool.h"

static int
io_mkdir(int dir, const char *name)
{
    return mkdirat(dir, name, 0700);
}

static int
io_temp(int dir)
{
    return openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

static int
io_create(int dir, const char *name)
{
    return openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int
io_link(int fd, int dir, const char *name)
{
    char self[40];

    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW);
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
    int r = renameat2(from, name, to, name, RENAME_NOREPLACE);

    return r != 0 && (errno == EINVAL || errno == ENOSYS) ? io_rename(from, to, name) : r;
}

static int
io_unlink(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

/* Reading leaves no trace; only the owner may ask for that */
static int
io_open(int dir, const char *name, int flags)
{
    int fd;

    flags |= O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    fd = openat(dir, name, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? openat(dir, name, flags) : fd;
}

static int
io_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

const struct spool_io spool_io_system = { io_mkdir, io_temp, io_create, pwrite, fdatasync, fsync, io_link,
    io_rename, io_enter, io_unlink, io_open, pread, io_lock };
