/* SPDX-License-Identifier: ISC */
/*
 * sockets: the daemon's listening sockets on Unix paths: made here, or taken over from who started us (sd_listen_fds(3)).
 *
 * Whoever makes them is who clients see (SO_PEERCRED): that is why the helper does.
 */
#ifndef DAEMON_SOCKETS_H
#define DAEMON_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

enum { SOCKETS_MAX = 4, SOCKETS_GIVEN_MAX = 64 };

struct sockets {
    struct sockets_one {
        char *path;
        bool control; /* PATH.ctl */
        bool made;    /* here: it goes away with us */
        int fd;       /* listens, does not block, close-on-exec */
        dev_t dev;
        ino_t ino;
    } one[SOCKETS_MAX];
    size_t n;
    int given[SOCKETS_GIVEN_MAX]; /* handed over and not taken yet, -1 where it was */
    size_t ngiven;
};

/*
 * Listen on each of the `n` paths and on PATH.ctl beside it, for everybody (0666); a folder that is missing is made (0755), a
 * socket nobody listens on any more is replaced. False with err: another daemon answers there (75), or it is not possible (78);
 * nothing is left then.
 */
bool sockets_open(struct sockets *s, const char *const paths[], size_t n, struct error *err);
/* One that was handed over for the address `text` of Listen, which is the caller's from now on; -1: there is none. */
int sockets_take_tcp(struct sockets *s, const char *text);
/* What was handed over and nobody took is closed, with a line in the log. */
void sockets_drop_given(struct sockets *s);
/* Close all, and remove those that were made here and are still there. */
void sockets_close(struct sockets *s);

#endif
