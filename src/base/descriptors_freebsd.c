/* SPDX-License-Identifier: ISC */
/* descriptors: closefrom(2); close-on-exec one by one, since close_range(2) has had that flag only of late. */
#include "base/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

void
descriptors_close_from(int lowest)
{
    closefrom(lowest);
}

void
descriptors_end_from(int lowest)
{
    for (int fd = lowest, n = getdtablesize(); fd < n; fd++)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* most are not open */
}
