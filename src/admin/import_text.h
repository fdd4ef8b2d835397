/* SPDX-License-Identifier: ISC */
/* import_text: the settings that were found, as the text of a smtprelay.conf. Pure. */
#ifndef ADMIN_IMPORT_TEXT_H
#define ADMIN_IMPORT_TEXT_H

#include "admin/import.h"

/* `text` as a string of libconfig's; what would not show as it is becomes \xHH there, which means the same. */
void import_text_quote(struct buf *out, const char *text);
/*
 * Number `n` of the names a password's file may have beside the configuration `path`, of account `account` (NULL: the configuration's
 * own): "/etc/smtprelay.secret" for 0 and 1, "/etc/smtprelay.secret2-shop". Fresh memory.
 */
char *import_text_secret_name(const char *path, unsigned n, const char *account);
/* The file of group `group`'s password, for a configuration at `path`: fresh memory; NULL when it has none. */
char *import_text_secret_path(const struct import *im, size_t group, const char *path);
/* The whole of it; passwords are not in it, but the files they are in. */
void import_text_write(const struct import *im, const char *path, struct buf *out);
/*
 * Would our reader take it? The text alone is looked at, not the files it names. False with err (ERROR_CONFIG); *c is what it says
 * (cleared on false).
 */
bool import_text_check(struct slice text, const char *path, struct config *c, struct error *err);

#endif
