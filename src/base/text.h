/* SPDX-License-Identifier: ISC */
/* text: foreign bytes made harmless for terminals, logs and one-line messages. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

/*
 * Copy `s` into `out` (always terminated, at most `size` bytes): control characters, DEL and bytes that are not well-formed
 * UTF-8 become \xNN, CR and LF become blanks, what is hidden \xNN per byte: C1 controls (U+0080..U+009F), what ends a line
 * (U+2028, U+2029), what turns the direction (U+061C, U+200E, U+200F, U+202A..U+202E, U+2066..U+2069). What does not fit is cut with
 * "..." at the end. Returns the length.
 */
size_t text_escape(char *out, size_t size, struct slice s);
/* The same, added to a buffer. */
void text_add_escaped(struct buf *b, struct slice s);
/* Length of the first character of `s`, if it can be shown as it is; else 0. */
size_t text_shown_length(struct slice s);
/* Can all of `s`? */
bool text_is_shown(struct slice s);
/* Length of the well-formed UTF-8 sequence (RFC 3629) at the start of `s`: 1..4, or 0 when it is none. */
size_t text_utf8_length(struct slice s);
/* Is all of `s` well-formed UTF-8? Is all of it below 0x80? */
bool text_is_utf8(struct slice s);
bool text_is_ascii(struct slice s);
/* Levenshtein distance without case, for "did you mean"; strings over 64 bytes count as far away. */
size_t text_distance(const char *a, const char *b);

/*
 * xtext-like encoding for our own lines (protocol parameters, record lines, flat settings): every byte outside 33..126 and '+',
 * '=', '%' becomes %XX. The empty string stays empty. decode returns false for a malformed %XX.
 */
void text_percent_encode(struct buf *out, struct slice s);
bool text_percent_decode(struct buf *out, struct slice s);

#endif
