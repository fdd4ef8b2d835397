/* SPDX-License-Identifier: ISC */
/*
 * history: lines that tell what became of each message: `smtprelay why` and `smtprelay log` read them. Pure: text in, text out.
 *
 *     MILLISECONDS EVENT ID UID [KEY=VALUE]...\n      values percent-encoded (base/text), unknown keys and events are passed over
 *
 *     submitted   login= client= program= unit= cwd= origin= mode= sender= rcpt= (many) nrcpt= size= of= (a report: about this id)
 *     attempt     account= relay= tls= auth= delays= took= (ms) sent= refused= deferred= reply= trouble=
 *     sent, queued, deferred, refused, expired, failed, removed     why=
 */
#ifndef DAEMON_HISTORY_H
#define DAEMON_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum {
    HISTORY_LINE_MAX = 4000,
    HISTORY_VALUE_MAX = 600, /* of a value, not encoded; what is longer is cut */
    HISTORY_ROOM = HISTORY_LINE_MAX + 4 * HISTORY_VALUE_MAX,
};

/* Borrows from what was parsed. */
struct history_line {
    int64_t time_ms; /* of the wall clock */
    struct slice event, id;
    int64_t uid; /* whose message it is, -1 = not known */
    struct slice fields;
};

/* A line in three steps, added to `b` (which has HISTORY_ROOM for it). Fields that would make it too long are left out. */
struct history_draft {
    struct buf *b;
    size_t begin;
};
struct history_draft history_begin(
    struct buf *b, int64_t time_ms, const char *event, const char *id, int64_t uid);
/* NULL and "" are left out. */
void history_add(struct history_draft *d, const char *key, const char *value);
void history_add_slice(struct history_draft *d, const char *key, struct slice value);
void history_add_number(struct history_draft *d, const char *key, int64_t value);
void history_end(struct history_draft *d);

/* A line without its ending; false: it is none. */
bool history_parse(struct slice line, struct history_line *l);
/* The next field, its value decoded into `value` (emptied first); false at the end. Malformed ones are passed over. */
bool history_next(struct slice *fields, struct slice *key, struct buf *value);
/* The first field of that name; false and empty where there is none. */
bool history_get(const struct history_line *l, const char *key, struct buf *value);
/* The id without what tells the records of one message apart (daemon/park). */
struct slice history_base(struct slice id);

#endif
