/* SPDX-License-Identifier: ISC */
/* value: what a setting's text may be. Pure. */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/*
 * Check one value (lists: one item) by its type and by what the setting means; *number is what BOOL, TIME, SIZE, NUMBER and RATE
 * stand for. False with err (ERROR_CONFIG, names the setting; a secret is not in it).
 */
bool value_check(enum config_key key, struct slice text, int64_t *number, struct error *err);
/* "100/h"; "0": none. False: no rate. */
bool value_parse_rate(struct slice text, struct config_rate *out);
/* What the type wants, in words. */
const char *value_wanted(enum config_type type);
/* "true", "yes", "on", "1" and their opposites. */
bool value_parse_bool(struct slice text, int64_t *out);
/* An address with a domain. */
bool value_is_address(struct slice text);
/* Cut "host", "host:port", "[v6]:port", "srv:domain", "direct": h->kind, h->host (fresh memory), h->port (0: none). */
bool value_split_hub(struct slice text, struct config_hub *h);

#endif
