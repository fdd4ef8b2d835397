/* SPDX-License-Identifier: ISC */
/* pool: who gets which job, and how long a worker lives. Helper and workers are played here. */
#include "unit/suite.h"
#include "unit/scene.h"

#include <string.h>

#include "base/clock.h"
#include "base/file.h"

#define PATIENCE_MS 20000

/* ---------------------------------------------------------------- who gets what */

START_TEST(several_jobs_run_at_once_each_with_a_worker_of_its_own)
{
    struct scene s;
    struct owner o[3] = { 0 };
    int w[3];

    scene_open(&s, 4, CLOCK_NEVER);
    for (unsigned i = 0; i < 3; i++) {
        scene_start(&s, &o[i], "a", i + 1, true);
        SCENE_ASKED(&s, "a");
    }
    for (unsigned i = 0; i < 3; i++)
        w[i] = scene_ready(&s);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(scene_job_of(&s, w[i]), (int)i + 1);
    ck_assert_uint_eq(pool_busy(s.pool), 3);
    scene_say(&s, w[1], JOB_STEP, 0, "< 250 ok");
    scene_say(&s, w[1], JOB_DONE, 0, "relay=x");
    ck_assert_int_eq(o[1].packets, 1);
    ck_assert_int_eq(o[1].overs, 1);
    ck_assert_str_eq(o[1].text, "relay=x");
    ck_assert_int_eq(o[0].overs + o[2].overs + o[0].packets + o[2].packets, 0);
    for (unsigned i = 0; i < 3; i++)
        file_close(&w[i]);
    scene_close(&s);
}
END_TEST

START_TEST(never_more_workers_than_the_limit_and_urgent_jobs_go_first)
{
    struct scene s;
    struct owner o[5] = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    for (unsigned i = 0; i < 5; i++)
        scene_start(&s, &o[i], "a", i + 1, i == 2 || i == 4);
    SCENE_ASKED(&s, "a");
    ck_assert_ptr_null(scene_asked(&s));
    w = scene_ready(&s);
    /* the urgent ones came before a worker was there; number 1 waits as the others do */
    ck_assert_int_eq(scene_job_of(&s, w), 3);
    ck_assert(!pool_has_room(s.pool, "a"));
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, w), 5);
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, w), 1);
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, w), 2);
    ck_assert_int_eq(o[0].overs + o[2].overs + o[4].overs, 3);
    ck_assert_uint_eq(pool_workers(s.pool), 1);
    ck_assert_ptr_null(scene_asked(&s));
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(an_account_with_a_limit_of_its_own_gets_no_more_workers_and_holds_up_nobody)
{
    struct scene s;
    struct owner o[4] = { 0 };
    int first, second;

    scene_open(&s, 4, CLOCK_NEVER);
    for (unsigned i = 0; i < 3; i++)
        scene_start(&s, &o[i], "narrow", i + 1, true);
    SCENE_ASKED(&s, "narrow");
    SCENE_ASKED(&s, "narrow");
    ck_assert_ptr_null(scene_asked(&s));
    ck_assert(!pool_has_room(s.pool, "narrow") && pool_has_room(s.pool, "wide"));
    scene_start(&s, &o[3], "wide", 4, false);
    SCENE_ASKED(&s, "wide");
    first = scene_ready(&s);
    second = scene_ready(&s);
    ck_assert_int_eq(scene_job_of(&s, first), 1);
    ck_assert_int_eq(scene_job_of(&s, second), 2);
    ck_assert(pool_is_waiting(o[2].job));
    scene_say(&s, second, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, second), 3);
    ck_assert_uint_eq(pool_workers(s.pool), 3);
    file_close(&first);
    file_close(&second);
    scene_close(&s);
}
END_TEST

/* Else one smarthost that takes ten minutes for each verdict would hold up all mail */
START_TEST(a_worker_that_only_waits_for_its_smarthost_makes_room_for_another)
{
    struct scene s;
    struct owner o[60] = { 0 };
    int w[60], n;

    scene_open(&s, 1, CLOCK_NEVER);
    for (unsigned i = 0; i < 60; i++)
        scene_start(&s, &o[i], "a", i + 1, true);
    for (n = 0; n < 60 && scene_asked(&s); n++) {
        w[n] = scene_ready(&s);
        ck_assert_int_eq(scene_job_of(&s, w[n]), n + 1);
        ck_assert_ptr_null(scene_asked(&s));
        ck_assert(!pool_is_aside(o[n].job));
        scene_say(&s, w[n], JOB_WAITS, 0, "");
        ck_assert_int_eq(o[n].packets, 1);
    }
    ck_assert_int_gt(n, 8); /* but not without end */
    ck_assert_int_lt(n, 40);
    ck_assert(pool_is_aside(o[0].job) && !pool_has_room(s.pool, "a"));
    scene_say(&s, w[0], JOB_DONE, 0, "");
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(scene_job_of(&s, w[0]), -1); /* there are enough */
    for (int i = 1; i < n; i++)
        file_close(&w[i]);
    file_close(&w[0]);
    scene_close(&s);
}
END_TEST

