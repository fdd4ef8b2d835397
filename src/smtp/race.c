/* SPDX-License-Identifier: ISC */
/* race: each host has attempts and names of its own, then one connection; one poll(2) watches them all. */
#include "smtp/race.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "smtp/resolve.h"
#include "smtp/socks.h"

#define STAGGER_MS 250 /* RFC 8305, 5: Connection Attempt Delay */

enum { ATTEMPTS_MAX = 32, WATCHED_MAX = ATTEMPTS_MAX + RESOLVE_SOCKETS };

struct attempt {
    int fd;
    struct resolve_address a;
};

struct runner {
    size_t id;
    struct connect_options o;
    const char *host; /* the proxy, where there is one */
    uint16_t port;
    struct race_goal goal;
    int fd;          /* the attempt that has won, waiting for the server to speak; -1: none has */
    struct tls *tls; /* over it */
    short wanted;    /* what poll(2) is to wait for there */
    int64_t deadline, begun_us;
    int64_t next; /* when one more of its addresses joins, though others are still open */
    struct resolve *names;
    struct attempt attempts[ATTEMPTS_MAX];
    size_t n, open;    /* attempts in the list; still trying */
    size_t begun;      /* of all */
    bool has_left_out; /* there were addresses that are not to be tried */
    bool is_over;      /* there was nothing more to wait for when poll(2) began */
    size_t at, polled; /* its part of what poll(2) watches, the attempts first */
    struct buf why;    /* what the failed ones said */
    int last;          /* errno of one of them */
    struct connect_info info;
};

struct race {
    struct runner *runner[RACE_MAX];
    size_t n;
    int64_t left_ms; /* nobody has looked since; 0: nobody has so far */
};

struct race *
race_new(void)
{
    return mem_alloc(sizeof(struct race));
}

static void
drop(struct race *r, size_t i)
{
    struct runner *h = r->runner[i];

    for (size_t k = 0; k < h->n; k++)
        file_close(&h->attempts[k].fd);
    tls_free(h->tls);
    file_close(&h->fd);
    buf_clear(&h->why);
    resolve_free(h->names);
    free(h);
    r->n--;
    memmove(&r->runner[i], &r->runner[i + 1], (r->n - i) * sizeof r->runner[0]);
}

void
race_free(struct race *r)
{
    while (r && r->n)
        drop(r, r->n - 1);
    free(r);
}

size_t
race_count(const struct race *r)
{
    return r->n;
}

static enum race_stage
stage_of(const struct runner *h)
{
    return h->fd < 0 || !h->goal.word         ? RACE_CONNECT
           : h->tls && !tls_is_shaken(h->tls) ? RACE_TLS
                                              : RACE_GREET;
}

size_t
race_give_up(struct race *r, enum race_stage *stage)
{
    size_t id = r->runner[0]->id;

    *stage = stage_of(r->runner[0]);
    drop(r, 0);
    return id;
}

bool
race_is_silent(const struct race *r)
{
    return r->n && r->runner[r->n - 1]->fd >= 0;
}

const struct connect_info *
race_silent(const struct race *r, size_t *id)
{
    if (!race_is_silent(r))
        return NULL;
    *id = r->runner[r->n - 1]->id;
    return &r->runner[r->n - 1]->info;
}

bool
race_has(const struct race *r, size_t id)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->runner[i]->id == id)
            return true;
    return false;
}

/* While the caller is busy with the one that came in first, no time of the others passes: their TLS goes on only here */
static void
give_back_time(struct race *r)
{
    int64_t away = r->left_ms ? clock_ms() - r->left_ms : 0;

    for (size_t i = 0; i < r->n; i++)
        if (r->runner[i]->deadline != CLOCK_NEVER)
            r->runner[i]->deadline += away;
    r->left_ms = 0;
}

bool
race_add(struct race *r, size_t id, const struct connect_options *o, const struct race_goal *goal,
    int64_t deadline, struct race_result *out)
{
    struct runner *h = mem_alloc(sizeof *h);

    ensure(r->n < RACE_MAX);
    give_back_time(r);
    *out = (struct race_result){ .id = id, .fd = -1 };
    h->id = id;
    h->o = *o;
    h->goal = *goal;
    h->fd = -1;
    h->host = o->proxy_host ? o->proxy_host : o->host;
    h->port = o->proxy_host ? o->proxy_port : o->port;
    h->deadline = deadline;
    h->begun_us = clock_us();
    h->names = resolve_new(h->host, o->name_servers, &out->err);
    if (!h->names) {
        if (o->proxy_host)
            error_context(&out->err, "proxy");
        free(h);
        return false;
    }
    buf_init(&h->why, 600);
    r->runner[r->n++] = h;
    return true;
}

