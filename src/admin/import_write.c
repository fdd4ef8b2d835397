/* SPDX-License-Identifier: ISC */
/* import_write: a file without a name, or a temporary one beside the target, synced, then linked or renamed into its place. */
#include "admin/import_write.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/filesys.h"
#include "base/mem.h"
#include "base/paths.h"

#define SAME_MAX (1u << 21)
static const char group_name[] = "smtprelay";

/* ---------------------------------------------------------------- where */

static char *
own_target(uid_t uid)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    const struct passwd *pw;

    if (base && *base == '/')
        return mem_format("%s/smtprelay/config", base);
    if (!home || *home != '/') {
        pw = getpwuid(uid);
        home = pw ? pw->pw_dir : NULL;
    }
    return home && *home == '/' ? mem_format("%s/.config/smtprelay/config", home) : NULL;
}

char *
import_write_target(const struct config_request *req)
{
    if (req->file)
        return file_absolute(req->file);
    return req->uid == 0 ? mem_dup(path_config) : own_target(req->uid);
}

/* ---------------------------------------------------------------- what is there */

bool
import_write_look(struct import_write *w, struct error *err)
{
    struct stat st;
    struct buf b;
    bool ok;
    int fd = file_open_regular(w->path, &st, err);

    w->state = IMPORT_WRITE_NEW;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return lstat(w->path, &st) != 0 ||
               error_set(err, ERROR_CONFIG, "%s: a symbolic link that leads nowhere", w->path);
    if (fd < 0) {
        if (errno == EACCES)
            err->class = ERROR_TEMP;
        return false;
    }
    buf_init(&b, SAME_MAX);
    ok = file_read_all(fd, &b, w->path, err);
    file_close(&fd);
    w->state = ok && slice_eq(buf_slice(&b), w->text) ? IMPORT_WRITE_SAME : IMPORT_WRITE_OTHER;
    buf_wipe(&b);
    return ok;
}

/* ---------------------------------------------------------------- putting */

static bool
set_rights(int fd)
{
    const struct group *g = geteuid() == 0 ? getgrnam(group_name) : NULL;

    if (!g)
        return fchmod(fd, 0600) == 0;
    return fchown(fd, 0, g->gr_gid) == 0 && fchmod(fd, 0640) == 0;
}

static int
make_temporary(const char *path, struct slice text, char **temporary, struct error *err)
{
    char *name = mem_format("%s.XXXXXX", path);
    int fd = mkostemp(name, O_CLOEXEC);

    *temporary = name;
    if (fd >= 0 && set_rights(fd) && file_write(fd, text.p, text.len) && fsync(fd) == 0)
        return fd;
    error_sys(err, ERROR_IO, errno, "cannot write %s", path);
    if (fd >= 0)
        (void)unlink(name);
    file_close(&fd);
    return -1;
}

/* FILE.bak, FILE.bak2 and so on: none is ever replaced */
static char *
keep_former(const char *path, struct error *err)
{
    for (unsigned n = 1; n < 1000; n++) {
        char *backup = n == 1 ? mem_format("%s.bak", path) : mem_format("%s.bak%u", path, n);
        if (link(path, backup) == 0)
            return backup;
        free(backup);
        if (errno != EEXIST)
            break;
    }
    error_sys(err, ERROR_IO, errno, "%s: cannot keep a copy of what is there", path);
    return NULL;
}

static void
sync_folder(const char *path)
{
    char *copy = mem_dup(path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0)
        (void)fsync(fd); /* the file itself is synced; some file systems refuse this */
    file_close(&fd);
    free(copy);
}

static bool
place(struct import_write *w, const char *temporary, struct error *err)
{
    if (w->state == IMPORT_WRITE_NEW) {
        if (link(temporary, w->path) != 0)
            return error_sys(err, ERROR_IO, errno, "cannot write %s", w->path);
        (void)unlink(temporary);
        return true;
    }
    w->backup = keep_former(w->path, err);
    if (!w->backup)
        return false;
    if (rename(temporary, w->path) == 0)
        return true;
    return error_sys(err, ERROR_IO, errno, "cannot write %s", w->path);
}

/*
 * A new file has no name until it is whole: whoever is ended before leaves no part of a password behind. False with err.class ERROR_NONE:
 * not in this file system.
 */
static bool
put_unnamed(const struct import_write *w, struct error *err)
{
    char *copy = mem_dup(w->path);
    const char *name = strrchr(w->path, '/');
    int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = name && dir >= 0 && filesys_can_link(dir) ? filesys_unnamed(dir, ".") : -1;
    bool ok = fd >= 0 && set_rights(fd) && file_write(fd, w->text.p, w->text.len) && fsync(fd) == 0 &&
              filesys_link(fd, dir, name + 1) == 0;

    error_init(err);
    if (fd >= 0 && !ok)
        error_sys(err, ERROR_IO, errno, "cannot write %s", w->path);
    file_close(&fd);
    file_close(&dir);
    free(copy);
    return ok;
}

bool
import_write_put(struct import_write *w, struct error *err)
{
    char *temporary;
    int fd;
    bool ok;

    if (w->state == IMPORT_WRITE_SAME)
        return true;
    file_make_parents(w->path);
    if (w->state == IMPORT_WRITE_NEW && put_unnamed(w, err)) {
        sync_folder(w->path);
        return true;
    }
    if (w->state == IMPORT_WRITE_NEW && err->class != ERROR_NONE)
        return false;
    fd = make_temporary(w->path, w->text, &temporary, err);
    ok = fd >= 0 && place(w, temporary, err);
    if (fd >= 0 && !ok)
        (void)unlink(temporary);
    if (ok)
        sync_folder(w->path);
    file_close(&fd);
    free(temporary);
    return ok;
}
