/* SPDX-License-Identifier: ISC */
/* control_change: holds, releases, removes and revives one message; who may have it done, and the schedule, are others'. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "daemon/control_list.h"

enum { LETS_GO = 200 }; /* moments until whoever has a message is not about to let go of it */

char *
control_peer_name(const struct control_request *q)
{
    char space[4096];
    struct passwd pw, *found = NULL;

    if (q->peer.uid >= 0 && getpwuid_r((uid_t)q->peer.uid, &pw, space, sizeof space, &found) == 0 && found)
        return mem_dup(pw.pw_name);
    return mem_format("uid %lld", (long long)q->peer.uid);
}

static bool
set_held(
    struct spool *s, int fd, struct record *r, bool held, bool may_let_go, const char *who, struct error *err)
{
    if (r->is_held == held)
        return true;
    if (!held && !may_let_go && r->hold_reason &&
        strncmp(r->hold_reason, CONTROL_RUNAWAY, strlen(CONTROL_RUNAWAY)) == 0)
        return error_set(err, ERROR_ADMIN, "%s: an operator has to release it: %s", r->id, r->hold_reason);
    r->is_held = held;
    free(r->hold_reason);
    r->hold_reason = held ? mem_format("held by %s", who) : NULL;
    if (!held && r->deaths > 0) {
        r->deaths = 0; /* it gets all its chances again */
        (void)spool_note(s, fd, r);
    }
    return spool_hold(s, fd, r, err);
}

/* The record, locked. An attempt that has just ended, here or in a worker, has it for a moment longer: that is waited for */
static int
take(struct spool *s, const char *id, struct record *r, struct error *err)
{
    static const struct timespec moment = { 0, 10 * 1000 * 1000 };
    struct error ignored;
    int fd = spool_take(s, id, r, err);

    for (int i = 0; i < LETS_GO; i++) {
        if (fd >= 0 || err->class != ERROR_TEMP || !spool_head(s, id, r, &ignored))
            break;
        record_clear(r);
        (void)nanosleep(&moment, NULL); /* one that is cut short is made up for by the next */
        fd = spool_take(s, id, r, err);
    }
    return fd;
}

bool
control_change(
    const struct control_request *q, struct spool *s, const char *id, const char *who, struct error *err)
{
    struct record r;
    bool ok;
    int fd;

    if (q->filter.failed)
        return q->verb == CONTROL_REMOVE ? spool_remove_failed(s, id, err) : spool_revive(s, id, err);
    fd = take(s, id, &r, err);
    if (fd < 0)
        return false;
    ok = q->verb == CONTROL_REMOVE
             ? spool_remove(s, id, err)
             : set_held(s, fd, &r, q->verb == CONTROL_HOLD, q->peer.is_operator, who, err);
    record_clear(&r);
    file_close(&fd);
    return ok;
}

void
control_changed(
    const struct control_request *q, struct buf *answer, size_t n, size_t failed, const struct error *err)
{
    static const char *const done[] = { [CONTROL_RETRY] = "tried now",
        [CONTROL_HOLD] = "held",
        [CONTROL_RELEASE] = "released",
        [CONTROL_REMOVE] = "removed" };
    char *text = failed > 1 ? mem_format("%s (and %zu more)", err->text, failed - 1) : mem_dup(err->text);

    if (q->filter.json) {
        buf_add_format(answer, " n.changed=%zu n.unchanged=%zu \n", n - failed, failed);
    } else {
        buf_add_char(answer, ' ');
        control_add_count(answer, n - failed, "message");
        buf_add_format(answer, " %s\n", done[q->verb]);
    }
    control_end(answer, failed ? err->class : ERROR_NONE, failed ? text : "");
    free(text);
}
