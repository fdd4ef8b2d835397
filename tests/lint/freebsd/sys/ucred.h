/* SPDX-License-Identifier: ISC */
/* A stub: tests/lint/freebsd/README.md. */
#include <sys/types.h>

#define XU_NGROUPS 16
#define XUCRED_VERSION 0
#define SOL_LOCAL 0
#define LOCAL_PEERCRED 1

struct xucred {
    unsigned cr_version;
    uid_t cr_uid;
    short cr_ngroups;
    gid_t cr_groups[XU_NGROUPS];
    pid_t cr_pid;
};
