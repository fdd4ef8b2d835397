/* SPDX-License-Identifier: ISC */
/* loop: one thread waiting for many descriptors and times with poll(2). */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_watch; /* one descriptor */
struct loop_timer; /* one point of time */

/* `events` has poll(2)'s POLLIN, POLLOUT; POLLHUP and POLLERR may stand in `revents`, too. */
typedef void loop_ready(void *ctx, int fd, short revents);
typedef void loop_due(void *ctx);

struct loop *loop_new(void);
void loop_free(struct loop *l);
/* Watch `fd` (stays the caller's). The watch lives until loop_unwatch, which may be called from any callback. */
struct loop_watch *loop_watch(struct loop *l, int fd, short events, loop_ready *ready, void *ctx);
void loop_events(struct loop_watch *w, short events);
void loop_unwatch(struct loop_watch *w);
/* Call `due` once at `deadline` (clock_ms); the timer is gone after the call or by loop_cancel. */
struct loop_timer *loop_at(struct loop *l, int64_t deadline, loop_due *due, void *ctx);
void loop_cancel(struct loop_timer *t);
/* Until loop_stop was called. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Forget a loop_stop, so that loop_run may be called again. */
void loop_reset(struct loop *l);

#endif
