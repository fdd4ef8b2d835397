/* SPDX-License-Identifier: ISC */
/* client: ties a server to descriptors; what becomes of a message is dispatch's. */
#include "daemon/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "config/route.h"
#include "daemon/dispatch.h"
#include "daemon/intake.h"
#include "daemon/peer.h"
#include "daemon/submission.h"

/*
 * A client that neither says nor takes anything. Between messages RFC 5321 (4.5.3.2.7) gives it five minutes; a message comes as
 * fast as whoever writes it to sendmail, which has its own limits, so that one may take hours.
 */
enum { IDLE_MS = 300000, IDLE_IN_MESSAGE_MS = 4 * 3600000 };
/*
 * By TCP each command, and the first byte of a message, has to come within IDLE_MS, however many bytes of it trickle in, and every
 * MIN_RATE bytes of a message give it a second more (Postfix has the same rate).
 */
enum { MIN_RATE = 500 };
/* So long what a stranger still sends is thrown away behind our last word: a reset would take that word from him */
enum { LINGER_MS = 2000 };
/* What a client of ours has come with is here within this, or the daemon ends without it */
enum { LAST_MS = 1000 };
/* after its last byte: what the network may take on top of InteractiveTimeout */
enum { WAIT_MARGIN_S = 60 };

struct client {
    struct core *core;
    struct server *server;
    enum server_kind kind;
    struct peer peer;
    int in, out;
    struct loop_watch *in_watch, *out_watch;
    struct loop_timer *idle, *end, *last;
    const char *last_why; /* said when the message it has come with is over, NULL = it may hand in more */
    int64_t idle_at;      /* when `idle` is due */
    int64_t since;        /* of client_idle_since */
    uint64_t steps, paid; /* of the server by then, and content since */
    bool in_ended, stopping, refused, lingering;
    struct party *party;       /* a stranger's, NULL = it is none */
    struct submission *sub;    /* the message that comes in, NULL = none */
    struct delivery *delivery; /* the message whose verdict is awaited, NULL = none */
    void (*closed)(void *ctx, struct client *c);
    void *ctx;
};

static void pump(struct client *c);

/* ---------------------------------------------------------------- events of the server */

static void
drop_submission(struct client *c)
{
    if (!c->sub)
        return;
    submission_clear(c->sub);
    free(c->sub);
    c->sub = NULL;
}

/* Has the party of a stranger brought too much of late? */
static bool
may_bring(struct client *c, struct error *err)
{
    int64_t now = clock_ms(), size = config_number(&c->core->config, 0, CONFIG_MAX_MESSAGE_SIZE);

    if (!party_may(c->party, CROWD_MESSAGE, CROWD_MESSAGES, now))
        return error_set(err, ERROR_TEMP, "%s: too many messages within a minute", c->peer.address);
    if (!party_may(
            c->party, CROWD_BYTE, size > INT64_MAX / CROWD_SIZES ? INT64_MAX : size * CROWD_SIZES, now))
        return error_set(err, ERROR_TEMP, "%s: too much mail within a minute", c->peer.address);
    return true;
}

static bool
on_recipient(void *ctx, const struct server_transaction *t, const char *address, struct error *err)
{
    struct client *c = ctx;

    if (t->envelope.n == 0)
        drop_submission(c);
    if (!c->sub) {
        if (c->party && !may_bring(c, err))
            return false;
        c->sub = mem_alloc(sizeof *c->sub);
        submission_init(c->sub);
        submission_count(c->sub, &c->core->load);
    }
    if (c->core->load.recipients >= SUBMISSION_RECIPIENTS_MAX &&
        c->sub->record.envelope.n >= SUBMISSION_RECIPIENTS_FREE)
        return error_set(err, ERROR_TEMP, "smtprelayd: too many recipients are being named at once");
    return intake_recipient(&c->core->config, &c->peer, c->sub, t, address, err);
}

static bool
on_begin(void *ctx, struct server_transaction *t, struct error *err)
{
    struct client *c = ctx;
    const char *origin = c->kind == SERVER_LISTENER ? "listener" : server_is_own(c->server) ? "local" : "bs";

    if (c->party)
        party_took(c->party, CROWD_MESSAGE, 1);
    return intake_begin(&c->core->config, &c->peer, origin, c->sub, t, err);
}

static bool
on_content(void *ctx, struct slice bytes, struct error *err)
{
    struct client *c = ctx;
    const struct config *config = &c->core->config;
    uint64_t max = (uint64_t)config_number(config, 0, CONFIG_MAX_MESSAGE_SIZE);

    if (c->party)
        party_took(c->party, CROWD_BYTE, (int64_t)bytes.len);
    c->paid += bytes.len;
    if (c->sub->size + bytes.len > max)
        return error_set(
            err, ERROR_REFUSED, "message: larger than MaxMessageSize (%llu bytes)", (unsigned long long)max);
    return submission_content(
        c->sub, bytes, c->core->spool ? config_text(config, 0, CONFIG_QUEUE_DIR) : NULL, err);
}

