/* SPDX-License-Identifier: ISC */
/* serve: the daemon's process: a core with listeners, the control desk and timers; the helper's word is its command. */
#include "daemon/serve.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/tcpowner.h"
#include "daemon/advice.h"
#include "daemon/bounds.h"
#include "daemon/breaker.h"
#include "daemon/control_session.h"
#include "daemon/core.h"
#include "daemon/dispatch.h"
#include "daemon/feed.h"
#include "daemon/listen.h"
#include "daemon/metrics.h"
#include "daemon/park.h"
#include "daemon/scan.h"
#include "daemon/settings.h"
#include "daemon/tcp.h"
#include "daemon/trouble.h"
#include "ipc/start.h"

/* After STOP: what is on the wire may finish; then it is parked; then it is left to the next start, as is all without a helper. */
enum { GRACE_MS = 5000, LEAVE_MS = 20000, ORPHAN_LEAVE_MS = 2000 };
/* For the queue's lock at the start */
enum { LOCK_MS = 5000 };
/* How often it is looked for what has waited too long */
enum { EXPIRE_MORE_MS = 100, EXPIRE_MIN_MS = 1000, EXPIRE_MAX_MS = 600000 };
/* So long after it has come to rest it gives memory back */
enum { TRIM_MS = 5000 };
/* What could not be returned is kept so long */
enum { KEPT_S = 30 * 86400 };

struct serving {
    struct core core;
    int helper;
    struct start_options options;
    uint32_t sockets; /* so many have come */
    bool begun;
    struct listen *listen;
    struct control_desk *desk;
    struct loop_timer *run, *expire, *trim, *park, *leave;
    bool clients_gone;
};

/* ---------------------------------------------------------------- timers */

/* ALIVE now, and again in time for the watchdog */
static void
say_alive(void *ctx)
{
    struct serving *s = ctx;

    if (!start_send(s->helper, START_ALIVE, ERROR_NONE, "", -1))
        loop_stop(s->core.loop);
    else if (s->options.watchdog_ms > 0)
        (void)loop_at(s->core.loop, clock_deadline(s->options.watchdog_ms / 3 + 1), say_alive,
            s); /* ends with the loop */
}

static void on_queue_run(void *ctx);

static void
plan_queue_run(struct serving *s)
{
    int64_t next = clock_deadline(config_number(&s->core.config, 0, CONFIG_QUEUE_RUN));

    s->run = loop_at(s->core.loop, next, on_queue_run, s);
    control_desk_next_run(s->desk, next);
}

static void
on_queue_run(void *ctx)
{
    struct serving *s = ctx;
    size_t kept;

    plan_queue_run(s);
    schedule_release(s->core.schedule, clock_ms());
    scan_begin(&s->core, SCHEDULE_NOW); /* what others have added, or taken away */
    spool_clean(s->core.spool);
    kept = spool_expire(s->core.spool, (int64_t)clock_wall().tv_sec - KEPT_S);
    if (kept)
        log_line(LOG_LEVEL_INFO, "removed from failed/ after 30 days: %zu", kept);
}

static void
on_expire(void *ctx)
{
    struct serving *s = ctx;
    int64_t step = config_number(&s->core.config, 0, CONFIG_QUEUE_LIFETIME) / 4;

    if (step < EXPIRE_MIN_MS)
        step = EXPIRE_MIN_MS;
    if (step > EXPIRE_MAX_MS)
        step = EXPIRE_MAX_MS;
    breaker_look(&s->core);
    if (feed_expire(&s->core))
        step = EXPIRE_MORE_MS;
    s->expire = loop_at(s->core.loop, clock_deadline(step), on_expire, s);
}

static void
on_trim(void *ctx)
{
    struct serving *s = ctx;

    s->trim = NULL;
    if (!dispatch_is_idle(&s->core)) /* it comes to rest once more */
        return;
    advice_forget(&s->core);
    mem_trim();
}

/* ---------------------------------------------------------------- the end */

static void
stop_if_done(void *ctx)
{
    struct serving *s = ctx;

    if (s->core.stopping && s->clients_gone && dispatch_is_idle(&s->core))
        loop_stop(s->core.loop);
}

static void
on_rest(void *ctx)
{
    struct serving *s = ctx;

    if (!s->trim)
        s->trim = loop_at(s->core.loop, clock_deadline(TRIM_MS), on_trim, s);
    stop_if_done(s);
}

static void
on_clients_gone(void *ctx)
{
    struct serving *s = ctx;

    s->clients_gone = true;
    stop_if_done(s);
}

static void
on_park(void *ctx)
{
    struct serving *s = ctx;

    s->park = NULL;
    dispatch_park(&s->core);
}

static void
on_leave(void *ctx)
{
    struct serving *s = ctx;

    s->leave = NULL;
    loop_stop(s->core.loop);
}

