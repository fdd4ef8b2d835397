/* SPDX-License-Identifier: ISC */
/* pool_worker: what becomes of a job when its worker ends, cannot be had or lies. Helper and workers are played here. */
#include "unit/suite.h"
#include "unit/scene.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/loop.h"

/* ---------------------------------------------------------------- workers that end */

START_TEST(a_worker_that_ends_while_idle_is_no_loss)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    w = scene_warm_worker(&s, "a");
    file_close(&w);
    scene_settle(&s);
    ck_assert_uint_eq(pool_workers(s.pool), 0);
    w = scene_warm_worker(&s, "a");
    file_close(&w); /* not seen before the next job comes */
    scene_start(&s, &o, "a", 7, true);
    SCENE_ASKED(&s, "a");
    w = scene_ready(&s);
    ck_assert_int_eq(scene_job_of(&s, w), 7);
    ck_assert_int_eq(o.overs, 0);
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_warm_worker_that_ends_before_it_has_read_its_job_costs_no_attempt)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    w = scene_warm_worker(&s, "a");
    scene_start(&s, &o, "a", 7, true);
    file_close(&w); /* the job in it */
    scene_settle(&s);
    SCENE_ASKED(&s, "a");
    w = scene_ready(&s);
    ck_assert_int_eq(scene_job_of(&s, w), 7);
    ck_assert_int_eq(o.overs, 0);
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_worker_that_ends_with_a_job_may_have_sent_the_message)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    w = scene_warm_worker(&s, "a");
    scene_start(&s, &o[0], "a", 7, true);
    scene_start(&s, &o[1], "a", 8, true);
    ck_assert_int_eq(scene_job_of(&s, w), 7);
    file_close(&w);
    scene_settle(&s);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(o[0].class, ERROR_TEMP);
    ck_assert_msg(strstr(o[0].text, "may have been sent"), "%s", o[0].text);
    ck_assert(o[0].maybe_sent);
    ck_assert_int_eq(o[1].overs, 0);
    SCENE_ASKED(&s, "a");
    w = scene_ready(&s);
    ck_assert_int_eq(scene_job_of(&s, w), 8);
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_worker_that_never_comes_to_life_is_not_started_for_ever)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    w = scene_begin(&s, 1, &o, 7, true);
    file_close(&w); /* unread */
    scene_settle(&s);
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(o.class, ERROR_TEMP);
    ck_assert_msg(!strstr(o.text, "may have been sent"), "%s", o.text);
    ck_assert(!o.maybe_sent);
    ck_assert_ptr_null(scene_asked(&s));
    scene_close(&s);
}
END_TEST

/* ---------------------------------------------------------------- workers that cannot be had */

START_TEST(a_worker_that_could_not_be_made_says_why_and_each_job_has_its_own_try)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    scene_start(&s, &o[0], "a", 7, true);
    scene_start(&s, &o[1], "a", 8, true);
    SCENE_ASKED(&s, "a");
    w = scene_ready(&s);
    ck_assert(job_send_text(w, JOB_FAILED, ERROR_ADMIN, "AuthPassCommand: no\nluck\033[2J"));
    file_close(&w); /* the job unread */
    scene_settle(&s);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(o[0].class, ERROR_ADMIN);
    ck_assert_str_eq(o[0].text, "AuthPassCommand: no luck\\x1B[2J");
    ck_assert_int_eq(o[1].overs, 0);
    SCENE_ASKED(&s, "a");
    scene_close(&s);
}
END_TEST

START_TEST(a_worker_that_failed_before_its_job_was_sent_says_why_too)
{
    struct scene s;
    struct owner o = { 0 };
    int pair[2];

    scene_open(&s, 1, CLOCK_NEVER);
    scene_start(&s, &o, "a", 7, true);
    SCENE_ASKED(&s, "a");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(job_send_text(pair[0], JOB_FAILED, ERROR_CONFIG, "TLSCert: no"));
    file_close(&pair[0]);
    ck_assert(start_send(s.helper, START_READY, ERROR_NONE, "a", pair[1]));
    file_close(&pair[1]);
    scene_settle(&s);
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(o.class, ERROR_CONFIG);
    ck_assert_str_eq(o.text, "TLSCert: no");
    ck_assert_uint_eq(pool_workers(s.pool), 0);
    scene_close(&s);
}
END_TEST

