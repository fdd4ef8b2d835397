/* SPDX-License-Identifier: ISC */
/* route: the account that carries a message, and who may hand it in. What a recipient becomes is expand's. */
#ifndef CONFIG_ROUTE_H
#define CONFIG_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/* The account for a message of `uid` from `sender` to `recipient`; 0 where no group matches. */
size_t route_account(const struct config *c, const char *sender, int64_t uid, const char *recipient);
/* The same in words: which keys of `account` match this message. */
void route_why(const struct config *c, size_t account, const char *sender, int64_t uid, const char *recipient,
    struct buf *out);
/* May this user hand in mail (AllowUsers, DenyUsers)? */
bool route_is_allowed(const struct config *c, int64_t uid, const char *login);
/* May this user's mail go by this account, also as a fallback? */
bool route_may_use(const struct config *c, size_t account, int64_t uid);

#endif
