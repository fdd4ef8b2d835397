/* SPDX-License-Identifier: ISC */
/* batch: what the parts of transaction share; nobody else includes it. */
#ifndef SMTP_BATCH_H
#define SMTP_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/reply.h"
#include "smtp/transaction.h"

/* One attempt of some recipients: indices into t->rcpt */
struct batch {
    struct session *s;
    struct transaction *t;
    size_t *index;
    size_t n;
    size_t accepted;
    bool *ok; /* RCPT was accepted */
    bool mail_ok;
    struct buf out;
    bool usable;      /* the session still is */
    unsigned flights; /* of the stream, when the step under way began */
    struct status_fact fact;
};

/* batch.c */
/* The first fact of a recipient counts; all that have none yet. */
void batch_settle(struct batch *b, size_t i, const struct status_fact *fact);
void batch_settle_all(struct batch *b, const struct status_fact *fact);
/* Commands to b->out; batch_flush() sends them. */
void batch_add_mail(struct batch *b);
void batch_add_rcpt(struct batch *b, size_t i);
bool batch_flush(struct batch *b, enum status_stage stage);
/* A reply that has to be there. False: the connection is of no use any more; b->fact says why. */
bool batch_reply(struct batch *b, enum status_stage stage, int64_t ms, struct reply *r);
/* Into the steps: it was taken, with these words. */
void batch_tell(struct batch *b, const char *step, const struct reply *r);
/* End a transaction that is still open: the next MAIL would be "nested" (RFC 5321, 4.1.4). */
void batch_reset_peer(struct batch *b, struct reply *r);
/* Hang up without a word: QUIT would be taken for a line of the text. */
void batch_hang_up(struct batch *b);
/* MAIL: true when it was accepted. Otherwise all are settled; b->usable tells whether to go on reading. */
bool batch_read_mail(struct batch *b, struct reply *r);
/* RCPT: false when the connection is of no use any more, as b->fact says. */
bool batch_read_rcpts(struct batch *b, size_t from, size_t to, struct reply *r);
/* The answer to the last byte, for all that were accepted. */
void batch_read_end(struct batch *b, struct reply *r);

/* batch_content.c */
/* All of the content into `sink`; false with err, or when the sink wants no more. */
bool batch_write_content(struct batch *b, bool chunked, transaction_sink *sink, void *ctx, struct error *err);
/* It could not be made: all are settled. */
void batch_content_failed(struct batch *b, const struct error *err);
/* BDAT, to the end of it; or the answer to DATA and what follows. */
void batch_send_chunks(struct batch *b, struct reply *r);
void batch_read_data(struct batch *b, struct reply *r);

#endif
