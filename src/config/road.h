/* SPDX-License-Identifier: ISC */
/*
 * road: what fails and waits together: an account, or, where that delivers directly, the hosts of one domain by it. Its name is the
 * account's, or "ACCOUNT/domain". Pure.
 */
#ifndef CONFIG_ROAD_H
#define CONFIG_ROAD_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "mail/envelope.h"

/* Does the account deliver directly? */
bool road_is_direct(const struct config *c, size_t account);
/* The road of a recipient by an account, in fresh memory; one without a domain is at the one it will get. */
char *road_name(const struct config *c, size_t account, const char *recipient);
/* The road of all that are open, in fresh memory; with several it is the account itself. */
char *road_of(const struct config *c, size_t account, const struct envelope *e);
/* The account of a road; c->n where there is none of that name. */
size_t road_account(const struct config *c, const char *road);
/* How much of the road's name is the account's, as far as the name tells. */
size_t road_account_len(const char *road);

#endif
