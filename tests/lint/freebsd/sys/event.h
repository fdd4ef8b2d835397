/* SPDX-License-Identifier: ISC */
/* A stub: tests/lint/freebsd/README.md. */
#include <stdint.h>
#include <time.h>

enum { EVFILT_SIGNAL = -6, EV_ADD = 1 };
struct kevent {
    uintptr_t ident;
    short filter;
    unsigned short flags;
    unsigned fflags;
    int64_t data;
    void *udata;
};
#define EV_SET(kev, a, b, c, d, e, f) (*(kev) = (struct kevent){ (a), (b), (c), (d), (e), (f) })
int kqueue(void);
int kevent(int kq, const struct kevent *changelist, int nchanges, struct kevent *eventlist, int nevents,
    const struct timespec *timeout);
