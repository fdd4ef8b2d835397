/* SPDX-License-Identifier: ISC */
/* explain_text: the codes and the words of a reply or an error, however its lines were joined. Private to mail/explain. */
#ifndef MAIL_EXPLAIN_TEXT_H
#define MAIL_EXPLAIN_TEXT_H

#include "base/buf.h"
#include "base/slice.h"

struct explain_text {
    int code;              /* 200..599, 0 = none */
    struct slice enhanced; /* "5.7.8", of `given`; empty = none */
    struct buf words;      /* in lower case, one blank between them, codes of further lines left out */
};

/* `given` must stay as it is until explain_text_clear. */
void explain_text_init(struct explain_text *t, struct slice given);
void explain_text_clear(struct explain_text *t);
/* Add `phrase` as it stands in `words`. */
void explain_text_fold(struct buf *out, struct slice phrase);
/* Are there codes in `given`, and nothing else? */
bool explain_text_is_bare(struct slice given);
/* Is `s` an enhanced status code (RFC 3463, 2)? */
bool explain_text_is_enhanced(struct slice s);

#endif
