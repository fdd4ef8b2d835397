/* SPDX-License-Identifier: ISC */
/* passfd: one packet and at most two descriptors over a Unix socket (unix(7), SCM_RIGHTS). */
#ifndef BASE_PASSFD_H
#define BASE_PASSFD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define PASSFD_MAX 2
#define PASSFD_LOST (-2) /* in place of a descriptor: this process has too many */

/* Send `len` bytes (> 0) as one packet with `nfds` descriptors. False with errno; EAGAIN when it would block. */
bool passfd_send(int sock, const void *data, size_t len, const int *fds, size_t nfds);
/*
 * Receive one packet: its length, 0 at the end, -1 with errno. A packet longer than `size` is an error (EMSGSIZE).
 * fds[0..PASSFD_MAX) are set to what came (close-on-exec) or -1; the caller owns them. Where there was no room for a descriptor,
 * all that came are closed and fds[0] is PASSFD_LOST.
 */
ssize_t passfd_receive(int sock, void *data, size_t size, int fds[PASSFD_MAX]);
/*
 * When what passfd_receive() gave (`n`, `fds`) is no packet as it has to be: closes what came. 0: the other end has gone; -2: nothing
 * yet (the descriptor does not block); -1 with err. `between` names both ends, for the error.
 */
int passfd_failure(ssize_t n, int fds[PASSFD_MAX], const char *between, struct error *err);

#endif
