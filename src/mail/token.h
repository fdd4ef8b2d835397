/* SPDX-License-Identifier: ISC */
/*
 * token: until when an access token is good, where it is a JSON Web Token (RFC 7519) in its compact form. Pure. Its signature is for others
 * to check; nothing but two numbers comes out, and what is decoded on the way is wiped.
 */
#ifndef MAIL_TOKEN_H
#define MAIL_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

#define TOKEN_TIME_MAX 253402300799 /* the end of the year 9999 */

/* In seconds since 1970; 0: it does not say */
struct token_times {
    int64_t expires_s; /* "exp" */
    int64_t issued_s;  /* "iat" */
};

/* False: it is none, or does not say when it expires; *t is then all zero. */
bool token_read(struct slice secret, struct token_times *t);
/* Does something renew it all the time: was it made for less than two days? */
bool token_is_short(const struct token_times *t);
/* "valid for 43 minutes", "expired 3 hours ago" */
void token_describe(int64_t expires_s, int64_t now_s, struct buf *out);

#endif
