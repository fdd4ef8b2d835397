/* SPDX-License-Identifier: ISC */
/*
 * dsn: a delivery status notification (RFC 3461, 3464, 6522; 6533 for UTF-8 addresses; 3834) as a message: for people first, then
 * for programs, then what was sent. Made of given values only: no clock, no names of its own.
 *
 * What it is made of may be anybody's bytes (replies, addresses, headers): out come lines that end in CRLF, without control
 * characters but in the copy of the message, and in no part of the values a line or a boundary that is not meant.
 */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* What is told of a recipient (RFC 3464, 2.3.3). */
enum dsn_action {
    DSN_FAILED,
    DSN_DELAYED, /* it is still tried */
    DSN_RELAYED, /* it went to a server that tells nobody what becomes of it */
};

struct dsn_recipient {
    struct slice address; /* in the envelope, without brackets; UTF-8 */
    struct slice orcpt;   /* decoded "type;address"; empty: not given */
    enum dsn_action action;
    bool is_expired;       /* it failed because it has waited long enough; `words` were the last ones */
    bool of_recipient;     /* the reply was about this recipient, not about the message */
    int code;              /* reply code of `words`; 0: they are no reply */
    struct slice enhanced; /* "5.1.1"; empty or malformed: one that fits the action is told */
    struct slice relay;    /* "host:port" that was spoken with; empty: none */
    struct slice advice;   /* a plain sentence about what helps; empty: one that fits code and enhanced */
    struct slice words;    /* why: "550 5.1.1 no such user", or what went wrong; may be empty */
    int64_t last_try;      /* seconds since 1970, 0 = not known */
};

struct dsn {
    struct slice hostname; /* of the reporting system */
    struct slice from;     /* address the report comes from */
    struct slice to;       /* envelope sender of the message */
    struct slice id;       /* queue id of the report: in its Message-ID and boundary */
    int64_t now;           /* of the report's Date; seconds since 1970 */
    int zone_minutes;
    /* of the message that is reported about */
    struct slice original_id;         /* queue id */
    struct slice original_message_id; /* used where its header has none */
    struct slice envid;               /* decoded; empty: not given */
    int64_t arrival;                  /* when it was handed in */
    int64_t retry_until;              /* for DSN_DELAYED; 0 = not said */
    struct slice content;             /* header and body in wire form, or as much of it as the caller has */
    bool full;                        /* content is all of it and is to be returned, not only the header */
    const struct dsn_recipient *rcpt;
    size_t n;
};

/* Does NOTIFY (mail/envelope.h; 0 = not given) want to hear of that (RFC 3461, 4.1)? */
bool dsn_is_wanted(unsigned notify, enum dsn_action action);
/* Add the whole message. out->overflow: it was too large. */
void dsn_write(const struct dsn *d, struct buf *out);

/* Stands for reports that were too many to be sent one by one. */
struct dsn_summary {
    struct slice hostname, from, to, id;
    int64_t now;
    int zone_minutes;
    size_t count;        /* messages whose sender was not told */
    struct slice listed; /* a line for each that is named, ended by LF: "ID <recipient>" */
};

/* The same for a summary: a message of plain text. */
void dsn_write_summary(const struct dsn_summary *s, struct buf *out);

#endif
