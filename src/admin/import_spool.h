/* SPDX-License-Identifier: ISC */
/* import_spool: mail that waits in nullmailer's or dma's queue, handed to our sendmail. */
#ifndef ADMIN_IMPORT_SPOOL_H
#define ADMIN_IMPORT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct import_spool {
    const char *program;     /* "nullmailer" or "dma" */
    const char *root, *path; /* its queue as that machine knows it, and the root it is below, "" is ours */
    const char *folder;      /* where that is, for people */
    const char *config;      /* sendmail's -C; NULL: none */
    bool dry_run;            /* only count */
    size_t found, taken, kept;
};

/*
 * Each message goes to sendmail with its envelope and is removed when that ends with 0; locked meanwhile as its program does. What is
 * refused, busy or not understood stays, and a line on stderr says why; so does what nullmailer had given up. False with err when the folder cannot be read, or its
 * program runs and does not lock.
 */
bool import_spool_take(struct import_spool *s, struct error *err);

#endif
