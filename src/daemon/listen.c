/* SPDX-License-Identifier: ISC */
/* listen: accepts and counts. */
#include "daemon/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/peercred.h"
#include "daemon/client.h"
#include "daemon/crowd.h"

/* A session that has brought nothing forward for so long may make room for another of the same party */
#define FORGOTTEN_MS 10000
#define QUIET_MS 1000 /* one line a second on who is turned away */
#define AGAIN_MS 1000 /* after an accept that failed for want of descriptors or memory */

struct socket {
    struct socket *next;
    struct listen *listen;
    int fd;
    enum server_kind kind;
    struct loop_watch *watch;
};

struct seat {
    struct client *client;
    struct party *party; /* NULL: it was turned away */
};

struct listen {
    struct core *core;
    struct socket *sockets;
    struct crowd *crowd;
    struct seat *seats;
    size_t n, cap;
    size_t max, tcp_max; /* sessions, and those of them over TCP */
    size_t taken, tcp_taken;
    int64_t spoke_at; /* of somebody turned away */
    size_t unsaid;
    struct loop_timer *again;
    bool stopping;
    void (*done)(void *ctx);
    void *ctx;
};

/* A session has a socket and, with a message, two descriptors of its record; the workers, the queue and the control desk want theirs */
static size_t
room(void)
{
    long descriptors = sysconf(_SC_OPEN_MAX);
    size_t max = descriptors < 0     ? LISTEN_SESSIONS_MAX
                 : descriptors > 200 ? (size_t)(descriptors - 150) / 4
                                     : 12;

    return max < LISTEN_SESSIONS_MAX ? max : LISTEN_SESSIONS_MAX;
}

struct listen *
listen_new(struct core *core)
{
    struct listen *l = mem_alloc(sizeof *l);

    l->core = core;
    l->crowd = crowd_new();
    l->max = room();
    l->tcp_max = l->max / 2 < LISTEN_TCP_MAX ? l->max / 2 : LISTEN_TCP_MAX;
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
        client_free(l->seats[0].client);
    free(l->seats);
    crowd_free(l->crowd);
    free(l);
}

static void
stand_up(struct listen *l, struct seat *seat)
{
    if (!seat->party)
        return;
    crowd_leave(seat->party);
    l->taken--;
    l->tcp_taken -= client_is_tcp(seat->client);
}

static void
on_closed(void *ctx, struct client *c)
{
    struct listen *l = ctx;

    for (size_t i = 0; i < l->n; i++) {
        if (l->seats[i].client != c)
            continue;
        stand_up(l, &l->seats[i]);
        l->seats[i] = l->seats[--l->n];
        break;
    }
    if (l->stopping && l->n == 0 && l->done)
        l->done(l->ctx);
}

static int64_t
uid_of(int fd)
{
    struct peercred cred;

    return peercred_get(fd, &cred) ? (int64_t)cred.uid : -1;
}

/* ---------------------------------------------------------------- who may stay */

/* Of the sessions of this party the one that has brought nothing forward for longest, one without a message before others */
static struct client *
find_idle(struct listen *l, const struct party *party, bool tcp_only)
{
    struct client *best = NULL;
    int64_t since = 0;
    bool busy = true;

    for (size_t i = 0; i < l->n; i++) {
        bool in_message;
        int64_t at = client_idle_since(l->seats[i].client, &in_message);
        if (l->seats[i].party != party || at < 0 || (tcp_only && !client_is_tcp(l->seats[i].client)))
            continue;
        if (best && (in_message > busy || (in_message == busy && at >= since)))
            continue;
        best = l->seats[i].client;
        since = at;
        busy = in_message;
    }
    return best;
}

/* He goes now, or behind his verdict; one more for that long does no harm */
static bool
send_away(struct client *victim)
{
    if (victim)
        client_stop(victim, "smtprelayd: too many sessions, and this one is idle");
    return victim != NULL;
}

/* A party that has all it may: one of its own that was forgotten makes room */
static bool
replace_own(struct listen *l, const struct party *party)
{
    struct client *oldest = find_idle(l, party, false);
    bool in_message;

    if (!oldest || clock_ms() - client_idle_since(oldest, &in_message) < FORGOTTEN_MS || in_message)
        return false;
    return send_away(oldest);
}

/* All is taken: whoever has most gives one away, to somebody who has fewer */
static bool
make_room(struct listen *l, const struct party *party, bool tcp)
{
    const struct party *largest = crowd_largest(l->crowd);

    if (!largest || party_sessions(largest) <= party_sessions(party) + 1)
        return false;
    return send_away(find_idle(l, largest, tcp));
}

