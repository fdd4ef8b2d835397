/* SPDX-License-Identifier: ISC */
/* work: what blocks does so beside the loop, and its end is told to the loop, once, later, in the loop's thread. */
#include "unit/suite.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/work.h"

struct job {
    struct loop *loop;
    struct work *work;
    pthread_t told_in, ran_in;
    bool ran, told, blocked;
    int go; /* wait for a byte here first, -1 = do not */
    struct job *then;
    size_t *left;
};

static void
run(void *arg)
{
    struct job *j = arg;
    sigset_t now;
    char c;

    if (j->go >= 0)
        ck_assert_int_eq(read(j->go, &c, 1), 1);
    j->ran_in = pthread_self();
    j->blocked = pthread_sigmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGTERM) == 1;
    j->ran = true;
}

static void
done(void *arg)
{
    struct job *j = arg;

    ck_assert(j->ran && !j->told);
    j->told = true;
    j->told_in = pthread_self();
    if (j->then)
        work_start(j->work, run, done, j->then);
    if (--*j->left == 0)
        loop_stop(j->loop);
}

START_TEST(work_is_done_beside_the_loop_and_told_in_its_thread)
{
    struct loop *l = loop_new();
    struct work *w = work_new(l, 4);
    struct job jobs[100] = { { 0 } };
    size_t left = 100;

    for (size_t i = 0; i < 100; i++) {
        jobs[i] = (struct job){ .loop = l, .work = w, .go = -1, .left = &left };
        work_start(w, run, done, &jobs[i]);
        ck_assert(!jobs[i].told);
    }
    ck_assert_uint_eq(work_pending(w), 100);
    loop_run(l);
    ck_assert_uint_eq(work_pending(w), 0);
    for (size_t i = 0; i < 100; i++) {
        ck_assert(jobs[i].told && jobs[i].blocked);
        ck_assert(pthread_equal(jobs[i].told_in, pthread_self()));
        ck_assert(!pthread_equal(jobs[i].ran_in, pthread_self()));
    }
    work_free(w);
    loop_free(l);
}
END_TEST

static void
send_byte(void *ctx)
{
    ck_assert_int_eq(write(*(int *)ctx, "xx", 2), 2);
}

/* Three threads: one that blocks holds up nobody, and two may block at once */
START_TEST(what_blocks_does_not_hold_up_the_others)
{
    struct loop *l = loop_new();
    struct work *w = work_new(l, 3);
    struct job slow[2], quick[20];
    size_t left = 22, quick_left = 20;
    int p[2];

    ck_assert_int_eq(pipe(p), 0);
    for (size_t i = 0; i < 2; i++) {
        slow[i] = (struct job){ .loop = l, .work = w, .go = p[0], .left = &left };
        work_start(w, run, done, &slow[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        quick[i] = (struct job){ .loop = l, .work = w, .go = -1, .left = &quick_left };
        work_start(w, run, done, &quick[i]);
    }
    loop_run(l);
    ck_assert(!slow[0].told && !slow[1].told);
    ck_assert_uint_eq(work_pending(w), 2);
    left = 2;
    loop_reset(l);
    loop_at(l, clock_ms(), send_byte, &p[1]);
    loop_run(l);
    ck_assert(slow[0].told && slow[1].told);
    work_free(w);
    loop_free(l);
    (void)close(p[0]);
    (void)close(p[1]);
}
END_TEST

START_TEST(one_thread_does_all_in_order)
{
    struct loop *l = loop_new();
    struct work *w = work_new(l, 1);
    struct job a = { .loop = l, .work = w, .go = -1 }, b = a;
    size_t left = 2;

    a.left = b.left = &left;
    a.then = &b;
    work_start(w, run, done, &a);
    loop_run(l);
    ck_assert(a.told && b.told && pthread_equal(a.ran_in, b.ran_in));
    work_free(w);
    loop_free(l);
}
END_TEST

START_TEST(freeing_waits_for_all_and_tells_all)
{
    struct loop *l = loop_new();
    struct work *w = work_new(l, 2);
    struct job a = { .loop = l, .work = w, .go = -1 }, b = a;
    size_t left = 2;

    a.left = b.left = &left;
    a.then = &b;
    work_start(w, run, done, &a);
    work_start(w, run, NULL, &(struct job){ .go = -1 });
    work_free(w);
    ck_assert(a.told && b.told);
    loop_free(l);
    work_free(NULL);
}
END_TEST

/* No descriptor for waking the loop, or no thread: it is done at once, but told later all the same */
START_TEST(without_threads_the_work_is_done_all_the_same)
{
    struct rlimit none = { 0, 0 }, before;
    struct loop *l = loop_new();
    struct work *w;
    struct job a = { .loop = l, .go = -1 }, b = a;
    size_t left = 2;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    w = work_new(l, 2);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    a.left = b.left = &left;
    a.work = b.work = w;
    work_start(w, run, done, &a);
    work_start(w, run, done, &b);
    ck_assert(a.ran && !a.told && b.ran && !b.told);
    ck_assert_uint_eq(work_pending(w), 2);
    loop_run(l);
    ck_assert(a.told && b.told);
    ck_assert(pthread_equal(a.ran_in, pthread_self()));
    left = 1;
    a.ran = a.told = false;
    work_start(w, run, done, &a);
    work_free(w);
    ck_assert(a.told);
    loop_free(l);
}
END_TEST

SUITE_MAIN("work", work_is_done_beside_the_loop_and_told_in_its_thread,
    what_blocks_does_not_hold_up_the_others, one_thread_does_all_in_order,
    freeing_waits_for_all_and_tells_all, without_threads_the_work_is_done_all_the_same)
