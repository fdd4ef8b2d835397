/* SPDX-License-Identifier: ISC */
/*
 * spawn: how the helper starts a worker for one account. It forks at once; the child fetches the secret, however long that takes,
 * and becomes the worker. So nothing that is slow happens in the helper.
 */
#ifndef DAEMON_SPAWN_H
#define DAEMON_SPAWN_H

#include <sys/types.h>

#include "config/config.h"

/*
 * The environment of a program that is started: a PATH, and of ours the variables named in `kept` (NULL ends it). Never all of it:
 * SMTPRELAY_* may hold a secret. Never freed: execve follows.
 */
char **spawn_environment(const char *const kept[]);
/* Ends of workers' sockets that the helper keeps, to say there how they ended. Zeroed is an empty one. */
struct spawn_kept {
    struct spawn_one {
        pid_t pid;
        int sock;
    } * one;
    size_t n;
};

/*
 * spawn_worker - start a worker for the account with this index
 *
 * On true *daemon_end is the daemon's end of the worker's socket (ipc/job), the caller's to send on and close. The worker comes
 * into being behind it: jobs may be sent at once, and JOB_FAILED comes when it could not be had. Nothing in `c` changes. False with
 * err: there is no process to be had.
 *
 * The worker is a child of the caller. Its end shows on its socket, so nobody needs its status, but somebody has to reap it:
 * waitpid(-1, ...) at SIGCHLD, or spawn_reap now and then. SIGCHLD must not be ignored. Of the caller's descriptors it keeps
 * standard error alone.
 *
 * `kept` (NULL: nobody says how it ended): its end shows only when spawn_ended was told of it, so SIGCHLD has to be listened to.
 */
bool spawn_worker(
    struct config *c, size_t account, struct spawn_kept *kept, int *daemon_end, struct error *err);
/* A child was reaped. False: it is none of the kept ones. */
bool spawn_ended(struct spawn_kept *kept, pid_t pid, int status);
/* Those that have not ended are left to themselves. */
void spawn_let_go(struct spawn_kept *kept);
/* Reap the children that have ended, but not `keep` (nor those that ended after it), whose status somebody waits for. */
void spawn_reap(pid_t keep);
/* At the end: wait for all children, which have been hung up on, at most so long. */
void spawn_finish(int patience_ms);

#endif
