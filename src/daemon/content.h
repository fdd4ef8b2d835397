/* SPDX-License-Identifier: ISC */
/*
 * content: the text of a message as it comes in by DATA or BDAT, held to one line ending; pure and streaming.
 *
 * Nothing but the agreed line ending ends a line, and only a line with a single dot ends DATA: no two servers can disagree
 * about where a message ends (SMTP smuggling, CVE-2023-51764). Anything else is refused by the caller with 550 5.5.2.
 */
#ifndef DAEMON_CONTENT_H
#define DAEMON_CONTENT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

enum content_ending { CONTENT_UNDECIDED, CONTENT_LF, CONTENT_CRLF };
enum content_result { CONTENT_MORE, CONTENT_END, CONTENT_BAD };

struct content {
    enum content_ending ending;
    bool dotted; /* DATA: dots are stuffed and end it */
    enum {
        CONTENT_AT_START,
        CONTENT_IN_LINE,
        CONTENT_AFTER_CR,
        CONTENT_AFTER_DOT,
        CONTENT_AFTER_DOT_CR
    } state;
};

void content_init(struct content *c, enum content_ending ending, bool dotted);
/*
 * Take bytes: what belongs to the message is added to `out` in CRLF form, *used says how many were taken (all, unless END).
 * BAD: a line ending that was not agreed on.
 */
enum content_result content_feed(struct content *c, struct slice in, struct buf *out, size_t *used);
/* BDAT has no mark of its own: is the text complete here, ending with a whole line? */
bool content_is_complete(const struct content *c);

#endif
