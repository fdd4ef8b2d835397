/* SPDX-License-Identifier: ISC */
/* signals: signalfd(2). */
#include "base/signals.h"

#include <sys/signalfd.h>

#include "base/file.h"

int
signals_open(const sigset_t *set, bool nonblocking)
{
    return signalfd(-1, set, SFD_CLOEXEC | (nonblocking ? SFD_NONBLOCK : 0));
}

int
signals_next(int fd)
{
    struct signalfd_siginfo info;

    return file_read_some(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}
