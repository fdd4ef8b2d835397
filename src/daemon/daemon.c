/* daemon: ties the pure server to descriptors, records and workers; the policy is in config/route and mail/status. */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/route.h"
#include "daemon/bounds.h"
#include "daemon/park.h"
#include "daemon/peer.h"
#include "daemon/pool.h"
#include "daemon/settings.h"
#include "daemon/submission.h"
#include "mail/address.h"
#include "mail/stamp.h"
#include "mail/status.h"

struct daemon {
    struct config config;
    struct loop *loop;
    struct pool *pool;
    struct server *server;
    struct peer peer;
    enum server_kind kind;
    int in, out;
    struct loop_watch *in_watch, *out_watch;
    bool in_ended;
    struct submission sub;
    struct spool *spool; /* NULL: there is no queue to write to */
    char mode;           /* of the transaction: 'i', 'b', 'q' */
    bool queued;         /* something of it is in the queue */
    struct buf done;     /* what workers said they used, for the log */
    int64_t begun_ms;
    size_t serial;
};

static void pump(struct daemon *d);

/* ---------------------------------------------------------------- names and stamps */

/* Base 32 of the microseconds, and a serial number: unique on this machine, and it sorts by time */
static char *
make_id(struct daemon *d)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct timespec now = clock_wall();
    uint64_t v = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    char text[12];

    for (size_t i = 11; i-- > 0; v /= 32)
        text[i] = digits[v % 32];
    text[11] = '\0';
    return mem_format("%s%zX", text, (size_t)getpid() * 16 + d->serial++ % 16);
}

static int64_t
zone_minutes(time_t when)
{
    struct tm tm;

    return localtime_r(&when, &tm) ? tm.tm_gmtoff / 60 : 0;
}

static const char *
qualifier(const struct daemon *d)
{
    const char *domain = config_text(&d->config, 0, CONFIG_REWRITE_DOMAIN);

    return domain ? domain : config_text(&d->config, 0, CONFIG_HOSTNAME);
}

static char *
login_address(const struct daemon *d)
{
    struct address a;
    struct error ignored;
    char *local = *d->peer.login ? mem_dup(d->peer.login) : mem_format("uid%lld", (long long)d->peer.uid);
    char *all = mem_format("%s@%s", local, qualifier(d));

    free(local);
    if (!address_parse(slice_of(all), 0, &a, &ignored)) {
        free(all); /* a login name no address can be made of */
        all = mem_format("uid%lld@%s", (long long)d->peer.uid, qualifier(d));
    }
    return all;
}

/* The reverse-path: the caller's login, or what -f said, qualified and rewritten like any address */
static char *
reverse_path(const struct daemon *d, const struct server_transaction *t)
{
    const char *domain = config_text(&d->config, 0, CONFIG_REWRITE_DOMAIN);
    const struct config_value *own = config_value(&d->config, 0, CONFIG_OWN_NAMES);
    const char *sender = t->envelope.sender, *at = strrchr(sender, '@');

    if (t->own_sender)
        return login_address(d);
    if (!*sender)
        return mem_dup("");
    if (!at)
        return mem_format("%s@%s", sender, qualifier(d));
    for (size_t i = 0; domain && i < own->n; i++)
        if (slice_is_nocase(slice_of(at + 1), own->item[i]))
            return mem_format("%.*s@%s", (int)(at - sender), sender, domain);
    return mem_dup(sender);
}

static void
stamp(struct daemon *d, struct record *r)
{
    struct buf b;
    struct stamp_received received = { .by = slice_of(config_text(&d->config, 0, CONFIG_HOSTNAME)),
        .software = slice_of("smtprelay"),
        .id = slice_of(r->id),
        .login = slice_of(r->login),
        .has_uid = r->uid >= 0,
        .uid = (uint64_t)(r->uid >= 0 ? r->uid : 0),
        .when = r->time,
        .zone_minutes = (int)r->zone_min };

    buf_init(&b, 4096);
    stamp_date(&b, r->time, (int)r->zone_min);
    r->date = buf_steal(&b);
    stamp_message_id(&b, slice_of(r->id), r->time, received.by);
    r->message_id = buf_steal(&b);
    stamp_received(&b, &received);
    r->received = buf_steal(&b);
}

