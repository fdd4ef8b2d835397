/* SPDX-License-Identifier: ISC */
/* progress: how far something long is, on one line of a terminal. */
#ifndef ADMIN_PROGRESS_H
#define ADMIN_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int64_t begun_ms, shown_ms;
    bool is_shown; /* there is a line to be wiped */
};

void progress_begin(struct progress *p);
/* So many of all are done: shown when it has lasted a second, a few times a second. */
void progress_show(struct progress *p, uint64_t done, uint64_t total);
void progress_end(struct progress *p);

#endif
