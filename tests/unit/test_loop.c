/* SPDX-License-Identifier: ISC */
/* loop: descriptors and times are served side by side, and callbacks may change any of them. */
#include "unit/suite.h"

#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

struct scene {
    struct loop *loop;
    int pipe[2];
    struct loop_watch *watch, *other;
    struct loop_timer *timer;
    int calls, ready;
    char order[8];
};

static void
open_scene(struct scene *s)
{
    *s = (struct scene){ .loop = loop_new() };
    ck_assert_int_eq(pipe(s->pipe), 0);
}

static void
close_scene(struct scene *s)
{
    loop_free(s->loop);
    (void)close(s->pipe[0]);
    (void)close(s->pipe[1]);
}

static void
again(void *ctx)
{
    struct scene *s = ctx;

    ck_assert_msg(s->calls++ < 10000000, "the descriptor waits for ever");
    s->timer = loop_at(s->loop, clock_ms(), again, s);
}

static void
stop(void *ctx, int fd, short revents)
{
    struct scene *s = ctx;

    ck_assert(fd == s->pipe[0] && (revents & POLLIN));
    s->ready++;
    loop_stop(s->loop);
}

START_TEST(a_timer_that_begins_again_at_once_does_not_keep_a_descriptor_waiting)
{
    struct scene s;

    open_scene(&s);
    ck_assert_int_eq(write(s.pipe[1], "x", 1), 1);
    (void)loop_watch(s.loop, s.pipe[0], POLLIN, stop, &s);
    again(&s);
    loop_run(s.loop);
    ck_assert_int_eq(s.ready, 1);
    close_scene(&s);
}
END_TEST

static void
note(struct scene *s, char c)
{
    s->order[s->calls++] = c;
}

static void
first(void *ctx)
{
    note(ctx, '1');
}

static void
second(void *ctx)
{
    struct scene *s = ctx;

    note(s, '2');
    loop_cancel(s->timer);
}

static void
cancelled(void *ctx)
{
    note(ctx, 'x');
}

static void
last(void *ctx)
{
    struct scene *s = ctx;

    note(s, '3');
    loop_stop(s->loop);
}

START_TEST(timers_come_in_their_order_and_may_cancel_others)
{
    struct scene s;
    int64_t now = clock_ms();

    open_scene(&s);
    (void)loop_at(s.loop, now + 3, last, &s);
    (void)loop_at(s.loop, now, first, &s);
    s.timer = loop_at(s.loop, now + 2, cancelled, &s);
    (void)loop_at(s.loop, now + 1, second, &s);
    loop_run(s.loop);
    ck_assert_str_eq(s.order, "123");
    close_scene(&s);
}
END_TEST

static void
unwatch_both(void *ctx, int fd, short revents)
{
    struct scene *s = ctx;

    (void)fd, (void)revents;
    s->ready++;
    loop_unwatch(s->watch);
    loop_unwatch(s->other);
    (void)loop_at(s->loop, clock_ms() + 2, last, s);
}

/* Two watches of one descriptor, both ready: the one that is called first takes both away */
START_TEST(what_is_no_longer_watched_is_not_called)
{
    struct scene s;

    open_scene(&s);
    ck_assert_int_eq(write(s.pipe[1], "x", 1), 1);
    s.watch = loop_watch(s.loop, s.pipe[0], POLLIN, unwatch_both, &s);
    s.other = loop_watch(s.loop, s.pipe[0], POLLIN, unwatch_both, &s);
    loop_run(s.loop);
    ck_assert_int_eq(s.ready, 1);
    close_scene(&s);
}
END_TEST

SUITE_MAIN("loop", a_timer_that_begins_again_at_once_does_not_keep_a_descriptor_waiting,
    timers_come_in_their_order_and_may_cancel_others, what_is_no_longer_watched_is_not_called)
