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
/* Put their texts into the settings that are handed to the daemon, which opens no files; warnings go to those of `c`. */
void explanations_fetch(struct config *c, uid_t uid);
/* The table of settings that were handed over; never NULL, may be empty. */
struct explain *explanations_of(const struct config *c);

#endif
