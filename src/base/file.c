/* SPDX-License-Identifier: ISC */
/* file: descriptors and files with every result checked; knows no format. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/filesys.h"
#include "base/mem.h"
#include "base/memfile.h"

static bool
wait_writable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, -1) >= 0 || errno == EINTR;
}

bool
file_write(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_writable(fd))))
            continue;
        if (n < 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

bool
file_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    const char *p = data;

    while (len) {
        ssize_t n = pwrite(fd, p, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        p += n;
        offset += n;
        len -= (size_t)n;
    }
    return true;
}

bool
file_pread(int fd, void *data, size_t len, off_t offset)
{
    char *p = data;

    while (len) {
        ssize_t n = pread(fd, p, len, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return false;
        p += n;
        offset += n;
        len -= (size_t)n;
    }
    return true;
}

ssize_t
file_read_some(int fd, void *data, size_t len)
{
    ssize_t n;

    do
        n = read(fd, data, len);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Others have it now and give it back */
static bool
is_crowded(int e)
{
    return e == EMFILE || e == ENFILE || e == ENOMEM;
}

static bool
is_shortage(int e)
{
    return is_crowded(e) || e == EIO || e == ESTALE || e == ETIMEDOUT;
}

int
file_open_regular(const char *path, struct stat *st, struct error *err)
{
    return file_regular(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), path, st, err);
}

int
file_regular(int fd, const char *path, struct stat *st, struct error *err)
{
    int saved = errno;

    if (fd < 0) {
        error_sys(err, is_shortage(saved) ? ERROR_TEMP : ERROR_CONFIG, saved, "cannot open %s", path);
        errno = saved;
        return -1;
    }
    if (fstat(fd, st) != 0) {
        saved = errno;
        error_sys(err, ERROR_CONFIG, saved, "cannot look at %s", path);
    } else if (!S_ISREG(st->st_mode)) {
        saved = EINVAL;
        error_set(err, ERROR_CONFIG, "%s: not a regular file", path);
    } else {
        return fd;
    }
    file_close(&fd);
    errno = saved;
    return -1;
}

bool
file_read_all(int fd, struct buf *out, const char *name, struct error *err)
{
    char piece[16384];
    ssize_t n;
    int why;

    while ((n = file_read_some(fd, piece, sizeof piece)) > 0 && !out->overflow)
        buf_add(out, piece, (size_t)n);
    why = errno;
    mem_wipe(piece, sizeof piece); /* it may have been a secret */
    if (n < 0)
        return error_sys(err, ERROR_IO, why, "cannot read %s", name);
    return !out->overflow || error_set(err, ERROR_CONFIG, "%s: larger than %zu bytes", name, out->max);
}

/* Where there are no files without a name (some overlay and network file systems): a random one that lives for an instant. */
static int
temp_by_name(const char *dir)
{
    char path[4096];
    int fd, n = snprintf(path, sizeof path, "%s/smtprelay.XXXXXX", dir);

    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0 && unlink(path) != 0) {
        file_close(&fd);
        return -1;
    }
    return fd;
}

int
file_temp(const char *const *dirs, struct error *err)
{
    int saved = ENOENT;
    const char *where = "a folder";

    for (; *dirs; dirs++) {
        if (!**dirs)
            continue;
        int fd = filesys_unnamed(AT_FDCWD, *dirs);
        if (fd < 0)
            fd = temp_by_name(*dirs);
        if (fd >= 0)
            return fd;
        saved = errno;
        where = *dirs;
    }
    error_sys(
        err, is_crowded(saved) ? ERROR_TEMP : ERROR_IO, saved, "cannot make a temporary file in %s", where);
    return -1;
}

int
file_sealed(const char *name, struct slice content, struct error *err)
{
    static const char *const dirs[] = { "/dev/shm", "/tmp", NULL };
    int fd = memfile_open_sealable(name);
    bool sealing = fd >= 0;

    if (fd < 0)
        fd = file_temp(dirs, err);
    if (fd < 0)
        return -1;
    if (!file_write(fd, content.p, content.len) || lseek(fd, 0, SEEK_SET) != 0 ||
        (sealing && !memfile_seal(fd))) {
        error_sys(err, ERROR_OS, errno, "cannot hand over %s", name);
        file_close(&fd);
        return -1;
    }
    return fd;
}

bool
file_open_standard(void)
{
    bool all = true;

    /* a chroot may have no /dev */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        all = all && fcntl(fd, F_GETFD) >= 0;
    while (!all) {
        int fd = open("/dev/null", O_RDWR | O_NOCTTY);
        if (fd < 0)
            return false;
        if (fd > STDERR_FILENO)
            return close(fd) == 0;
    }
    return true;
}

bool
file_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return false;
    return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0;
}

void
file_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* nothing written through it is still to be synced: writers sync first */
    *fd = -1;
}

int
file_reopen(int fd)
{
    int again = filesys_reopen(fd);

    return again >= 0 ? again : fcntl(fd, F_DUPFD_CLOEXEC, 0); /* as it is */
}

char *
file_absolute(const char *path)
{
    char *here = *path == '/' ? NULL : getcwd(NULL, 0);
    char *absolute = here ? mem_format("%s/%s", here, path) : mem_dup(path);

    free(here);
    return absolute;
}

void
file_make_parents(const char *path)
{
    char *copy = mem_dup(path);
    mode_t mask = umask(022);

    for (char *p = copy; *p; p++) {
        if (*p != '/' || p == copy)
            continue;
        *p = '\0';
        (void)mkdir(copy, 0755);
        *p = '/';
    }
    (void)umask(mask);
    free(copy);
}
