/* SPDX-License-Identifier: ISC */
/* pool: who gets which job, and what becomes of it when a worker does not live to tell. Helper and workers are played here. */
#include "unit/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop.h"
#include "daemon/pool.h"

#define PATIENCE_MS 20000

struct scene {
    struct loop *loop;
    struct pool *pool;
    int helper; /* our end */
    int record;
    int controls;
    bool helper_gone;
    char buffer[JOB_PACKET_MAX];
};

struct owner {
    struct scene *scene;
    const char *then; /* an account to start another job for when this one is over */
    struct owner *next;
    struct pool_job *job;
    int packets, overs;
    enum error_class class; /* NONE: done */
    bool maybe_sent;
    char text[ERROR_TEXT_MAX];
};

static struct pool_job *
start(struct scene *s, struct owner *o, const char *account, uint32_t number, bool urgent)
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
        start(o->scene, o->next, o->then, 99, false);
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

static void
open_scene(struct scene *s, size_t workers_max, int64_t idle_ms)
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

static void
close_scene(struct scene *s)
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

/* Let the pool see all that was sent so far */
static void
settle(struct scene *s)
{
    for (int i = 0; i < 12; i++) {
        (void)loop_at(s->loop, clock_ms(), stop, s->loop);
        loop_reset(s->loop);
        loop_run(s->loop);
    }
}

/* The account a worker is asked for next; NULL: none is */
static const char *
asked(struct scene *s)
{
    static struct start_packet p; /* its text is shown */
    struct error err;
    int r = start_receive(s->helper, &p, &err);

    if (r == -2)
        return NULL;
    ck_assert_int_eq(r, 1);
    ck_assert_int_eq(p.type, START_WORKER);
    return p.text;
}

#define ASKED(s, account)                  \
    do {                                   \
        const char *asked_ = asked(s);     \
        ck_assert_ptr_nonnull(asked_);     \
        ck_assert_str_eq(asked_, account); \
    } while (0)

/* A worker is there; our end of it */
static int
ready(struct scene *s)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(file_nonblocking(pair[0], true));
    ck_assert(start_send(s->helper, START_READY, ERROR_NONE, "", pair[1]));
    file_close(&pair[1]);
    settle(s);
    return pair[0];
}

/* The number of the job that the worker finds; 0: none; -1: it is hung up on */
static int
job_of(struct scene *s, int worker)
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

static void
say(struct scene *s, int worker, enum job_type type, int level, const char *text)
{
    ck_assert(job_send_text(worker, type, level, text));
    settle(s);
}

/* The worker finds a packet with that text */
#define FINDS(s, worker, kind, expected)                                        \
    do {                                                                        \
        struct job_packet p_;                                                   \
        struct error err_;                                                      \
        ck_assert_int_eq(job_receive(worker, (s)->buffer, &p_, &err_), 1);      \
        ck_assert_int_eq(p_.type, kind);                                        \
        ck_assert_msg(slice_is(p_.text, expected), "%.*s", SLICE_ARG(p_.text)); \
    } while (0)

static void
say_fact(struct scene *s, int worker, const char *relay)
{
    struct job_fact f = { 0 };

    (void)snprintf(f.relay, sizeof f.relay, "%s", relay);
    ck_assert(job_send_fact(worker, &f));
    settle(s);
}

