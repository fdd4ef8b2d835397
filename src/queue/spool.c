/* spool: names, locks and syncing; the format of a record is record.c's. */
#include "queue/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#define VERSION_TEXT "smtprelay-queue 1\n"
#define FS_BTRFS 0x9123683e
#define HEAD_MAX (32u << 20) /* more than a record may have */
#define PIECE 65536          /* of the content, at a time */
#define COUNT_EVERY_MS 300000

struct spool {
    const struct spool_io *io;
    char *path;
    int dir, queue, tmp, failed, corrupt, lock;
    atomic_bool named; /* no O_TMPFILE here: drafts lie in tmp/ */
    /* of all records, kept up by what is added and removed here; others are seen when it is counted again */
    _Atomic int64_t size;
    _Atomic int64_t counted; /* clock_ms, 0 = never asked for */
    DIR *walk;
};

/* ---------------------------------------------------------------- system calls */

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
    renameat, io_unlink, io_open, pread, io_lock };

static bool
write_all(const struct spool *s, int fd, const void *data, size_t len, uint64_t offset)
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
         write_all(s, fd, VERSION_TEXT, sizeof VERSION_TEXT - 1, 0) && s->io->sync(fd) == 0;
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

/*
 * Does a file that had no name while it was synced have its content once it has one? btrfs does not log a file without links,
 * and what it logs of it with the folder is its name (before Linux 6.16).
 */
