/* SPDX-License-Identifier: ISC */
/*
 * run: one pass over the queue without a daemon (`sendmail -q`).
 */
#ifndef DAEMON_RUN_H
#define DAEMON_RUN_H

/* Which messages are meant: `by` is 'I' (id), 'R' (a recipient) or 'S' (the sender), which contains `match`;
 * '=': its id is one of `match`, separated by commas; 0 = all. */
struct run_filter {
    char by;
    const char *match;
};

/*
 * Try each waiting message once, workers from `helper_sock` (ipc/start). A smarthost that is down is asked once, not for each
 * message. Returns the exit code; trouble is told on stderr.
 */
int run_queue(int helper_sock, const struct run_filter *filter);

#endif