/* A worker that did a job over two:25, since one:25 did not work */
static int
second_best_worker(struct scene *s)
{
    struct owner o = { 0 };
    int w;

    pool_backoff(s->pool, 1, 1);
    scene_start(s, &o, "a", 1, true);
    SCENE_ASKED(s, "a");
    w = scene_ready(s);
    ck_assert_int_eq(scene_job_of(s, w), 1);
    scene_say(s, w, JOB_HUB, 1, "one:25");
    for (int64_t now = clock_ms(); clock_ms() < now + 2;)
        ;
    scene_say_fact(s, w, "two:25");
    scene_say(s, w, JOB_DONE, 0, "");
    return w;
}

START_TEST(a_smarthost_that_failed_is_looked_at_beside_the_jobs_by_a_worker_that_does_not_count)
{
    struct scene s;
    struct owner o = { 0 }, other = { 0 };
    int w, probe;

    scene_open(&s, 1, CLOCK_NEVER);
    w = second_best_worker(&s);
    SCENE_ASKED(&s, "a");
    scene_start(&s, &o, "a", 2, true); /* nobody waits for that one */
    SCENE_FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(scene_job_of(&s, w), 2);
    probe = scene_ready(&s);
    SCENE_FINDS(&s, probe, JOB_PROBE, "one:25");
    ck_assert_int_eq(scene_job_of(&s, probe), 0);
    scene_say(&s, probe, JOB_LOG, 2, "one:25: works again");
    scene_say(&s, probe, JOB_HUB, 0, "one:25");
    scene_say(&s, probe, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, probe), -1);
    scene_say_fact(&s, w, "two:25");
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_ptr_null(scene_asked(&s));
    scene_start(&s, &other, "a", 3, true);
    SCENE_FINDS(&s, w, JOB_AVOID, "");
    ck_assert_int_eq(scene_job_of(&s, w), 3);
    file_close(&w);
    file_close(&probe);
    scene_close(&s);
}
END_TEST

START_TEST(jobs_are_told_of_a_smarthost_that_works_but_is_late)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    w = second_best_worker(&s);
    SCENE_ASKED(&s, "a");
    scene_start(&s, &o, "a", 2, true);
    SCENE_FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(scene_job_of(&s, w), 2);
    scene_say(&s, w, JOB_HUB, JOB_HUB_LATE, "one:25");
    scene_say(&s, w, JOB_DONE, 0, "");
    scene_start(&s, &o, "a", 3, true);
    SCENE_FINDS(&s, w, JOB_AVOID, "");
    SCENE_FINDS(&s, w, JOB_LATE, "one:25");
    ck_assert_int_eq(scene_job_of(&s, w), 3);
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_worker_that_ends_while_it_looks_at_a_smarthost_or_cannot_be_had_is_no_loss)
{
    struct scene s;
    struct owner o = { 0 };
    int w, probe;

    scene_open(&s, 1, CLOCK_NEVER);
    w = second_best_worker(&s);
    SCENE_ASKED(&s, "a");
    probe = scene_ready(&s);
    SCENE_FINDS(&s, probe, JOB_PROBE, "one:25");
    file_close(&probe);
    scene_settle(&s);
    ck_assert_uint_eq(pool_workers(s.pool), 1);
    scene_start(&s, &o, "a", 2, true);
    SCENE_FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(scene_job_of(&s, w), 2);
    for (int64_t now = clock_ms(); clock_ms() < now + 2;)
        ;
    scene_say_fact(&s, w, "two:25");
    scene_say(&s, w, JOB_DONE, 0, "");
    SCENE_ASKED(&s, "a");
    scene_start(&s, &o, "a", 3, true);
    SCENE_FINDS(&s, w, JOB_AVOID, "one:25");
    ck_assert_int_eq(scene_job_of(&s, w), 3);
    scene_start(&s, &o, "a", 4, true);
    ck_assert(start_send(s.helper, START_FAILED, ERROR_TEMP, "none to be had", -1));
    scene_settle(&s);
    ck_assert(pool_is_waiting(o.job));
    ck_assert_int_eq(o.overs, 1);
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(while_no_smarthost_works_messages_try_them_and_nobody_else_does)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    pool_backoff(s.pool, 1, 1);
    scene_start(&s, &o, "a", 1, true);
    SCENE_ASKED(&s, "a");
    w = scene_ready(&s);
    ck_assert_int_eq(scene_job_of(&s, w), 1);
    scene_say(&s, w, JOB_HUB, 1, "one:25");
    scene_say(&s, w, JOB_HUB, 1, "two:25");
    for (int64_t now = clock_ms(); clock_ms() < now + 2;)
        ;
    scene_say_fact(&s, w, "two:25");
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_ptr_null(scene_asked(&s));
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_warm_worker_is_used_again)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    scene_open(&s, 4, CLOCK_NEVER);
    w = scene_warm_worker(&s, "a");
    ck_assert(pool_is_warm(s.pool, "a") && !pool_is_warm(s.pool, "b"));
    scene_start(&s, &o, "a", 7, true);
    ck_assert(!pool_is_waiting(o.job));
    ck_assert_int_eq(scene_job_of(&s, w), 7);
    ck_assert_ptr_null(scene_asked(&s));
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(at_the_limit_the_worker_that_was_idle_for_longest_makes_room_for_another_account)
{
    struct scene s;
    struct owner o = { 0 };
    int a, b;

    scene_open(&s, 2, CLOCK_NEVER);
    a = scene_warm_worker(&s, "a");
    for (int64_t then = clock_ms(); clock_ms() == then;)
        ;
    b = scene_warm_worker(&s, "b");
    ck_assert(pool_has_room(s.pool, "c"));
    scene_start(&s, &o, "c", 7, false);
    SCENE_ASKED(&s, "c");
    ck_assert_int_eq(scene_job_of(&s, a), -1);
    ck_assert_int_eq(scene_job_of(&s, b), 0);
    ck_assert_uint_eq(pool_workers(s.pool), 2);
    file_close(&a);
    file_close(&b);
    scene_close(&s);
}
END_TEST

