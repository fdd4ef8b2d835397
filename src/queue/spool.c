/* SPDX-License-Identifier: ISC */
/* spool: the queue's folder: made, opened, locked, cleaned, walked over. Records are spool_add's and spool_take's. */
#include "queue/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/filesys.h"
#include "base/mem.h"
#include "queue/spool_state.h"

#define VERSION_TEXT "smtprelay-queue 1\n"

bool
spool_write(const struct spool *s, int fd, const void *data, size_t len, uint64_t offset)
{
    const char *p = data;

    while (len) {
        ssize_t n = s->io->write(fd, p, len, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
        offset += (size_t)n;
    }
    return true;
}

/* ---------------------------------------------------------------- opening */

static int
open_folder(struct spool *s, const char *name)
{
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

static const char *const folders[] = { "queue", "tmp", "failed", "corrupt" };
#define NFOLDERS (sizeof folders / sizeof folders[0])

/* The version is written last: who finds it complete knows that the folders are there for good */
static bool
make_queue(struct spool *s, struct error *err)
{
    int fd;
    bool ok;

    for (size_t i = 0; i < NFOLDERS; i++)
        if (s->io->mkdir(s->dir, folders[i]) != 0 && errno != EEXIST)
            return error_sys(err, ERROR_TEMP, errno, "queue %s: its folders", s->path);
    fd = s->io->create(s->dir, "version");
    if (fd < 0 && errno == EEXIST)
        fd = s->io->open(s->dir, "version", O_RDWR);
    ok = fd >= 0 && s->io->sync_dir(s->dir) == 0 &&
         spool_write(s, fd, VERSION_TEXT, sizeof VERSION_TEXT - 1, 0) && s->io->sync(fd) == 0;
    if (!ok)
        error_sys(err, ERROR_TEMP, errno, "queue %s", s->path);
    file_close(&fd);
    return ok;
}

/* Less than the text, or zeros where the bytes have not come to the disk */
static bool
is_cut_off(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (i >= sizeof VERSION_TEXT - 1 || (text[i] && text[i] != VERSION_TEXT[i]))
            return false;
    return true;
}

/* A queue of another version is left alone; one whose making was cut off is made */
static bool
check_version(struct spool *s, struct error *err)
{
    char text[sizeof VERSION_TEXT];
    int fd = s->io->open(s->dir, "version", O_RDONLY);
    ssize_t n;

    if (fd < 0 && errno == ENOENT)
        return make_queue(s, err);
    if (fd < 0)
        return error_sys(err, ERROR_TEMP, errno, "queue %s: its version", s->path);
    n = s->io->read(fd, text, sizeof text, 0);
    if (n < 0)
        error_sys(err, ERROR_TEMP, errno, "queue %s: its version", s->path);
    file_close(&fd);
    if (n < 0)
        return false;
    if (n == sizeof VERSION_TEXT - 1 && memcmp(text, VERSION_TEXT, (size_t)n) == 0)
        return true;
    return is_cut_off(text, (size_t)n)
               ? make_queue(s, err)
               : error_set(err, ERROR_CONFIG, "queue %s: made by another version of smtprelay", s->path);
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
    s->named = !filesys_can_link(s->dir);
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

/* ---------------------------------------------------------------- the lock */

/* A file in queue/ with a name that no message has cannot be read, either: in corrupt/ it shows */
static void
set_strangers_aside(struct spool *s)
{
    DIR *d = spool_list(s, "queue");
    struct stat st;

    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && !spool_is_id(e->d_name) &&
            fstatat(s->queue, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            (void)s->io->rename(s->queue, s->corrupt, e->d_name); /* else it does no harm where it is */
    if (d)
        (void)closedir(d); /* was only read */
}

/* Who writes a draft holds its lock: what can be locked was left behind by who has died */
void
spool_clean(struct spool *s)
{
    DIR *d = spool_list(s, "tmp");
    char id[SPOOL_ID_MAX + 1];

    set_strangers_aside(s);
    while (spool_list_next(d, id)) {
        int fd = s->io->open(s->tmp, id, O_RDWR);
        if (fd >= 0 && s->io->lock(fd) == 0)
            (void)s->io->unlink(s->tmp, id); /* else the next one does */
        file_close(&fd);
    }
    if (d)
        (void)closedir(d); /* was only read */
}

bool
spool_lock(struct spool *s, struct error *err)
{
    s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return error_sys(err, ERROR_TEMP, errno, "queue %s: its lock", s->path);
    if (s->io->lock(s->lock) != 0) {
        if (errno == EWOULDBLOCK)
            error_set(err, ERROR_TEMP, "queue %s: another process is working on it", s->path);
        else
            error_sys(err, ERROR_TEMP, errno, "queue %s: its lock", s->path);
        file_close(&s->lock);
        return false;
    }
    spool_clean(s);
    return true;
}

/* ---------------------------------------------------------------- lists */

DIR *
spool_list(struct spool *s, const char *name)
{
    int fd = open_folder(s, name);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d)
        file_close(&fd);
    return d;
}

bool
spool_is_id(const char *id)
{
    size_t n = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return n > 0 && n <= SPOOL_ID_MAX && !id[n];
}

bool
spool_list_next(DIR *d, char id[SPOOL_ID_MAX + 1])
{
    struct dirent *e;

    while (d && (e = readdir(d))) {
        if (!spool_is_id(e->d_name))
            continue;
        memcpy(id, e->d_name, strlen(e->d_name) + 1); /* it is bounded */
        return true;
    }
    return false;
}

int64_t
spool_size(struct spool *s, const char *id)
{
    struct stat st;

    return fstatat(s->queue, id, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)st.st_size : 0;
}

size_t
spool_expire(struct spool *s, int64_t before)
{
    DIR *d = spool_list(s, "failed");
    char id[SPOOL_ID_MAX + 1];
    struct stat st;
    size_t n = 0;

    while (spool_list_next(d, id))
        if (fstatat(s->failed, id, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            st.st_mtime < before && s->io->unlink(s->failed, id) == 0)
            n++;
    if (d)
        (void)closedir(d); /* was only read */
    return n;
}

static void
walk(struct spool *s, bool failed)
{
    if (s->walk && s->walks_failed == failed) {
        rewinddir(s->walk);
        return;
    }
    if (s->walk)
        (void)closedir(s->walk); /* was only read */
    s->walk = spool_list(s, failed ? "failed" : "queue");
    s->walks_failed = failed;
}

bool
spool_is_there(const struct spool *s)
{
    struct stat named, own, queue;

    return stat(s->path, &named) == 0 && fstat(s->dir, &own) == 0 && named.st_dev == own.st_dev &&
           named.st_ino == own.st_ino && fstat(s->queue, &queue) == 0 && queue.st_nlink > 0;
}

void
spool_rewind(struct spool *s)
{
    walk(s, false);
}

void
spool_rewind_failed(struct spool *s)
{
    walk(s, true);
}

bool
spool_next(struct spool *s, char id[SPOOL_ID_MAX + 1])
{
    return spool_list_next(s->walk, id);
}

size_t
spool_count(struct spool *s, enum spool_kept which)
{
    DIR *d = spool_list(s, which == SPOOL_FAILED ? "failed" : "corrupt");
    size_t n = 0;

    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    (void)closedir(d); /* was only read */
    return n;
}
