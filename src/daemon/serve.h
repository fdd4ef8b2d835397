/* SPDX-License-Identifier: ISC */
/*
 * serve: the daemon's own process, executed by the helper (daemon/supervise) as another user: its sockets, settings without
 * secrets and workers come from `helper_sock` (ipc/start). When the helper ends, it finishes, too.
 */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

/* Serve until the helper says STOP or is gone. Returns the exit code of the process. */
int serve_run(int helper_sock);

#endif
