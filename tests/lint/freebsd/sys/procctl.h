/* SPDX-License-Identifier: ISC */
/* A stub: tests/lint/freebsd/README.md. */
#include <sys/wait.h>

enum { PROC_TRACE_CTL = 7, PROC_TRACE_CTL_DISABLE = 2 };
int procctl(idtype_t idtype, id_t id, int cmd, void *data);
