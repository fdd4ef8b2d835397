/* guard: what has to hold of a configuration text before libconfig may see it. */
#ifndef CONFIG_GUARD_H
#define CONFIG_GUARD_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"

/*
 * No NUL; strings and comments end; integers fit an int; what is included is a regular file, named absolutely, at most ten deep,
 * and holds to the same. An ssmtp.conf is recognised. False with err (ERROR_CONFIG) that names file and line.
 */
bool guard_check(struct slice text, const char *path, struct error *err);

#endif