/* Two accounts, one worker: neither do they close it after each job, nor does one wait for all of the other */
START_TEST(an_account_keeps_its_worker_for_some_jobs_but_not_for_ever)
{
    struct scene s;
    struct owner *o = calloc(60, sizeof *o), other = { 0 };
    int w, n = 0;

    w = scene_begin(&s, 1, &o[0], 1, true);
    ck_assert_int_eq(scene_job_of(&s, w), 1);
    scene_start(&s, &other, "b", 77, true);
    for (unsigned i = 1; i < 60; i++)
        scene_start(&s, &o[i], "a", i + 1, true);
    do {
        n++;
        ck_assert(job_send_text(w, JOB_DONE, 0, ""));
        scene_settle(&s);
    } while (scene_job_of(&s, w) > 0);
    ck_assert_int_gt(n, 5);
    ck_assert_int_lt(n, 50);
    file_close(&w);
    SCENE_ASKED(&s, "b");
    w = scene_ready(&s);
    ck_assert_int_eq(scene_job_of(&s, w), 77);
    file_close(&w);
    scene_close(&s);
    free(o);
}
END_TEST

START_TEST(an_urgent_job_does_not_wait_for_others_of_the_worker_s_account)
{
    struct scene s;
    struct owner o[3] = { 0 };
    int w;

    w = scene_begin(&s, 1, &o[0], 1, false);
    scene_start(&s, &o[1], "a", 2, false);
    scene_start(&s, &o[2], "b", 3, true);
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, w), 1);
    ck_assert_int_eq(scene_job_of(&s, w), -1);
    SCENE_ASKED(&s, "b");
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_job_that_is_started_when_another_is_over_gets_the_same_worker)
{
    struct scene s;
    struct owner second = { 0 }, first = { .then = "a", .next = &second };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    scene_start(&s, &first, "a", 1, false);
    SCENE_ASKED(&s, "a");
    w = scene_ready(&s);
    ck_assert_int_eq(scene_job_of(&s, w), 1);
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, w), 99);
    file_close(&w);
    scene_close(&s);
}
END_TEST

/* ---------------------------------------------------------------- how long a worker lives */

static void
wait_until_closed(struct scene *s, int worker)
{
    int64_t deadline = clock_deadline(PATIENCE_MS);
    int job = 0;

    while (clock_left(deadline) && (job = scene_job_of(s, worker)) == 0)
        scene_settle(s);
    ck_assert_int_eq(job, -1);
}

