/* SPDX-License-Identifier: ISC */
/* tree: the settings of a checked text, by way of libconfig. The only code that knows the library. */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <stdbool.h>

#include "config/config.h"
#include "config/guard.h"

/*
 * Put what `g` says into `c`, each value with the file and line it stands in. A secret in a file that others may read is an error.
 * False with err (ERROR_CONFIG) that names file and line.
 */
bool tree_load(struct config *c, const struct guard_text *g, struct error *err);
/* The same for a table of presets: a list `providers` of groups, each an account of `c` behind its first, which stays empty. */
bool tree_load_presets(struct config *c, const struct guard_text *g, struct error *err);

#endif
