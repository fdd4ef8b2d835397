/* SPDX-License-Identifier: ISC */
/* work: a list of what is to be done, one of what is done, and threads between them. Knows nothing of what it calls. */
#include "base/work.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/* enough for a path, an error text and a piece of a message; 100 threads are no burden then */
#define STACK_SIZE (512u << 10)

struct item {
    struct item *next;
    work_run *run;
    work_done *done;
    void *arg;
};

struct list {
    struct item *first, *last;
};

struct work {
    /* the loop's thread only */
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *soon; /* done in the loop's own thread, to be told in the next round */
    size_t pending, threads_max, nthreads;
    pthread_t *threads;
    int wake; /* eventfd: something is done; -1: there is none, thus no threads */
    /* guarded by the lock */
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct list todo, done;
    size_t idle; /* threads that wait */
    bool ending;
};

static void
append(struct list *l, struct item *i)
{
    i->next = NULL;
    if (l->last)
        l->last->next = i;
    else
        l->first = i;
    l->last = i;
}

static struct item *
take_first(struct list *l)
{
    struct item *i = l->first;

    if (i && !(l->first = i->next))
        l->last = NULL;
    return i;
}

static void
lock(struct work *w)
{
    ensure(pthread_mutex_lock(&w->lock) == 0);
}

static void
unlock(struct work *w)
{
    ensure(pthread_mutex_unlock(&w->lock) == 0);
}

/* ---------------------------------------------------------------- the threads */

static void
wake_loop(struct work *w)
{
    uint64_t one = 1;

    /* it cannot be full, and who is woken twice finds nothing */
    while (write(w->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void *
thread_main(void *arg)
{
    struct work *w = arg;
    struct item *i;

    lock(w);
    for (;;) {
        while ((i = take_first(&w->todo))) {
            unlock(w);
            i->run(i->arg);
            lock(w);
            append(&w->done, i);
            wake_loop(w);
        }
        if (w->ending)
            break;
        w->idle++;
        ensure(pthread_cond_wait(&w->more, &w->lock) == 0);
        w->idle--;
    }
    unlock(w);
    return NULL;
}

/* Signals are for the loop's thread */
static bool
add_thread(struct work *w)
{
    pthread_attr_t attr;
    sigset_t all, before;
    bool ok;

    if (w->wake < 0 || pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setstacksize(&attr, STACK_SIZE); /* else as large as it comes */
    (void)sigfillset(&all);
    ensure(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    ok = pthread_create(&w->threads[w->nthreads], &attr, thread_main, w) == 0;
    ensure(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    (void)pthread_attr_destroy(&attr); /* holds nothing here */
    if (ok)
        w->nthreads++;
    return ok;
}

/* ---------------------------------------------------------------- the loop's side */

static void
tell(struct work *w)
{
    struct list done;
    struct item *i;

    lock(w);
    done = w->done;
    w->done = (struct list){ NULL, NULL };
    unlock(w);
    while ((i = take_first(&done))) {
        w->pending--;
        if (i->done)
            i->done(i->arg);
        free(i);
    }
}

static void
drain(int fd)
{
    uint64_t n;

    while (read(fd, &n, sizeof n) < 0 && errno == EINTR)
        ;
}

static void
on_wake(void *ctx, int fd, short revents)
{
    (void)revents;
    drain(fd);
    tell(ctx);
}

static void
on_soon(void *ctx)
{
    struct work *w = ctx;

    w->soon = NULL;
    tell(w);
}

static void
run_here(struct work *w, struct item *i)
{
    i->run(i->arg);
    lock(w);
    append(&w->done, i);
    unlock(w);
    if (!w->soon)
        w->soon = loop_at(w->loop, clock_ms(), on_soon, w);
}

struct work *
work_new(struct loop *l, size_t threads)
{
    struct work *w = mem_alloc(sizeof *w);

    ensure(threads > 0);
    w->loop = l;
    w->threads_max = threads;
    w->threads = mem_array(threads, sizeof *w->threads);
    ensure(pthread_mutex_init(&w->lock, NULL) == 0 && pthread_cond_init(&w->more, NULL) == 0);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->wake >= 0)
        w->watch = loop_watch(l, w->wake, POLLIN, on_wake, w);
    return w;
}

void
work_start(struct work *w, work_run *run, work_done *done, void *arg)
{
    struct item *i = mem_alloc(sizeof *i);
    size_t idle, waiting = 0;

    i->run = run;
    i->done = done;
    i->arg = arg;
    w->pending++;
    lock(w);
    for (const struct item *t = w->todo.first; t && waiting < w->idle; t = t->next)
        waiting++; /* idle ones that were called already */
    idle = w->idle - waiting;
    unlock(w);
    if (idle == 0 && w->nthreads < w->threads_max)
        (void)add_thread(w); /* one that is busy will come to it; if there is none, see below */
    if (w->nthreads == 0) {
        run_here(w, i);
        return;
    }
    lock(w);
    append(&w->todo, i);
    ensure(pthread_cond_signal(&w->more) == 0);
    unlock(w);
}

size_t
work_pending(const struct work *w)
{
    return w->pending;
}

static void
wait_done(struct work *w)
{
    struct pollfd p = { .fd = w->wake, .events = POLLIN };

    while (w->pending) {
        if (!w->soon && poll(&p, 1, -1) > 0)
            drain(w->wake);
        loop_cancel(w->soon);
        w->soon = NULL;
        tell(w);
    }
}

void
work_free(struct work *w)
{
    if (!w)
        return;
    wait_done(w);
    lock(w);
    w->ending = true;
    ensure(pthread_cond_broadcast(&w->more) == 0);
    unlock(w);
    for (size_t i = 0; i < w->nthreads; i++)
        ensure(pthread_join(w->threads[i], NULL) == 0);
    loop_cancel(w->soon);
    loop_unwatch(w->watch);
    file_close(&w->wake);
    (void)pthread_cond_destroy(&w->more); /* nobody waits */
    (void)pthread_mutex_destroy(&w->lock);
    free(w->threads);
    free(w);
}
