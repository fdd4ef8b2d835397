/* SPDX-License-Identifier: ISC */
/* import_state: what one run of import knows; shared by its parts, nobody else includes it. */
#ifndef ADMIN_IMPORT_STATE_H
#define ADMIN_IMPORT_STATE_H

#include "admin/import.h"
#include "config/file.h"

struct import_run {
    const struct config_request *req;
    const char *file, *from;
    char *root; /* "" or a folder without a slash at its end */
    bool write, force, spool;
    const struct import_program *program;
    char *path;         /* the main file */
    char *target;       /* our configuration, without root */
    const char *prefix; /* of what is written: root, but what -C names is meant as it stands */
    struct import im;
};

/* import_find.c: where things lie */

/* What `~` stands for, NULL: unknown. */
const char *import_find_home(uid_t uid);
/* Where a file of that machine lies here: its links lead to files of its own. To be shown. Fresh memory. */
char *import_find_place(const char *root, const char *path);
/* Is there a file? False with errno. */
bool import_find_is_there(const struct import_run *r, const char *path);
/* The reader for the parsers: im->ctx is the run. */
import_reader import_find_read;
/* The configuration that is meant, and whose it is. */
bool import_find_load(struct import_run *r, struct error *err);

/* import_put.c: what is written */

/* The number in the names of secrets: with --force none takes the place of another one. */
void import_put_choose(struct import_run *r);
bool import_put_all(struct import_run *r, struct slice text, struct error *err);
/* Mail that waits. */
bool import_put_spool(struct import_run *r, struct error *err);

#endif
