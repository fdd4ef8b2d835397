/* SPDX-License-Identifier: ISC */
/* watched: the calls of a spool go to the system's own, by way of a note. */
#include "unit/watched.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

struct watched watched;

static bool
noted(char c)
{
    size_t n = strlen(watched.calls);

    if (n + 1 < sizeof watched.calls) {
        watched.calls[n] = c;
        watched.calls[n + 1] = '\0';
    }
    errno = watched.fails_with;
    return c == watched.fail_at || (c == 'u' && watched.fail_unlink);
}

static int
t_mkdir(int d, const char *name)
{
    return noted('m') ? -1 : spool_io_system.mkdir(d, name);
}

static int
t_temp(int d)
{
    return noted('t') ? -1 : spool_io_system.temp(d);
}

static int
t_no_temp(int d)
{
    (void)d;
    errno = EOPNOTSUPP;
    return -1;
}

static int
t_create(int d, const char *name)
{
    return noted('c') ? -1 : spool_io_system.create(d, name);
}

static ssize_t
t_write(int fd, const void *data, size_t len, off_t offset)
{
    return noted('w') ? -1 : spool_io_system.write(fd, data, len, offset);
}

/* A disk may take less than it is given */
static ssize_t
t_write_short(int fd, const void *data, size_t len, off_t offset)
{
    return spool_io_system.write(fd, data, len > 999 ? 999 : len, offset);
}

static int
t_sync(int fd)
{
    return noted('s') ? -1 : spool_io_system.sync(fd);
}

static int
t_sync_dir(int d)
{
    return noted('d') ? -1 : spool_io_system.sync_dir(d);
}

static int
t_link(int fd, int d, const char *name)
{
    return noted('l') ? -1 : spool_io_system.link(fd, d, name);
}

static int
t_rename(int from, int to, const char *name)
{
    return noted('r') ? -1 : spool_io_system.rename(from, to, name);
}

static int
t_enter(int from, int to, const char *name)
{
    return noted('r') ? -1 : spool_io_system.enter(from, to, name);
}

static int
t_unlink(int d, const char *name)
{
    return noted('u') ? -1 : spool_io_system.unlink(d, name);
}

static int
t_open(int d, const char *name, int flags)
{
    watched.opens++;
    errno = watched.fails_with;
    return watched.fail_at == 'o' ? -1 : spool_io_system.open(d, name, flags);
}

static ssize_t
t_read(int fd, void *data, size_t len, off_t offset)
{
    watched.reads++;
    errno = watched.fails_with;
    return watched.fail_at == 'R' ? -1 : spool_io_system.read(fd, data, len, offset);
}

static int
t_lock(int fd)
{
    errno = watched.fails_with;
    return watched.fail_at == 'k' ? -1 : spool_io_system.lock(fd);
}

const struct spool_io watched_io = { t_mkdir, t_temp, t_create, t_write, t_sync, t_sync_dir, t_link, t_rename,
    t_enter, t_unlink, t_open, t_read, t_lock };
const struct spool_io watched_named = { t_mkdir, t_no_temp, t_create, t_write, t_sync, t_sync_dir, t_link,
    t_rename, t_enter, t_unlink, t_open, t_read, t_lock };
const struct spool_io watched_short = { t_mkdir, t_temp, t_create, t_write_short, t_sync, t_sync_dir, t_link,
    t_rename, t_enter, t_unlink, t_open, t_read, t_lock };

struct spool *
watched_open(const struct spool_io *with)
{
    struct error err;
    struct spool *s;

    watched = (struct watched){ .fails_with = EIO };
    (void)snprintf(watched.dir, sizeof watched.dir, "/tmp/test-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(watched.dir));
    s = spool_open(watched.dir, with, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    watched.calls[0] = '\0';
    return s;
}

void
watched_close(struct spool *s)
{
    char *command = mem_format("rm -rf %s", watched.dir);

    spool_close(s);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

size_t
watched_count(const char *folder)
{
    char *path = mem_format("%s/%s", watched.dir, folder);
    DIR *d = opendir(path);
    size_t n = 0;

    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    free(path);
    return n;
}

int
watched_content(void)
{
    int fd = memfd_create("content", MFD_CLOEXEC);

    ck_assert(file_pwrite(fd, "1234567" WATCHED_TEXT "more", strlen("1234567" WATCHED_TEXT "more"), 0));
    return fd;
}

void
watched_record(struct record *r, const char *id)
{
    record_init(r);
    r->id = mem_dup(id);
    r->account = mem_dup("default");
    envelope_set_sender(&r->envelope, "a@example.org");
    envelope_add(&r->envelope, "b@example.net", 0, NULL);
    envelope_add(&r->envelope, "c@example.net", 0, NULL);
}

bool
watched_commit(struct spool *s, const char *id, struct error *err)
{
    struct record r;
    struct draft d;
    int fd = watched_content();
    bool ok;

    watched_record(&r, id);
    ok = spool_store(s, &r, fd, 7, strlen(WATCHED_TEXT), &d, err);
    ck_assert(ok == (d.fd >= 0));
    spool_drop(s, &d);
    file_close(&fd);
    record_clear(&r);
    return ok;
}