static bool
has_safe_temp(const struct spool *s)
{
    struct statfs fs;

    return fstatfs(s->dir, &fs) == 0 && fs.f_type != FS_BTRFS;
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
    s->named = access("/proc/self/fd", X_OK) != 0 || !has_safe_temp(s);
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

/* A walk of its own over a folder; NULL with errno */
static DIR *
list_folder(struct spool *s, const char *name)
{
    int fd = open_folder(s, name);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (!d)
        file_close(&fd);
    return d;
}

static bool
is_id(const char *id)
{
    size_t n = strspn(id, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return n > 0 && n <= SPOOL_ID_MAX && !id[n];
}

/* The next id; false at the end */
static bool
next_id(DIR *d, char id[SPOOL_ID_MAX + 1])
{
    struct dirent *e;

    while (d && (e = readdir(d))) {
        if (!is_id(e->d_name))
            continue;
        memcpy(id, e->d_name, strlen(e->d_name) + 1); /* is_id has bounded it */
        return true;
    }
    return false;
}

/* Who writes a draft holds its lock: what can be locked was left behind by who has died */
void
spool_clean(struct spool *s)
{
    DIR *d = list_folder(s, "tmp");
    char id[SPOOL_ID_MAX + 1];

    while (next_id(d, id)) {
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

/* ---------------------------------------------------------------- adding */

/* 1: it is locked and still has its name; 0: it was taken for an abandoned one; -1 with errno */
static int
lock_draft(struct spool *s, int fd)
{
    struct stat st;

    if (s->io->lock(fd) != 0)
        return errno == EWOULDBLOCK ? 0 : -1;
    return fstat(fd, &st) != 0 ? -1 : st.st_nlink > 0;
}

/* Who cleans up may come between the file and its lock: he removes it at once, and it is begun again */
static int
create_locked(struct spool *s, const char *id)
{
    for (int tries = 0; tries < 100; tries++) {
        int fd = s->io->create(s->tmp, id), locked, saved;
        if (fd < 0 && errno == EEXIST) {
            (void)poll(NULL, 0, 1); /* he has not removed it yet */
            continue;
        }
        locked = fd < 0 ? -1 : lock_draft(s, fd);
        if (locked > 0)
            return fd;
        saved = errno;
        if (fd >= 0 && locked < 0)
            (void)s->io->unlink(s->tmp, id); /* else it is cleaned up later */
        file_close(&fd);
        errno = saved;
        if (locked < 0)
            return -1;
    }
    errno = EEXIST;
    return -1;
}

/* *named: it lies in tmp/ as `id` */
static int
open_draft(struct spool *s, const char *id, bool *named)
{
    int fd;

    *named = s->named;
    if (!*named) {
        fd = s->io->temp(s->queue);
        if (fd >= 0) {
            if (s->io->lock(fd) != 0)
                file_close(&fd);
            return fd;
        }
        if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
            return -1;
        *named = true; /* a file system without O_TMPFILE */
        s->named = true;
    }
    return create_locked(s, id);
}

/* Behind the head in one buffer, so that a small record is one write */
static bool
copy_content(struct spool *s, struct buf *b, int fd, int from, uint64_t at, uint64_t size, struct error *err)
{
    uint64_t written = 0;

    for (uint64_t left = size; left;) {
        size_t n = left < PIECE ? (size_t)left : PIECE;
        char *room = buf_reserve(b, n);
        if (!file_pread(from, room, n, (off_t)at))
            return error_sys(err, ERROR_IO, errno, "cannot read the message");
        b->len += n;
        at += n;
        left -= n;
        if (b->len < PIECE)
            continue;
        if (!write_all(s, fd, b->data, b->len, written))
            return error_sys(err, ERROR_IO, errno, "queue %s", s->path);
        written += b->len;
        buf_truncate(b, 0);
    }
    buf_add_str(b, RECORD_END);
    return write_all(s, fd, b->data, b->len, written) || error_sys(err, ERROR_IO, errno, "queue %s", s->path);
}

static bool
enter(struct spool *s, const char *id, int fd, bool named)
{
    return named ? s->io->rename(s->tmp, id, s->queue, id) == 0 : s->io->link(fd, s->queue, id) == 0;
}

/* A failed sync is final: what the disk has of it nobody knows, and a second one would not say. Where not even the name can be
 * taken away, it is made a torn file, which is no mail. */
static void
withdraw(struct spool *s, const char *id, int fd)
{
    if (s->io->unlink(s->queue, id) != 0)
        (void)write_all(s, fd, "", 1, 0);
}

bool
spool_store(struct spool *s, struct record *r, int content_fd, uint64_t content_offset, uint64_t size,
    struct draft *out, struct error *err)
{
    struct buf b;
    bool named = false, ok;
    int fd;

    ensure(is_id(r->id));
    out->fd = -1;
    buf_init(&b, HEAD_MAX);
    if (!record_format(r, size, &b, err)) {
        buf_clear(&b);
        return false;
    }
    fd = open_draft(s, r->id, &named);
    ok = fd >= 0 || error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    ok = ok && copy_content(s, &b, fd, content_fd, content_offset, size, err);
    buf_clear(&b);
    if (ok && (s->io->sync(fd) != 0 || !enter(s, r->id, fd, named)))
        ok = error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    if (!ok) {
        if (named && fd >= 0)
            (void)s->io->unlink(s->tmp, r->id); /* what stays is cleaned up later */
    } else if (s->io->sync_dir(s->queue) != 0) {
        ok = error_sys(err, ERROR_IO, errno, "queue %s", s->path);
        withdraw(s, r->id, fd);
    }
    if (ok) {
        out->fd = fd;
        atomic_fetch_add(&s->size, (int64_t)(r->content_offset + size + sizeof RECORD_END - 1));
    } else {
        file_close(&fd);
    }
    return ok;
}

void
spool_drop(struct spool *s, struct draft *d)
{
    (void)s;
    file_close(&d->fd);
}

static int64_t
size_of_one(struct spool *s, const char *id)
{
    struct stat st;

    return fstatat(s->queue, id, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (int64_t)st.st_size : 0;
}

/* A long queue is not looked through for each message */
static uint64_t
size_of_all(struct spool *s)
{
    int64_t now = clock_ms(), sum = 0;
    char id[SPOOL_ID_MAX + 1];
    DIR *d;

    if (s->counted && now - s->counted < COUNT_EVERY_MS)
        return s->size > 0 ? (uint64_t)s->size : 0;
    d = list_folder(s, "queue");
    while (next_id(d, id))
        sum += size_of_one(s, id);
    if (d)
        (void)closedir(d); /* was only read */
    s->size = sum;
    s->counted = now;
    return (uint64_t)sum;
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
open_named(struct spool *s, const char *id, int flags, struct error *err)
{
    int fd;

    if (!is_id(id)) {
        error_set(err, ERROR_TEMP, "%s: not in the queue", id);
        return -1;
    }
    fd = s->io->open(s->queue, id, flags);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        error_set(err, ERROR_TEMP, "%s: not in the queue", id);
    else
        error_sys(err, errno == ELOOP ? ERROR_DATA : ERROR_IO, errno, "queue %s/%s", s->path, id);
    return -1;
}

static bool
hold(struct spool *s, int fd, const char *id, struct error *err)
{
    if (s->io->lock(fd) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return error_set(err, ERROR_TEMP, "%s: another process is working on it", id);
    return error_sys(err, ERROR_IO, errno, "queue %s/%s: its lock", s->path, id);
}

static int
open_record(struct spool *s, const char *id, struct record *r, int flags, bool lock, struct error *err)
{
    int fd = open_named(s, id, flags, err);
    struct stat st;

    record_init(r);
    if (fd < 0)
        return -1;
    if (lock && !hold(s, fd, id, err))
        ; /* err says why */
    else if (fstat(fd, &st) != 0 || st.st_nlink == 0)
        error_set(err, ERROR_TEMP, "%s: removed by who had it", id);
    else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        error_set(err, ERROR_DATA, "%s: not ours", id);
    else if (!record_read_by(s->io->read, fd, true, r, err))
        error_context(err, "%s", id);
    else if (!r->id || strcmp(r->id, id) != 0)
        error_set(err, ERROR_DATA, "%s: it calls itself %s", id, r->id ? r->id : "nothing");
    else
        return fd;
    record_clear(r);
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
spool_head(struct spool *s, const char *id, struct record *r, struct error *err)
{
    int fd = open_named(s, id, O_RDONLY, err);
    bool ok;

    record_init(r);
    if (fd < 0)
        return false;
    ok = record_read_by(s->io->read, fd, false, r, err) || error_context(err, "%s", id);
    file_close(&fd);
    return ok;
}

/* All of them each time: after a sync that failed, what was written before it counts as clean and would not be written again */
bool
spool_mark(struct spool *s, int fd, const struct record *r, struct error *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < r->envelope.n; i++) {
        ensure(r->envelope.rcpt[i].mark > 0);
        ok = write_all(s, fd, &r->envelope.rcpt[i].state, 1, r->envelope.rcpt[i].mark);
    }
    return (ok && s->io->sync(fd) == 0) ||
           error_sys(err, ERROR_IO, errno, "queue %s/%s: its marks", s->path, r->id);
}

bool
spool_note(struct spool *s, int fd, const struct record *r)
{
    struct buf b;
    bool ok;

    buf_init(&b, 4096);
    ok = record_format_hint(r, &b) && write_all(s, fd, b.data, b.len, r->hint_offset);
    buf_clear(&b);
    return ok;
}

bool
spool_remove(struct spool *s, const char *id, struct error *err)
{
    int64_t size = s->counted ? size_of_one(s, id) : 0;

    if (s->io->unlink(s->queue, id) != 0)
        return error_sys(err, ERROR_IO, errno, "queue %s/%s", s->path, id);
    atomic_fetch_sub(&s->size, size);
    return true;
}

bool
spool_fail(struct spool *s, const char *id, struct error *err)
{
    int64_t size = s->counted ? size_of_one(s, id) : 0;

    if (s->io->rename(s->queue, id, s->failed, id) != 0)
        return error_sys(err, ERROR_IO, errno, "queue %s/%s", s->path, id);
    atomic_fetch_sub(&s->size, size);
    return s->io->sync_dir(s->failed) == 0 ||
           error_sys(err, ERROR_IO, errno, "queue %s/failed/%s", s->path, id);
}

size_t
spool_expire(struct spool *s, int64_t before)
{
    DIR *d = list_folder(s, "failed");
    char id[SPOOL_ID_MAX + 1];
    struct stat st;
    size_t n = 0;

    while (next_id(d, id))
        if (fstatat(s->failed, id, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            st.st_mtime < before && s->io->unlink(s->failed, id) == 0)
            n++;
    if (d)
        (void)closedir(d); /* was only read */
    return n;
}

void
spool_rewind(struct spool *s)
{
    if (s->walk)
        rewinddir(s->walk);
    else
        s->walk = list_folder(s, "queue");
}

bool
spool_next(struct spool *s, char id[SPOOL_ID_MAX + 1])
{
    return next_id(s->walk, id);
}

size_t
spool_count(struct spool *s, enum spool_kept which)
{
    DIR *d = list_folder(s, which == SPOOL_FAILED ? "failed" : "corrupt");
    size_t n = 0;

    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    (void)closedir(d); /* was only read */
    return n;
}
