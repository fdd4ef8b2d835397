/* spool: names, locks and syncing; the format of a record is record.c's. */
#include "queue/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define VERSION_TEXT "smtprelay-queue 1\n"

struct spool {
    const struct spool_io *io;
    char *path;
    int dir, queue, tmp, failed, corrupt, lock;
    bool named; /* no O_TMPFILE here: drafts lie in tmp/ */
    DIR *walk;
};

/* ---------------------------------------------------------------- system calls */

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
io_unlink(int dir, const char *name)
{
    return unlinkat(dir, name, 0);
}

const struct spool_io spool_io_system = { io_temp, io_create, fdatasync, fsync, io_link, renameat,
    io_unlink };

/* ---------------------------------------------------------------- opening */

static int
open_folder(struct spool *s, const char *name)
{
    if (mkdirat(s->dir, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(s->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool
is_ours(const struct spool *s, struct error *err)
{
    struct stat st;

    if (fstat(s->dir, &st) != 0)
        return error_sys(err, ERROR_TEMP, errno, "queue %s", s->path);
    if (st.st_uid != geteuid())
        return error_set(err, ERROR_TEMP, "queue %s: belongs to another user", s->path);
    if (st.st_mode & 022)
        return error_set(err, ERROR_CONFIG, "queue %s: others can write to it (chmod 700)", s->path);
    return true;
}

/* A queue of another version is left alone */
static bool
check_version(struct spool *s, struct error *err)
{
    char text[sizeof VERSION_TEXT] = "";
    int fd = s->io->create(s->dir, "version");

    if (fd >= 0) {
        bool ok = file_pwrite(fd, VERSION_TEXT, sizeof VERSION_TEXT - 1, 0);
        file_close(&fd);
        return ok || error_sys(err, ERROR_TEMP, errno, "queue %s", s->path);
    }
    if (errno != EEXIST)
        return error_sys(err, ERROR_TEMP, errno, "queue %s", s->path);
    fd = openat(s->dir, "version", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_sys(err, ERROR_TEMP, errno, "queue %s: its version", s->path);
    ssize_t n = file_read_some(fd, text, sizeof text - 1);
    file_close(&fd);
    /* an empty one was cut off while it was made */
    return n == 0 || strcmp(text, VERSION_TEXT) == 0 ||
           error_set(err, ERROR_CONFIG, "queue %s: made by another version of smtprelay", s->path);
}

struct spool *
spool_open(const char *path, const struct spool_io *io, struct error *err)
{
    struct spool *s = mem_alloc(sizeof *s);

    s->io = io;
    s->path = mem_dup(path);
    s->queue = s->tmp = s->failed = s->corrupt = s->lock = -1;
    s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir < 0) {
        error_sys(err, ERROR_TEMP, errno, "queue %s", path);
        spool_close(s);
        return NULL;
    }
    if (!is_ours(s, err) || !check_version(s, err)) {
        spool_close(s);
        return NULL;
    }
    s->queue = open_folder(s, "queue");
    s->tmp = open_folder(s, "tmp");
    s->failed = open_folder(s, "failed");
    s->corrupt = open_folder(s, "corrupt");
    if (s->queue < 0 || s->tmp < 0 || s->failed < 0 || s->corrupt < 0) {
        error_sys(err, ERROR_TEMP, errno, "queue %s: its folders", path);
        spool_close(s);
        return NULL;
    }
    s->named = access("/proc/self/fd", X_OK) != 0;
    return s;
}

void
spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->walk)
        (void)closedir(s->walk); /* was only read */
    file_close(&s->lock);
    file_close(&s->queue);
    file_close(&s->tmp);
    file_close(&s->failed);
    file_close(&s->corrupt);
    file_close(&s->dir);
    free(s->path);
    free(s);
}

bool
spool_lock(struct spool *s, struct error *err)
{
    s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return error_sys(err, ERROR_TEMP, errno, "queue %s: its lock", s->path);
    if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    file_close(&s->lock);
    return error_set(err, ERROR_TEMP, "queue %s: another process is working on it", s->path);
}

/* ---------------------------------------------------------------- adding */

static bool
is_id(const char *id)
{
    size_t n = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return n > 0 && n <= SPOOL_ID_MAX && !id[n];
}

bool
spool_draft(struct spool *s, const char *id, struct draft *d, struct error *err)
{
    ensure(is_id(id));
    d->tmp_name[0] = '\0';
    d->fd = s->named ? -1 : s->io->temp(s->queue);
    if (d->fd >= 0)
        return true;
    if (!s->named && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    s->named = true; /* a file system without O_TMPFILE */
    d->fd = s->io->create(s->tmp, id);
    if (d->fd < 0)
        return error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    (void)snprintf(d->tmp_name, sizeof d->tmp_name, "%s", id);
    return true;
}

void
spool_drop(struct spool *s, struct draft *d)
{
    if (d->tmp_name[0])
        (void)s->io->unlink(s->tmp, d->tmp_name); /* what stays is cleaned up at the next start */
    d->tmp_name[0] = '\0';
    file_close(&d->fd);
}

static bool
enter(struct spool *s, const char *id, struct draft *d)
{
    if (!d->tmp_name[0])
        return s->io->link(d->fd, s->queue, id) == 0;
    if (s->io->rename(s->tmp, d->tmp_name, s->queue, id) != 0)
        return false;
    d->tmp_name[0] = '\0';
    return true;
}

bool
spool_commit(struct spool *s, const char *id, struct draft *d, struct error *err)
{
    int saved;

    /* before it has a name, so that nobody else can take it meanwhile */
    if (flock(d->fd, LOCK_EX | LOCK_NB) != 0 || s->io->sync(d->fd) != 0 || !enter(s, id, d))
        return error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    if (s->io->sync_dir(s->queue) == 0)
        return true;
    saved = errno;
    /* a failed sync is final: what the disk has of it nobody knows */
    (void)s->io->unlink(s->queue, id);
    return error_sys(err, ERROR_IO, saved, "queue %s", s->path);
}

static uint64_t
size_of_all(struct spool *s)
{
    char id[SPOOL_ID_MAX + 1];
    uint64_t sum = 0;
    struct stat st;

    spool_rewind(s);
    while (spool_next(s, id))
        if (fstatat(s->queue, id, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0)
            sum += (uint64_t)st.st_size;
    return sum;
}

bool
spool_has_room(struct spool *s, uint64_t min_free, uint64_t max_size, struct error *err)
{
    struct statvfs fs;

    /* a file system that does not say is not full */
    if (fstatvfs(s->dir, &fs) == 0 && fs.f_blocks > 0 && (uint64_t)fs.f_bavail * fs.f_frsize < min_free)
        return error_set(err, ERROR_TEMP, "queue %s: less than MinFree is left on its file system", s->path);
    if (max_size && size_of_all(s) >= max_size)
        return error_set(err, ERROR_TEMP, "queue %s: MaxQueueSize is reached", s->path);
    return true;
}

/* ---------------------------------------------------------------- what is there */

static int
open_record(struct spool *s, const char *id, struct record *r, int flags, bool lock, struct error *err)
{
    struct stat st;
    int fd;

    record_init(r);
    error_set(err, ERROR_TEMP, "%s: not in the queue", id);
    if (!is_id(id))
        return -1;
    fd = openat(s->queue, id, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    /* after the lock it may have been removed by who had it */
    if ((lock && flock(fd, LOCK_EX | LOCK_NB) != 0) || fstat(fd, &st) != 0 || st.st_nlink == 0) {
        error_set(err, ERROR_TEMP, "%s: another process is working on it", id);
    } else if (S_ISREG(st.st_mode) && st.st_uid == geteuid() && record_read(fd, r, err)) {
        return fd;
    } else {
        error_set(err, ERROR_DATA, "%s: cannot be read", id);
    }
    record_clear(r); /* what was read of a broken one */
    file_close(&fd);
    return -1;
}

int
spool_take(struct spool *s, const char *id, struct record *r, struct error *err)
{
    int fd = open_record(s, id, r, O_RDWR, true, err);

    if (fd < 0 && err->class == ERROR_DATA)
        (void)s->io->rename(s->queue, id, s->corrupt, id); /* one bad file must not stop the others */
    return fd;
}

int
spool_look(struct spool *s, const char *id, struct record *r, struct error *err)
{
    return open_record(s, id, r, O_RDONLY, false, err);
}

bool
spool_mark(struct spool *s, int fd, const struct record *r, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < r->envelope.n; i++)
        ok = record_mark(fd, r, i, (enum envelope_state)r->envelope.rcpt[i].state);
    return (ok && s->io->sync(fd) == 0) ||
           error_sys(err, ERROR_IO, errno, "queue %s/%s: its marks", s->path, r->id);
}

bool
spool_remove(struct spool *s, const char *id, struct error *err)
{
    return s->io->unlink(s->queue, id) == 0 || error_sys(err, ERROR_IO, errno, "queue %s/%s", s->path, id);
}

bool
spool_fail(struct spool *s, const char *id, struct error *err)
{
    return (s->io->rename(s->queue, id, s->failed, id) == 0 && s->io->sync_dir(s->failed) == 0) ||
           error_sys(err, ERROR_IO, errno, "queue %s/%s", s->path, id);
}

void
spool_rewind(struct spool *s)
{
    int fd;

    if (s->walk) {
        rewinddir(s->walk);
        return;
    }
    fd = openat(s->dir, "queue", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    s->walk = fd < 0 ? NULL : fdopendir(fd);
    if (!s->walk)
        file_close(&fd);
}

bool
spool_next(struct spool *s, char id[SPOOL_ID_MAX + 1])
{
    struct dirent *e;

    while (s->walk && (e = readdir(s->walk))) {
        if (!is_id(e->d_name))
            continue;
        memcpy(id, e->d_name, strlen(e->d_name) + 1); /* is_id has bounded it */
        return true;
    }
    return false;
}
