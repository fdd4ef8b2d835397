/* SPDX-License-Identifier: ISC */
/* listen: who connects becomes a client, as long as there is room and he has not too many sessions already. */
#ifndef DAEMON_LISTEN_H
#define DAEMON_LISTEN_H

#include "daemon/core.h"
#include "daemon/server.h"

struct listen;

/*
 * All sessions together, those over TCP, those of one user but root, and those of one address whose user is not known. Where
 * descriptors are short there are fewer. When all are taken, whoever has fewer than somebody else gets one that is idle of his.
 */
enum {
    LISTEN_SESSIONS_MAX = 1000,
    LISTEN_TCP_MAX = 500,
    LISTEN_SESSIONS_OF_ONE = 250,
    LISTEN_SESSIONS_OF_ADDRESS = 50
};

struct listen *listen_new(struct core *core);
void listen_free(struct listen *l);
/* Accept sessions of `kind` on a listening socket, which is owned from now on. */
void listen_add(struct listen *l, int fd, enum server_kind kind);
/* Nobody new; who waits for a verdict may wait for it, and our own clients may hand in what they came with. `done` is called when the last one has gone, perhaps from within. */
void listen_stop(struct listen *l, void (*done)(void *ctx), void *ctx);
size_t listen_sessions(const struct listen *l);

#endif
