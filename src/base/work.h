/* SPDX-License-Identifier: ISC */
/*
 * work: a few threads for calls that may block (a disk that syncs), so that the loop never waits for one.
 *
 * The threads begin when they are needed and take no signals. Where no thread can be had, the work is done in the loop's.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include <stddef.h>

#include "base/loop.h"

struct work;

typedef void work_run(void *arg);  /* called in one of the threads */
typedef void work_done(void *arg); /* called by the loop afterwards, in its thread */

/* At most `threads` (at least 1) at once. The loop must outlive it. */
struct work *work_new(struct loop *l, size_t threads);
/* Have `run` called, then `done` (may be NULL), which is never called before work_start has come back. In order of coming. */
void work_start(struct work *w, work_run *run, work_done *done, void *arg);
/* What was started and whose `done` was not called yet. */
size_t work_pending(const struct work *w);
/* Waits for all that is pending and calls its `done`, also of what is started meanwhile. Not from a `done`. NULL is fine. */
void work_free(struct work *w);

#endif
