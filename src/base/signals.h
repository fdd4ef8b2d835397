/* SPDX-License-Identifier: ISC */
/* signals: signals that are read from a descriptor instead of interrupting. */
#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include <stdbool.h>
#include <signal.h>

/*
 * A descriptor that is readable while one of these is there, close-on-exec. The caller blocks them (sigprocmask(2)) and closes it.
 * -1 with errno.
 */
int signals_open(const sigset_t *set, bool nonblocking);
/* The next one, taken off the list; 0: there is none, or it could not be read. */
int signals_next(int fd);

#endif