START_TEST(a_helper_that_has_no_worker_to_give_fails_one_job)
{
    struct scene s;
    struct owner o[2] = { 0 };

    scene_open(&s, 1, CLOCK_NEVER);
    scene_start(&s, &o[0], "a", 7, true);
    scene_start(&s, &o[1], "a", 8, true);
    SCENE_ASKED(&s, "a");
    ck_assert(start_send(s.helper, START_FAILED, ERROR_TEMP, "no process", -1));
    scene_settle(&s);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_str_eq(o[0].text, "no process");
    ck_assert_int_eq(o[1].overs, 0);
    SCENE_ASKED(&s, "a");
    ck_assert_int_eq(s.controls, 0);
    ck_assert(start_send(s.helper, START_READY, ERROR_NONE, "a", s.record));
    scene_settle(&s); /* it is no socket: the job fails, nothing else does */
    ck_assert_int_eq(o[1].overs, 1);
    ck_assert(start_send(s.helper, START_FAILED, ERROR_CONFIG, "the new configuration is wrong", -1));
    scene_settle(&s);
    ck_assert_int_eq(s.controls, 1); /* it answers no question of the pool's */
    scene_close(&s);
}
END_TEST

/* An answer got lost, and this one would be taken for it: mail would go by the login of another account */
START_TEST(a_worker_of_another_account_is_nobodys)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int pair[2];

    scene_open(&s, 2, CLOCK_NEVER);
    scene_start(&s, &o[0], "a", 7, true);
    scene_start(&s, &o[1], "b", 7, true);
    SCENE_ASKED(&s, "a");
    SCENE_ASKED(&s, "b");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(start_send(s.helper, START_READY, ERROR_NONE, "b", pair[1]));
    file_close(&pair[1]);
    scene_settle(&s);
    ck_assert_int_eq(recv(pair[0], &(char){ 0 }, 1, MSG_DONTWAIT), 0); /* hung up on */
    ck_assert(s.helper_gone);                                          /* it ends as without its helper */
    file_close(&pair[0]);
    scene_close(&s);
}
END_TEST

/* All clients at once: the daemon has no descriptor left for the worker, which is no reason to end */
START_TEST(a_worker_for_which_there_is_no_descriptor_fails_one_job)
{
    struct scene s;
    struct owner o[2] = { 0 };
    struct rlimit before, none;
    int pair[2], next;

    scene_open(&s, 1, CLOCK_NEVER);
    scene_start(&s, &o[0], "a", 7, true);
    scene_start(&s, &o[1], "a", 8, true);
    SCENE_ASKED(&s, "a");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert(start_send(s.helper, START_READY, ERROR_NONE, "a", pair[1]));
    next = dup(0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)next;
    file_close(&next);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    scene_settle(&s);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(o[0].overs, 1);
    ck_assert_int_eq(o[0].class, ERROR_TEMP);
    ck_assert_int_eq(o[1].overs, 0);
    ck_assert_int_eq(s.controls, 0);
    SCENE_ASKED(&s, "a");
    file_close(&pair[0]);
    file_close(&pair[1]);
    scene_close(&s);
}
END_TEST

START_TEST(without_its_helper_the_pool_finishes_what_has_a_worker)
{
    struct scene s;
    struct owner o[4] = { 0 };
    int busy, idle;

    busy = scene_begin(&s, 3, &o[0], 1, true);
    ck_assert_int_eq(scene_job_of(&s, busy), 1);
    idle = scene_warm_worker(&s, "b");
    scene_start(&s, &o[1], "c", 2, true);
    file_close(&s.helper);
    scene_settle(&s);
    ck_assert(s.helper_gone);
    ck_assert_int_eq(o[1].overs, 1);
    ck_assert_int_eq(o[1].class, ERROR_TEMP);
    ck_assert(!pool_has_room(s.pool, "c") && pool_has_room(s.pool, "b"));
    scene_start(&s, &o[2], "c", 3, true);
    scene_start(&s, &o[3], "b", 4, true);
    ck_assert_int_eq(o[2].overs, 0); /* never from within the call */
    scene_settle(&s);
    ck_assert_int_eq(o[2].overs, 1);
    ck_assert_int_eq(scene_job_of(&s, idle), 4);
    scene_say(&s, busy, JOB_DONE, 0, "done");
    ck_assert_str_eq(o[0].text, "done");
    file_close(&busy);
    file_close(&idle);
    scene_close(&s);
}
END_TEST

/* ---------------------------------------------------------------- owners that go */

