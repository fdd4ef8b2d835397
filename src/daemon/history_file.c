/* SPDX-License-Identifier: ISC */
/* history_file: appends with one write each, so that lines of several processes never mix; rotates under a lock. */
#include "daemon/history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

#define NAME "history"
#define OLD_NAME "history.1"

/* ---------------------------------------------------------------- appending */

static int
open_file(int dir, const char *name, int flags, struct stat *st)
{
    int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))) {
        file_close(&fd);
        errno = EINVAL;
    }
    return fd;
}

static bool
has_name(int dir, const struct stat *st)
{
    struct stat now;

    return fstatat(dir, NAME, &now, AT_SYMLINK_NOFOLLOW) == 0 && now.st_ino == st->st_ino &&
           now.st_dev == st->st_dev;
}

/* One of those who see that it is full renames it: who has the lock and finds it still in its place */
static void
rotate(int dir, int fd, const struct stat *st)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && has_name(dir, st))
        (void)renameat(dir, NAME, dir, OLD_NAME); /* else it grows until somebody may */
}

static int
open_to_append(int dir, uint64_t max, struct stat *st)
{
    int fd = open_file(dir, NAME, O_RDWR | O_APPEND | O_CREAT, st);

    if (fd < 0 || (uint64_t)st->st_size < max)
        return fd;
    rotate(dir, fd, st);
    file_close(&fd);
    return open_file(dir, NAME, O_RDWR | O_APPEND | O_CREAT, st);
}

/* What was cut off by a full disk or a crash must not swallow the next line */
static void
end_torn_line(int fd, const struct stat *st)
{
    char last;

    if (st->st_size > 0 && file_pread(fd, &last, 1, st->st_size - 1) && last != '\n')
        (void)file_write(fd, "\n", 1); /* the write that follows shows what is wrong */
}

bool
history_file_append(const char *folder, struct slice lines, uint64_t max, struct error *err)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
    struct stat st;
    ssize_t n;

    if (dir < 0)
        return error_sys(err, ERROR_IO, errno, "%s", folder);
    fd = open_to_append(dir, max, &st);
    file_close(&dir);
    if (fd < 0)
        return error_sys(err, ERROR_IO, errno, "%s/" NAME, folder);
    end_torn_line(fd, &st);
    do
        n = write(fd, lines.p, lines.len);
    while (n < 0 && errno == EINTR);
    if (n < (ssize_t)lines.len)
        error_sys(err, ERROR_IO, n < 0 ? errno : ENOSPC, "%s/" NAME, folder);
    file_close(&fd);
    return n == (ssize_t)lines.len;
}

/* ---------------------------------------------------------------- reading */

/* From `offset` to `size`; false with errno */
static bool
read_range(int fd, uint64_t offset, uint64_t size, struct buf *out)
{
    while (offset < size) {
        size_t piece = size - offset > 65536 ? 65536 : (size_t)(size - offset);
        char *to = buf_reserve(out, piece);
        ssize_t n;
        if (!to)
            return true; /* enough is enough */
        do
            n = pread(fd, to, piece, (off_t)offset);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
            return n == 0;
        out->len += (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/* Without a line that is being written */
static size_t
whole_lines(const struct buf *out, size_t from)
{
    size_t n = slice_find_last(slice_from(buf_slice(out), from), '\n');

    return n < out->len - from ? n + 1 : 0;
}

static bool
read_file(int dir, const char *name, struct history_place *place, struct buf *out)
{
    struct stat st;
    int fd = open_file(dir, name, O_RDONLY, &st);
    size_t from = out->len;
    uint64_t size, begin;
    bool ok;

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == EINVAL;
    size = (uint64_t)st.st_size;
    begin = (uint64_t)st.st_ino == place->inode && place->offset <= size ? place->offset : 0;
    if (size - begin > HISTORY_READ_MAX / 2)
        begin = size - HISTORY_READ_MAX / 2; /* nobody rotated it; the end counts */
    ok = read_range(fd, begin, size, out);
    buf_truncate(out, from + whole_lines(out, from));
    *place = (struct history_place){ (uint64_t)st.st_ino, begin + (out->len - from) };
    file_close(&fd);
    return ok;
}

static bool
is_current(int dir, const struct history_place *place)
{
    struct stat st;

    return place->inode && fstatat(dir, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (uint64_t)st.st_ino == place->inode;
}

bool
history_file_read(const char *folder, struct history_place *place, struct buf *out, struct error *err)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (dir < 0)
        return errno == ENOENT || error_sys(err, ERROR_TEMP, errno, "%s", folder);
    ok = (is_current(dir, place) || read_file(dir, OLD_NAME, place, out)) && read_file(dir, NAME, place, out);
    if (!ok)
        error_sys(err, ERROR_TEMP, errno, "%s/" NAME, folder);
    file_close(&dir);
    return ok;
}

/* From its first whole line behind `from` on */
static void
drop_torn_line(struct buf *out, size_t from)
{
    struct slice read = slice_from(buf_slice(out), from);
    size_t n = slice_find(read, '\n');

    n = n < read.len ? n + 1 : read.len;
    memmove(out->data + from, read.p + n, read.len - n);
    buf_truncate(out, out->len - n);
}

bool
history_file_tail(const char *folder, uint64_t most, struct buf *out, struct error *err)
{
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct history_place place = { 0, 0 };
    struct stat st;
    size_t from = out->len;
    bool cut, ok;

    if (dir < 0)
        return errno == ENOENT || error_sys(err, ERROR_TEMP, errno, "%s", folder);
    cut = fstatat(dir, NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size > most;
    if (cut)
        place = (struct history_place){ (uint64_t)st.st_ino, (uint64_t)st.st_size - most };
    ok = read_file(dir, NAME, &place, out);
    if (!ok)
        error_sys(err, ERROR_TEMP, errno, "%s/" NAME, folder);
    else if (cut)
        drop_torn_line(out, from);
    file_close(&dir);
    return ok;
}
