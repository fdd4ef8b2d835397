/* SPDX-License-Identifier: ISC */
/* rights: real ids in place of effective ones; what may be done with them is not known here. */
#include "base/rights.h"

#include <unistd.h>

bool
rights_drop(void)
{
    gid_t gid;
    uid_t uid;

    if (!rights_differ()) /* asking again costs time */
        return true;
    gid = getgid();
    uid = getuid();
    if (getegid() != gid && setresgid(gid, gid, gid) != 0)
        return false;
    if (geteuid() != uid && setresuid(uid, uid, uid) != 0)
        return false;
    return true;
}
