/* SPDX-License-Identifier: ISC */
/* rights: issetugid(2); root is root. */
#include "base/rights.h"

#include <unistd.h>

bool
rights_differ(void)
{
    return issetugid() != 0;
}

uid_t
rights_caller(void)
{
    return getuid();
}

bool
rights_may_change_user(void)
{
    return geteuid() == 0;
}