/* Is there room for one more of this party, which has entered already? `who` is its address, or NULL: it is a user */
static bool
has_room(struct listen *l, struct party *party, int64_t uid, const char *who, bool tcp, struct error *err)
{
    size_t sessions = party_sessions(party);

    if (uid > 0 && sessions > LISTEN_SESSIONS_OF_ONE && !replace_own(l, party))
        return error_set(err, ERROR_TEMP, "smtprelayd: too many sessions of user %lld", (long long)uid);
    if (uid < 0 && who && sessions > LISTEN_SESSIONS_OF_ADDRESS && !replace_own(l, party))
        return error_set(err, ERROR_TEMP, "smtprelayd: too many sessions of %s", who);
    if (!party_may(party, CROWD_CONNECTION, CROWD_CONNECTIONS, clock_ms()))
        return error_set(err, ERROR_TEMP, "smtprelayd: too many connections of %s within a minute", who);
    if ((l->taken >= l->max || (tcp && l->tcp_taken >= l->tcp_max)) && !make_room(l, party, tcp))
        return error_set(err, ERROR_TEMP, "smtprelayd: too many sessions");
    return true;
}

/* NULL with why: this one cannot stay */
static struct party *
admit(struct listen *l, int64_t uid, const char *network, struct error *err)
{
    struct party *party = crowd_enter(l->crowd, uid, network, clock_ms());

    if (!party) {
        error_set(err, ERROR_TEMP, "smtprelayd: too many addresses");
        return NULL;
    }
    if (has_room(l, party, uid, network, network != NULL, err)) {
        party_took(party, CROWD_CONNECTION, 1);
        return party;
    }
    crowd_leave(party);
    return NULL;
}

/* In the log, but not a line for each of thousands */
static void
say_why(struct listen *l, const struct error *why)
{
    int64_t now = clock_ms();

    if (l->spoke_at && now - l->spoke_at < QUIET_MS) {
        l->unsaid++;
        return;
    }
    if (l->unsaid)
        log_line(LOG_LEVEL_WARNING, "%s; and %zu more were turned away", why->text, l->unsaid);
    else
        log_line(LOG_LEVEL_WARNING, "%s", why->text);
    l->spoke_at = now;
    l->unsaid = 0;
}

static struct seat
greet_tcp(struct listen *l, int fd)
{
    const struct config_value *networks = config_value(&l->core->config, 0, CONFIG_LISTEN_NETWORKS);
    struct seat seat = { NULL, NULL };
    struct tcp_peer peer;
    struct error err;
    int64_t uid;

    if (!tcp_identify(fd, &peer))
        return seat;
    tcp_hurry(fd);
    uid = tcp_uid(l->core->diag, fd, &peer);
    if (!tcp_is_allowed(&peer, networks))
        error_set(&err, ERROR_ADMIN, "%s: not permitted to send mail (ListenNetworks)", peer.literal);
    else
        seat.party = admit(l, uid, peer.network, &err);
    if (!seat.party)
        say_why(l, &err);
    seat.client = client_new_tcp(l->core, fd, &peer, uid, seat.party, seat.party ? NULL : &err, on_closed, l);
    return seat;
}

static struct seat
greet_local(struct listen *l, int fd, enum server_kind kind)
{
    struct seat seat;
    struct error err;

    seat.party = admit(l, uid_of(fd), NULL, &err);
    if (!seat.party)
        say_why(l, &err);
    seat.client = client_new(l->core, fd, fd, kind, seat.party ? NULL : &err, on_closed, l);
    return seat;
}

static void
add_client(struct socket *s, int fd)
{
    struct listen *l = s->listen;
    struct seat seat = s->kind == SERVER_LISTENER ? greet_tcp(l, fd) : greet_local(l, fd, s->kind);

    if (!seat.client) {
        file_close(&fd);
        return;
    }
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->seats = mem_resize(l->seats, l->cap, sizeof *l->seats);
    }
    l->seats[l->n++] = seat;
    l->taken += seat.party != NULL;
    l->tcp_taken += seat.party && s->kind == SERVER_LISTENER;
}

/* ---------------------------------------------------------------- sockets */

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

/* Who has connected waits for an answer: closing the socket would cut him off without a word */
static void
accept_all(struct listen *l)
{
    for (struct socket *s = l->sockets; s; s = s->next) {
        int fd;
        while (s->kind == SERVER_LOCAL && l->n < l->max &&
               (fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
            add_client(s, fd);
    }
}

void
listen_stop(struct listen *l, void (*done)(void *ctx), void *ctx)
{
    accept_all(l);
    l->stopping = true;
    l->done = done;
    l->ctx = ctx;
    close_sockets(l);
    for (size_t i = 0; i < l->n; i++)
        client_finish(l->seats[i].client, "smtprelayd: it is being stopped");
    if (l->n == 0)
        done(ctx);
}

size_t
listen_sessions(const struct listen *l)
{
    return l->n;
}
