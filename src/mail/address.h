/* SPDX-License-Identifier: ISC */
/*
 * address: one mail address, as RFC 5321 4.1.2 and RFC 6531 3.3 write it.
 *
 * It checks and cuts; what a domain means, whether a mailbox exists and how a domain becomes A-labels is not known here.
 */
#ifndef MAIL_ADDRESS_H
#define MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* RFC 5321 4.5.3.1; counted as address_format() writes it. The path is 256 with its brackets. */
enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 255, ADDRESS_MAX = 254 };

struct address {
    struct slice
        local; /* as written: with its quotes and backslashes, if it has any; see address_add_local() */
    struct slice domain; /* as written, without the final dot; an address literal with its [ ] */
    bool is_null;        /* the null sender: local and domain are empty */
    bool has_domain;     /* false: `root` */
    bool is_quoted;      /* local has quotes or backslashes */
    bool is_literal;     /* the domain is an address literal, [192.0.2.1] or [IPv6:2001:db8::1] */
    bool is_utf8_local;  /* bytes over 127: the transaction needs SMTPUTF8 */
    bool is_utf8_domain; /* U-labels: IDNA makes A-labels of them */
};

/* Flags of address_parse(). */
enum {
    ADDRESS_NULL = 1,    /* `<>` and the empty string are the null sender */
    ADDRESS_MAILBOX = 2, /* blanks and comments around it, `Name <local@domain>` (RFC 5322 3.4) */
};

/*
 * address_parse - one address: `local`, `local@domain`, `<local@domain>`, `<@relay,@relay:local@domain>` (the route is dropped)
 *
 * Lenient where real mailboxes are: `a..b@x`, `.a@x`, `_` in domains, a final dot behind the domain. What it refuses is
 * ERROR_DATA with a text that names the address, escaped: control characters (CR, LF and NUL among them), malformed UTF-8,
 * unbalanced quotes and brackets, an empty local part, domain or label, blanks outside quotes, more than the lengths above.
 * The slices of `out` point into `in`. A local part may begin with '-'.
 */
bool address_parse(struct slice in, unsigned flags, struct address *out, struct error *err);

/* The same for the bare `local` or `local@domain`: no brackets, no route, never null. */
bool address_parse_spec(struct slice in, struct address *out, struct error *err);

/* Set `err` to ERROR_DATA "address 'shown': why", escaped and cut. Returns false. */
bool address_refuse(struct slice shown, const char *why, struct error *err);

/*
 * Length of the `<...>` at the start of `in`, its brackets included, quoted strings honoured: where the parameters of MAIL
 * and RCPT begin. 0 when there is none.
 */
size_t address_path_length(struct slice in);

/* Add what the local part means: without quotes and backslashes. */
void address_add_local(struct buf *out, const struct address *a);
/* Add `local@domain`, the local part quoted when RFC 5321 wants it so, and only then; nothing for the null sender. */
void address_format(struct buf *out, const struct address *a);

#endif
