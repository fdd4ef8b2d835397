/* SPDX-License-Identifier: ISC */
/* reach: the files a worker can still open once it is confined. */
#ifndef WORKER_REACH_H
#define WORKER_REACH_H

#include "config/config.h"

/*
 * Give up everything but the network and reading what the resolver and OpenSSL need (base/confine.h). `c`: this worker's
 * settings. Without Landlock or seccomp there is less of it: the CONFINE_ bits that hold come back.
 */
unsigned reach_confine(const struct config *c);

#endif
