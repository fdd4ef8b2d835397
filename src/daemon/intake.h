/* SPDX-License-Identifier: ISC */
/* intake: from what a client said to a record: reverse-path, recipients and their accounts, stamps. */
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include "config/config.h"
#include "daemon/peer.h"
#include "daemon/server.h"
#include "daemon/submission.h"

/* A fresh queue id: unique on this machine, and it sorts by time. */
char *intake_make_id(void);
/* Minutes east of UTC of this machine at that moment. */
int64_t intake_zone_minutes(int64_t when);
/*
 * A recipient as the client named it, with the addresses and accounts aliases and settings make of it. False with err: nothing was
 * added but the name.
 */
bool intake_recipient(const struct config *c, const struct peer *p, struct submission *s,
    const struct server_transaction *t, const char *address, struct error *err);
/* The envelope is complete: all of the record's head, and its file. `origin` is "local", "bs" or "listener". */
bool intake_begin(const struct config *c, const struct peer *p, const char *origin, struct submission *s,
    const struct server_transaction *t, struct error *err);

#endif
