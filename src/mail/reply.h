/* SPDX-License-Identifier: ISC */
/*
 * reply: SMTP replies (RFC 5321 4.2) as lines come in; strict about form, bounded in what it keeps. Pure.
 */
#ifndef MAIL_REPLY_H
#define MAIL_REPLY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

#define REPLY_TEXT_MAX 2000

struct reply {
    int code;          /* 200..599 */
    char enhanced[16]; /* RFC 2034, "" = none */
    unsigned lines;
    struct buf text; /* of all lines, joined by " / "; what does not fit is cut */
};

enum reply_result { REPLY_MORE, REPLY_DONE, REPLY_BAD };

void reply_init(struct reply *r);
void reply_clear(struct reply *r);
/*
 * The next line, without its CRLF. MORE: another one follows. BAD: no reply: the code is not three digits of 200..599, changes
 * midway, or stands before neither '-', ' ' nor the end. `rest` (may be NULL) is what stands behind code and separator.
 */
enum reply_result reply_line(struct reply *r, struct slice line, struct slice *rest);
/* "550 5.1.1 no such user": for people; still to be escaped. */
void reply_format(const struct reply *r, struct buf *out);

#endif
