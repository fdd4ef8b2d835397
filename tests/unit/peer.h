/* SPDX-License-Identifier: ISC */
/*
 * peer: a scripted server in a thread, at the other end of a socket pair.
 *
 * With SOCK_SEQPACKET each write of the client arrives as one packet: flights can be counted.
 */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

#define PEER_STEPS_MAX 32

struct peer_step {
    const char *until; /* read until this has come; NULL: one packet; "": nothing is read */
    const char *say;   /* then say this; NULL: nothing */
    bool close;        /* then hang up */
};

struct peer {
    int fd;
    pthread_t thread;
    const struct peer_step *steps;
    size_t n;
    struct buf got[PEER_STEPS_MAX]; /* what came in each step; what came behind the last, in got[n] */
    size_t done;                    /* steps that were gone through */
};

/* Start a peer that goes through the steps and then reads to the end; the client's end, non-blocking, comes back. */
int peer_start(struct peer *p, int type, const struct peer_step *steps, size_t n);
/* Wait for it, once the client's end is closed. */
void peer_join(struct peer *p);
/* What came in step i, as a string. */
const char *peer_got(struct peer *p, size_t i);
void peer_clear(struct peer *p);

#endif
