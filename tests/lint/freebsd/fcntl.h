/* SPDX-License-Identifier: ISC */
/* A stub, in front of the real one: tests/lint/freebsd/README.md. */
#include_next <fcntl.h>

#define O_EXEC 0x00040000
#define O_EMPTY_PATH 0x02000000
#define O_SEARCH 0x00040000 /* open(2), FreeBSD 13 and later: of a folder */