/* A worker for `account` that has done one job and is idle */
static int
warm_worker(struct scene *s, const char *account)
{
    struct owner o = { 0 };
    int w;

    start(s, &o, account, 1, true);
    ASKED(s, account);
    w = ready(s);
    ck_assert_int_eq(job_of(s, w), 1);
    say(s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(o.overs, 1);
    return w;
}

/* ---------------------------------------------------------------- who gets what */

START_TEST(several_jobs_run_at_once_each_with_a_worker_of_its_own)
{
    struct scene s;
    struct owner o[3] = { 0 };
    int w[3];

    open_scene(&s, 4, CLOCK_NEVER);
    for (unsigned i = 0; i < 3; i++) {
        start(&s, &o[i], "a", i + 1, true);
        ASKED(&s, "a");
    }
    for (unsigned i = 0; i < 3; i++)
        w[i] = ready(&s);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(job_of(&s, w[i]), (int)i + 1);
    ck_assert_uint_eq(pool_busy(s.pool), 3);
    say(&s, w[1], JOB_STEP, 0, "< 250 ok");
    say(&s, w[1], JOB_DONE, 0, "relay=x");
    ck_assert_int_eq(o[1].packets, 1);
    ck_assert_int_eq(o[1].overs, 1);
    ck_assert_str_eq(o[1].text, "relay=x");
    ck_assert_int_eq(o[0].overs + o[2].overs + o[0].packets + o[2].packets, 0);
    for (unsigned i = 0; i < 3; i++)
        file_close(&w[i]);
    close_scene(&s);
}
END_TEST

START_TEST(never_more_workers_than_the_limit_and_urgent_jobs_go_first)
{
    struct scene s;
    struct owner o[5] = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    for (unsigned i = 0; i < 5; i++)
        start(&s, &o[i], "a", i + 1, i == 2 || i == 4);
    ASKED(&s, "a");
    ck_assert_ptr_null(asked(&s));
    w = ready(&s);
    /* the urgent ones came before a worker was there; number 1 waits as the others do */
    ck_assert_int_eq(job_of(&s, w), 3);
    ck_assert(!pool_has_room(s.pool, "a"));
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, w), 5);
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, w), 1);
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, w), 2);
    ck_assert_int_eq(o[0].overs + o[2].overs + o[4].overs, 3);
    ck_assert_uint_eq(pool_workers(s.pool), 1);
    ck_assert_ptr_null(asked(&s));
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(an_account_with_a_limit_of_its_own_gets_no_more_workers_and_holds_up_nobody)
{
    struct scene s;
    struct owner o[4] = { 0 };
    int first, second;

    open_scene(&s, 4, CLOCK_NEVER);
    for (unsigned i = 0; i < 3; i++)
        start(&s, &o[i], "narrow", i + 1, true);
    ASKED(&s, "narrow");
    ASKED(&s, "narrow");
    ck_assert_ptr_null(asked(&s));
    ck_assert(!pool_has_room(s.pool, "narrow") && pool_has_room(s.pool, "wide"));
    start(&s, &o[3], "wide", 4, false);
    ASKED(&s, "wide");
    first = ready(&s);
    second = ready(&s);
    ck_assert_int_eq(job_of(&s, first), 1);
    ck_assert_int_eq(job_of(&s, second), 2);
    ck_assert(pool_is_waiting(o[2].job));
    say(&s, second, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, second), 3);
    ck_assert_uint_eq(pool_workers(s.pool), 3);
    file_close(&first);
    file_close(&second);
    close_scene(&s);
}
END_TEST

/* Else one smarthost that takes ten minutes for each verdict would hold up all mail */
START_TEST(a_worker_that_only_waits_for_its_smarthost_makes_room_for_another)
{
    struct scene s;
    struct owner o[60] = { 0 };
    int w[60], n;

    open_scene(&s, 1, CLOCK_NEVER);
    for (unsigned i = 0; i < 60; i++)
        start(&s, &o[i], "a", i + 1, true);
    for (n = 0; n < 60 && asked(&s); n++) {
        w[n] = ready(&s);
        ck_assert_int_eq(job_of(&s, w[n]), n + 1);
        ck_assert_ptr_null(asked(&s));
        ck_assert(!pool_is_aside(o[n].job));
        say(&s, w[n], JOB_WAITS, 0, "");
        ck_assert_int_eq(o[n].packets, 1);
    }
    ck_assert_int_gt(n, 8); /* but not without end */
    ck_assert_int_lt(n, 40);
    ck_assert(pool_is_aside(o[0].job) && !pool_has_room(s.pool, "a"));
    say(&s, w[0], JOB_DONE, 0, "");
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(job_of(&s, w[0]), -1); /* there are enough */
    for (int i = 1; i < n; i++)
        file_close(&w[i]);
    file_close(&w[0]);
    close_scene(&s);
}
END_TEST

