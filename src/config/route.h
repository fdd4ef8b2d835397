/*
 * route: where a recipient's mail goes: aliases, `root`, qualifying, and the account that carries it. Decides, sends nothing.
 */
#ifndef CONFIG_ROUTE_H
#define CONFIG_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/* An address a recipient became; not qualified where it has no domain (the worker does that). */
typedef void route_fn(void *ctx, const char *address);

/*
 * Expand one recipient (INTERFACE "The message", last paragraph). Only local ones change: without domain, or at one of the
 * machine's own names. False with err (ERROR_NOUSER: an alias that names what is refused, a circle; ERROR_CONFIG, ERROR_TEMP: a file that
 * cannot be read), and then nothing was found.
 */
bool route_recipient(
    const struct config *c, const char *address, route_fn *found, void *ctx, struct error *err);
/* The account for a message of `uid` from `sender` to `recipient`; 0 where no group matches. */
size_t route_account(const struct config *c, const char *sender, int64_t uid, const char *recipient);
/* May this user hand in mail (AllowUsers, DenyUsers)? */
bool route_is_allowed(const struct config *c, int64_t uid, const char *login);
/* May this user's mail go by this account, also as a fallback? */
bool route_may_use(const struct config *c, size_t account, int64_t uid);
/*
 * Check the aliases file: how many aliases it has; duplicates and members that get no mail become warnings in `c`. False with err
 * that names file and line.
 */
bool route_check_aliases(struct config *c, size_t *count, struct error *err);

#endif
