/* SPDX-License-Identifier: ISC */
/* spool_add: a message becomes a record: written, synced, named. The order of its calls is the queue's promise. */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/spool_state.h"

#define HEAD_MAX (32u << 20) /* more than a record may have */
#define PIECE 65536          /* of the content, at a time */
#define COUNT_EVERY_MS 300000

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
        if (!spool_write(s, fd, b->data, b->len, written))
            return error_sys(err, ERROR_IO, errno, "queue %s", s->path);
        written += b->len;
        buf_truncate(b, 0);
    }
    buf_add_str(b, RECORD_END);
    return spool_write(s, fd, b->data, b->len, written) ||
           error_sys(err, ERROR_IO, errno, "queue %s", s->path);
}

static bool
enter(struct spool *s, const char *id, int fd, bool named)
{
    return named ? s->io->enter(s->tmp, s->queue, id) == 0 : s->io->link(fd, s->queue, id) == 0;
}

/* Files without a name are known here, but a file system, a sandbox or a security module does not let them have one */
static bool
is_refusal(int e)
{
    return e == EPERM || e == EACCES || e == EOPNOTSUPP || e == ENOSYS || e == EXDEV || e == EMLINK ||
           e == ENOENT;
}

/*
 * A failed sync is final: what the disk has of it nobody knows, and a second one would not say. Where not even the name can be
 * taken away, it is made a torn file, which is no mail.
 */
static bool
commit(struct spool *s, const char *id, int fd, bool *named, bool *refused, struct error *err)
{
    int why;

    if (s->io->sync(fd) != 0)
        return error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    if (!enter(s, id, fd, *named)) {
        *refused = !*named && is_refusal(errno);
        return error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    }
    *named = false; /* no more in tmp/ */
    if (s->io->sync_dir(s->queue) == 0)
        return true;
    why = errno;
    if (s->io->unlink(s->queue, id) != 0)
        (void)spool_write(s, fd, "", 1, 0);
    return error_sys(err, ERROR_IO, why, "queue %s", s->path);
}

struct content {
    int fd;
    uint64_t offset, size;
};

/* -1 with err, and nothing is left. *refused: it could not be given a name. */
static int
store(struct spool *s, struct record *r, const struct content *c, bool *refused, struct error *err)
{
    struct buf b;
    bool named = false, ok;
    int fd = -1;

    buf_init(&b, HEAD_MAX);
    ok = record_format(r, c->size, &b, err);
    if (ok && (fd = open_draft(s, r->id, &named)) < 0)
        ok = error_sys(err, ERROR_IO, errno, "queue %s", s->path);
    ok = ok && copy_content(s, &b, fd, c->fd, c->offset, c->size, err) &&
         commit(s, r->id, fd, &named, refused, err);
    buf_clear(&b);
    if (ok)
        return fd;
    if (named && fd >= 0)
        (void)s->io->unlink(s->tmp, r->id); /* what stays is cleaned up later */
    file_close(&fd);
    return -1;
}

bool
spool_store(struct spool *s, struct record *r, int content_fd, uint64_t content_offset, uint64_t size,
    struct draft *out, struct error *err)
{
    const struct content c = { content_fd, content_offset, size };
    bool refused = false;

    ensure(spool_is_id(r->id));
    out->fd = store(s, r, &c, &refused, err);
    if (out->fd < 0 && refused) {
        s->named = true; /* from now on */
        out->fd = store(s, r, &c, &refused, err);
    }
    if (out->fd >= 0)
        atomic_fetch_add(&s->size, (int64_t)(r->content_offset + size + sizeof RECORD_END - 1));
    return out->fd >= 0;
}

void
spool_drop(struct spool *s, struct draft *d)
{
    (void)s;
    file_close(&d->fd);
}

uint64_t
spool_bytes(struct spool *s)
{
    int64_t sum = 0;
    char id[SPOOL_ID_MAX + 1];
    DIR *d = spool_list(s, "queue");

    while (spool_list_next(d, id))
        sum += spool_size(s, id);
    if (d)
        (void)closedir(d); /* was only read */
    return (uint64_t)sum;
}

/* A long queue is not looked through for each message */
static uint64_t
size_of_all(struct spool *s)
{
    int64_t now = clock_ms();

    if (s->counted && now - s->counted < COUNT_EVERY_MS)
        return s->size > 0 ? (uint64_t)s->size : 0;
    s->size = (int64_t)spool_bytes(s);
    s->counted = now;
    return (uint64_t)s->size;
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