/* ---------------------------------------------------------------- the addresses of one host */

static void
note_failure(struct runner *h, const struct resolve_address *a, int errno_value)
{
    char text[64];

    h->last = errno_value;
    if (h->why.len > 200)
        return;
    connect_address_text(a, text, sizeof text);
    buf_add_format(&h->why, "%s%s (%s)", h->why.len ? ", " : "", strerror(errno_value), text);
}

static void
begin_attempt(struct runner *h, const struct resolve_address *a)
{
    int fd = connect_begin(a, h->port, h->o.source);

    if (fd < 0)
        note_failure(h, a, errno);
    if (h->begun++ == 0)
        h->info.resolve_us = clock_us() - h->begun_us;
    if (fd >= 0) {
        h->attempts[h->n++] = (struct attempt){ fd, *a };
        h->open++;
    }
    h->next = clock_deadline(STAGGER_MS);
}

static bool
is_left_out(const struct runner *h, const struct resolve_address *a)
{
    const struct connect_peers *without = h->o.without;
    char text[CONNECT_PEER_SIZE];

    if (!without || h->o.proxy_host)
        return false;
    connect_address_text(a, text, sizeof text);
    for (size_t i = 0; i < without->n; i++)
        if (strcmp(without->peer[i], text) == 0)
            return true;
    return false;
}

/* The next address that is not left out */
static bool
next_address(struct runner *h, struct resolve_address *a)
{
    while (resolve_next(h->names, a)) {
        if (!is_left_out(h, a))
            return true;
        h->has_left_out = true;
    }
    return false;
}

static bool
is_due(const struct runner *h)
{
    return h->begun < ATTEMPTS_MAX && (h->open == 0 || clock_left(h->next) == 0);
}

/* poll(2) takes no more entries than descriptors may be open (RLIMIT_NOFILE), those that are none included */
static void
forget_failed(struct runner *h)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++)
        if (h->attempts[i].fd >= 0)
            h->attempts[n++] = h->attempts[i];
    h->n = n;
}

/* One attempt after the other as names are found, STAGGER_MS apart or when none is open */
static void
go_on(struct runner *h)
{
    struct resolve_address a;

    h->is_over = clock_left(h->deadline) == 0;
    if (h->fd >= 0)
        return;
    forget_failed(h);
    while (!h->is_over && is_due(h) && next_address(h, &a))
        begin_attempt(h, &a);
    if (h->open == 0 && (resolve_is_over(h->names) || h->begun == ATTEMPTS_MAX))
        h->is_over = true;
}

/* What to watch for it, and in *until when to look again at the latest */
static void
watch(struct runner *h, struct pollfd *p, size_t at, int64_t *until)
{
    h->at = at;
    if (h->fd >= 0) {
        p[at] = (struct pollfd){ .fd = h->fd, .events = h->wanted };
        h->polled = 1;
        *until = h->is_over ? 0 : clock_min(*until, h->deadline);
        return;
    }
    for (size_t i = 0; i < h->n; i++)
        p[at + i] = (struct pollfd){ .fd = h->attempts[i].fd, .events = POLLOUT };
    h->polled = h->n + resolve_poll(h->names, p + at + h->n, until);
    *until = h->is_over ? 0 : clock_min(*until, is_due(h) ? h->deadline : clock_min(h->next, h->deadline));
}

