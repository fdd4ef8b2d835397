/* SPDX-License-Identifier: ISC */
/*
 * ownmail: a message that the daemon itself has to say, from the null sender: its record, and its way into the queue. Reports and notices
 * are made of it.
 */
#ifndef DAEMON_OWNMAIL_H
#define DAEMON_OWNMAIL_H

#include "daemon/core.h"

struct ownmail {
    struct record record;
    char *from; /* for the From field: what the account's provider takes */
    struct draft draft;
    bool stored;
};

/* To `to`, by aliases and `root`, by way of `account`; `uid` and `login` (may be NULL) are whom it counts for. In the loop. */
void ownmail_begin(
    struct ownmail *m, struct core *c, const char *to, const char *account, int64_t uid, const char *login);
/* Make it durable with this content (CRLF). In any thread. False with err. */
bool ownmail_store(struct ownmail *m, struct spool *spool, struct slice text, struct error *err);
/*
 * In the loop: what was stored is due (feed_pump is the caller's) and in the history, as one about message `about` (NULL: none, then it
 * overtakes what waits). Frees what *m has.
 */
void ownmail_end(struct ownmail *m, struct core *c, const char *about);

#endif
