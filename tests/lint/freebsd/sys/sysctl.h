/* SPDX-License-Identifier: ISC */
/* A stub: tests/lint/freebsd/README.md. */
#include <stddef.h>

enum { CTL_KERN = 1, KERN_PROC = 14, KERN_PROC_PID = 1, KERN_PROC_PATHNAME = 12 };
int sysctl(const int *name, unsigned namelen, void *oldp, size_t *oldlenp, const void *newp, size_t newlen);