/* A worker that did a job over two:25, since one:25 did not work */
static int
second_best_worker(struct scene *s)
{
    struct owner o = { 0 };
    int w;

    pool_backoff(s->pool, 1, 1);
    start(s, &o, "a", 1, true);
    ASKED(s, "a");
    w = ready(s);
    ck_assert_int_eq(job_of(s, w), 1);
    say(s, w, JOB_HUB, 1, "one:25");
    for (int64_t now = clock_ms(); clock_ms() < now + 2;)
        ;
    say_fact(s, w, "two:25");
    say(s, w, JOB_DONE, 0, "");
    return w;
}

START_TEST(a_smarthost_that_failed_is_looked_at_beside_the_jobs_by_a_worker_that_does_not_count)
{
    struct scene s;
    struct owner o = { 0 }, other = { 0 };
    int w, probe;

    open_scene(&s, 1, CLOCK_NEVER);
    w = second_best_worker(&s);
    ASKED(&s, "a");
    start(&s, &o, "a", 2, true); /* nobody waits for that one */
    FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(job_of(&s, w), 2);
    probe = ready(&s);
    FINDS(&s, probe, JOB_PROBE, "one:25");
    ck_assert_int_eq(job_of(&s, probe), 0);
    say(&s, probe, JOB_LOG, 2, "one:25: works again");
    say(&s, probe, JOB_HUB, 0, "one:25");
    say(&s, probe, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, probe), -1);
    say_fact(&s, w, "two:25");
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_ptr_null(asked(&s));
    start(&s, &other, "a", 3, true);
    FINDS(&s, w, JOB_AVOID, "");
    ck_assert_int_eq(job_of(&s, w), 3);
    file_close(&w);
    file_close(&probe);
    close_scene(&s);
}
END_TEST

START_TEST(jobs_are_told_of_a_smarthost_that_works_but_is_late)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    w = second_best_worker(&s);
    ASKED(&s, "a");
    start(&s, &o, "a", 2, true);
    FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(job_of(&s, w), 2);
    say(&s, w, JOB_HUB, JOB_HUB_LATE, "one:25");
    say(&s, w, JOB_DONE, 0, "");
    start(&s, &o, "a", 3, true);
    FINDS(&s, w, JOB_AVOID, "");
    FINDS(&s, w, JOB_LATE, "one:25");
    ck_assert_int_eq(job_of(&s, w), 3);
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_worker_that_ends_while_it_looks_at_a_smarthost_or_cannot_be_had_is_no_loss)
{
    struct scene s;
    struct owner o = { 0 };
    int w, probe;

    open_scene(&s, 1, CLOCK_NEVER);
    w = second_best_worker(&s);
    ASKED(&s, "a");
    probe = ready(&s);
    FINDS(&s, probe, JOB_PROBE, "one:25");
    file_close(&probe);
    settle(&s);
    ck_assert_uint_eq(pool_workers(s.pool), 1);
    start(&s, &o, "a", 2, true);
    FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(job_of(&s, w), 2);
    for (int64_t now = clock_ms(); clock_ms() < now + 2;)
        ;
    say_fact(&s, w, "two:25");
    say(&s, w, JOB_DONE, 0, "");
    ASKED(&s, "a");
    start(&s, &o, "a", 3, true);
    FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(job_of(&s, w), 3);
    start(&s, &o, "a", 4, true);
    ck_assert(start_send(s.helper, START_FAILED, ERROR_TEMP, "none to be had", -1));
    settle(&s);
    ck_assert(pool_is_waiting(o.job));
    ck_assert_int_eq(o.overs, 1);
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(while_no_smarthost_works_messages_try_them_and_nobody_else_does)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    pool_backoff(s.pool, 1, 1);
    start(&s, &o, "a", 1, true);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 1);
    say(&s, w, JOB_HUB, 1, "one:25");
    say(&s, w, JOB_HUB, 1, "two:25");
    for (int64_t now = clock_ms(); clock_ms() < now + 2;)
        ;
    say_fact(&s, w, "two:25");
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_ptr_null(asked(&s));
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_warm_worker_is_used_again)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    open_scene(&s, 4, CLOCK_NEVER);
    w = warm_worker(&s, "a");
    ck_assert(pool_is_warm(s.pool, "a") && !pool_is_warm(s.pool, "b"));
    start(&s, &o, "a", 7, true);
    ck_assert(!pool_is_waiting(o.job));
    ck_assert_int_eq(job_of(&s, w), 7);
    ck_assert_ptr_null(asked(&s));
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(at_the_limit_the_worker_that_was_idle_for_longest_makes_room_for_another_account)
{
    struct scene s;
    struct owner o = { 0 };
    int a, b;

    open_scene(&s, 2, CLOCK_NEVER);
    a = warm_worker(&s, "a");
    for (int64_t then = clock_ms(); clock_ms() == then;)
        ;
    b = warm_worker(&s, "b");
    ck_assert(pool_has_room(s.pool, "c"));
    start(&s, &o, "c", 7, false);
    ASKED(&s, "c");
    ck_assert_int_eq(job_of(&s, a), -1);
    ck_assert_int_eq(job_of(&s, b), 0);
    ck_assert_uint_eq(pool_workers(s.pool), 2);
    file_close(&a);
    file_close(&b);
    close_scene(&s);
}
END_TEST

