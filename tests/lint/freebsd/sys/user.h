/* SPDX-License-Identifier: ISC */
/* A stub: tests/lint/freebsd/README.md. */
#include <sys/types.h>

struct kinfo_proc {
    pid_t ki_ppid;
    char ki_comm[20];
    char ki_loginclass[18];
};
