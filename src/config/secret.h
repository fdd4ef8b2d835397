/* SPDX-License-Identifier: ISC */
/* secret: passwords from files and commands, and who else may read them. */
#ifndef CONFIG_SECRET_H
#define CONFIG_SECRET_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"

/*
 * Check the files that hold secrets without reading them: in a home or not root's and readable by others is an error, root's own and
 * readable by others a warning; in a foreign configuration they have to be the caller's alone.
 */
bool secret_check(struct config *c, struct error *err);
/*
 * Put the account's secret into CONFIG_AUTH_PASS: the first line of AuthPassFile (also $CREDENTIALS_DIRECTORY/NAME), which has to
 * hold to the same, or of what AuthPassCommand prints. False with err: 78 for a file, 75 for one the caller may not read, 77 for a
 * command that fails.
 */
bool secret_fetch(struct config *c, size_t account, struct error *err);

#endif
