/* SPDX-License-Identifier: ISC */
/* control_filter: which messages a request means; shared by the parts of control, nobody else includes it. */
#ifndef DAEMON_CONTROL_FILTER_H
#define DAEMON_CONTROL_FILTER_H

#include "daemon/control_out.h"
#include "queue/spool_order.h"

/*
 * One word of a request: "--NAME", "--NAME=VALUE" or the id of a message. False with err (64): no such option, or not such a value.
 */
bool control_filter_take(struct control_filter *f, const char *word, struct error *err);
void control_filter_clear(struct control_filter *f);
/* Does it name messages, or all of them, so that something may be changed? */
bool control_filter_is_given(const struct control_filter *f);
/* By all it says but the ids. */
bool control_filter_matches(const struct control_request *q, const struct record *r);

/*
 * Ids that are not in the queue but in failed/ mean those there, as --failed would: who has an id need not know where it lies. Without
 * effect on what failed mail knows not (hold, release), and where one of the ids is in the queue.
 */
void control_filter_find(struct control_request *q, struct spool *s);

/* A walk over the ids of the filter, or over all that waits (--failed: that is kept), oldest first. */
struct control_walk {
    const struct control_request *q;
    struct spool *s;
    struct control_out *o; /* NULL: nobody listens meanwhile */
    size_t at, missing;    /* missing: ids of the filter that are not there */
    const char *first_missing;
    struct spool_order *order; /* NULL: by the filter's ids */
};
void control_walk_begin(
    struct control_walk *w, const struct control_request *q, struct spool *s, struct control_out *o);
/* The next record, opened (its id is the file's name), whether it is meant or not. False at the end. */
bool control_walk_next(struct control_walk *w, struct record *r, int *fd);
/* The message is not the peer's, who asked for it by its id: as if it were not there. */
void control_walk_miss(struct control_walk *w);
/* The end of every walk. False with err (69): an id of the filter is not there. */
bool control_walk_end(struct control_walk *w, struct error *err);

#endif
