/* SPDX-License-Identifier: ISC */
/* spool_take: records that are there: taken, looked at, marked, removed. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue/spool_state.h"

/* It will not be otherwise the next time: a link, a folder, a socket, a file that belongs to somebody else */
static bool
is_no_record(int error)
{
    return error == ELOOP || error == EISDIR || error == ENXIO || error == EACCES || error == EPERM;
}

static int
open_named(struct spool *s, int dir, const char *id, int flags, struct error *err)
{
    int fd;

    if (!spool_is_id(id)) {
        error_set(err, ERROR_TEMP, "%s: not in the queue", id);
        return -1;
    }
    fd = s->io->open(dir, id, flags);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT)
        error_set(err, ERROR_TEMP, "%s: not in the queue", id);
    else
        error_sys(err, is_no_record(errno) ? ERROR_DATA : ERROR_IO, errno, "queue %s/%s", s->path, id);
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
open_record(
    struct spool *s, int dir, const char *id, struct record *r, int flags, bool lock, struct error *err)
{
    int fd = open_named(s, dir, id, flags, err);
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
    int fd = open_record(s, s->queue, id, r, O_RDWR, true, err);
    struct error why;

    if (fd >= 0 || err->class != ERROR_DATA)
        return fd;
    /* one bad file must not stop the others */
    why = *err;
    if (s->io->rename(s->queue, s->corrupt, id) == 0)
        error_set(err, ERROR_DATA, "%s: moved to corrupt/", why.text);
    else
        error_set(err, ERROR_DATA, "%s: cannot be moved to corrupt/: %s", why.text, strerror(errno));
    return -1;
}

int
spool_look(struct spool *s, const char *id, struct record *r, struct error *err)
{
    return open_record(s, s->queue, id, r, O_RDONLY, false, err);
}

bool
spool_head(struct spool *s, const char *id, struct record *r, struct error *err)
{
    int fd = open_named(s, s->queue, id, O_RDONLY, err);
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
        ok = spool_write(s, fd, &r->envelope.rcpt[i].state, 1, r->envelope.rcpt[i].mark);
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
    ok = record_format_hint(r, &b) && spool_write(s, fd, b.data, b.len, r->hint_offset);
    buf_clear(&b);
    return ok;
}

bool
spool_hold(struct spool *s, int fd, const struct record *r, struct error *err)
{
    struct buf b;
    bool ok;

    buf_init(&b, 4096);
    if (!record_format_hold(r, &b))
        ok = error_set(err, ERROR_REFUSED, "%s: written by an older version, which could not hold", r->id);
    else
        ok = (spool_write(s, fd, b.data, b.len, r->hold_offset) && s->io->sync(fd) == 0) ||
             error_sys(err, ERROR_IO, errno, "queue %s/%s: its mark", s->path, r->id);
    buf_clear(&b);
    return ok;
}

bool
spool_remove(struct spool *s, const char *id, struct error *err)
{
    int64_t size = s->counted ? spool_size(s, id) : 0;

    if (s->io->unlink(s->queue, id) != 0)
        return error_sys(err, ERROR_IO, errno, "queue %s/%s", s->path, id);
    atomic_fetch_sub(&s->size, size);
    return true;
}

bool
spool_fail(struct spool *s, const char *id, struct error *err)
{
    int64_t size = s->counted ? spool_size(s, id) : 0;

    if (s->io->rename(s->queue, s->failed, id) != 0)
        return error_sys(err, ERROR_IO, errno, "queue %s/%s", s->path, id);
    atomic_fetch_sub(&s->size, size);
    return s->io->sync_dir(s->failed) == 0 ||
           error_sys(err, ERROR_IO, errno, "queue %s/failed/%s", s->path, id);
}

int
spool_look_failed(struct spool *s, const char *id, struct record *r, struct error *err)
{
    return open_record(s, s->failed, id, r, O_RDONLY, false, err);
}

bool
spool_remove_failed(struct spool *s, const char *id, struct error *err)
{
    if (!spool_is_id(id))
        return error_set(err, ERROR_TEMP, "%s: not under failed/", id);
    return s->io->unlink(s->failed, id) == 0 ||
           error_sys(err, ERROR_IO, errno, "queue %s/failed/%s", s->path, id);
}

/* Open before it has its name in the queue again: a crash between leaves it under failed/ */
bool
spool_revive(struct spool *s, const char *id, struct error *err)
{
    struct record r;
    int fd = open_record(s, s->failed, id, &r, O_RDWR, true, err);
    bool ok = fd >= 0;

    for (size_t i = 0; ok && i < r.envelope.n; i++)
        if (r.envelope.rcpt[i].state == ENVELOPE_FAILED)
            r.envelope.rcpt[i].state = ENVELOPE_OPEN;
    if (ok && envelope_open(&r.envelope) == 0)
        ok = error_set(err, ERROR_REFUSED, "%s: nobody in it waits for it any more", id);
    r.attempts = r.deaths = 0;
    ok = ok && spool_mark(s, fd, &r, err);
    if (ok)
        (void)spool_note(s, fd, &r); /* a hint */
    if (ok && s->io->enter(s->failed, s->queue, id) != 0)
        ok = error_sys(err, ERROR_IO, errno, "queue %s/failed/%s", s->path, id);
    else if (ok)
        atomic_fetch_add(&s->size, spool_size(s, id));
    ok = ok && (s->io->sync_dir(s->queue) == 0 || error_sys(err, ERROR_IO, errno, "queue %s", s->path));
    if (fd >= 0)
        record_clear(&r);
    file_close(&fd);
    return ok;
}
