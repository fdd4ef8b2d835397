/* SPDX-License-Identifier: ISC */
/* import_run: `smtprelay import [FILE]`: which file, what becomes of it, where it goes. */
#ifndef ADMIN_IMPORT_RUN_H
#define ADMIN_IMPORT_RUN_H

#include <stddef.h>

#include "config/file.h"

/* words[0] is the command itself. Returns the exit code. */
int import_run(const struct config_request *req, const char *const words[], size_t n);

#endif