/* Two accounts, one worker: neither do they close it after each job, nor does one wait for all of the other */
START_TEST(an_account_keeps_its_worker_for_some_jobs_but_not_for_ever)
{
    struct scene s;
    struct owner *o = calloc(60, sizeof *o), other = { 0 };
    int w, n = 0;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o[0], "a", 1, true);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 1);
    start(&s, &other, "b", 77, true);
    for (unsigned i = 1; i < 60; i++)
        start(&s, &o[i], "a", i + 1, true);
    do {
        n++;
        ck_assert(job_send_text(w, JOB_DONE, 0, ""));
        settle(&s);
    } while (job_of(&s, w) > 0);
    ck_assert_int_gt(n, 5);
    ck_assert_int_lt(n, 50);
    file_close(&w);
    ASKED(&s, "b");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 77);
    file_close(&w);
    close_scene(&s);
    free(o);
}
END_TEST

START_TEST(an_urgent_job_does_not_wait_for_others_of_the_worker_s_account)
{
    struct scene s;
    struct owner o[3] = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o[0], "a", 1, false);
    ASKED(&s, "a");
    w = ready(&s);
    start(&s, &o[1], "a", 2, false);
    start(&s, &o[2], "b", 3, true);
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, w), 1);
    ck_assert_int_eq(job_of(&s, w), -1);
    ASKED(&s, "b");
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_job_that_is_started_when_another_is_over_gets_the_same_worker)
{
    struct scene s;
    struct owner second = { 0 }, first = { .then = "a", .next = &second };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &first, "a", 1, false);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 1);
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, w), 99);
    file_close(&w);
    close_scene(&s);
}
END_TEST

/* ---------------------------------------------------------------- how long a worker lives */

static void
wait_until_closed(struct scene *s, int worker)
{
    int64_t deadline = clock_deadline(PATIENCE_MS);
    int job = 0;

    while (clock_left(deadline) && (job = job_of(s, worker)) == 0)
        settle(s);
    ck_assert_int_eq(job, -1);
}

