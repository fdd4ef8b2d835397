/* SPDX-License-Identifier: ISC */
/* client: one session with somebody who hands in mail: its descriptors, its server, its identity. */
#ifndef DAEMON_CLIENT_H
#define DAEMON_CLIENT_H

#include "base/error.h"
#include "base/slice.h"
#include "daemon/core.h"
#include "daemon/crowd.h"
#include "daemon/server.h"
#include "daemon/tcp.h"

/*
 * Begin a session on `in` and `out` (may be the same; owned by the client from now on). `refusal` (may be NULL) is why nothing is
 * taken: it is said, and the session ends. `closed` is called last, from the loop, when the client is gone and freed.
 */
struct client *client_new(struct core *core, int in, int out, enum server_kind kind,
    const struct error *refusal, void (*closed)(void *ctx, struct client *c), void *ctx);
/* The same for somebody who came by TCP; `party` (NULL with a refusal) is whose session it is, and must live as long. */
struct client *client_new_tcp(struct core *core, int fd, const struct tcp_peer *from, int64_t uid,
    struct party *party, const struct error *refusal, void (*closed)(void *ctx, struct client *c), void *ctx);
/* It came by TCP. */
bool client_is_tcp(const struct client *c);
/*
 * Since when (clock_ms) it has brought nothing forward: begun, said a command, or ended a message. -1: it cannot be ended for
 * somebody else's sake, as it awaits a verdict or is at its end. `in_message`: content is on its way.
 */
int64_t client_idle_since(const struct client *c, bool *in_message);
/* End it whatever it waits for; `closed` is called from within. */
void client_free(struct client *c);
/* No more messages, as `why` says: end the session now, or behind the verdict that is awaited. */
void client_stop(struct client *c, const char *why);
/* The same, but our own client may hand in the message it has come with: within a second it is here. */
void client_finish(struct client *c, const char *why);

/* dispatch: the verdict on its message (server_verdict), and a line of the dialog on the way. */
void client_verdict(
    struct client *c, enum error_class class, const char *text, const char *const *refused, size_t nrefused);
void client_progress(struct client *c, struct slice text);

#endif
