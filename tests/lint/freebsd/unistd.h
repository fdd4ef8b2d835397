/* SPDX-License-Identifier: ISC */
/* A stub, in front of the real one: tests/lint/freebsd/README.md. */
#include_next <unistd.h>

int issetugid(void);
void setproctitle(const char *format, ...);