static bool
on_end(void *ctx, struct error *err)
{
    struct client *c = ctx;

    if (!submission_finish(c->sub, err))
        return false;
    c->delivery = dispatch_submit(c->core, c->sub, c);
    c->sub = NULL;
    return true;
}

static void
on_drop(void *ctx)
{
    drop_submission(ctx);
}

static const struct server_events server_events = { on_recipient, on_begin, on_content, on_end, on_drop };

/* ---------------------------------------------------------------- descriptors */

static void
end_now(void *ctx)
{
    struct client *c = ctx;
    void (*closed)(void *, struct client *) = c->closed;
    void *closed_ctx = c->ctx;

    c->end = NULL;
    loop_cancel(c->idle);
    loop_cancel(c->last);
    loop_unwatch(c->in_watch);
    loop_unwatch(c->out_watch);
    if (c->delivery)
        dispatch_leave(c->delivery);
    drop_submission(c);
    server_free(c->server);
    if (c->out != c->in)
        file_close(&c->out);
    file_close(&c->in);
    peer_clear(&c->peer);
    if (closed)
        closed(closed_ctx, c);
    free(c);
}

void
client_free(struct client *c)
{
    loop_cancel(c->end);
    end_now(c);
}

/* Not from within: whoever called may still use the client */
static void
end_soon(struct client *c)
{
    if (c->end)
        return;
    loop_events(c->in_watch, 0);
    loop_events(c->out_watch, 0);
    c->end = loop_at(c->core->loop, clock_ms(), end_now, c);
}

static int64_t
idle_deadline(const struct client *c)
{
    if (c->lingering)
        return c->since + LINGER_MS;
    if (c->kind == SERVER_LISTENER)
        return c->since + IDLE_MS + (int64_t)(c->paid / MIN_RATE * 1000);
    return c->since + (c->sub ? IDLE_IN_MESSAGE_MS : IDLE_MS);
}

static void
on_idle(void *ctx)
{
    struct client *c = ctx;

    c->idle = NULL;
    if (c->delivery)
        return;
    if (idle_deadline(c) <= clock_ms()) {
        if (!c->lingering)
            client_stop(c, "smtprelayd: nothing came for too long");
        end_soon(c); /* also one that does not take our last word */
        return;
    }
    c->idle_at = idle_deadline(c);
    c->idle = loop_at(c->core->loop, c->idle_at, on_idle, c);
}

/* The timer may come too early, then it is set again; so most of what is read costs none */
static void
watch_idle(struct client *c)
{
    if (!c->core->is_daemon || c->delivery)
        return;
    if (c->kind != SERVER_LISTENER || c->steps != server_steps(c->server)) {
        c->since = clock_ms();
        c->steps = server_steps(c->server);
        c->paid = 0;
    }
    if (c->idle && c->idle_at <= idle_deadline(c))
        return;
    loop_cancel(c->idle);
    c->idle_at = idle_deadline(c);
    c->idle = loop_at(c->core->loop, c->idle_at, on_idle, c);
}

static void
write_out(struct client *c)
{
    struct buf *out = server_output(c->server);

    while (out->len) {
        ssize_t n = write(c->out, out->data, out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            /* the client has gone: after its last byte the message goes on all the same */
            buf_reset(out);
            c->in_ended = true;
            return;
        }
        buf_consume(out, (size_t)n);
    }
}

/* Our own client reads nothing before the verdict but its progress: what was said before goes with it, by one write */
static bool
may_wait(const struct client *c)
{
    return c->delivery && !c->stopping && server_is_own(c->server);
}

/* All is said */
static void
finish(struct client *c)
{
    if (c->kind != SERVER_LISTENER || c->refused || c->stopping || c->in_ended ||
        shutdown(c->out, SHUT_WR) != 0) {
        end_soon(c);
        return;
    }
    c->lingering = true;
    c->since = clock_ms();
    loop_events(c->out_watch, 0);
    loop_events(c->in_watch, POLLIN);
    c->steps = server_steps(c->server);
    watch_idle(c);
}

/* Write what there is; watch for more room, and for input while it is wanted */
static void
pump(struct client *c)
{
    struct buf *out = server_output(c->server);
    bool over, hold;

    do {
        hold = may_wait(c);
        if (!hold)
            write_out(c);
    } while (server_resume(c->server));
    over = server_finished(c->server) ||
           ((c->in_ended || c->stopping) && !server_is_waiting(c->server) && !server_is_held(c->server));
    if (over && out->len == 0) {
        finish(c);
        return;
    }
    loop_events(c->out_watch, out->len && !hold ? POLLOUT : 0);
    loop_events(c->in_watch, !c->in_ended && server_wants_input(c->server) ? POLLIN : 0);
    watch_idle(c);
}