/* ---------------------------------------------------------------- events of the server */

struct found {
    struct daemon *d;
    const struct server_transaction *t;
    size_t named;
};

static const char *
account_sender(const struct server_transaction *t, const char *path)
{
    return t->own_sender && t->from_address && *t->from_address ? t->from_address : path;
}

static void
on_found(void *ctx, const char *address)
{
    struct found *f = ctx;
    struct daemon *d = f->d;
    char *path = reverse_path(d, f->t);
    size_t a = route_account(&d->config, account_sender(f->t, path), d->peer.uid, address);

    submission_add(&d->sub, f->named, address, config_account_name(&d->config, a), 0, NULL);
    free(path);
}

static bool
on_recipient(void *ctx, const struct server_transaction *t, const char *address, struct error *err)
{
    struct daemon *d = ctx;
    struct found f = { d, t, 0 };

    if (t->envelope.n == 0)
        submission_clear(&d->sub);
    f.named = submission_name(&d->sub, address);
    if (route_recipient(&d->config, address, on_found, &f, err))
        return true;
    /* a refused one in -bs leaves a name without members, which counts for nothing */
    return false;
}

static void
set(char **field, const char *text)
{
    free(*field);
    *field = mem_dup(text ? text : "");
}

/* Delivery: its first letter is the mode */
static char
delivery_mode(const struct daemon *d)
{
    const char *delivery = config_text(&d->config, 0, CONFIG_DELIVERY);

    return delivery ? ascii_lower(delivery[0]) : 'i';
}

static bool
on_begin(void *ctx, struct server_transaction *t, struct error *err)
{
    struct daemon *d = ctx;
    struct record *r = &d->sub.record;
    struct timespec now = clock_wall();

    free(r->id);
    r->id = make_id(d);
    r->time = now.tv_sec;
    r->zone_min = zone_minutes(now.tv_sec);
    r->uid = d->peer.uid;
    r->pid = d->peer.pid;
    set(&r->mode, "interactive");
    set(&r->origin, d->kind == SERVER_BS ? "bs" : "local");
    set(&r->login, d->peer.login);
    set(&r->program, d->peer.program);
    set(&r->unit, d->peer.unit);
    set(&r->cwd, t->cwd);
    set(&r->full_name, t->full_name ? t->full_name : d->peer.full_name);
    set(&r->from_address, t->from_address);
    set(&r->account, d->sub.record.envelope.n ? d->sub.member[0].account : "default");
    free(r->login_address);
    r->login_address = login_address(d);
    char *path = reverse_path(d, t);
    envelope_set_sender(&r->envelope, path);
    free(path);
    r->envelope.ret = t->envelope.ret;
    r->envelope.envid = mem_dup(t->envelope.envid);
    d->queued = false;
    d->mode = t->mode && strchr("ibq", t->mode) ? t->mode : delivery_mode(d);
    r->smtputf8 = t->smtputf8;
    r->eight_bit = t->eight_bit;
    /* NOTIFY and ORCPT belong to the named recipient; names that were refused are not in t */
    for (size_t i = 0; i < r->envelope.n; i++) {
        for (size_t k = 0; k < t->envelope.n; k++) {
            if (strcmp(t->envelope.rcpt[k].address, d->sub.named[d->sub.member[i].recipient]) != 0)
                continue;
            r->envelope.rcpt[i].notify = t->envelope.rcpt[k].notify;
            free(r->envelope.rcpt[i].orcpt);
            r->envelope.rcpt[i].orcpt = mem_dup(t->envelope.rcpt[k].orcpt);
            break;
        }
    }
    stamp(d, r);
    d->begun_ms = clock_ms();
    buf_reset(&d->done);
    return submission_begin(&d->sub, err);
}

