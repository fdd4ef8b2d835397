/* SPDX-License-Identifier: ISC */
/* progress: on stderr, which is a terminal whenever this is used. */
#include "admin/progress.h"

#include <stdio.h>

#include "base/clock.h"

enum { PATIENCE_MS = 1000, EVERY_MS = 200 };

void
progress_begin(struct progress *p)
{
    *p = (struct progress){ .begun_ms = clock_ms() };
}

void
progress_show(struct progress *p, uint64_t done, uint64_t total)
{
    int64_t now = clock_ms(), took = now - p->begun_ms;
    uint64_t rate, left;

    if (took < PATIENCE_MS || now - p->shown_ms < EVERY_MS || done == 0 || total < done)
        return;
    rate = done * 1000 / (uint64_t)took;
    left = (total - done) * (uint64_t)took / done / 1000;
    fprintf(stderr, "\r%llu of %llu, %llu a second, %llu:%02llu left   ", (unsigned long long)done,
        (unsigned long long)total, (unsigned long long)rate, (unsigned long long)left / 60,
        (unsigned long long)left % 60);
    p->shown_ms = now;
    p->is_shown = true;
}

void
progress_end(struct progress *p)
{
    if (p->is_shown)
        fprintf(stderr, "\r%60s\r", "");
    p->is_shown = false;
}
