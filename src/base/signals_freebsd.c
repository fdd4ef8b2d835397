/* SPDX-License-Identifier: ISC */
/*
 * signals: kqueue(2) with EVFILT_SIGNAL, which counts signals whether they are blocked or not; what is pending is taken off with
 * sigtimedwait(2), as signalfd would.
 */
#include "base/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/event.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* It never waits: `nonblocking` makes no difference */
int
signals_open(const sigset_t *set, bool nonblocking)
{
    int fd = kqueue(), saved;

    (void)nonblocking;
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    for (int s = 1; fd >= 0 && s < NSIG; s++) {
        struct kevent change;
        if (sigismember(set, s) != 1)
            continue;
        EV_SET(&change, (uintptr_t)s, EVFILT_SIGNAL, EV_ADD, 0, 0, NULL);
        if (kevent(fd, &change, 1, NULL, 0, NULL) == 0)
            continue;
        saved = errno;
        (void)close(fd);
        errno = saved;
        fd = -1;
    }
    return fd;
}

int
signals_next(int fd)
{
    const struct timespec now = { 0, 0 };
    struct kevent event;
    sigset_t one;

    if (kevent(fd, NULL, 0, &event, 1, &now) != 1)
        return 0;
    (void)sigemptyset(&one);
    (void)sigaddset(&one, (int)event.ident);
    (void)sigtimedwait(&one, NULL, &now); /* one that is ignored is not pending */
    return (int)event.ident;
}
