/* SPDX-License-Identifier: ISC */
/*
 * daemon: serves one client: recipients, record, workers, verdict. Holds no secret, parses no header, speaks no TLS, resolves no
 * name and executes nothing: workers are asked for at `helper_sock` (ipc/start).
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "daemon/server.h"

/*
 * Descriptors `in` and `out` may be the same; they stay the caller's. Returns the exit code of the process; where it is not 0 the
 * client has been told why, as far as it listens, and err says it.
 */
int daemon_serve_one(int in, int out, int helper_sock, enum server_kind kind, struct error *err);

#endif
