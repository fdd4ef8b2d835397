/* SPDX-License-Identifier: ISC */
/* service: what a service that is started as `User` could not read. */
#ifndef ADMIN_SERVICE_H
#define ADMIN_SERVICE_H

#include "config/config.h"

/*
 * Root reads everything; a service whose manager starts it as `User` (systemd's) does not. Adds a warning for the system's configuration
 * and each secret or key file of its accounts that `User` may not read. For anybody but root, another configuration and a `User`
 * who does not exist: nothing.
 */
void service_check(struct config *c);

#endif
