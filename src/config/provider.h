/* SPDX-License-Identifier: ISC */
/*
 * provider: what is known of mail providers (conf/providers): where they take mail, and which senders. `provider = "gmail"` takes the
 * settings of an entry that the configuration does not set itself.
 *
 * The helper and the tools read the tables; daemon and workers are given values.
 */
#ifndef CONFIG_PROVIDER_H
#define CONFIG_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "config/config.h"

/* Entries in the order of the tables; their values by provider_text() or config_value(&t->entries, entry, key). */
struct provider_table {
    struct config entries; /* [0] is none */
};

/*
 * Read the tables that are there: /etc/smtprelay/providers (beside the system's configuration), whose entries come first, and the
 * installed one. False with err (78), the table is cleared then.
 */
bool provider_load(struct provider_table *t, struct error *err);
/* Add the entries of one file. False with err (78) that names file and line, or 78 with errno where it cannot be opened. */
bool provider_read(struct provider_table *t, const char *path, struct error *err);
void provider_init(struct provider_table *t);
void provider_clear(struct provider_table *t);

/* Entries have the numbers 1 to provider_count(). */
size_t provider_count(const struct provider_table *t);
/*
 * The entry of that name, without case, "name" or "name:region"; 0: none, `nearest` (may be NULL) gets the most alike name or NULL.
 * *region is what stands behind the colon, or nothing.
 */
size_t provider_find(
    const struct provider_table *t, const char *name, struct slice *region, const char **nearest);
/* Whose addresses are at that domain; 0: nobody known. */
size_t provider_find_domain(const struct provider_table *t, struct slice domain);
/* Its first name. */
const char *provider_name(const struct provider_table *t, size_t entry);
/* One of its values as text (lists: the first); NULL: it has none. */
const char *provider_text(const struct provider_table *t, size_t entry, enum config_key key);

/*
 * Before config_complete(): give each account that names a provider what its entry says and the account does not set, with the origin
 * "preset NAME". False with err (78) that names where an unknown provider stands, and the nearest known one.
 */
bool provider_apply(const struct provider_table *t, struct config *c, struct error *err);
/* After it: in a domain that a provider shares among its users, an account may send as From alone. */
void provider_mark(const struct provider_table *t, struct config *c);

/* Both around config_complete(), with the tables read only where they are needed. */
bool provider_complete(struct config *c, const char *machine, const char *mailname, struct error *err);

#endif
