/* SPDX-License-Identifier: ISC */
/* process: sysctl(3) and procctl(2). */
#include "base/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/param.h>
#include <sys/procctl.h>
#include <sys/sysctl.h>
#include <sys/types.h>
#include <sys/user.h>
#include <unistd.h>

static bool
look(int64_t pid, struct kinfo_proc *info)
{
    int name[] = { CTL_KERN, KERN_PROC, KERN_PROC_PID, (int)pid };
    size_t len = sizeof *info;

    return sysctl(name, 4, info, &len, NULL, 0) == 0 && len == sizeof *info;
}

int64_t
process_parent(int64_t pid)
{
    struct kinfo_proc info;

    return look(pid, &info) ? info.ki_ppid : -1;
}

bool
process_program(int64_t pid, struct buf *out)
{
    struct kinfo_proc info;

    buf_reset(out);
    if (!look(pid, &info))
        return false;
    buf_add_str(out, info.ki_comm);
    return true;
}

/* There are no units; the login class is what comes nearest */
bool
process_unit(int64_t pid, struct buf *out)
{
    struct kinfo_proc info;

    buf_reset(out);
    if (!look(pid, &info))
        return false;
    buf_add_str(out, info.ki_loginclass);
    return true;
}

int
process_open_own(void)
{
    int name[] = { CTL_KERN, KERN_PROC, KERN_PROC_PATHNAME, -1 };
    char path[MAXPATHLEN];
    size_t len = sizeof path;

    return sysctl(name, 4, path, &len, NULL, 0) == 0 ? process_open_program(path) : -1;
}

int
process_open_program(const char *path)
{
    return open(path, O_EXEC | O_CLOEXEC);
}

void
process_set_name(const char *name)
{
    setproctitle("-%s", name);
}

/* No set-id program is ever executed; the call that would promise it is younger than what we ask for */
bool
process_keep_secrets(void)
{
    int off = PROC_TRACE_CTL_DISABLE;

    return procctl(P_PID, (id_t)getpid(), PROC_TRACE_CTL, &off) == 0;
}
