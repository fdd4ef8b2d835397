/* SPDX-License-Identifier: ISC */
/* within: each component is looked at by readlink(2), as the kernel would with `root` as its root folder. */
#include "base/within.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
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
