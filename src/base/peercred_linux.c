/* SPDX-License-Identifier: ISC */
/* peercred: SO_PEERCRED and SO_PEERGROUPS (Linux 4.13); unix(7). */
#include "base/peercred.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"

bool
peercred_get(int sock, struct peercred *cred)
{
    struct ucred u;
    socklen_t len = sizeof u;

    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &u, &len) != 0 || len != sizeof u)
        return false;
    *cred = (struct peercred){ u.uid, u.gid, u.pid };
    return u.uid != (uid_t)-1; /* TCP, or nobody has connected */
}

bool
peercred_has_group(int sock, gid_t gid)
{
    socklen_t len = 0;
    gid_t *gids;
    bool found = false;

    if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
        return false; /* in no group, or a kernel before 4.13 */
    gids = mem_alloc(len);
    if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, gids, &len) == 0)
        for (size_t i = 0; i < len / sizeof *gids; i++)
            found = found || gids[i] == gid;
    free(gids);
    return found;
}
