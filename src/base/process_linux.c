/* SPDX-License-Identifier: ISC */
/* process: /proc (proc(5)) and prctl(2). */
#include "base/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/types.h>

#include "base/file.h"
#include "base/unit.h"

static bool
read_proc(int64_t pid, const char *name, struct buf *out)
{
    char path[64];
    struct error err;
    int fd;
    bool ok;

    (void)snprintf(path, sizeof path, "/proc/%lld/%s", (long long)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return false;
    buf_reset(out);
    ok = file_read_all(fd, out, path, &err);
    file_close(&fd);
    return ok;
}

/* The fourth word of its stat line, behind the last ')' since comm may hold anything */
int64_t
process_parent(int64_t pid)
{
    struct buf b;
    int64_t parent = -1;
    uint64_t v;

    buf_init(&b, 4096);
    if (read_proc(pid, "stat", &b)) {
        struct slice rest = slice_from(buf_slice(&b), slice_find_last(buf_slice(&b), ')') + 1), word;
        rest = slice_trim(rest);
        if (slice_cut(&rest, ' ', &word) && slice_cut(&rest, ' ', &word) && slice_number(word, INT32_MAX, &v))
            parent = (int64_t)v;
    }
    buf_clear(&b);
    return parent;
}

bool
process_program(int64_t pid, struct buf *out)
{
    return read_proc(pid, "comm", out);
}

bool
process_unit(int64_t pid, struct buf *out)
{
    struct buf all;
    bool ok;

    buf_init(&all, 4096);
    ok = read_proc(pid, "cgroup", &all);
    buf_reset(out);
    buf_add_slice(out, unit_name(buf_slice(&all)));
    buf_clear(&all);
    return ok;
}

int
process_open_own(void)
{
    return open("/proc/self/exe", O_PATH | O_CLOEXEC);
}

int
process_open_program(const char *path)
{
    return open(path, O_PATH | O_CLOEXEC);
}

void
process_set_name(const char *name)
{
    (void)prctl(PR_SET_NAME, name); /* a number is no harm */
}

bool
process_keep_secrets(void)
{
    return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}
