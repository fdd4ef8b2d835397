/* SPDX-License-Identifier: ISC */
/*
 * setup_edit: settings put into the text of a smtprelay.conf(5) that somebody has written: where they belong, with all comments and
 * other lines as they were. Pure; whether the result is a configuration is asked elsewhere (admin/import_text).
 */
#ifndef ADMIN_SETUP_EDIT_H
#define ADMIN_SETUP_EDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

struct setup_setting {
    const char *name;
    const char *value; /* as it stands behind "NAME = "; NULL: the setting goes */
};

/*
 * Give settings their values at the top level (account NULL), or in the group of `accounts` whose name is `account`, which is made at
 * the end of that list where there is none; `name` is not among the settings. False: the text is not understood.
 */
bool setup_edit(
    struct slice text, const char *account, const struct setup_setting *s, size_t n, struct buf *out);
/* The text (as libconfig reads it) that a setting has there. False: it is not there, or is no text. */
bool setup_edit_find(struct slice text, const char *account, const char *name, struct buf *value);
/* Is it there, whatever it is? A group that is there has its `name`. */
bool setup_edit_has(struct slice text, const char *account, const char *name);

#endif
