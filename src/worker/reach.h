/* SPDX-License-Identifier: ISC */
/* reach: the files a worker can still open once it is confined. */
#ifndef WORKER_REACH_H
#define WORKER_REACH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "config/config.h"

enum { REACH_KEPT = 3 };

/* The name service's settings as they were when a worker was confined */
struct reach_kept {
    struct stat file[REACH_KEPT];
};

/*
 * Give up everything but the network and reading what the resolver and OpenSSL need (base/confine.h). `c`: this worker's
 * settings. Without Landlock or seccomp there is less of it: the CONFINE_ bits that hold come back.
 */
unsigned reach_confine(const struct config *c);

/* Look at them, before reach_confine(). */
void reach_keep(struct reach_kept *k);
/* Has one since got another file in its place, which this worker may not read, but a new one may? */
bool reach_is_lost(const struct reach_kept *k);

#endif
