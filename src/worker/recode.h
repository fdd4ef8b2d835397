/* SPDX-License-Identifier: ISC */
/*
 * recode: makes the body of a message such as the peer takes: leaves with a NUL, without BINARYMIME those with lines over 998
 * octets, without 8BITMIME those with bytes over 127 become quoted-printable or base64. What is signed or encrypted is never
 * altered.
 *
 * Pure and streaming: a first pass looks and leaves one byte for each leaf, a second one writes. Headers of parts are held, bodies
 * are not.
 */
#ifndef WORKER_RECODE_H
#define WORKER_RECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/base64.h"
#include "mail/body.h"
#include "mail/mime.h"
#include "mail/mime_field.h"
#include "mail/qp.h"

/* What is wrong with a leaf, bits */
enum {
    RECODE_EIGHT = 1,    /* bytes over 127 */
    RECODE_MOSTLY = 2,   /* a third of it and more */
    RECODE_LONG = 4,     /* a line over 998 octets */
    RECODE_NUL = 8,      /* a NUL */
    RECODE_NOT_UTF8 = 16 /* RECODE_EIGHT, and it is not UTF-8 */
};

/* What the peer takes. */
struct recode_peer {
    bool eight_bit; /* 8BITMIME */
    bool binary;    /* it goes under BODY=BINARYMIME: long lines may stay */
    bool utf8;      /* the transaction uses SMTPUTF8: raw UTF-8 stays in headers */
};

/* What the first pass found. */
struct recode_plan {
    struct buf leaf;         /* a byte of RECODE_ bits each */
    struct mime_part top;    /* the message itself */
    bool eight_bit;          /* anywhere in the body */
    bool has_nul, long_line; /* likewise */
    bool raw_nul;            /* a NUL in what is never altered */
    bool foreign_header;     /* bytes over 127 in the header of a part */
};

/* ---- the first pass */

struct recode_look {
    struct recode_plan *plan;
    struct mime mime;
    uint64_t line; /* octets of the line so far, in all of the body */
    bool began;
    /* of the leaf being read */
    uint64_t leaf_line, octets, eight;
    unsigned bits;
    unsigned char rest[4]; /* a character cut by the end of a piece */
    size_t nrest;
};

/* Begin behind the header of the message; its Content-Type and Content-Transfer-Encoding, NULL: it has none. */
void recode_look_init(
    struct recode_look *l, struct recode_plan *plan, const struct slice *type, const struct slice *encoding);
void recode_look_push(struct recode_look *l, struct slice s);
/* The plan is complete; free it with recode_plan_clear(). */
void recode_look_end(struct recode_look *l);
void recode_plan_clear(struct recode_plan *plan);

/* Does the body need the second pass for this peer? */
bool recode_is_needed(const struct recode_plan *plan, const struct recode_peer *peer);
/* What Content-Transfer-Encoding has to say where that changes, for any part; NULL: the field stays as it is. */
const char *recode_encoding(
    const struct recode_plan *plan, const struct mime_part *part, const struct recode_peer *peer);
/* Add the fields a re-encoded or 8-bit leaf needs and does not have: MIME-Version (of a message), Content-Type, the encoding. */
void recode_add_fields(
    struct buf *out, const struct recode_plan *plan, const struct mime_part *part, const char *encoding);

/* ---- the second pass */

struct recode {
    body_fn *fn;
    void *ctx;
    const struct recode_plan *plan;
    struct recode_peer peer;
    struct mime mime;
    bool in_top;       /* nothing but the body of the message itself so far: its header is the caller's */
    struct buf header; /* of the part being read */
    bool is_raw;       /* header and body of this part stay as they are */
    enum { RECODE_PASS, RECODE_QP, RECODE_BASE64, RECODE_QP_AGAIN, RECODE_WRAP } mode;
    struct qp_encoder qp;
    struct qp_decoder unqp;
    struct base64_encoder base64;
    struct base64_wrap wrap;
    size_t column; /* in preamble and epilogue */
    char last;     /* byte written */
    bool soft;     /* that text was quoted-printable: a line end behind it would become part of it */
};

/* The same values as for the first pass. `fn` gets what has to be written. */
void recode_init(struct recode *r, const struct recode_plan *plan, const struct recode_peer *peer,
    const struct slice *type, const struct slice *encoding, body_fn *fn, void *ctx);
void recode_push(struct recode *r, struct slice s);
/* The body ends; a last line without its end gets one. */
void recode_end(struct recode *r);

#endif
