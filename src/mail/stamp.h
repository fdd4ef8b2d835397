/* SPDX-License-Identifier: ISC */
/*
 * stamp: what a mail system writes into a header: Date, Message-ID, Received (RFC 5322 3.6, RFC 5321 4.4).
 *
 * Made of given values only: no clock, no time zone file, no locale, no host name. Whatever the values hold, what comes out is
 * well-formed ASCII.
 */
#ifndef MAIL_STAMP_H
#define MAIL_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/*
 * Add `when` (seconds since 1970) as that zone's clocks show it: "Mon, 01 Jun 2026 10:00:00 +0200". Years before 1900 and after
 * 9999 cannot be written and are cut to those.
 */
void stamp_date(struct buf *out, int64_t when, int zone_minutes);
/* Add a Message-ID with its brackets, "<20260601080000.ID@HOST>"; the same values give the same. HOST may be a literal. */
void stamp_message_id(struct buf *out, struct slice id, int64_t when, struct slice host);

struct stamp_received {
    struct slice helo;     /* what a network client called itself; empty: a local caller */
    struct slice peer;     /* its address literal, "[192.0.2.1]" or "[IPv6:::1]" */
    struct slice login;    /* of a local caller; may be empty */
    struct slice by;       /* our host name */
    struct slice software; /* "smtprelay"; for the comment behind `by` */
    struct slice with;     /* protocol, "ESMTP"; may be empty */
    struct slice id;       /* queue id; may be empty */
    bool has_uid;          /* a local caller's uid is known */
    uint64_t uid;
    int64_t when;
    int zone_minutes;
};

/* Add the whole field, folded, its CRLF included. Each value is cut after 255 octets. */
void stamp_received(struct buf *out, const struct stamp_received *r);

#endif