/* The first that stands: its index, or -1 when none does */
static int
look(struct runner *h, const struct pollfd *p)
{
    for (size_t i = 0; i < h->n; i++) {
        int e = 0;
        socklen_t len = sizeof e;
        if (h->attempts[i].fd < 0 || !p[i].revents)
            continue;
        if (getsockopt(h->attempts[i].fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0)
            return (int)i;
        note_failure(h, &h->attempts[i].a, e);
        file_close(&h->attempts[i].fd);
        h->open--;
    }
    return -1;
}

/* ---------------------------------------------------------------- the one that stands */

/* That attempt is the host's connection; the others are closed */
static void
settle(struct runner *h, size_t winner)
{
    struct attempt *a = &h->attempts[winner];
    struct resolve_address other;

    h->fd = a->fd;
    a->fd = -1;
    h->wanted = POLLIN;
    h->info.connect_us = clock_us() - h->begun_us - h->info.resolve_us;
    h->is_over = false; /* look once at what it says */
    connect_note_peer(h->fd, &a->a, &h->info);
    h->info.has_others = !h->o.proxy_host && (h->begun > 1 || next_address(h, &other));
    for (size_t k = 0; k < h->n; k++)
        file_close(&h->attempts[k].fd);
    h->n = h->open = 0;
}

/* A server speaks first; through TLS it answers ours before. One that fails at that has spoken, too: whoever goes on hears why. */
static bool
has_spoken(struct runner *h, short revents)
{
    enum tls_step next;

    if (!h->goal.tls)
        return revents != 0;
    if (h->tls && !revents)
        return false;
    if (!h->tls)
        h->tls = tls_begin(h->fd, h->goal.tls);
    next = tls_step(h->tls);
    h->wanted = next == TLS_STEP_WRITE ? POLLOUT : POLLIN;
    return next == TLS_STEP_HEARD || next == TLS_STEP_FAILED;
}

/* Is it there? */
static bool
has_arrived(struct runner *h, const struct pollfd *p)
{
    int winner;

    if (h->fd >= 0)
        return has_spoken(h, p[h->at].revents);
    resolve_step(h->names, p + h->at + h->n, h->polled - h->n);
    winner = look(h, p + h->at);
    if (winner < 0)
        return false;
    settle(h, (size_t)winner);
    return !h->goal.word || has_spoken(h, 0);
}

/* ---------------------------------------------------------------- who is out of the race */

static void
explain(struct runner *h, struct error *err)
{
    if (h->fd >= 0)
        error_set(err, ERROR_TEMP,
            stage_of(h) == RACE_TLS ? "TLS handshake: no answer in time" : "greeting: no answer in time");
    else if (!resolve_has_failed(h->names, err))
        connect_explain(&h->o, h->host, h->port, h->last, h->why.len ? buf_str(&h->why) : NULL, err);
    if (h->o.proxy_host)
        error_context(err, "proxy");
}

/* The proxy's dialog is a short one: nobody else is listened to meanwhile */
static void
go_through_proxy(struct runner *h, struct race_result *out)
{
    const char *why;

    out->info.is_secure = out->info.is_here = out->info.is_absent = false; /* that was the proxy */
    out->info.canonical[0] = '\0';
    if (out->fd < 0 || socks_ask(out->fd, &h->o, h->deadline, &why))
        return;
    error_set(&out->err, ERROR_TEMP, "%s:%u: the proxy %s:%u refuses: %s", h->o.host, h->o.port, h->host,
        h->port, why);
    file_close(&out->fd);
}

static enum race_event
leave(struct race *r, size_t i, bool arrived, struct race_result *out)
{
    struct runner *h = r->runner[i];

    *out = (struct race_result){ .id = h->id, .fd = -1, .info = h->info, .stage = stage_of(h) };
    out->was_begun = h->begun || !h->has_left_out;
    if (h->fd < 0)
        out->info.connect_us = clock_us() - h->begun_us - h->info.resolve_us;
    resolve_canonical(h->names, out->info.canonical);
    if (arrived) {
        out->fd = h->fd;
        out->tls = h->tls;
        h->fd = -1;
        h->tls = NULL;
    } else {
        explain(h, &out->err);
        out->info.is_absent = resolve_is_absent(h->names);
    }
    if (h->o.proxy_host)
        go_through_proxy(h, out);
    drop(r, i);
    r->left_ms = clock_ms();
    return out->fd >= 0 ? RACE_UP : RACE_FAILED;
}

bool
race_take(struct race *r, struct race_result *out)
{
    return r->n == 1 && r->runner[0]->fd >= 0 && leave(r, 0, true, out) == RACE_UP;
}

enum race_event
race_wait(struct race *r, int64_t until, struct race_result *out)
{
    give_back_time(r);
    for (;;) {
        struct pollfd p[RACE_MAX * WATCHED_MAX];
        int64_t wake = until;
        size_t n = 0;

        for (size_t i = 0; i < r->n; i++) {
            go_on(r->runner[i]);
            watch(r->runner[i], p, n, &wake);
            n += r->runner[i]->polled;
        }
        if (poll(p, (nfds_t)n, clock_left(wake)) < 0 && errno == EINTR)
            continue;
        for (size_t i = 0; i < r->n; i++) {
            struct runner *h = r->runner[i];
            bool arrived = has_arrived(h, p);
            if (arrived || h->is_over) /* who stands by now stands, though nobody looked for long */
                return leave(r, i, arrived, out);
        }
        if (clock_left(until) == 0)
            return RACE_WAITING;
    }
}
