/* SPDX-License-Identifier: ISC */
/* qp: quoted-printable (RFC 2045 6.7) as bytes stream by. */
#ifndef MAIL_QP_H
#define MAIL_QP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "mail/body.h"

enum {
    QP_OUT = 1024,
    QP_BLANKS = 1000, /* at the end of a line, that the decoder can tell from others */
};

/*
 * Text whose lines end in CRLF into lines of at most 76. A CRLF stays a line break; CR or LF alone is encoded, and so is a blank
 * before a line break. A line that begins only because another was cut never begins with '-': it cannot look like a boundary.
 */
struct qp_encoder {
    body_fn *fn;
    void *ctx;
    size_t column;
    bool cut;        /* the line began because another was too long */
    bool pending_cr; /* to be seen: with its LF, or alone */
    char blank;      /* 0, or a blank that may stand before a line break */
    size_t len;
    char out[QP_OUT];
};

void qp_encoder_init(struct qp_encoder *e, body_fn *fn, void *ctx);
void qp_encoder_push(struct qp_encoder *e, struct slice s);
void qp_encoder_end(struct qp_encoder *e);

/* The way back. Lenient: an '=' that begins nothing known stands for itself; blanks at the end of a line go. */
struct qp_decoder {
    body_fn *fn;
    void *ctx;
    enum { QP_TEXT, QP_BLANK, QP_EQUALS, QP_HEX, QP_SOFT } state;
    char hex;
    bool pending_cr;
    size_t nblanks;
    char blanks[QP_BLANKS];
    size_t len;
    char out[QP_OUT];
};

void qp_decoder_init(struct qp_decoder *d, body_fn *fn, void *ctx);
void qp_decoder_push(struct qp_decoder *d, struct slice s);
void qp_decoder_end(struct qp_decoder *d);

#endif
