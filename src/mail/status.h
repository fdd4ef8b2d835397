/* SPDX-License-Identifier: ISC */
/*
 * status: what a failure means: the only place with that policy (src/README.md, "Failure has a scope").
 */
#ifndef MAIL_STATUS_H
#define MAIL_STATUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* where it happened */
enum status_stage {
    STATUS_LOCAL, /* before anything was sent: the message itself, a worker */
    STATUS_RESOLVE,
    STATUS_CONNECT,
    STATUS_TLS,
    STATUS_GREETING,
    STATUS_EHLO,
    STATUS_STARTTLS,
    STATUS_AUTH,
    STATUS_MAIL,
    STATUS_RCPT,
    STATUS_DATA,    /* reply to DATA */
    STATUS_CONTENT, /* while it is sent */
    STATUS_END,     /* reply to the end of data */
    STATUS_STAGES
};

/* what it was */
enum status_cause {
    STATUS_REPLY,       /* the peer said so: code */
    STATUS_NETWORK,     /* no name, no connection, lost, timed out: try again */
    STATUS_GARBAGE,     /* what came is no SMTP */
    STATUS_CERTIFICATE, /* not trusted */
    STATUS_HANDSHAKE,   /* TLS failed, not cut off */
    STATUS_NOT_OFFERED, /* STARTTLS or a usable mechanism is missing */
    STATUS_REFUSED,     /* refused here for good: size, address that needs SMTPUTF8, loop */
    STATUS_MALFORMED,   /* the message itself */
    STATUS_NOWHERE,     /* there is no way to the recipient's domain, and never will be */
    STATUS_TROUBLE,     /* the machine: no worker, no memory, no file */
    STATUS_CAUSES
};

enum status_scope { STATUS_ACCOUNT, STATUS_MESSAGE, STATUS_RECIPIENT };
enum status_outcome { STATUS_DELIVERED, STATUS_DEFERRED, STATUS_BOUNCED, STATUS_FROZEN };

struct status {
    enum status_scope scope;
    enum status_outcome outcome;
    enum error_class class; /* exit code without a queue */
};

/* What happened to a message, or to one recipient of it, as the client reports it. */
struct status_fact {
    enum status_stage stage;
    enum status_cause cause;
    int code; /* STATUS_REPLY */
    char enhanced[16];
    char text[1000]; /* "550 5.1.1 no such user", or what went wrong; escaped */
    bool maybe_sent; /* the last byte was out, the answer did not come */
    bool silent;     /* STATUS_NETWORK: not ended by the peer, but no answer in time */
};

/* `code` counts for STATUS_REPLY only. */
struct status status_judge(enum status_stage stage, enum status_cause cause, int code);
/* The same where the peer is the recipient's own host (direct delivery): nothing there is for our administrator to mend. */
struct status status_judge_direct(enum status_stage stage, enum status_cause cause, int code);
/*
 * Nothing was taken, as a reply to the message says in so many words, and another server may take it now: 4yz, and who wants a login
 * that he did not offer (530 to 538). Not 421, which ends the session; not what is no answer to the question.
 */
bool status_is_put_off(const struct status_fact *fact);
/* "MAIL FROM", "end of data" ...: for people */
const char *status_stage_name(enum status_stage stage);

#endif
