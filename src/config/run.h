/* SPDX-License-Identifier: ISC */
/* run: a configured command, with no shell and within a time limit. */
#ifndef CONFIG_RUN_H
#define CONFIG_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/*
 * Run `command` (words at blanks, quotes keep them together, nothing is expanded) with environment `env` and collect what it prints
 * until it ends; what does not fit into `out` sets its overflow. Standard input is empty, standard error `said` or, where that is NULL,
 * ours; nothing else is open.
 * Over the limit it is killed with its children. False with err (ERROR_ADMIN, says what failed but not what was printed).
 */
bool run_command(const char *command, char *const *env, int64_t limit_ms, struct buf *out, struct buf *said,
    struct error *err);
/* Could its program be started by the caller: is there one, in PATH or where it says, and may it be executed? False with err (ERROR_ADMIN). */
bool run_is_there(const char *command, struct error *err);
/* The same as run_command() with `input` as its standard input; standard error is ours. */
bool run_command_with(const char *command, struct slice input, char *const *env, int64_t limit_ms,
    struct buf *out, struct error *err);
/*
 * The environment of a command that is not the caller's own, where ours may hold secrets: HOME, PATH, USER and LANG. Fresh memory, each
 * entry, too.
 */
char **run_environment(void);

#endif
