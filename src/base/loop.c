/* SPDX-License-Identifier: ISC */
/* loop: a table of descriptors for poll(2) and a short list of timers; callbacks may add and remove any of them. */
#include "base/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct loop_watch {
    struct loop *loop;
    int fd;
    short events;
    bool dead; /* removed while the table was walked */
    loop_ready *ready;
    void *ctx;
};

struct loop_timer {
    struct loop *loop;
    struct loop_timer *next;
    int64_t deadline;
    loop_due *due;
    void *ctx;
};

struct loop {
    struct loop_watch **watches;
    struct pollfd *polls;
    size_t n, cap;
    struct loop_timer *timers; /* the earliest first */
    bool stopped;
};

struct loop *
loop_new(void)
{
    return mem_alloc(sizeof(struct loop));
}

void
loop_free(struct loop *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->n; i++)
        free(l->watches[i]);
    while (l->timers)
        loop_cancel(l->timers);
    free(l->watches);
    free(l->polls);
    free(l);
}

struct loop_watch *
loop_watch(struct loop *l, int fd, short events, loop_ready *ready, void *ctx)
{
    struct loop_watch *w = mem_alloc(sizeof *w);

    w->loop = l;
    w->fd = fd;
    w->events = events;
    w->ready = ready;
    w->ctx = ctx;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 8;
        l->watches = mem_resize(l->watches, l->cap, sizeof(struct loop_watch *));
        l->polls = mem_resize(l->polls, l->cap, sizeof *l->polls);
    }
    l->watches[l->n++] = w;
    return w;
}

void
loop_events(struct loop_watch *w, short events)
{
    w->events = events;
}

void
loop_unwatch(struct loop_watch *w)
{
    if (w)
        w->dead = true;
}

struct loop_timer *
loop_at(struct loop *l, int64_t deadline, loop_due *due, void *ctx)
{
    struct loop_timer *t = mem_alloc(sizeof *t), **at = &l->timers;

    t->loop = l;
    t->deadline = deadline;
    t->due = due;
    t->ctx = ctx;
    while (*at && (*at)->deadline <= deadline)
        at = &(*at)->next;
    t->next = *at;
    *at = t;
    return t;
}

void
loop_cancel(struct loop_timer *t)
{
    struct loop_timer **at;

    if (!t)
        return;
    for (at = &t->loop->timers; *at != t; at = &(*at)->next)
        ensure(*at);
    *at = t->next;
    free(t);
}

/* What a callback adds for now waits for the next round: who begins again and again does not keep the descriptors waiting */
static void
run_timers(struct loop *l)
{
    int64_t now = clock_ms();

    while (l->timers && l->timers->deadline <= now) {
        struct loop_timer *t = l->timers;
        loop_due *due = t->due;
        void *ctx = t->ctx;
        loop_cancel(t);
        due(ctx);
    }
}

/* Remove dead watches; a watch without events is not polled (a closed peer would spin). */
static void
fill(struct loop *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n; i++) {
        if (l->watches[i]->dead)
            free(l->watches[i]);
        else
            l->watches[kept++] = l->watches[i];
    }
    l->n = kept;
    for (size_t i = 0; i < l->n; i++) {
        l->polls[i].fd = l->watches[i]->events ? l->watches[i]->fd : -1;
        l->polls[i].events = l->watches[i]->events;
        l->polls[i].revents = 0;
    }
}

void
loop_run(struct loop *l)
{
    while (!l->stopped) {
        fill(l);
        size_t n = l->n; /* callbacks may add more: those wait for the next round */
        int r = poll(l->polls, (nfds_t)n, l->timers ? clock_left(l->timers->deadline) : -1);
        ensure(r >= 0 || errno == EINTR || errno == ENOMEM);
        for (size_t i = 0; r > 0 && i < n; i++) {
            struct loop_watch *w = l->watches[i];
            short revents = l->polls[i].revents;
            if (revents && !w->dead && l->polls[i].fd == w->fd)
                w->ready(w->ctx, w->fd, revents);
        }
        run_timers(l);
    }
}

void
loop_stop(struct loop *l)
{
    l->stopped = true;
}

void
loop_reset(struct loop *l)
{
    l->stopped = false;
}