static bool
on_content(void *ctx, struct slice bytes, struct error *err)
{
    struct daemon *d = ctx;
    uint64_t max = (uint64_t)config_number(&d->config, 0, CONFIG_MAX_MESSAGE_SIZE);

    if (d->sub.size + bytes.len > max)
        return error_set(
            err, ERROR_REFUSED, "message: larger than MaxMessageSize (%llu bytes)", (unsigned long long)max);
    return submission_content(&d->sub, bytes, err);
}

static void
start_next(struct daemon *d)
{
    unsigned char *bitmap = NULL;
    const char *account = submission_next(&d->sub, &bitmap);

    if (!account)
        return;
    (void)pool_start(
        d->pool, d, account, JOB_VERBOSE, (uint32_t)d->sub.record.envelope.n, bitmap, d->sub.fd_read, true);
    free(bitmap);
}

static void queue_now(void *ctx);

static bool
on_end(void *ctx, struct error *err)
{
    struct daemon *d = ctx;

    if (!submission_finish(&d->sub, err))
        return false;
    if (d->spool && d->mode != 'i')
        loop_at(d->loop, clock_ms(), queue_now, d); /* the verdict may not come from within */
    else
        start_next(d);
    return true;
}

static void
on_drop(void *ctx)
{
    struct daemon *d = ctx;

    submission_clear(&d->sub);
}

static const struct server_events server_events = { on_recipient, on_begin, on_content, on_end, on_drop };

/* ---------------------------------------------------------------- events of the workers */

static bool
is_fact_valid(const struct job_fact *f)
{
    return f->stage >= 0 && f->stage < STATUS_STAGES && f->cause >= 0 && f->cause < STATUS_CAUSES;
}

static void
take_fact(struct daemon *d, const struct job_fact *f)
{
    struct status s;
    char *text;

    if (!is_fact_valid(f) || f->recipient >= d->sub.record.envelope.n)
        return;
    s = status_judge((enum status_stage)f->stage, (enum status_cause)f->cause, f->code);
    if (s.outcome == STATUS_DELIVERED) {
        submission_delivered(&d->sub, f->recipient);
        if (!d->done.len)
            buf_add_format(&d->done, "reply=\"%s\" ", f->text);
        return;
    }
    text = settings_fact_text(f);
    submission_failed(&d->sub, f->recipient, s.scope == STATUS_RECIPIENT, s.class, text);
    free(text);
}

static void
on_packet(void *ctx, const struct job_packet *p)
{
    struct daemon *d = ctx;

    if (p->type == JOB_FACT) {
        take_fact(d, &p->fact);
    } else if (p->type == JOB_STEP) {
        server_progress(d->server, p->text);
        pump(d);
    } else if (p->type == JOB_LOG) {
        log_line((enum log_level)p->level, "%s: %.*s", d->sub.record.id ? d->sub.record.id : "-",
            SLICE_ARG(p->text));
    }
}

/* Members of the account just tried that no fact came for */
static void
fail_rest(struct daemon *d, const struct error *err)
{
    for (size_t i = 0; i < d->sub.record.envelope.n; i++) {
        struct submission_member *m = &d->sub.member[i];
        if (m->tried && !m->delivered && !m->text)
            submission_failed(&d->sub, (uint32_t)i, false, err->class, err->text);
    }
}

/* The account's place is taken by its fallback for what failed for the account's sake; true when there is more to try */
static bool
fall_back(struct daemon *d)
{
    bool any = false;

    for (size_t i = 0; i < d->sub.record.envelope.n; i++) {
        struct submission_member *m = &d->sub.member[i];
        size_t a = config_account_find(&d->config, m->account);
        const char *next = a < d->config.n ? config_text(&d->config, a, CONFIG_FALLBACK) : NULL;
        if (!m->tried || m->delivered || !next || m->of_recipient ||
            !route_may_use(&d->config, config_account_find(&d->config, next), d->peer.uid) ||
            (m->class != ERROR_TEMP && m->class != ERROR_ADMIN) ||
            (m->text && strstr(m->text, "may have been sent")))
            continue;
        free(m->account);
        m->account = mem_dup(next);
        m->tried = false;
        any = true;
    }
    return any;
}

