/* SPDX-License-Identifier: ISC */
/* look: a worker asked to look at the name service, as an ordinary user; nothing here reads from the network. */
#ifndef ADMIN_LOOK_H
#define ADMIN_LOOK_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/* Run `argv`, the worker's, and add what it says until it ends. False with err: it could not be started. */
bool look_by_worker(char *const argv[], struct buf *out, struct error *err);

#endif