START_TEST(a_job_whose_owner_has_gone_is_taken_back_or_goes_on_unheard)
{
    struct scene s;
    struct owner o[2] = { 0 };
    int w;

    scene_open(&s, 1, CLOCK_NEVER);
    scene_start(&s, &o[0], "a", 1, true);
    scene_start(&s, &o[1], "a", 2, true);
    SCENE_ASKED(&s, "a");
    ck_assert(pool_is_waiting(o[0].job));
    w = scene_ready(&s);
    ck_assert(!pool_is_waiting(o[0].job) && pool_is_waiting(o[1].job));
    pool_forget(o[0].job);
    pool_forget(o[1].job);
    ck_assert_int_eq(scene_job_of(&s, w), 1);
    ck_assert_uint_eq(pool_busy(s.pool), 1);
    scene_say(&s, w, JOB_LOG, 1, "still here");
    scene_say(&s, w, JOB_DONE, 0, "");
    ck_assert_int_eq(scene_job_of(&s, w), 0);
    ck_assert_uint_eq(pool_busy(s.pool), 0);
    ck_assert(pool_is_warm(s.pool, "a"));
    ck_assert_int_eq(o[0].overs + o[1].overs + o[0].packets, 0);
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_job_that_failed_at_once_can_be_forgotten)
{
    struct scene s;
    struct owner o = { 0 };

    scene_open(&s, 1, CLOCK_NEVER);
    file_close(&s.helper);
    scene_settle(&s);
    scene_start(&s, &o, "a", 1, true);
    pool_forget(o.job);
    scene_settle(&s);
    ck_assert_int_eq(o.overs, 0);
    scene_close(&s);
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
        scene_open(&s, 1, CLOCK_NEVER);
        w = scene_warm_worker(&s, "a");
        scene_say(&s, w, types[i], ERROR_ADMIN, "");
        ck_assert_int_eq(scene_job_of(&s, w), -1);
        ck_assert_uint_eq(pool_workers(s.pool), 0);
        file_close(&w);
        scene_close(&s);
    }
    w = scene_begin(&s, 1, &o, 1, true);
    ck_assert_int_eq(scene_job_of(&s, w), 1);
    ck_assert(job_send_start(w, 0, 1, (const unsigned char *)"\1", s.record));
    scene_settle(&s);
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(scene_job_of(&s, w), -1);
    file_close(&w);
    scene_close(&s);
}
END_TEST

/* What is said there of an account must not bounce mail */
START_TEST(a_worker_cannot_fail_with_what_would_be_the_message_s_fault)
{
    struct scene s;
    struct owner o = { 0 };
    int w;

    w = scene_begin(&s, 1, &o, 1, true);
    scene_say(&s, w, JOB_FAILED, ERROR_NOUSER, "no such user");
    ck_assert_int_eq(o.overs, 1);
    ck_assert_int_eq(o.class, ERROR_INTERNAL);
    file_close(&w);
    scene_close(&s);
}
END_TEST

START_TEST(a_worker_that_takes_no_jobs_but_says_done_does_not_hold_up_the_daemon)
{
    struct scene s;
    int w, n;

    scene_open(&s, 1, CLOCK_NEVER);
    w = scene_warm_worker(&s, "a");
    for (n = 0; n < 900 && pool_workers(s.pool) == 1; n++) {
        struct owner o = { 0 };
        scene_start(&s, &o, "a", 2, false);
        (void)job_send_text(w, JOB_DONE, 0, "");
        scene_settle(&s);
        ck_assert_int_eq(o.overs, 1);
    }
    file_close(&w);
    scene_close(&s);
}
END_TEST

SUITE_MAIN("pool_worker", a_worker_that_ends_while_idle_is_no_loss,
    a_warm_worker_that_ends_before_it_has_read_its_job_costs_no_attempt,
    a_worker_that_ends_with_a_job_may_have_sent_the_message,
    a_worker_that_never_comes_to_life_is_not_started_for_ever,
    a_worker_that_could_not_be_made_says_why_and_each_job_has_its_own_try,
    a_worker_that_failed_before_its_job_was_sent_says_why_too,
    a_helper_that_has_no_worker_to_give_fails_one_job,
    a_worker_for_which_there_is_no_descriptor_fails_one_job, a_worker_of_another_account_is_nobodys,
    without_its_helper_the_pool_finishes_what_has_a_worker,
    a_job_whose_owner_has_gone_is_taken_back_or_goes_on_unheard, a_job_that_failed_at_once_can_be_forgotten,
    a_worker_that_speaks_out_of_turn_is_dropped, a_worker_cannot_fail_with_what_would_be_the_message_s_fault,
    a_worker_that_takes_no_jobs_but_says_done_does_not_hold_up_the_daemon)
