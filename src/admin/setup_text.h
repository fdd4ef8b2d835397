/* SPDX-License-Identifier: ISC */
/* setup_text: what `setup` writes, and how it differs from what is there. Pure. */
#ifndef ADMIN_SETUP_TEXT_H
#define ADMIN_SETUP_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

/* NULL: it is not set */
struct setup_account {
    const char *account; /* its name in `accounts`, NULL: the configuration's own */
    const char *address; /* From */
    const char *mailhub, *provider, *user, *tls, *ca_file, *command;
    const char *secret_file, *secret; /* where it will be; or itself, for a file that lives for a moment */
    bool keeps_hub;                   /* what `before` says of the smarthost stays */
};

/*
 * `before` (empty: there is none) with this account in it, which was there or not; its other lines stay as they are. False: `before` is
 * not understood, or it is too much.
 */
bool setup_text_write(struct slice before, const struct setup_account *a, struct buf *out);
/* Lines of `before` that are not in `after` with "- " in front, new ones with "+ "; passwords as "***". Comments count. */
void setup_text_compare(struct slice before, struct slice after, struct buf *out);

#endif
