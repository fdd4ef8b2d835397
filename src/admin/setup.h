/* SPDX-License-Identifier: ISC */
/* setup: `smtprelay setup ADDRESS`: a configuration for one account, tried before it is written. */
#ifndef ADMIN_SETUP_H
#define ADMIN_SETUP_H

#include <stddef.h>

#include "config/file.h"

/* words[0] is the command itself. Returns the exit code. */
int setup_run(const struct config_request *req, const char *const words[], size_t n);

#endif
