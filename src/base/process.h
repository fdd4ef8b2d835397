/* SPDX-License-Identifier: ISC */
/* process: what the system says of a process, and what one can arrange for itself. */
#ifndef BASE_PROCESS_H
#define BASE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* -1: not known. */
int64_t process_parent(int64_t pid);
/* The name of the program it runs, as the system shows it; false: not known. `out` is emptied first. */
bool process_program(int64_t pid, struct buf *out);
/* The unit, container or slice that it belongs to; false: not known. `out` is emptied first. */
bool process_unit(int64_t pid, struct buf *out);

/* The file this process was started from, though another may have its name by now: for fexecve(3). -1: not known. */
int process_open_own(void);
/* A program to be executed later, when its folder may be out of reach; -1 with errno. */
int process_open_program(const char *path);

/* What the system shows as its name. */
void process_set_name(const char *name);
/* No core file, no debugger of the same user's; nor does anything it executes gain rights. False with errno. */
bool process_keep_secrets(void);

#endif