START_TEST(a_worker_with_nothing_to_do_is_closed)
{
    struct scene s;
    struct owner o = { 0 };
    int w, busy;

    open_scene(&s, 4, 5);
    start(&s, &o, "b", 1, true);
    ASKED(&s, "b");
    busy = ready(&s);
    w = warm_worker(&s, "a");
    wait_until_closed(&s, w);
    ck_assert_uint_eq(pool_workers(s.pool), 1);
    ck_assert_int_eq(job_of(&s, busy), 1);
    ck_assert_int_eq(job_of(&s, busy), 0);
    say(&s, busy, JOB_DONE, 0, "");
    wait_until_closed(&s, busy);
    ck_assert_uint_eq(pool_workers(s.pool), 0);
    file_close(&w);
    file_close(&busy);
    close_scene(&s);
}
END_TEST

START_TEST(a_shorter_idle_time_and_a_lower_limit_count_at_once)
{
    struct scene s;
    int a, b;

    open_scene(&s, 4, 3600000);
    a = warm_worker(&s, "a");
    b = warm_worker(&s, "b");
    pool_configure(s.pool, 1, 3600000);
    ck_assert_uint_le(pool_workers(s.pool), 1);
    file_close(&a);
    file_close(&b);
    settle(&s);
    a = warm_worker(&s, "a");
    pool_configure(s.pool, 1, 1);
    wait_until_closed(&s, a);
    file_close(&a);
    close_scene(&s);
}
END_TEST

START_TEST(after_many_jobs_a_fresh_worker_follows)
{
    struct scene s;
    int w, n = 1;

    open_scene(&s, 1, CLOCK_NEVER);
    for (w = warm_worker(&s, "a"); n < 5000; n++) {
        struct owner o = { 0 };
        start(&s, &o, "a", 2, false);
        if (job_of(&s, w) != 2) {
            pool_forget(o.job);
            break;
        }
        say(&s, w, JOB_DONE, 0, "");
        ck_assert_int_eq(o.overs, 1);
    }
    ck_assert_int_eq(n, 1000);
    ASKED(&s, "a");
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(with_a_new_configuration_no_old_worker_gets_a_job)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int idle, busy;

    open_scene(&s, 2, CLOCK_NEVER);
    start(&s, &o[0], "a", 1, false);
    ASKED(&s, "a");
    busy = ready(&s);
    idle = warm_worker(&s, "b");
    pool_retire(s.pool);
    ck_assert_int_eq(job_of(&s, idle), -1);
    ck_assert_int_eq(job_of(&s, busy), 1);
    ck_assert_int_eq(job_of(&s, busy), 0);
    say(&s, busy, JOB_DONE, 0, "");
    ck_assert_int_eq(o[0].class, ERROR_NONE);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(job_of(&s, busy), -1);
    start(&s, &o[1], "a", 2, false);
    ASKED(&s, "a");
    file_close(&busy);
    busy = ready(&s); /* it has the new configuration, and stays */
    ck_assert_int_eq(job_of(&s, busy), 2);
    say(&s, busy, JOB_DONE, 0, "");
    ck_assert(pool_is_warm(s.pool, "a"));
    file_close(&busy);
    file_close(&idle);
    close_scene(&s);
}
END_TEST

/* ---------------------------------------------------------------- workers that end */

