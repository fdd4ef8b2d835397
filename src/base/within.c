/* SPDX-License-Identifier: ISC */
/*
 * within: each component is looked at by readlink(2), as the kernel would with `root` as its root folder. What is opened is then walked to
 * from `root`, one folder at a time and, unless that is our own, through no link.
 */
#include "base/within.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/filesys.h"
#include "base/mem.h"
#include "base/slice.h"

enum { LINKS_MAX = 40, LENGTH_MAX = 1 << 16 };

/* What the link at `root` and `done` says, before what is still to come; NULL: it is none. Fresh memory. */
static char *
follow(const char *root, struct buf *done, struct slice rest)
{
    char *full = mem_format("%s%s", root, buf_str(done));
    char target[PATH_MAX];
    ssize_t n = readlink(full, target, sizeof target - 1);

    free(full);
    if (n < 0)
        return NULL;
    target[n] = '\0';
    return mem_format("%s/%.*s", target, SLICE_ARG(rest));
}

static void
step(struct buf *done, struct slice name)
{
    struct slice all = buf_slice(done);

    if (slice_is(name, ".."))
        buf_truncate(done, all.len ? slice_find_last(all, '/') : 0);
    else if (name.len && !slice_is(name, "."))
        buf_add_format(done, "/%.*s", SLICE_ARG(name));
}

char *
within(const char *root, const char *path)
{
    char *todo = mem_dup(path), *next, *result = NULL;
    struct slice rest = slice_of(todo), name;
    struct buf done;
    size_t links = 0, before;

    if (!*root)
        return todo;
    buf_init(&done, LENGTH_MAX);
    while (links < LINKS_MAX && slice_cut(&rest, '/', &name)) {
        before = done.len;
        step(&done, name);
        next = done.len > before ? follow(root, &done, rest) : NULL;
        if (!next)
            continue;
        buf_truncate(&done, *next == '/' ? 0 : before);
        free(todo);
        todo = next;
        rest = slice_of(todo);
        links++;
    }
    if (links < LINKS_MAX && !done.overflow)
        result = mem_format("%s%s", root, done.len ? buf_str(&done) : "/");
    buf_clear(&done);
    free(todo);
    errno = ELOOP;
    return result;
}

/* Takes `dir`; the folder `name` in it, -1 with errno. `follow`: it may be a link */
static int
enter(int dir, const char *name, bool make, bool follow)
{
    int fd = filesys_folder(dir, name, follow), why;

    if (fd < 0 && errno == ENOENT && make && (mkdirat(dir, name, 0755) == 0 || errno == EEXIST))
        fd = filesys_folder(dir, name, follow);
    why = errno;
    file_close(&dir);
    errno = why;
    return fd;
}

int
within_folder(const char *root, const char *path, bool make, char **name)
{
    char *place = within(root, path), *part, *next;
    int dir = place ? filesys_folder(AT_FDCWD, *root ? root : "/", true) : -1, why;

    *name = NULL;
    part = place ? place + strlen(root) : NULL;
    while (dir >= 0 && part) {
        part += strspn(part, "/");
        next = strchr(part, '/');
        if (!next)
            break;
        *next = '\0';
        dir = enter(dir, part, make, !*root); /* links of our own machine were not looked at */
        part = next + 1;
    }
    why = errno;
    if (dir >= 0)
        *name = mem_dup(*part ? part : ".");
    free(place);
    errno = why;
    return dir;
}

int
within_open(const char *root, const char *path, int flags)
{
    char *name;
    int dir, fd, why;

    if (!*root)
        return open(path, flags | O_CLOEXEC);
    dir = within_folder(root, path, false, &name);
    fd = dir < 0 ? -1 : openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
    why = errno;
    file_close(&dir);
    free(name);
    errno = why;
    return fd;
}
