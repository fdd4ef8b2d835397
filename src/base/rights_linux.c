/* SPDX-License-Identifier: ISC */
/* rights: what the kernel tells at the start (getauxval(3)), and capabilities(7). */
#include "base/rights.h"

#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
rights_differ(void)
{
    return getauxval(AT_SECURE) != 0; /* the kernel has compared them */
}

uid_t
rights_caller(void)
{
    return (uid_t)getauxval(AT_UID);
}

bool
rights_may_change_user(void)
{
    struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct data[2];

    if (geteuid() != 0)
        return false;
    if (syscall(SYS_capget, &head, data) != 0)
        return true;
    return (data[0].effective & (1u << CAP_SETUID)) && (data[0].effective & (1u << CAP_SETGID));
}