START_TEST(a_worker_with_nothing_to_do_is_closed)
{
    struct scene s;
    struct owner o = { 0 };
    int w, busy;

    scene_open(&s, 4, 5);
    scene_start(&s, &o, "b", 1, true);
    SCENE_ASKED(&s, "b");
    busy = scene_ready(&s);
    w = scene_warm_worker(&s, "a");
    wait_until_closed(&s, w);
    ck_assert_uint_eq(pool_workers(s.pool), 1);
    ck_assert_int_eq(scene_job_of(&s, busy), 1);
    ck_assert_int_eq(scene_job_of(&s, busy), 0);
    scene_say(&s, busy, JOB_DONE, 0, "");
    wait_until_closed(&s, busy);
    ck_assert_uint_eq(pool_workers(s.pool), 0);
    file_close(&w);
    file_close(&busy);
    scene_close(&s);
}
END_TEST

START_TEST(a_shorter_idle_time_and_a_lower_limit_count_at_once)
{
    struct scene s;
    int a, b;

    scene_open(&s, 4, 3600000);
    a = scene_warm_worker(&s, "a");
    b = scene_warm_worker(&s, "b");
    pool_configure(s.pool, 1, 3600000);
    ck_assert_uint_le(pool_workers(s.pool), 1);
    file_close(&a);
    file_close(&b);
    scene_settle(&s);
    a = scene_warm_worker(&s, "a");
    pool_configure(s.pool, 1, 1);
    wait_until_closed(&s, a);
    file_close(&a);
    scene_close(&s);
}
END_TEST

START_TEST(after_many_jobs_a_fresh_worker_follows)
{
    struct scene s;
    int w, n = 1;

    scene_open(&s, 1, CLOCK_NEVER);
    for (w = scene_warm_worker(&s, "a"); n < 5000; n++) {
        struct owner o = { 0 };
        scene_start(&s, &o, "a", 2, false);
        if (scene_job_of(&s, w) != 2) {
            pool_forget(o.job);
            break;
        }
        scene_say(&s, w, JOB_DONE, 0, "");
        ck_assert_int_eq(o.overs, 1);
    }
    ck_assert_int_eq(n, 1000);
    SCENE_ASKED(&s, "a");
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(with_a_new_configuration_no_old_worker_gets_a_job)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int idle, busy;

    busy = scene_begin(&s, 2, &o[0], 1, false);
    idle = scene_warm_worker(&s, "b");
    pool_retire(s.pool);
    ck_assert_int_eq(scene_job_of(&s, idle), -1);
    ck_assert_int_eq(scene_job_of(&s, busy), 1);
    ck_assert_int_eq(scene_job_of(&s, busy), 0);
    scene_say(&s, busy, JOB_DONE, 0, "");
    ck_assert_int_eq(o[0].class, ERROR_NONE);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(scene_job_of(&s, busy), -1);
    scene_start(&s, &o[1], "a", 2, false);
    SCENE_ASKED(&s, "a");
    file_close(&busy);
    busy = scene_ready(&s); /* it has the new configuration, and stays */
    ck_assert_int_eq(scene_job_of(&s, busy), 2);
    scene_say(&s, busy, JOB_DONE, 0, "");
    ck_assert(pool_is_warm(s.pool, "a"));
    file_close(&busy);
    file_close(&idle);
    scene_close(&s);
}
END_TEST

SUITE_MAIN("pool", several_jobs_run_at_once_each_with_a_worker_of_its_own,
    never_more_workers_than_the_limit_and_urgent_jobs_go_first,
    an_account_with_a_limit_of_its_own_gets_no_more_workers_and_holds_up_nobody,
    a_worker_that_only_waits_for_its_smarthost_makes_room_for_another,
    a_smarthost_that_failed_is_looked_at_beside_the_jobs_by_a_worker_that_does_not_count,
    jobs_are_told_of_a_smarthost_that_works_but_is_late,
    a_worker_that_ends_while_it_looks_at_a_smarthost_or_cannot_be_had_is_no_loss,
    while_no_smarthost_works_messages_try_them_and_nobody_else_does, a_warm_worker_is_used_again,
    at_the_limit_the_worker_that_was_idle_for_longest_makes_room_for_another_account,
    an_account_keeps_its_worker_for_some_jobs_but_not_for_ever,
    an_urgent_job_does_not_wait_for_others_of_the_worker_s_account,
    a_job_that_is_started_when_another_is_over_gets_the_same_worker, a_worker_with_nothing_to_do_is_closed,
    a_shorter_idle_time_and_a_lower_limit_count_at_once, after_many_jobs_a_fresh_worker_follows,
    with_a_new_configuration_no_old_worker_gets_a_job)