/* One line a message: who, from whom, to whom, how it went */
static void
log_message(struct daemon *d, const struct verdict *v, const char *queued)
{
    const struct record *r = &d->sub.record;
    struct buf b;

    buf_init(&b, 3000);
    buf_add_format(&b, "id=%s uid=%lld from=<%s> to=<%s>", r->id, (long long)r->uid, r->envelope.sender,
        r->envelope.n ? r->envelope.rcpt[0].address : "");
    if (r->envelope.n > 1)
        buf_add_format(&b, " nrcpt=%zu", r->envelope.n);
    buf_add_format(&b, " size=%llu delay=%.3f ", (unsigned long long)d->sub.size,
        (double)(clock_ms() - d->begun_ms) / 1000);
    buf_add_slice(&b, buf_slice(&d->done));
    if (v->class == ERROR_NONE && queued)
        buf_add_format(&b, " status=queued why=\"%.1000s\"", queued);
    else if (v->class == ERROR_NONE)
        buf_add_str(&b, " status=sent");
    else
        buf_add_format(
            &b, " status=failed exit=%d why=\"%.1000s\"", (int)v->class, v->text.data ? v->text.data : "");
    log_line(v->class == ERROR_NONE ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "%s", buf_str(&b));
    buf_clear(&b);
}

/* MinFree, MaxQueueSize */
static bool
has_room(const struct daemon *d, struct error *err)
{
    int64_t min = config_number(&d->config, 0, CONFIG_MIN_FREE),
            max = config_number(&d->config, 0, CONFIG_MAX_QUEUE_SIZE);

    return spool_has_room(d->spool, min > 0 ? (uint64_t)min : 0, max > 0 ? (uint64_t)max : 0, err);
}

/* What is deferred goes into the queue, if there is one, with why it waits in `why` */
static void
queue_rest(struct daemon *d, struct buf *why)
{
    struct error err;
    bool any = false;

    for (size_t i = 0; i < d->sub.record.envelope.n; i++) {
        const struct submission_member *m = &d->sub.member[i];
        if (!submission_is_deferred(m))
            continue;
        if (!any && m->text)
            buf_add_str(why, m->text);
        any = true;
    }
    if (!d->spool || !any)
        return;
    if (has_room(d, &err) && park_rest(d->spool, &d->sub, &err))
        d->queued = true;
    else
        log_line(LOG_LEVEL_ERROR, "%s: %s", d->sub.record.id, err.text);
}

static void
conclude(struct daemon *d)
{
    struct verdict v;
    struct buf why;
    char *text;

    buf_init(&why, 1500);
    queue_rest(d, &why);
    submission_verdict(&d->sub, &v);
    (void)buf_str(&v.text);
    if (v.class != ERROR_NONE)
        text = mem_dup(buf_str(&v.text));
    else if (d->queued)
        text = mem_format("queued as %s%s%s", d->sub.record.id, why.len ? ": " : "", buf_str(&why));
    else
        text = mem_format("sent as %s", d->sub.record.id);
    log_message(d, &v, d->queued ? text : NULL);
    server_verdict(d->server, v.class, text, NULL, 0);
    free(text);
    buf_clear(&why);
    buf_clear(&v.text);
}

/* -odb, -odq: durable first; without a daemon the next run of the queue delivers it */
static void
queue_now(void *ctx)
{
    struct daemon *d = ctx;
    struct buf ignored;

    buf_init(&ignored, 1);
    queue_rest(d, &ignored);
    buf_clear(&ignored);
    if (!d->queued) {
        start_next(d); /* not writable after all: it goes directly */
        return;
    }
    conclude(d);
    pump(d);
}

static void
on_over(void *ctx, const struct error *err, struct slice text)
{
    struct daemon *d = ctx;

    if (err)
        fail_rest(d, err);
    buf_add_slice(&d->done, text);
    (void)fall_back(d);
    for (size_t i = 0; i < d->sub.record.envelope.n; i++) {
        if (!d->sub.member[i].tried) {
            start_next(d);
            return;
        }
    }
    conclude(d);
    pump(d);
}

static const struct pool_events pool_events = { on_packet, on_over, NULL };