START_TEST(a_worker_that_ends_while_idle_is_no_loss)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    w = warm_worker(&s, "a");
    file_close(&w);
    settle(&s);
    ck_assert_uint_eq(pool_workers(s.pool), 0);
    w = warm_worker(&s, "a");
    file_close(&w); /* not seen before the next job comes */
    start(&s, &o, "a", 7, true);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 7);
    ck_assert_int_eq(o.overs, 0);
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_warm_worker_that_ends_before_it_has_read_its_job_costs_no_attempt)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    w = warm_worker(&s, "a");
    start(&s, &o, "a", 7, true);
    file_close(&w); /* the job in it */
    settle(&s);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 7);
    ck_assert_int_eq(o.overs, 0);
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_worker_that_ends_with_a_job_may_have_sent_the_message)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    w = warm_worker(&s, "a");
    start(&s, &o[0], "a", 7, true);
    start(&s, &o[1], "a", 8, true);
    ck_assert_int_eq(job_of(&s, w), 7);
    file_close(&w);
    settle(&s);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(o[0].class, ERROR_TEMP);
    ck_assert_msg(strstr(o[0].text, "may have been sent"), "%s", o[0].text);
    ck_assert(o[0].maybe_sent);
    ck_assert_int_eq(o[1].overs, 0);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 8);
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_worker_that_never_comes_to_life_is_not_started_for_ever)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o, "a", 7, true);
    ASKED(&s, "a");
    w = ready(&s);
    file_close(&w); /* unread */
    settle(&s);
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(o.class, ERROR_TEMP);
    ck_assert_msg(!strstr(o.text, "may have been sent"), "%s", o.text);
    ck_assert(!o.maybe_sent);
    ck_assert_ptr_null(asked(&s));
    close_scene(&s);
}
END_TEST

/* ---------------------------------------------------------------- workers that cannot be had */

START_TEST(a_worker_that_could_not_be_made_says_why_and_each_job_has_its_own_try)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o[0], "a", 7, true);
    start(&s, &o[1], "a", 8, true);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert(job_send_text(w, JOB_FAILED, ERROR_ADMIN, "AuthPassCommand: no\nluck\033[2J"));
    file_close(&w); /* the job unread */
    settle(&s);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(o[0].class, ERROR_ADMIN);
    ck_assert_str_eq(o[0].text, "AuthPassCommand: no luck\\x1B[2J");
    ck_assert_int_eq(o[1].overs, 0);
    ASKED(&s, "a");
    close_scene(&s);
}
END_TEST

START_TEST(a_worker_that_failed_before_its_job_was_sent_says_why_too)
{
    struct scene s;
    struct owner o = { 0 };
    int pair[2];

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o, "a", 7, true);
    ASKED(&s, "a");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(job_send_text(pair[0], JOB_FAILED, ERROR_CONFIG, "TLSCert: no"));
    file_close(&pair[0]);
    ck_assert(start_send(s.helper, START_READY, ERROR_NONE, "", pair[1]));
    file_close(&pair[1]);
    settle(&s);
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(o.class, ERROR_CONFIG);
    ck_assert_str_eq(o.text, "TLSCert: no");
    ck_assert_uint_eq(pool_workers(s.pool), 0);
    close_scene(&s);
}
END_TEST

START_TEST(a_helper_that_has_no_worker_to_give_fails_one_job)
{
    struct scene s;
    struct owner o[2] = { 0 };

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o[0], "a", 7, true);
    start(&s, &o[1], "a", 8, true);
    ASKED(&s, "a");
    ck_assert(start_send(s.helper, START_FAILED, ERROR_TEMP, "no process", -1));
    settle(&s);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_str_eq(o[0].text, "no process");
    ck_assert_int_eq(o[1].overs, 0);
    ASKED(&s, "a");
    ck_assert_int_eq(s.controls, 0);
    ck_assert(start_send(s.helper, START_READY, ERROR_NONE, "", s.record));
    settle(&s); /* it is no socket: the job fails, nothing else does */
    ck_assert_int_eq(o[1].overs, 1);
    ck_assert(start_send(s.helper, START_FAILED, ERROR_CONFIG, "the new configuration is wrong", -1));
    settle(&s);
    ck_assert_int_eq(s.controls, 1); /* it answers no question of the pool's */
    close_scene(&s);
}
END_TEST