static void
stop(struct serving *s, bool is_orphan)
{
    if (s->core.stopping)
        return;
    s->core.stopping = true;
    if (!s->begun) {
        loop_stop(s->core.loop);
        return;
    }
    control_desk_stop(s->desk);
    s->park = loop_at(s->core.loop, clock_deadline(is_orphan ? 0 : GRACE_MS), on_park, s);
    s->leave = loop_at(s->core.loop, clock_deadline(is_orphan ? ORPHAN_LEAVE_MS : LEAVE_MS), on_leave, s);
    listen_stop(s->listen, on_clients_gone, s);
}

/* ---------------------------------------------------------------- the helper's word */

static void
begin(struct serving *s)
{
    s->begun = true;
    plan_queue_run(s);
    s->expire = loop_at(s->core.loop, clock_deadline(EXPIRE_MIN_MS), on_expire, s);
    scan_begin(&s->core, SCHEDULE_NOW);
    say_alive(s);
}

static void
take_socket(struct serving *s, struct start_packet *p)
{
    if (strcmp(p->text, "control") == 0)
        control_desk_add(s->desk, p->fd);
    else
        listen_add(s->listen, p->fd, strcmp(p->text, "listener") == 0 ? SERVER_LISTENER : SERVER_LOCAL);
    if (++s->sockets == s->options.sockets)
        begin(s);
}

/* SIGHUP: what was mended is to show at once */
static void
take_settings(struct serving *s, struct start_packet *p)
{
    struct start_options o;
    struct config c;
    struct error err;

    if (!settings_take(&c, p, &err)) {
        log_line(LOG_LEVEL_ERROR, "%s", err.text);
        config_end(&c);
        return;
    }
    config_end(&s->core.config);
    s->core.config = c;
    settings_open_log(&c);
    start_options_parse(p->text, &o);
    trouble_configured(&s->core);
    s->core.disk.loaded_s = o.loaded_s;
    metrics_touch(&s->core);
    core_configure(&s->core);
    pool_retire(s->core.pool);
    s->core.settings_ms = clock_ms();
    schedule_renew(s->core.schedule, s->core.settings_ms);
    feed_pump(&s->core);
}

static void
take_broken(struct serving *s, const struct start_packet *p)
{
    const char *why;
    int64_t since;

    if (!start_broken_parse(p->text, &since, &why))
        return;
    trouble_broken(&s->core, since, why);
    metrics_touch(&s->core);
}

static void
on_packet(void *ctx, struct start_packet *p)
{
    struct serving *s = ctx;

    if (!p || p->type == START_STOP)
        stop(s, !p);
    else if (p->type == START_SETTINGS)
        take_settings(s, p);
    else if (p->type == START_SOCKET)
        take_socket(s, p);
    else if (p->type == START_BROKEN)
        take_broken(s, p);
    else
        file_close(&p->fd);
}

/* ---------------------------------------------------------------- beginning */

/* Who was before may be finishing */
static bool
lock_patiently(struct spool *spool, struct error *err)
{
    int64_t deadline = clock_deadline(LOCK_MS);

    while (!spool_lock(spool, err)) {
        if (clock_left(deadline) == 0)
            return false;
        (void)poll(NULL, 0, 50);
    }
    return true;
}

static bool
open_all(struct serving *s, struct error *err)
{
    struct config *c = &s->core.config;
    unsigned bits;

    if (!settings_receive(c, &s->options, s->helper, err))
        return false;
    log_copy(s->options.log_stderr);
    settings_open_log(c);
    s->core.spool = park_open(config_text(c, 0, CONFIG_QUEUE_DIR), err);
    if (!s->core.spool || !lock_patiently(s->core.spool, err))
        return false;
    s->core.diag = tcpowner_open(); /* confined it could not any more */
    bits = bounds_confine(c);
    log_line(LOG_LEVEL_DEBUG, "confined: %s", confine_text(bits));
    s->core.unprotected = bounds_missing(bits);
    if (s->core.unprotected)
        log_line(LOG_LEVEL_INFO, "this system has not all that smtprelayd defends itself with: %s",
            s->core.unprotected);
    return true;
}

int
serve_run(int helper_sock)
{
    struct serving s;
    struct error err;

    memset(&s, 0, sizeof s);
    s.helper = helper_sock;
    if (!open_all(&s, &err)) {
        (void)start_send(
            helper_sock, START_FAILED, err.class, err.text, -1); /* a helper that is gone knows */
        spool_close(s.core.spool);
        config_end(&s.core.config);
        return (int)err.class;
    }
    s.core.is_daemon = true;
    s.core.disk.loaded_s = s.options.loaded_s;
    core_begin(&s.core, helper_sock, on_packet, &s);
    core_configure(&s.core);
    core_schedule(&s.core, NULL);
    s.core.rest = on_rest;
    s.core.rest_ctx = &s;
    s.listen = listen_new(&s.core);
    s.core.trouble = trouble_new(&s.core, helper_sock);
    s.core.metrics = metrics_new(&s.core);
    s.desk = control_desk_new(&s.core, s.listen);
    loop_run(s.core.loop);
    trouble_free(s.core.trouble);
    s.core.trouble = NULL;
    control_desk_free(s.desk);
    listen_free(s.listen);
    file_close(&s.core.diag);
    free(s.core.unprotected);
    core_end(&s.core);
    metrics_free(s.core.metrics);
    return 0;
}
