/* SPDX-License-Identifier: ISC */
/*
 * guard: the text of a configuration, read and checked before libconfig may see it.
 *
 * Included files are put in their places here, so the library opens nothing; each line remembers where it came from.
 */
#ifndef CONFIG_GUARD_H
#define CONFIG_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

struct guard_file {
    char *path;
    struct stat st;
};

struct guard_line {
    size_t file;
    unsigned line;
};

struct guard_text {
    struct buf text;         /* with a NUL behind it */
    struct guard_file *file; /* [0] is the configuration itself */
    size_t files;
    struct guard_line *line; /* [n - 1] is where line n of `text` stands */
    size_t lines;
};

/*
 * Read `path` and what it includes: regular files, relative to the folder of the including one, ten deep, 1 MB together. No NUL;
 * strings (on one line) and comments end; integers fit; brackets nest no deeper than the settings do. False with err that names
 * file and line (ERROR_CONFIG; errno is open's where the configuration itself cannot be opened, else 0). Clear it either way.
 */
bool guard_read(struct guard_text *g, const char *path, struct error *err);
/* The same with what `at` has, as if that stood at `path`. */
bool guard_read_at(struct guard_text *g, const char *at, const char *path, struct error *err);
/* The same for a text that was already read from `path`. */
bool guard_take(
    struct guard_text *g, struct slice text, const char *path, const struct stat *st, struct error *err);
void guard_clear(struct guard_text *g);
/* Where line `line` of the text stands. Never NULL. */
const struct guard_file *guard_where(const struct guard_text *g, unsigned line, unsigned *line_there);
/* When `text` looks like an ssmtp.conf, say so and what to do in `err`. For a text that would not parse. */
void guard_name_ssmtp(struct slice text, const char *path, struct error *err);

#endif
