/* SPDX-License-Identifier: ISC */
/* import_write: configurations and secrets put in place: whole or not at all, never over what is there unless asked to. */
#ifndef ADMIN_IMPORT_WRITE_H
#define ADMIN_IMPORT_WRITE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/slice.h"
#include "config/file.h"

enum import_write_state { IMPORT_WRITE_NEW, IMPORT_WRITE_SAME, IMPORT_WRITE_OTHER };

struct import_write {
    const char *path;
    struct slice text;
    enum import_write_state state; /* by import_write_look() */
    char *backup; /* by import_write_put(): where the former one is, NULL when there was none */
};

/* The configuration that -C, the caller's own or the system's is: absolute, fresh memory. NULL: the caller has no home. */
char *import_write_target(const struct config_request *req);
/*
 * What is at w->path now? False with err (78) for what is no regular file, 75 for what may not be read. Nothing is changed.
 */
bool import_write_look(struct import_write *w, struct error *err);
/*
 * Put it there, synced, for root and group smtprelay (0640; 0600 without the group, or where the caller is not root), folders above it
 * made. What is the same is left; what is other is kept beside it, as "PATH.bak" or so. It has been looked at.
 */
bool import_write_put(struct import_write *w, struct error *err);

#endif
