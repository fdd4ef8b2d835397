/* SPDX-License-Identifier: ISC */
/*
 * mime_word: bytes over 127 in header fields become encoded-words (RFC 2047): each at most 75 octets, with whole characters, on
 * lines of at most 76; `utf-8` where the text is, else `unknown-8bit`. What is ASCII stays as it is.
 */
#ifndef MAIL_MIME_WORD_H
#define MAIL_MIME_WORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

/* A word longer than this cannot be folded and is encoded, whatever it holds. */
enum { MIME_WORD_LONG = 900 };

/*
 * Add the value of a field, its folding kept where nothing has to change. `column` is how long the line is already ("Subject:").
 * mime_word_text is for unstructured fields, mime_word_addresses for address lists: there only display names, group names and
 * comments are encoded, and what stands where an address has to is left alone.
 */
void mime_word_text(struct buf *out, struct slice value, size_t column, bool eight_bit);
void mime_word_addresses(struct buf *out, struct slice value, size_t column, bool eight_bit);

#endif