static void
in_ready(void *ctx, int fd, short revents)
{
    struct client *c = ctx;
    char piece[65536], more;
    ssize_t n = file_read_some(fd, piece, sizeof piece);

    (void)revents;
    if (c->end || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) || (n > 0 && c->lingering))
        return;
    if (c->lingering) {
        end_soon(c);
        return;
    }
    if (n <= 0)
        c->in_ended = true;
    if (n > 0 && c->kind == SERVER_LISTENER)
        server_more(c->server, recv(fd, &more, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
    if (n > 0)
        server_feed(c->server, slice_make(piece, (size_t)n));
    pump(c);
}

static void
out_ready(void *ctx, int fd, short revents)
{
    struct client *c = ctx;

    (void)fd;
    (void)revents;
    if (!c->end && !c->lingering)
        pump(c);
}

/* ---------------------------------------------------------------- for dispatch */

void
client_verdict(
    struct client *c, enum error_class class, const char *text, const char *const *refused, size_t nrefused)
{
    c->delivery = NULL;
    server_verdict(c->server, class, text, refused, nrefused);
    if (c->last_why)
        client_stop(c, c->last_why);
    else
        pump(c);
}

void
client_progress(struct client *c, struct slice text)
{
    server_progress(c->server, text);
    write_out(c);
    pump(c);
}

/* ---------------------------------------------------------------- beginning and end */

static struct server_limits
limits_of(const struct core *core)
{
    const struct config *config = &core->config;
    struct server_limits l = { (uint64_t)config_number(config, 0, CONFIG_MAX_MESSAGE_SIZE),
        (uint64_t)config_number(config, 0, CONFIG_MAX_RECIPIENTS), 0 };

    /* without a queue it may take as long as the smarthost takes */
    if (core->is_daemon && core->spool)
        l.wait_s = (int)(config_number(config, 0, CONFIG_INTERACTIVE_TIMEOUT) / 1000) + WAIT_MARGIN_S;
    return l;
}

/* Why this one may not hand in mail, false: it may */
static bool
is_barred(const struct client *c, struct error *err)
{
    if (route_is_allowed(&c->core->config, c->peer.uid, c->peer.login))
        return false;
    error_set(err, ERROR_ADMIN, "user %s: not permitted to send mail (AllowUsers, DenyUsers)",
        *c->peer.login ? c->peer.login : "without a name");
    return true;
}

static struct client *
make(struct core *core, int in, int out, enum server_kind kind, void (*closed)(void *ctx, struct client *c),
    void *ctx)
{
    struct client *c = mem_alloc(sizeof *c);

    c->core = core;
    c->kind = kind;
    c->in = in;
    c->out = out;
    c->closed = closed;
    c->ctx = ctx;
    return c;
}

static struct client *
begin(struct client *c, const struct error *refusal)
{
    struct server_limits none = { 1, 1, 0 }, limits = refusal ? none : limits_of(c->core);
    struct error err;

    if (!refusal && is_barred(c, &err))
        refusal = &err;
    c->refused = refusal != NULL;
    c->since = clock_ms();
    c->server = server_new(c->kind, refusal ? "localhost" : config_text(&c->core->config, 0, CONFIG_HOSTNAME),
        &limits, &server_events, c);
    c->in_watch = loop_watch(c->core->loop, c->in, POLLIN, in_ready, c);
    c->out_watch = loop_watch(c->core->loop, c->out, 0, out_ready, c);
    server_greet(c->server, refusal);
    pump(c);
    return c;
}

struct client *
client_new(struct core *core, int in, int out, enum server_kind kind, const struct error *refusal,
    void (*closed)(void *ctx, struct client *c), void *ctx)
{
    struct client *c = make(core, in, out, kind, closed, ctx);

    peer_identify(in, &c->peer);
    return begin(c, refusal);
}

struct client *
client_new_tcp(struct core *core, int fd, const struct tcp_peer *from, int64_t uid, struct party *party,
    const struct error *refusal, void (*closed)(void *ctx, struct client *c), void *ctx)
{
    struct client *c = make(core, fd, fd, SERVER_LISTENER, closed, ctx);

    c->party = party;
    peer_identify_tcp(uid, from->literal, &c->peer);
    return begin(c, refusal);
}

bool
client_is_tcp(const struct client *c)
{
    return c->kind == SERVER_LISTENER;
}

int64_t
client_idle_since(const struct client *c, bool *in_message)
{
    *in_message = c->sub != NULL;
    return c->delivery || c->stopping || c->end || c->lingering || server_finished(c->server) ? -1 : c->since;
}

void
client_stop(struct client *c, const char *why)
{
    c->stopping = true;
    server_stop(c->server, why);
    if (c->lingering)
        end_soon(c);
    else if (!c->end)
        pump(c);
}

static void
on_last(void *ctx)
{
    struct client *c = ctx;

    c->last = NULL;
    if (!c->delivery)
        client_stop(c, c->last_why);
}

void
client_finish(struct client *c, const char *why)
{
    if (c->kind != SERVER_LOCAL || c->end || c->delivery || !server_is_own(c->server)) {
        client_stop(c, why);
        return;
    }
    c->last_why = why;
    c->last = loop_at(c->core->loop, clock_deadline(LAST_MS), on_last, c);
}
