/* SPDX-License-Identifier: ISC */
/* peercred: LOCAL_PEERCRED, which brings the first sixteen groups along; unix(4). */
#include "base/peercred.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/ucred.h>
#include <sys/un.h>

static bool
get(int sock, struct xucred *x)
{
    socklen_t len = sizeof *x;

    if (getsockopt(sock, SOL_LOCAL, LOCAL_PEERCRED, x, &len) != 0)
        return false;
    if (len == sizeof *x && x->cr_version == XUCRED_VERSION && x->cr_ngroups > 0)
        return true;
    errno = EOPNOTSUPP;
    return false;
}

bool
peercred_get(int sock, struct peercred *cred)
{
    struct xucred x;

    if (!get(sock, &x))
        return false;
    *cred = (struct peercred){ x.cr_uid, x.cr_groups[0], x.cr_pid };
    return true;
}

bool
peercred_has_group(int sock, gid_t gid)
{
    struct xucred x;
    bool found = false;

    if (!get(sock, &x))
        return false;
    for (short i = 1; i < x.cr_ngroups && i < XU_NGROUPS; i++)
        found = found || x.cr_groups[i] == gid;
    return found;
}
