/* SPDX-License-Identifier: ISC */
/*
 * answer: what a name server sent (RFC 1035, 4): the records of one type at one name, CNAMEs followed. Pure, and bounded whatever
 * comes in.
 */
#ifndef SMTP_ANSWER_H
#define SMTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum {
    ANSWER_A = 1,
    ANSWER_CNAME = 5,
    ANSWER_PTR = 12,
    ANSWER_MX = 15,
    ANSWER_TXT = 16,
    ANSWER_AAAA = 28,
    ANSWER_SRV = 33,
    ANSWER_TLSA = 52
};
#define ANSWER_NAME_SIZE 256

/* FOUND: the name exists; ABSENT: surely not; UNKNOWN: no answer, or one that says neither */
enum answer_outcome { ANSWER_FOUND, ANSWER_ABSENT, ANSWER_UNKNOWN };

/* A record's data, [at, len) of the message, which names in it may point back into */
struct answer_data {
    const unsigned char *p;
    size_t len, at;
};

typedef void answer_record(void *ctx, int type, struct answer_data data);

enum answer_outcome answer_judge(struct slice message);
/* The name server says that DNSSEC has proved all of it (AD). Worth as much as the way to that server: resolve_trusts_ad(). */
bool answer_is_secure(struct slice message);
/*
 * Give `take` the data of each record of `type` at `name`, or at what its CNAMEs lead to. False when the message is malformed, is
 * no answer to that question, or its CNAMEs go in a circle.
 */
bool answer_walk(struct slice message, const char *name, int type, answer_record *take, void *ctx);
/* Where the CNAMEs of `name` lead to in that answer; `name` itself where there are none. False as answer_walk. */
bool answer_canonical(struct slice message, const char *name, int type, char out[ANSWER_NAME_SIZE]);

/* Take the next 8 or 16 bits, or the next name, without a dot behind; "" is the root. False: there is none. */
bool answer_get8(struct answer_data *d, unsigned *v);
bool answer_get16(struct answer_data *d, unsigned *v);
bool answer_get_name(struct answer_data *d, char out[ANSWER_NAME_SIZE]);

#endif
