/* SPDX-License-Identifier: ISC */
/*
 * head: the header of a message as it goes out: addresses qualified, the sender under the From policy, what must not go removed,
 * what is absent added, every line such as the wire wants it. Knows no body.
 */
#ifndef WORKER_HEAD_H
#define WORKER_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "mail/header.h"
#include "queue/record.h"
#include "worker/rewrite.h"

#define HEAD_MAX (8u << 20) /* of a header, before and after */

struct head_settings {
    struct rewrite rewrite;
    char *const *add_header;
    size_t nadd;
};

/* The fields that say who sends. */
enum head_sender { HEAD_FROM, HEAD_SENDER, HEAD_RESENT_FROM, HEAD_RESENT_SENDER, HEAD_SENDERS };

/* One of them, on which the From policy has a say. Private. */
struct head_edit {
    bool is_set;
    bool is_good, utf8; /* as it was kept: its domains are possible; it needs SMTPUTF8 */
    struct error err;   /* not good: why */
    size_t start, end;  /* in `kept` */
    struct buf raw;     /* its value as it came */
    bool is_replaced;   /* by `text`: whole fields, or nothing */
    struct buf text;
};

struct head {
    struct header header;    /* its state tells how the header ended */
    bool needs_utf8;         /* an address in it needs SMTPUTF8: */
    struct buf utf8_address; /* this one */
    bool has_type, has_encoding, has_version;
    struct buf type, encoding; /* values of the first Content-Type and Content-Transfer-Encoding field */
    /* the rest is private */
    const struct head_settings *settings;
    const struct record *record;
    bool utf8;
    bool failed;
    struct error err;
    struct buf kept;                                /* the fields that were there and go on, in order */
    size_t encoding_start, encoding_end, resent_at; /* in `kept` */
    struct buf name, value, fresh;
    enum header_field field;
    bool seen[HEADER_FIELD_COUNT];
    enum { HEAD_BEFORE_BLOCK, HEAD_IN_BLOCK, HEAD_BEHIND_BLOCK } block; /* the topmost of Resent- fields */
    bool has_next_block; /* of them, with nothing in between that ends the first */
    size_t received;
    struct head_edit senders[HEAD_SENDERS];
    struct buf absent_from; /* the field that is added, and what comes with it; or nothing */
};

/* Begin; `utf8`: raw UTF-8 may stay (SMTPUTF8). Settings and record must outlive the head. */
void head_init(struct head *h, const struct head_settings *settings, const struct record *record, bool utf8);
void head_clear(struct head *h);
/* As header_push(): how many bytes belong to the header. 0 when it is refused: head_end() says why. */
size_t head_push(struct head *h, struct slice s);
/* The header is over. False with err: 65 (a NUL, an impossible domain), 69 (a loop, too large). */
bool head_end(struct head *h, struct error *err);
/*
 * Add the whole header with its blank line. `encoding` replaces the value of Content-Transfer-Encoding, NULL: it stays;
 * `mime_fields` are added, whole fields. May be called more than once; out->overflow is set when it is too large.
 */
void head_write(const struct head *h, const char *encoding, struct slice mime_fields, struct buf *out);

#endif
