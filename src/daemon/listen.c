/* listen: accepts and counts. */
#include "daemon/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/client.h"

#define AGAIN_MS 1000 /* after an accept that failed for want of descriptors or memory */

struct socket {
    struct socket *next;
    struct listen *listen;
    int fd;
    enum server_kind kind;
    struct loop_watch *watch;
};

struct listen {
    struct core *core;
    struct socket *sockets;
    struct client **clients;
    size_t n, cap;
    struct loop_timer *again;
    bool stopping;
    void (*done)(void *ctx);
    void *ctx;
};

struct listen *
listen_new(struct core *core)
{
    struct listen *l = mem_alloc(sizeof *l);

    l->core = core;
    return l;
}

static void
close_sockets(struct listen *l)
{
    loop_cancel(l->again);
    l->again = NULL;
    while (l->sockets) {
        struct socket *s = l->sockets;
        l->sockets = s->next;
        loop_unwatch(s->watch);
        file_close(&s->fd);
        free(s);
    }
}

void
listen_free(struct listen *l)
{
    if (!l)
        return;
    close_sockets(l);
    l->done = NULL;
    while (l->n)
        client_free(l->clients[0]);
    free(l->clients);
    free(l);
}

static void
on_closed(void *ctx, struct client *c)
{
    struct listen *l = ctx;

    for (size_t i = 0; i < l->n; i++) {
        if (l->clients[i] != c)
            continue;
        l->clients[i] = l->clients[--l->n];
        break;
    }
    if (l->stopping && l->n == 0 && l->done)
        l->done(l->ctx);
}

static int64_t
uid_of(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 || len != sizeof cred || cred.pid <= 0)
        return -1;
    return cred.uid;
}

/* Why there is no room for one more of this user, or of this address; `address` NULL: not over TCP */
static bool
is_full(const struct listen *l, int64_t uid, const char *address, struct error *err)
{
    size_t of_uid = 0, of_address = 0, tcp = 0;

    for (size_t i = 0; i < l->n; i++) {
        const char *other = client_address(l->clients[i]);
        of_uid += uid >= 0 && client_uid(l->clients[i]) == uid;
        of_address += address && other && strcmp(other, address) == 0;
        tcp += other != NULL;
    }
    if (l->n >= LISTEN_SESSIONS_MAX || (address && tcp >= LISTEN_TCP_MAX))
        return !error_set(err, ERROR_TEMP, "smtprelayd: too many sessions");
    if (uid > 0 && of_uid >= LISTEN_SESSIONS_OF_ONE)
        return !error_set(err, ERROR_TEMP, "smtprelayd: too many sessions of user %lld", (long long)uid);
    if (uid < 0 && address && of_address >= LISTEN_SESSIONS_OF_ADDRESS)
        return !error_set(err, ERROR_TEMP, "smtprelayd: too many sessions of %s", address);
    return false;
}

static struct client *
greet_tcp(struct listen *l, int fd)
{
    const struct config_value *networks = config_value(&l->core->config, 0, CONFIG_LISTEN_NETWORKS);
    struct tcp_peer peer;
    struct error err;
    int64_t uid;
    bool refused;

    if (!tcp_identify(fd, &peer))
        return NULL;
    uid = tcp_uid(l->core->diag, fd, &peer);
    refused = is_full(l, uid, peer.literal, &err);
    if (!tcp_is_allowed(&peer, networks)) {
        refused = true;
        error_set(&err, ERROR_ADMIN, "%s: not permitted to send mail (ListenNetworks)", peer.literal);
        log_line(LOG_LEVEL_WARNING, "%s", err.text);
    }
    return client_new_tcp(l->core, fd, &peer, uid, refused ? &err : NULL, on_closed, l);
}

static struct client *
greet_local(struct listen *l, int fd, enum server_kind kind)
{
    struct error err;
    bool full = is_full(l, uid_of(fd), NULL, &err);

    return client_new(l->core, fd, fd, kind, full ? &err : NULL, on_closed, l);
}

static void
add_client(struct socket *s, int fd)
{
    struct listen *l = s->listen;
    struct client *c = s->kind == SERVER_LISTENER ? greet_tcp(l, fd) : greet_local(l, fd, s->kind);

    if (!c) {
        file_close(&fd);
        return;
    }
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->clients = mem_resize(l->clients, l->cap, sizeof(struct client *));
    }
    l->clients[l->n++] = c;
}

static void
accept_again(void *ctx)
{
    struct listen *l = ctx;

    l->again = NULL;
    for (struct socket *s = l->sockets; s; s = s->next)
        loop_events(s->watch, POLLIN);
}

/* Short of something: it would be reported again and again */
static void
rest_a_while(struct listen *l, int error)
{
    log_line(LOG_LEVEL_WARNING, "cannot accept a connection: %s", strerror(error));
    for (struct socket *s = l->sockets; s; s = s->next)
        loop_events(s->watch, 0);
    if (!l->again)
        l->again = loop_at(l->core->loop, clock_deadline(AGAIN_MS), accept_again, l);
}

static void
on_ready(void *ctx, int fd, short revents)
{
    struct socket *s = ctx;
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)revents;
    if (client >= 0)
        add_client(s, client);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        rest_a_while(s->listen, errno);
}

void
listen_add(struct listen *l, int fd, enum server_kind kind)
{
    struct socket *s = mem_alloc(sizeof *s);

    s->listen = l;
    s->fd = fd;
    s->kind = kind;
    s->watch = loop_watch(l->core->loop, fd, POLLIN, on_ready, s);
    s->next = l->sockets;
    l->sockets = s;
}

void
listen_stop(struct listen *l, void (*done)(void *ctx), void *ctx)
{
    l->stopping = true;
    l->done = done;
    l->ctx = ctx;
    close_sockets(l);
    for (size_t i = 0; i < l->n; i++)
        client_stop(l->clients[i]);
    if (l->n == 0)
        done(ctx);
}

size_t
listen_sessions(const struct listen *l)
{
    return l->n;
}
