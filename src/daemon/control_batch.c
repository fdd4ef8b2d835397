/* SPDX-License-Identifier: ISC */
/* control_batch: keeps schedule and queue together while messages are changed; what a change is, is control_change's. */
#include "daemon/control_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/work.h"
#include "daemon/delivery.h"
#include "daemon/feed.h"
#include "daemon/scan.h"

enum { PIECE = 100 };

/* What becomes of one message of the piece */
enum turn {
    TURN_ABSENT,  /* the schedule does not know it */
    TURN_CLAIMED, /* it does, and leaves it alone meanwhile */
    TURN_BUSY,    /* an attempt is under way: not touched */
};

struct control_batch {
    struct core *core;
    struct work *work;
    const struct control_request *q;
    char (*ids)[SPOOL_ID_MAX + 1];
    size_t n, at, end; /* of the piece */
    int fd;
    char *who;
    void (*done)(void *ctx, const struct buf *answer);
    void *ctx;
    enum turn turn[PIECE];
    bool was_held[PIECE], ok[PIECE];
    struct error piece_err[PIECE];
    size_t failed;
    bool absent;      /* some were */
    struct error err; /* of the first one that failed */
};

static void next_piece(struct control_batch *b);

static void
count_failure(struct control_batch *b, const struct error *err)
{
    if (b->failed++ == 0)
        b->err = *err;
}

/* An attempt is under way: what can be said for afterwards is said */
static void
take_busy(struct control_batch *b, struct schedule_entry *e)
{
    struct error err;
    char *reason;

    if (b->q->verb == CONTROL_HOLD) {
        reason = mem_format("held by %s", b->who);
        delivery_hold(b->core, e, reason);
        free(reason);
        return;
    }
    if (b->q->verb == CONTROL_RELEASE) {
        delivery_hold(b->core, e, NULL);
        return;
    }
    error_set(&err, ERROR_TEMP, "%s: is being sent at this moment", schedule_id(e));
    count_failure(b, &err);
}

static void
claim(struct control_batch *b, size_t k)
{
    struct schedule_entry *e =
        b->q->filter.failed ? NULL : schedule_find(b->core->schedule, b->ids[b->at + k]);

    b->turn[k] = !e ? TURN_ABSENT : schedule_is_active(e) ? TURN_BUSY : TURN_CLAIMED;
    b->absent = b->absent || !e;
    b->was_held[k] = e && schedule_is_held(e);
    if (b->turn[k] == TURN_BUSY)
        take_busy(b, e);
    else if (e)
        schedule_activate(b->core->schedule, e);
}

static void
piece_run(void *arg)
{
    struct control_batch *b = arg;

    for (size_t i = b->at; i < b->end; i++) {
        size_t k = i - b->at;
        if (b->turn[k] != TURN_BUSY)
            b->ok[k] = control_change(b->q, b->core->spool, b->ids[i], b->who, &b->piece_err[k]);
    }
}

static void
give_back(struct control_batch *b, size_t k)
{
    struct schedule *s = b->core->schedule;
    struct schedule_entry *e = schedule_find(s, b->ids[b->at + k]);
    bool held = b->ok[k] ? b->q->verb == CONTROL_HOLD : b->was_held[k];

    if (!e)
        return;
    if (b->ok[k] && b->q->verb == CONTROL_REMOVE)
        schedule_remove(s, e);
    else if (held)
        schedule_hold(s, e);
    else
        schedule_let(s, e, clock_ms());
}

/* Who does not read gets none */
static void
tell_progress(const struct control_batch *b)
{
    char line[64] = "\n";
    int len = b->q->filter.progress ? snprintf(line, sizeof line, "+%zu %zu\n", b->end, b->n) : 1;

    (void)send(b->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
piece_done(void *arg)
{
    struct control_batch *b = arg;

    for (size_t k = 0; k < b->end - b->at; k++) {
        if (b->turn[k] != TURN_BUSY && !b->ok[k])
            count_failure(b, &b->piece_err[k]);
        if (b->turn[k] == TURN_CLAIMED)
            give_back(b, k);
    }
    b->at = b->end;
    tell_progress(b);
    feed_pump(b->core);
    next_piece(b);
}

static void
conclude(struct control_batch *b)
{
    struct buf answer;

    if (b->absent && b->q->verb != CONTROL_REMOVE)
        scan_begin(b->core, SCHEDULE_NOW); /* what the schedule did not know */
    buf_init(&answer, 3 * ERROR_TEXT_MAX);
    control_changed(b->q, &answer, b->n, b->failed, &b->err);
    b->done(b->ctx, &answer);
    buf_clear(&answer);
    control_batch_free(b);
}

static void
next_piece(struct control_batch *b)
{
    if (b->at == b->n) {
        conclude(b);
        return;
    }
    b->end = b->n - b->at < PIECE ? b->n : b->at + PIECE;
    for (size_t k = 0; k < b->end - b->at; k++)
        claim(b, k);
    work_start(b->work, piece_run, piece_done, b);
}

struct control_batch *
control_batch_begin(struct core *c, struct work *work, const struct control_request *q,
    char (*ids)[SPOOL_ID_MAX + 1], size_t n, int fd, void (*done)(void *ctx, const struct buf *answer),
    void *ctx)
{
    struct control_batch *b = mem_alloc(sizeof *b);

    b->core = c;
    b->work = work;
    b->q = q;
    b->ids = ids;
    b->n = n;
    b->fd = fd;
    b->done = done;
    b->ctx = ctx;
    b->who = control_peer_name(q);
    next_piece(b);
    return b;
}

void
control_batch_free(struct control_batch *b)
{
    if (!b)
        return;
    free(b->who);
    free(b);
}
