/* SPDX-License-Identifier: ISC */
/* memfile: memfd_create(2) and its seals, of Linux and of FreeBSD from 13 on. */
#include "base/memfile.h"

#include <fcntl.h>
#include <sys/mman.h>

int
memfile_open(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC);
}

int
memfile_open_sealable(const char *name)
{
    return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

bool
memfile_seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
}
