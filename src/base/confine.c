/* SPDX-License-Identifier: ISC */
/* confine: what holds, in words. */
#include "base/confine.h"

const char *
confine_text(unsigned bits)
{
    static const char *const texts[] = { "nothing", "no-new-privileges", "files", "no-new-privileges, files",
        "calls", "no-new-privileges, calls", "files, calls", "no-new-privileges, files, calls" };

    return texts[bits & CONFINE_ALL];
}
