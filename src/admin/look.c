/* SPDX-License-Identifier: ISC */
/* look: runs the worker and takes its lines. */
#include "admin/look.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/clock.h"
#include "base/file.h"

enum { LOOK_MS = 20000, END_MS = 1000 };

/* All it says until it ends, or until LOOK_MS have passed */
static void
read_all(int fd, struct buf *out)
{
    int64_t deadline = clock_deadline(LOOK_MS);
    char piece[4096];

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int left = clock_left(deadline);
        if (left == 0 || (poll(&p, 1, left) < 0 && errno != EINTR))
            return;
        ssize_t n = p.revents ? read(fd, piece, sizeof piece) : 0;
        if (p.revents && n <= 0)
            return;
        buf_add(out, piece, (size_t)n);
    }
}

bool
look_by_worker(char *const argv[], struct buf *out, struct error *err)
{
    pid_t pid;
    int fd = ask_start(argv, false, &pid, err);

    if (fd < 0)
        return false;
    read_all(fd, out);
    file_close(&fd);
    ask_finish(pid, END_MS);
    return true;
}
