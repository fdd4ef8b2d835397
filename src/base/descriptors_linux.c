/* SPDX-License-Identifier: ISC */
/*
 * descriptors: close_range(2) of Linux 5.9 (with flags 5.11), by number since not every libc has it; where it is missing, one by one,
 * up to the limit.
 */
#include "base/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NR_CLOSE_RANGE = 436, CLOEXEC = 4, MANY = 1 << 20 }; /* the same on every architecture */

static int
count(void)
{
    struct rlimit limit;

    /* opened under a higher limit, some may lie above; nobody lowers ours */
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > MANY)
        return MANY;
    return (int)limit.rlim_cur;
}

void
descriptors_close_from(int lowest)
{
    if (syscall(NR_CLOSE_RANGE, (unsigned)lowest, ~0U, 0) == 0)
        return;
    for (int fd = lowest, n = count(); fd < n; fd++)
        (void)close(fd); /* most are not open */
}

void
descriptors_end_from(int lowest)
{
    if (syscall(NR_CLOSE_RANGE, (unsigned)lowest, ~0U, CLOEXEC) == 0)
        return;
    for (int fd = lowest, n = count(); fd < n; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}
