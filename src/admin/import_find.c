/* SPDX-License-Identifier: ISC */
/* import_find: whose configuration, where it lies, and what it names; below another root, whatever is done to its links meanwhile. */
#include "admin/import_state.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/within.h"

/* ---------------------------------------------------------------- reading */

/* Where a file of that machine lies here: its links lead to files of its own. Fresh memory. */
char *
import_find_place(const char *root, const char *path)
{
    char *full = within(root, path);

    if (!full) /* what is a circle there need not be one to the kernel, which would follow it to files of this machine */
        fatal(EX_CONFIG, "import: %s%s: symbolic links lead in a circle", root, path);
    return full;
}

bool
import_find_read(struct import *im, const char *path, struct buf *text, struct error *err)
{
    const struct import_run *r = im->ctx;
    char *full = import_find_place(r->root, path);
    struct stat st;
    int fd = file_regular(within_open(r->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY), full, &st, err);
    bool ok = fd >= 0;

    if (!ok && (errno == ENOENT || errno == ENOTDIR))
        error_init(err);
    ok = ok && file_read_all(fd, text, full, err);
    if (ok && slice_has(buf_slice(text), '\0'))
        ok = error_set(err, ERROR_CONFIG, "%s: there is a NUL byte in it, so it is no configuration", full);
    file_close(&fd);
    free(full);
    return ok;
}

const char *
import_find_home(uid_t uid)
{
    const char *home = getenv("HOME");
    const struct passwd *pw = home && *home == '/' ? NULL : getpwuid(uid);

    return home && *home == '/' ? home : pw ? pw->pw_dir : NULL;
}

/* "~/x" and "$/x" */
static char *
expand_path(const struct import_run *r, const char *path)
{
    const char *base = getenv("XDG_CONFIG_HOME");

    if (*path == '/')
        return mem_dup(path);
    if (*path == '$' && base && *base == '/')
        return mem_format("%s%s", base, path + 1);
    if (!r->im.home)
        return NULL;
    return mem_format("%s%s%s", r->im.home, *path == '$' ? "/.config" : "", path + 1);
}

/* ---------------------------------------------------------------- finding */

bool
import_find_is_there(const struct import_run *r, const char *path)
{
    struct stat st;
    char *name;
    int dir, why;
    bool there;

    if (!*r->root)
        return access(path, F_OK) == 0;
    free(import_find_place(r->root, path)); /* a circle of links is said */
    dir = within_folder(r->root, path, false, &name);
    there = dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISLNK(st.st_mode);
    why = errno;
    file_close(&dir);
    free(name);
    errno = why;
    return there;
}

/* The first of its usual files that is there, of a user's or of the system's; NULL: none. Fresh memory. */
static char *
find_kind(const struct import_run *r, const struct import_program *p, bool own)
{
    for (const char *const *known = p->paths; *known; known++) {
        char *path = (**known != '/') == own ? expand_path(r, *known) : NULL;
        if (path && import_find_is_there(r, path))
            return path;
        free(path);
    }
    return NULL;
}

/* What root asks for is the system's */
static char *
find_file(const struct import_run *r, const struct import_program *p)
{
    bool own = r->req->uid != 0;
    char *path = find_kind(r, p, own);

    return path ? path : find_kind(r, p, !own);
}

/* The files that programs of this sort have here, into `found`; the last one is the run's. How many. */
static size_t
find_sort(struct import_run *r, bool server, struct buf *found)
{
    const struct import_program *p;
    size_t n = 0;

    for (size_t i = 0; (p = import_program_at(i)) != NULL; i++) {
        char *path = p->server != server || (r->from && r->program != p) ? NULL : find_file(r, p);
        if (!path)
            continue;
        buf_add_format(found, "%s%s (%s)", found->len ? ", " : "", p->name, path);
        n++;
        free(r->path);
        r->path = path;
        r->program = p;
    }
    return n;
}

/* Without a file being named: exactly one program may have one here. One made for this goes before a mail server that is there, too. */
static bool
find_any(struct import_run *r, struct error *err)
{
    struct buf found;
    size_t n;

    buf_init(&found, 800);
    n = find_sort(r, false, &found);
    if (n == 0)
        n = find_sort(r, true, &found);
    if (n == 0)
        error_set(err, ERROR_CONFIG, "import: no configuration of %s was found; name the file",
            r->from ? r->from : "a program that is known here");
    else if (n > 1)
        error_set(
            err, ERROR_USAGE, "import: there are several: %s; say which with --from NAME", buf_str(&found));
    buf_clear(&found);
    return n == 1;
}

/* A folder: the one file in it that a program calls its main one */
static char *
find_in_folder(struct import_run *r, const char *folder)
{
    const struct import_program *p;

    for (size_t i = 0; (p = import_program_at(i)) != NULL; i++) {
        for (const char *const *known = p->paths; *known; known++) {
            char *path = mem_format("%s%s", folder, strrchr(*known, '/'));
            if ((!r->program || r->program == p) && import_find_is_there(r, path))
                return path;
            free(path);
        }
    }
    return NULL;
}

static bool
find_named(struct import_run *r, struct error *err)
{
    char *full;
    struct stat st;
    bool folder;

    r->path = *r->root ? mem_format("%s%s", *r->file == '/' ? "" : "/", r->file) : file_absolute(r->file);
    full = import_find_place(r->root, r->path);
    folder = stat(full, &st) == 0 && S_ISDIR(st.st_mode);
    free(full);
    if (!folder)
        return true;
    for (size_t len = strlen(r->path); len > 1 && r->path[len - 1] == '/'; len--)
        r->path[len - 1] = '\0';
    full = find_in_folder(r, r->path);
    if (!full)
        return error_set(
            err, ERROR_CONFIG, "import: no configuration that is known here lies in %s", r->file);
    free(r->path);
    r->path = full;
    return true;
}

bool
import_find_load(struct import_run *r, struct error *err)
{
    struct buf b;
    bool ok;

    if (!(r->file ? find_named(r, err) : find_any(r, err)))
        return false;
    buf_init(&b, IMPORT_TEXT_MAX);
    error_init(err);
    ok = import_find_read(&r->im, r->path, &b, err);
    if (!ok && err->class == ERROR_NONE)
        error_set(err, ERROR_CONFIG, "%s%s: there is no such file", r->root, r->path);
    if (ok && !r->program) {
        r->program = import_recognise(r->path, buf_slice(&b));
        if (!r->program)
            ok = error_set(
                err, ERROR_USAGE, "%s: whose configuration is this? say it with --from NAME", r->path);
    }
    if (ok) {
        r->im.program = r->program->name;
        (void)import_add_source(&r->im, r->path, buf_slice(&b));
    }
    buf_wipe(&b);
    return ok;
}
