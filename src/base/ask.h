/* SPDX-License-Identifier: ISC */
/*
 * ask: one line to a server at a Unix socket, or to a program started for it, and its answer copied out. libc only.
 *
 * The answer: data lines with a blank in front, empty lines and "+DONE TOTAL" while it takes longer, at last "=CODE TEXT" (an exit
 * code of base/error, or 1 or 2, and what the caller should say), then the end.
 */
#ifndef BASE_ASK_H
#define BASE_ASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/slice.h"

enum { ASK_NOBODY = -1, ASK_TROUBLE = -2 };

/*
 * Connect to the stream socket at `path`: a descriptor, not blocking. ASK_NOBODY: nobody listens there. ASK_TROUBLE with err (75):
 * anything else, also when the one who listens is neither root nor `user` (a login name) nor this process's user nor the owner
 * of the socket's folder, where nobody else may write. A server that accepts nobody has `patience_ms`.
 */
int ask_connect(const char *path, const char *user, int patience_ms, struct error *err);
/*
 * Start argv[0] with one end of a socket pair as its descriptors 0 and 1, in a process group of its own if `apart`: the other end,
 * or -1 with err.
 */
int ask_start(char *const argv[], bool apart, pid_t *pid, struct error *err);
/*
 * Its end is awaited for at most `patience_ms`, when the descriptor has been closed: where nobody reaps (the first process of
 * many a container) each call would leave a zombie. -1 as pid: nothing was started.
 */
void ask_finish(pid_t pid, int patience_ms);
/*
 * Send `line` (without its ending) and copy the data lines to `out`. Returns the exit code; err.text is what the caller should say,
 * "" = nothing, also with 0. A server from which nothing comes for `patience_ms` (-1: as long as it takes) is 75.
 */
int ask(int fd, struct slice line, int out, int patience_ms, struct error *err);
/* Who gets the answer: data lines, in pieces as they come (false with errno: it can take no more), and how far it is */
struct ask_sink {
    bool (*data)(void *ctx, struct slice lines);
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* NULL: nobody looks */
    void *ctx;
};
/* The same into a sink. */
int ask_into(int fd, struct slice line, const struct ask_sink *to, int patience_ms, struct error *err);
/*
 * The configuration of an ordinary user's own, where there is one: $XDG_CONFIG_HOME/smtprelay/config, else
 * ~/.config/smtprelay/config. NULL: none. Fresh memory.
 */
char *ask_own_config(uid_t uid);

#endif
