/* SPDX-License-Identifier: ISC */
/* peercred: who is at the other end of a Unix socket, by what the kernel noted when it was connected or made to listen. */
#ifndef BASE_PEERCRED_H
#define BASE_PEERCRED_H

#include <stdbool.h>
#include <sys/types.h>

struct peercred {
    uid_t uid;
    gid_t gid;
    pid_t
        pid; /* 0: of another process table (a container), or the kernel does not say; uid and gid are true all the same */
};

/* False: no Unix socket (errno), nobody has connected, or a kernel that does not say. */
bool peercred_get(int sock, struct peercred *cred);

/* Is `gid` among the peer's supplementary groups? False where the kernel does not say. */
bool peercred_has_group(int sock, gid_t gid);

#endif
