/* SPDX-License-Identifier: ISC */
/* mime_field: one header field as it may go over the wire: ASCII (or UTF-8 where it may stay), lines of at most 998 octets. */
#ifndef MAIL_MIME_FIELD_H
#define MAIL_MIME_FIELD_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "mail/header.h"

enum { MIME_LINE_MAX = 998 }; /* RFC 5322 2.1.1, without CRLF */

/* Bytes over 127 that stay as they are. */
enum mime_keep {
    MIME_KEEP_NONE,
    MIME_KEEP_UTF8, /* where they are UTF-8 (SMTPUTF8) */
    MIME_KEEP_8BIT, /* all */
};

/*
 * Add `name:value` and CRLF; name and value as mail/header gives them. Other bytes over 127 than `keep` says are encoded
 * (mail/mime_word, mail/mime_param), or '?' where nothing can be: in what should be an address and is none. Lines that are too long
 * are folded; words too long to be folded are encoded where the field is unstructured, else cut where the line is full. A field that
 * needs none of this stays as it is, to the byte.
 */
void mime_field_add(struct buf *out, struct slice name, struct slice value, enum mime_keep keep);
/* Would mime_field_add() change it? */
bool mime_field_needs(struct slice name, struct slice value, enum mime_keep keep);

#endif
