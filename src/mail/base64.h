/* SPDX-License-Identifier: ISC */
/* base64: RFC 2045 6.8, in one go and as bytes stream by. */
#ifndef MAIL_BASE64_H
#define MAIL_BASE64_H

#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"
#include "mail/body.h"

/* Add `in` as one padded run without line breaks. */
void base64_add(struct buf *out, struct slice in);

/* Bytes into lines of 76 with CRLF between them, none behind the last. */
struct base64_encoder {
    body_fn *fn;
    void *ctx;
    size_t column;
    size_t npending;
    unsigned char pending[3];
};

void base64_encoder_init(struct base64_encoder *e, body_fn *fn, void *ctx);
void base64_encoder_push(struct base64_encoder *e, struct slice s);
void base64_encoder_end(struct base64_encoder *e);

/* Text into bytes. Lenient: what is not of the alphabet does not count; '=' ends a group, and another may follow. */
struct base64_decoder {
    body_fn *fn;
    void *ctx;
    unsigned bits;
    unsigned nbits;
};

void base64_decoder_init(struct base64_decoder *d, body_fn *fn, void *ctx);
void base64_decoder_push(struct base64_decoder *d, struct slice s);

/* Base64 whose lines are no good into base64 that decodes to the same: only the alphabet and '=' stay, in lines of 76. */
struct base64_wrap {
    body_fn *fn;
    void *ctx;
    size_t column;
};

void base64_wrap_init(struct base64_wrap *w, body_fn *fn, void *ctx);
void base64_wrap_push(struct base64_wrap *w, struct slice s);

#endif
