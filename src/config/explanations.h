/* SPDX-License-Identifier: ISC */
/*
 * explanations: the tables of mail/explain as files: the one installed with the program, the administrator's and a user's own.
 *
 * $(datadir)/smtprelay/explanations, $(sysconfdir)/smtprelay/explanations, and beside an ordinary user's own configuration
 * `explanations`; later ones come before. None has to be there. What is wrong with one is a warning, never an error: mail does not
 * depend on it.
 */
#ifndef CONFIG_EXPLANATIONS_H
#define CONFIG_EXPLANATIONS_H

#include <sys/types.h>

#include "base/buf.h"
#include "config/config.h"
#include "mail/explain.h"

/* All that are there for this user; never NULL. Warnings are added as lines; `warnings` may be NULL. */
struct explain *explanations_load(uid_t uid, struct buf *warnings);
/* Add what is wrong with one to the warnings of `c`, for whom they are about to be handed over. */
void explanations_check(struct config *c, uid_t uid);
/* Put their texts behind the flat settings that are handed to the daemon, which opens no files. */
void explanations_encode(uid_t uid, struct buf *flat);
/*
 * The table that came with settings that were handed over (c->handed_over); never NULL, may be empty. It is read each time, so that nothing
 * is kept for the days on which nothing goes wrong.
 */
struct explain *explanations_of(const struct config *c);

#endif
