/* SPDX-License-Identifier: ISC */
/* memfile: files that live in memory as long as they are open. */
#ifndef BASE_MEMFILE_H
#define BASE_MEMFILE_H

#include <stdbool.h>

/* For reading and writing, close-on-exec; `name` is for people who look at the process. -1 with errno where there are none. */
int memfile_open(const char *name);
/* The same, for memfile_seal. */
int memfile_open_sealable(const char *name);
/* Nobody can change it from now on, whoever has it open. False with errno. */
bool memfile_seal(int fd);

#endif
