/* SPDX-License-Identifier: ISC */
/*
 * complete: the filter that makes a recorded message ready for the wire: worker/head for its header, worker/recode for its
 * body. The same record gives the same bytes at each attempt at a peer that takes the same.
 *
 * The header is rewritten in memory; the body is read once to look at it, and once each time it is written.
 */
#ifndef WORKER_COMPLETE_H
#define WORKER_COMPLETE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "queue/record.h"
#include "worker/head.h"
#include "worker/recode.h"

/* What the peer takes. */
struct complete_peer {
    bool eight_bit; /* 8BITMIME */
    bool binary;    /* CHUNKING and BINARYMIME */
};

struct complete {
    const struct record *record;
    int fd;
    bool needs_utf8; /* an address of envelope or header needs SMTPUTF8 */
    /* for the peer of complete_adapt() */
    bool eight_bit; /* header or body have bytes over 127 */
    bool binary;    /* it has to go under BODY=BINARYMIME */
    uint64_t size;  /* octets that complete_write() writes */
    /* the rest is private */
    struct head *head;
    struct recode_plan plan;
    struct recode_peer peer;
    struct buf header;    /* as it goes out */
    uint64_t body_offset; /* in the record's content */
    bool recodes;
};

/* Read the record behind `fd` and look at all of it. False with err (65 or 69; 74 when it cannot be read). */
bool complete_init(struct complete *c, int fd, const struct record *record,
    const struct head_settings *settings, struct error *err);
void complete_clear(struct complete *c);
/* Make it such as the peer takes. False with err (69; 74 when the record cannot be read). */
bool complete_adapt(struct complete *c, const struct complete_peer *peer, struct error *err);
/* Header and body into the sink, in pieces; stops when it returns false. False with err when the record cannot be read. */
bool complete_write(
    struct complete *c, bool (*sink)(void *ctx, struct slice bytes), void *ctx, struct error *err);

#endif
