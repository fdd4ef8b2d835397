/* SPDX-License-Identifier: ISC */
/* aliases: an aliases(5) file: names and what stands behind them. Knows no recipients and no accounts. */
#ifndef CONFIG_ALIASES_H
#define CONFIG_ALIASES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

struct alias {
    struct slice name;    /* without its quotes */
    struct slice members; /* as written, on one line */
    unsigned line;
    bool used; /* the reader's own mark */
};

struct aliases {
    char *path; /* NULL: there is no file, so nobody has an alias */
    struct buf text;
    struct alias *entry; /* by name without case; of two of the same name the first in the file comes first */
    size_t n;
    unsigned bad_line; /* the first line that is none, 0: there is no such line */
};

/* Read the file; one that is not there is an empty one. False with err (78, 75 for what may pass). Clear it either way. */
bool aliases_read(struct aliases *a, const char *path, struct error *err);
/*
 * The same from a text: "name: member, member"; a line that begins with a blank goes on with the one before, and so does one
 * behind a backslash; lines that are empty or begin with # are left out, also in between.
 */
bool aliases_take(struct aliases *a, struct slice text, const char *path, struct error *err);
void aliases_clear(struct aliases *a);
/* Without case; NULL when there is none. */
struct alias *aliases_find(struct aliases *a, struct slice name);
/* The next member of a list; commas outside quotes and comments separate. Empty ones are left out. False at the end. */
bool aliases_next_member(struct slice *rest, struct slice *member);

#endif