/* ---------------------------------------------------------------- descriptors */

static void
finish_if_done(struct daemon *d)
{
    bool over = server_finished(d->server) || (d->in_ended && !server_is_waiting(d->server));

    if (over && server_output(d->server)->len == 0)
        loop_stop(d->loop);
}

/* Write what there is; watch for more room, and for input while it is wanted */
static void
pump(struct daemon *d)
{
    struct buf *out = server_output(d->server);

    while (out->len) {
        ssize_t n = write(d->out, out->data, out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            /* the client has gone: after its last byte the message goes on all the same */
            buf_reset(out);
            d->in_ended = true;
            break;
        }
        buf_consume(out, (size_t)n);
    }
    loop_events(d->out_watch, out->len ? POLLOUT : 0);
    loop_events(d->in_watch, !d->in_ended && server_wants_input(d->server) ? POLLIN : 0);
    finish_if_done(d);
}

static void
in_ready(void *ctx, int fd, short revents)
{
    struct daemon *d = ctx;
    char piece[65536];
    ssize_t n = file_read_some(fd, piece, sizeof piece);

    (void)revents;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0)
        d->in_ended = true;
    else
        server_feed(d->server, slice_make(piece, (size_t)n));
    pump(d);
}

static void
out_ready(void *ctx, int fd, short revents)
{
    (void)fd;
    (void)revents;
    pump(ctx);
}

/* ---------------------------------------------------------------- beginning */

static bool
begin(struct daemon *d, int helper_sock, struct error *err)
{
    struct error no_queue;

    if (!settings_receive(&d->config, helper_sock, err))
        return false;
    settings_open_log(&d->config);
    if (!route_is_allowed(&d->config, d->peer.uid, d->peer.login))
        return error_set(err, ERROR_ADMIN, "user %s: not permitted to send mail (AllowUsers, DenyUsers)",
            *d->peer.login ? d->peer.login : "without a name");
    d->spool = park_open(config_text(&d->config, 0, CONFIG_QUEUE_DIR), &no_queue); /* it goes without */
    /* the queue's folder is there now if it can be, and nothing the client sent has been read */
    log_line(LOG_LEVEL_DEBUG, "confined: %s", confine_text(bounds_confine(&d->config)));
    return true;
}

int
daemon_serve_one(int in, int out, int helper_sock, enum server_kind kind)
{
    struct daemon d;
    struct server_limits limits = { 1, 1, 0 };
    struct error err;
    bool ok;

    memset(&d, 0, sizeof d);
    d.in = in;
    d.out = out;
    d.kind = kind;
    submission_init(&d.sub);
    buf_init(&d.done, 3000);
    peer_identify(in, &d.peer);
    ok = begin(&d, helper_sock, &err);
    if (ok) {
        limits.message_size = (uint64_t)config_number(&d.config, 0, CONFIG_MAX_MESSAGE_SIZE);
        limits.recipients = (uint64_t)config_number(&d.config, 0, CONFIG_MAX_RECIPIENTS);
    }
    d.loop = loop_new();
    d.server = server_new(
        kind, ok ? config_text(&d.config, 0, CONFIG_HOSTNAME) : "localhost", &limits, &server_events, &d);
    d.pool = pool_new(d.loop, helper_sock, &pool_events, &d);
    if (ok)
        pool_configure(d.pool, (size_t)config_number(&d.config, 0, CONFIG_WORKERS),
            config_number(&d.config, 0, CONFIG_IDLE_TIMEOUT));
    d.in_watch = loop_watch(d.loop, in, POLLIN, in_ready, &d);
    d.out_watch = loop_watch(d.loop, out, 0, out_ready, &d);
    server_greet(d.server, ok ? NULL : &err);
    pump(&d);
    loop_run(d.loop);
    pool_free(d.pool);
    server_free(d.server);
    loop_free(d.loop);
    submission_clear(&d.sub);
    buf_clear(&d.done);
    peer_clear(&d.peer);
    spool_close(d.spool);
    config_end(&d.config);
    return ok ? 0 : (int)err.class;
}
