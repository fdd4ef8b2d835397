/* SPDX-License-Identifier: ISC */
/* explain_paste: the reply in what people paste: a reply in several lines, lines of some program's log, a whole bounce. Pure. */
#ifndef MAIL_EXPLAIN_PASTE_H
#define MAIL_EXPLAIN_PASTE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

/*
 * Add to `reply` the first reply in `given`, its lines apart as they were: the Diagnostic-Code of a delivery status notification (RFC 3464),
 * else the line that has a reply code with those that go on with it. `host` gets who said it, where that stands apart from it. False: there
 * is none, and nothing was added. Parts in base64 and quoted-printable are read. It never is longer than what was given.
 */
bool explain_paste(struct slice given, struct buf *host, struct buf *reply);

#endif
