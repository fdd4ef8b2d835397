/* client: one session with somebody who hands in mail: its descriptors, its server, its identity. */
#ifndef DAEMON_CLIENT_H
#define DAEMON_CLIENT_H

#include "base/error.h"
#include "base/slice.h"
#include "daemon/core.h"
#include "daemon/server.h"
#include "daemon/tcp.h"

/*
 * Begin a session on `in` and `out` (may be the same; owned by the client from now on). `refusal` (may be NULL) is why nothing is
 * taken: it is said, and the session ends. `closed` is called last, from the loop, when the client is gone and freed.
 */
struct client *client_new(struct core *core, int in, int out, enum server_kind kind,
    const struct error *refusal, void (*closed)(void *ctx, struct client *c), void *ctx);
/* The same for somebody who came by TCP. */
struct client *client_new_tcp(struct core *core, int fd, const struct tcp_peer *from, int64_t uid,
    const struct error *refusal, void (*closed)(void *ctx, struct client *c), void *ctx);
/* The uid of its peer, -1 when the kernel does not say; and its address, NULL when it is no TCP. */
int64_t client_uid(const struct client *c);
const char *client_address(const struct client *c);
/* End it whatever it waits for; `closed` is called from within. */
void client_free(struct client *c);
/* No more messages: end the session now, or behind the verdict that is awaited. */
void client_stop(struct client *c);

/* dispatch: the verdict on its message (server_verdict), and a line of the dialog on the way. */
void client_verdict(
    struct client *c, enum error_class class, const char *text, const char *const *refused, size_t nrefused);
void client_progress(struct client *c, struct slice text);

#endif