/* All clients at once: the daemon has no descriptor left for the worker, which is no reason to end */
START_TEST(a_worker_for_which_there_is_no_descriptor_fails_one_job)
{
    struct scene s;
    struct owner o[2] = { 0 };
    struct rlimit before, none;
    int pair[2], next;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o[0], "a", 7, true);
    start(&s, &o[1], "a", 8, true);
    ASKED(&s, "a");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(start_send(s.helper, START_READY, ERROR_NONE, "", pair[1]));
    next = dup(0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)next;
    file_close(&next);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    settle(&s);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(o[0].class, ERROR_TEMP);
    ck_assert_int_eq(o[1].overs, 0);
    ck_assert_int_eq(s.controls, 0);
    ASKED(&s, "a");
    file_close(&pair[0]);
    file_close(&pair[1]);
    close_scene(&s);
}
END_TEST

START_TEST(without_its_helper_the_pool_finishes_what_has_a_worker)
{
    struct scene s;
    struct owner o[4] = { 0 };
    int busy, idle;

    open_scene(&s, 3, CLOCK_NEVER);
    start(&s, &o[0], "a", 1, true);
    ASKED(&s, "a");
    busy = ready(&s);
    ck_assert_int_eq(job_of(&s, busy), 1);
    idle = warm_worker(&s, "b");
    start(&s, &o[1], "c", 2, true);
    file_close(&s.helper);
    settle(&s);
    ck_assert(s.helper_gone);
    ck_assert_int_eq(o[1].overs, 1);
    ck_assert_int_eq(o[1].class, ERROR_TEMP);
    ck_assert(!pool_has_room(s.pool, "c") && pool_has_room(s.pool, "b"));
    start(&s, &o[2], "c", 3, true);
    start(&s, &o[3], "b", 4, true);
    ck_assert_int_eq(o[2].overs, 0); /* never from within the call */
    settle(&s);
    ck_assert_int_eq(o[2].overs, 1);
    ck_assert_int_eq(job_of(&s, idle), 4);
    say(&s, busy, JOB_DONE, 0, "done");
    ck_assert_str_eq(o[0].text, "done");
    file_close(&busy);
    file_close(&idle);
    close_scene(&s);
}
END_TEST

/* ---------------------------------------------------------------- owners that go */

START_TEST(a_job_whose_owner_has_gone_is_taken_back_or_goes_on_unheard)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o[0], "a", 1, true);
    start(&s, &o[1], "a", 2, true);
    ASKED(&s, "a");
    ck_assert(pool_is_waiting(o[0].job));
    w = ready(&s);
    ck_assert(!pool_is_waiting(o[0].job) && pool_is_waiting(o[1].job));
    pool_forget(o[0].job);
    pool_forget(o[1].job);
    ck_assert_int_eq(job_of(&s, w), 1);
    ck_assert_uint_eq(pool_busy(s.pool), 1);
    say(&s, w, JOB_LOG, 1, "still here");
    say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(job_of(&s, w), 0);
    ck_assert_uint_eq(pool_busy(s.pool), 0);
    ck_assert(pool_is_warm(s.pool, "a"));
    ck_assert_int_eq(o[0].overs + o[1].overs + o[0].packets, 0);
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_job_that_failed_at_once_can_be_forgotten)
{
    struct scene s;
    struct owner o = { 0 };

    open_scene(&s, 1, CLOCK_NEVER);
    file_close(&s.helper);
    settle(&s);
    start(&s, &o, "a", 1, true);
    pool_forget(o.job);
    settle(&s);
    ck_assert_int_eq(o.overs, 0);
    close_scene(&s);
}
END_TEST

/* ---------------------------------------------------------------- workers that lie */

START_TEST(a_worker_that_speaks_out_of_turn_is_dropped)
{
    static const enum job_type types[] = { JOB_DONE, JOB_STEP, JOB_FAILED };
    struct scene s;
    struct owner o = { 0 };
    int w;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        open_scene(&s, 1, CLOCK_NEVER);
        w = warm_worker(&s, "a");
        say(&s, w, types[i], ERROR_ADMIN, "");
        ck_assert_int_eq(job_of(&s, w), -1);
        ck_assert_uint_eq(pool_workers(s.pool), 0);
        file_close(&w);
        close_scene(&s);
    }
    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o, "a", 1, true);
    ASKED(&s, "a");
    w = ready(&s);
    ck_assert_int_eq(job_of(&s, w), 1);
    ck_assert(job_send_start(w, 0, 1, (const unsigned char *)"\1", s.record));
    settle(&s);
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(job_of(&s, w), -1);
    file_close(&w);
    close_scene(&s);
}
END_TEST

