/* SPDX-License-Identifier: ISC */
/*
 * mime_param: values of Content-Type and Content-Disposition (RFC 2045 5.1, RFC 2183) with their parameters, continued and
 * extended ones (RFC 2231) included. Comments and folding are passed over.
 */
#ifndef MAIL_MIME_PARAM_H
#define MAIL_MIME_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

/* RFC 2046 5.1.1 allows 70; longer ones are in use. */
enum { MIME_BOUNDARY_MAX = 200, MIME_TOKEN_MAX = 63 };

struct mime_type {
    /* in lower case; both empty when there is no type/subtype, which then is text/plain (RFC 2045 5.2) */
    char type[MIME_TOKEN_MAX + 1], subtype[MIME_TOKEN_MAX + 1];
    char boundary[MIME_BOUNDARY_MAX];
    size_t boundary_len; /* 0: none, or one too long */
};

void mime_type_parse(struct slice value, struct mime_type *t);
bool mime_type_is(const struct mime_type *t, const char *type, const char *subtype);

/* The first word, `attachment`, `base64`: comments and blanks in front of it are passed over. */
struct slice mime_token(struct slice value);

/*
 * Add the value with parameters that have bytes over 127 as RFC 2231 wants them, `filename*=utf-8''%C3%BC.pdf`, in the charset
 * unknown-8bit where they are not UTF-8. Such bytes elsewhere, in comments, become '?'.
 */
void mime_param_encode(struct buf *out, struct slice value);

#endif
