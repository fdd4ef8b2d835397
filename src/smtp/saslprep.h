/* SPDX-License-Identifier: ISC */
/*
 * saslprep: names and passwords as SCRAM hashes them (RFC 4013): invisible characters gone, spaces alike, NFKC.
 *
 * It prepares and never refuses: a text that SASLprep prohibits was stored by a server that did not mind, so it stays as it is.
 */
#ifndef SMTP_SASLPREP_H
#define SMTP_SASLPREP_H

#include "base/buf.h"
#include "base/slice.h"

/* Texts longer than this stay as they are. */
#define SASLPREP_MAX 4096

/*
 * Add `in` prepared to `out`, or `in` itself when it is not UTF-8 or nothing would be left. CJK radicals, CJK compatibility
 * ideographs, Arabic presentation forms and what lies beyond U+FFFF stay as they are.
 */
void saslprep(struct buf *out, struct slice in);

#endif
