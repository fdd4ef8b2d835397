/* SPDX-License-Identifier: ISC */
/* bounds: the files a daemon can still change once it is confined. */
#ifndef DAEMON_BOUNDS_H
#define DAEMON_BOUNDS_H

#include "config/config.h"

/*
 * Give up everything but local sockets, reading files, and writing below the folders the settings name (base/confine.h).
 * After log_open(), before any thread. The CONFINE_ bits that hold come back.
 */
unsigned bounds_confine(const struct config *c);

/* Which of our own defences this system lacks, by those bits, as a list in words; the caller's. NULL: none. */
char *bounds_missing(unsigned bits);

#endif
