/* SPDX-License-Identifier: ISC */
/*
 * transaction: one message over a session: MAIL, RCPT, content, and what became of each recipient. RFC 5321 3.3, 2920
 * (PIPELINING), 3030 (CHUNKING), 1870 (SIZE), 6152, 6531, 3461.
 */
#ifndef SMTP_TRANSACTION_H
#define SMTP_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/envelope.h"
#include "smtp/session.h"

struct transaction_rcpt {
    const char *path; /* "user@host" as it goes out */
    unsigned notify;
    const char *orcpt;
    /* filled in */
    bool done; /* `fact` is there */
    struct status_fact fact;
};

/* Where the content producer puts its bytes; false: stop, the rest is of no use. */
typedef bool transaction_sink(void *sink_ctx, struct slice bytes);

struct transaction {
    const char *sender; /* "" = null sender */
    enum envelope_ret ret;
    const char *envid;
    bool smtputf8, eight_bit, binary;
    const char *utf8_address; /* in the header, for which SMTPUTF8 is needed; NULL: none */
    bool
        probe; /* only ask for sender and recipients: what is accepted is taken back by RSET, a fact of RCPT TO is the last word */
    uint64_t size; /* of the content, exactly */
    struct transaction_rcpt *rcpt;
    size_t n;
    /* write the content into the sink; false with err when it cannot be produced. May be called more than once. */
    bool (*write)(void *ctx, transaction_sink *sink, void *sink_ctx, struct error *err);
    void *ctx;
};

/*
 * Send it to all recipients, in as many transactions as the peer's limits make of it. Each recipient is `done` afterwards. True
 * while the session may be used for another message.
 */
bool transaction_run(struct session *s, struct transaction *t);

#endif