/* What is said there of an account must not bounce mail */
START_TEST(a_worker_cannot_fail_with_what_would_be_the_message_s_fault)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    open_scene(&s, 1, CLOCK_NEVER);
    start(&s, &o, "a", 1, true);
    ASKED(&s, "a");
    w = ready(&s);
    say(&s, w, JOB_FAILED, ERROR_NOUSER, "no such user");
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(o.class, ERROR_INTERNAL);
    file_close(&w);
    close_scene(&s);
}
END_TEST

START_TEST(a_worker_that_takes_no_jobs_but_says_done_does_not_hold_up_the_daemon)
{
    struct scene s;
    int w, n;

    open_scene(&s, 1, CLOCK_NEVER);
    w = warm_worker(&s, "a");
    for (n = 0; n < 900 && pool_workers(s.pool) == 1; n++) {
        struct owner o = { 0 };
        start(&s, &o, "a", 2, false);
        (void)job_send_text(w, JOB_DONE, 0, "");
        settle(&s);
        ck_assert_int_eq(o.overs, 1);
    }
    file_close(&w);
    close_scene(&s);
}
END_TEST

SUITE_MAIN("pool", jobs_are_told_of_a_smarthost_that_works_but_is_late,
    several_jobs_run_at_once_each_with_a_worker_of_its_own,
    never_more_workers_than_the_limit_and_urgent_jobs_go_first, a_warm_worker_is_used_again,
    at_the_limit_the_worker_that_was_idle_for_longest_makes_room_for_another_account,
    an_account_keeps_its_worker_for_some_jobs_but_not_for_ever,
    an_urgent_job_does_not_wait_for_others_of_the_worker_s_account,
    a_job_that_is_started_when_another_is_over_gets_the_same_worker, a_worker_with_nothing_to_do_is_closed,
    a_shorter_idle_time_and_a_lower_limit_count_at_once, after_many_jobs_a_fresh_worker_follows,
    with_a_new_configuration_no_old_worker_gets_a_job, a_worker_that_ends_while_idle_is_no_loss,
    a_worker_that_only_waits_for_its_smarthost_makes_room_for_another,
    a_smarthost_that_failed_is_looked_at_beside_the_jobs_by_a_worker_that_does_not_count,
    a_worker_that_ends_while_it_looks_at_a_smarthost_or_cannot_be_had_is_no_loss,
    while_no_smarthost_works_messages_try_them_and_nobody_else_does,
    an_account_with_a_limit_of_its_own_gets_no_more_workers_and_holds_up_nobody,
    a_warm_worker_that_ends_before_it_has_read_its_job_costs_no_attempt,
    a_worker_that_ends_with_a_job_may_have_sent_the_message,
    a_worker_that_never_comes_to_life_is_not_started_for_ever,
    a_worker_that_could_not_be_made_says_why_and_each_job_has_its_own_try,
    a_worker_that_failed_before_its_job_was_sent_says_why_too,
    a_helper_that_has_no_worker_to_give_fails_one_job,
    a_worker_for_which_there_is_no_descriptor_fails_one_job,
    without_its_helper_the_pool_finishes_what_has_a_worker,
    a_job_whose_owner_has_gone_is_taken_back_or_goes_on_unheard, a_job_that_failed_at_once_can_be_forgotten,
    a_worker_that_speaks_out_of_turn_is_dropped, a_worker_cannot_fail_with_what_would_be_the_message_s_fault,
    a_worker_that_takes_no_jobs_but_says_done_does_not_hold_up_the_daemon)
