/* SPDX-License-Identifier: ISC */
/* dsn_text: what mail/dsn says to people, and the pieces both of its files use. Private to mail/dsn. */
#ifndef MAIL_DSN_TEXT_H
#define MAIL_DSN_TEXT_H

#include "mail/dsn.h"

/* Add the part for people: UTF-8 text with CRLF. `subject` is the message's own, or empty. */
void dsn_text_write(const struct dsn *d, struct slice subject, struct buf *out);
void dsn_text_write_summary(const struct dsn_summary *s, struct buf *out);
/* The host of "host:port", without the brackets of an IPv6 address. */
struct slice dsn_text_host(struct slice relay);
/* Does some recipient have that action? */
bool dsn_text_has(const struct dsn *d, enum dsn_action action);

#endif
