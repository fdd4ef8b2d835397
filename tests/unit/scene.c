/* SPDX-License-Identifier: ISC */
/* scene: what goes over the sockets between a pool and who is played here. */
#include "unit/scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop.h"
#include "daemon/pool_state.h"

struct pool_job *
scene_start(struct scene *s, struct owner *o, const char *account, uint32_t number, bool urgent)
{
    o->scene = s;
    o->job = pool_start(s->pool, o, account, number, 1, (const unsigned char *)"\1", s->record, urgent);
    return o->job;
}

static void
on_packet(void *owner, const struct job_packet *packet)
{
    struct owner *o = owner;

    (void)packet;
    o->packets++;
}

static void
on_over(void *owner, const struct error *err, bool maybe_sent, struct slice text)
{
    struct owner *o = owner;

    o->overs++;
    o->class = err ? err->class : ERROR_NONE;
    o->maybe_sent = maybe_sent;
    (void)snprintf(o->text, sizeof o->text, "%.*s", err ? (int)strlen(err->text) : (int)text.len,
        err        ? err->text
        : text.len ? text.p
                   : "");
    if (o->then)
        scene_start(o->scene, o->next, o->then, 99, false);
}

static void
on_control(void *ctx, struct start_packet *packet)
{
    struct scene *s = ctx;

    if (packet) {
        s->controls++;
        file_close(&packet->fd);
    } else {
        s->helper_gone = true;
    }
}

static size_t
limit_of(void *ctx, const char *account)
{
    (void)ctx;
    return strcmp(account, "narrow") == 0 ? 2 : 0;
}

static const struct pool_events events = { on_packet, on_over, on_control, limit_of, NULL };

void
scene_open(struct scene *s, size_t workers_max, int64_t idle_ms)
{
    int pair[2];

    memset(s, 0, sizeof *s);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(file_nonblocking(pair[0], true));
    s->helper = pair[0];
    s->record = open("/dev/null", O_RDONLY | O_CLOEXEC);
    s->loop = loop_new();
    s->pool = pool_new(s->loop, pair[1], &events, s);
    pool_configure(s->pool, workers_max, idle_ms);
}

void
scene_close(struct scene *s)
{
    pool_free(s->pool);
    loop_free(s->loop);
    file_close(&s->helper);
    file_close(&s->record);
}

static void
stop(void *ctx)
{
    loop_stop(ctx);
}

void
scene_settle(struct scene *s)
{
    for (int i = 0; i < 12; i++) {
        (void)loop_at(s->loop, clock_ms(), stop, s->loop);
        loop_reset(s->loop);
        loop_run(s->loop);
    }
}

const char *
scene_asked(struct scene *s)
{
    struct error err;
    int r = start_receive(s->helper, &s->asked, &err);

    if (r == -2)
        return NULL;
    ck_assert_int_eq(r, 1);
    ck_assert_int_eq(s->asked.type, START_WORKER);
    return s->asked.text;
}

/* The helper answers in order: the first that was asked for */
static const char *
first_asked(const struct scene *s)
{
    const struct pool_worker *w = s->pool->workers;

    while (w && w->state != WORKER_STARTING)
        w = w->next;
    return w ? w->account : "";
}

int
scene_ready(struct scene *s)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(file_nonblocking(pair[0], true));
    ck_assert(start_send(s->helper, START_READY, ERROR_NONE, first_asked(s), pair[1]));
    file_close(&pair[1]);
    scene_settle(s);
    return pair[0];
}

int
scene_job_of(struct scene *s, int worker)
{
    struct job_packet p;
    struct error err;
    int r = job_receive(worker, s->buffer, &p, &err);

    if (r <= 0)
        return r == -2 ? 0 : -1;
    ck_assert_int_eq(p.type, JOB_START);
    file_close(&p.fd);
    return (int)p.flags;
}

void
scene_say(struct scene *s, int worker, enum job_type type, int level, const char *text)
{
    ck_assert(job_send_text(worker, type, level, text));
    scene_settle(s);
}

void
scene_say_fact(struct scene *s, int worker, const char *relay)
{
    struct job_fact f = { 0 };

    (void)snprintf(f.relay, sizeof f.relay, "%s", relay);
    ck_assert(job_send_fact(worker, &f));
    scene_settle(s);
}

int
scene_warm_worker(struct scene *s, const char *account)
{
    struct owner o = { 0 };
    int w;

    scene_start(s, &o, account, 1, true);
    SCENE_ASKED(s, account);
    w = scene_ready(s);
    ck_assert_int_eq(scene_job_of(s, w), 1);
    scene_say(s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(o.overs, 1);
    return w;
}

int
scene_begin(struct scene *s, size_t workers_max, struct owner *o, uint32_t number, bool urgent)
{
    scene_open(s, workers_max, CLOCK_NEVER);
    scene_start(s, o, "a", number, urgent);
    SCENE_ASKED(s, "a");
    return scene_ready(s);
}
