/* SPDX-License-Identifier: ISC */
/*
 * explain_decode: bounces as they lie in a mailbox, with parts in base64 or quoted-printable, as text to search in. Pure. The text need not
 * begin as a message: what is pasted is often only the end of one.
 */
#ifndef MAIL_EXPLAIN_DECODE_H
#define MAIL_EXPLAIN_DECODE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/*
 * Add `given` with its encoded parts of text decoded, lines ending in LF: never longer than `given` by more than one byte. False: nothing in
 * it is encoded, and nothing was added.
 */
bool explain_decode(struct slice given, struct buf *out);

#endif
