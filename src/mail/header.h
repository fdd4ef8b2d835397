/* SPDX-License-Identifier: ISC */
/*
 * header: the header of a message (RFC 5322 2.2) as it streams by.
 *
 * Tells fields from what is none, whatever their length; keeps a field name, never a value. What a value means, and what
 * becomes of a field, is the caller's.
 */
#ifndef MAIL_HEADER_H
#define MAIL_HEADER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* Longest field name, the blanks behind it (`Subject : x`) included; a line with more before its colon is no field. */
enum { HEADER_NAME_MAX = 997 }; /* with its colon a line of 998 octets, which nothing can fold */

enum header_event {
    HEADER_FIELD,     /* a field begins; the slice is its name as written, blanks before the colon included */
    HEADER_VALUE,     /* the next bytes of its value: all behind the colon; 0 or more times */
    HEADER_FIELD_END, /* the field is over */
};

/*
 * In values a line break of a folded field is always CRLF and the one that ends the field is left out; a bare CR is a blank.
 * So name + ":" + values + CRLF is the field in wire form.
 */
typedef void header_fn(void *ctx, enum header_event event, struct slice s);

enum header_state {
    HEADER_OPEN,       /* more is wanted */
    HEADER_BLANK_LINE, /* ended by a blank line, which is consumed: the body comes next */
    HEADER_NO_FIELD,   /* ended by a line that is no field: the body begins with it, see header_rest() */
    HEADER_EOF,        /* the text ended with the header: there is no body */
};

struct header {
    enum header_state state;
    size_t fields;      /* begun so far; 0 at HEADER_NO_FIELD: the text does not begin with a header */
    bool has_nul;       /* a NUL in the header */
    bool has_mbox_line; /* a leading mbox `From ` or `>From ` line was swallowed */
    bool has_8bit;      /* a byte over 127 in a value */
    /* the rest is private */
    header_fn *fn;
    void *ctx;
    int place;
    size_t crs;
    size_t line_len;
    size_t name_len;
    char line[HEADER_NAME_MAX + 2];
};

void header_init(struct header *h, header_fn *fn, void *ctx);
/* The next bytes. Returns how many belong to the header: fewer than s.len only when `state` is no longer HEADER_OPEN. */
size_t header_push(struct header *h, struct slice s);
/* The text ends here; sets `state` if it is still HEADER_OPEN. */
void header_end(struct header *h);
/* After HEADER_NO_FIELD: the bytes of that line which header_push() has taken already, raw; the body begins with them. */
struct slice header_rest(const struct header *h);

/* Fields that somebody has to know. */
enum header_field {
    HEADER_OTHER,
    HEADER_FROM,
    HEADER_SENDER,
    HEADER_REPLY_TO,
    HEADER_TO,
    HEADER_CC,
    HEADER_BCC,
    HEADER_DATE,
    HEADER_MESSAGE_ID,
    HEADER_RESENT_FROM,
    HEADER_RESENT_SENDER,
    HEADER_RESENT_REPLY_TO,
    HEADER_RESENT_TO,
    HEADER_RESENT_CC,
    HEADER_RESENT_BCC,
    HEADER_RESENT_DATE,
    HEADER_RESENT_MESSAGE_ID,
    HEADER_RESENT_OTHER, /* any other Resent- field */
    HEADER_SUBJECT,
    HEADER_COMMENTS,
    HEADER_KEYWORDS,
    HEADER_IN_REPLY_TO,
    HEADER_REFERENCES,
    HEADER_RECEIVED,
    HEADER_RETURN_PATH,
    HEADER_DELIVERED_TO,
    HEADER_CONTENT_LENGTH,
    HEADER_MIME_VERSION,
    HEADER_CONTENT_TYPE,
    HEADER_CONTENT_TRANSFER_ENCODING,
    HEADER_CONTENT_DISPOSITION,
    HEADER_CONTENT_DESCRIPTION,
    HEADER_CONTENT_ID,
    HEADER_AUTO_SUBMITTED,
    HEADER_PRECEDENCE,
    HEADER_X_ORIGINAL_FROM,
    HEADER_DKIM_SIGNATURE,
    HEADER_FIELD_COUNT
};

/* Which field that is, without case; blanks behind the name do not count. */
enum header_field header_identify(struct slice name);
/* One of the Resent- block? */
bool header_is_resent(enum header_field field);
/* Is the value an address list, Return-Path not counted? */
bool header_has_addresses(enum header_field field);
/* Does no message keep it? Bcc names who is not to be seen (RFC 5322, 3.6.3), Return-Path and Content-Length are others' to set. */
bool header_is_removed(enum header_field field);

#endif
