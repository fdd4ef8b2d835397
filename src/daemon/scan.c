/* SPDX-License-Identifier: ISC */
/* scan: reads the folder piece by piece; only the heads. */
#include "daemon/scan.h"

#include <stdlib.h>

#include "base/clock.h"
#include "daemon/delivery.h"
#include "daemon/feed.h"

/* So long the loop is kept from others for a piece of the folder, however slow the disk is */
enum { SCAN_PIECE_MS = 2 };

static void
take_in(struct core *c, const char *id)
{
    struct schedule_entry *e;
    struct record r;
    struct error err;
    char *road;

    if (schedule_find(c->schedule, id))
        return;
    if (!spool_head(c->spool, id, &r, &err)) {
        if (err.class == ERROR_TEMP)
            return; /* it has gone since the folder was read */
        /* one that cannot be read is seen to when it is taken */
        (void)schedule_add(
            c->schedule, id, config_account_name(&c->config, 0), 0, 0, c->scan_due, clock_ms());
        return;
    }
    road = delivery_road(c, &r);
    e = schedule_add(c->schedule, id, road, delivery_age_ms(&r), r.attempts,
        r.is_held ? SCHEDULE_HELD : c->scan_due, clock_ms());
    free(road);
    if (delivery_is_of_system(c, r.uid))
        schedule_alert(c->schedule, e, r.uid);
    record_clear(&r);
}

/* True when there is more */
static bool
scan_piece(struct core *c)
{
    int64_t end = clock_deadline(SCAN_PIECE_MS);
    char id[SPOOL_ID_MAX + 1];

    do {
        if (!spool_next(c->spool, id))
            return false;
        take_in(c, id);
    } while (clock_left(end) > 0);
    return true;
}

static void
on_scan(void *ctx)
{
    struct core *c = ctx;

    c->scan = scan_piece(c) ? loop_at(c->loop, clock_ms(), on_scan, c) : NULL;
    feed_pump(c);
}

void
scan_begin(struct core *c, enum schedule_due due)
{
    if (!c->spool || !c->schedule)
        return;
    c->scan_due = due;
    loop_cancel(c->scan);
    spool_rewind(c->spool);
    c->scan = loop_at(c->loop, clock_ms(), on_scan, c);
}

void
scan_all(struct core *c, enum schedule_due due)
{
    c->scan_due = due;
    spool_rewind(c->spool);
    while (scan_piece(c))
        ;
}
