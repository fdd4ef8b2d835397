/* SPDX-License-Identifier: ISC */
/* import_postfix: what the parts of Postfix's parser (admin/import) share. Its parameters are pairs, their values not yet expanded. */
#ifndef ADMIN_IMPORT_POSTFIX_H
#define ADMIN_IMPORT_POSTFIX_H

#include "admin/import.h"

/* import_main_cf.c: all parameters of the main file; a line that begins with a blank goes on. */
void import_main_cf_read(struct import *im, struct import_pairs *p);
/* Its value with each $name in place, fresh memory, and where it stands; NULL: not set, or empty. It is used from now on. */
char *import_main_cf_value(struct import_pairs *p, const char *key, struct import_at *at);
/* One line of a table, in order; false: the rest of it does not count. */
typedef bool import_table_entry(
    struct import *im, void *ctx, struct slice key, struct slice value, struct import_at at);
/* Read all tables that a parameter names; those that cannot be read are noted. */
void import_main_cf_maps(
    struct import *im, struct import_pairs *p, const char *key, import_table_entry *take, void *ctx);

/* import_postfix_login.c: accounts by sender, and the login of each; `host` is that of `relayhost`. */
void import_postfix_login(
    struct import *im, struct import_pairs *p, struct slice relayhost, struct slice host);
/* Whose mail goes out under another address. */
void import_postfix_senders(struct import *im, struct import_pairs *p);

#endif
