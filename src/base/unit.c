/* SPDX-License-Identifier: ISC */
/* unit: the name of a unit in the text of /proc/PID/cgroup. */
#include "base/unit.h"

static struct slice
behind_last(struct slice s, char c)
{
    return slice_has(s, c) ? slice_from(s, slice_find_last(s, c) + 1) : s;
}

struct slice
unit_name(struct slice cgroups)
{
    struct slice line = behind_last(slice_trim(cgroups), '\n'),
                 rest = slice_from(line, slice_find(line, '/') + 1);
    struct slice part, manager = { NULL, 0 };

    while (slice_cut(&rest, '/', &part)) {
        if (!slice_ends_nocase(part, ".service") && !slice_ends_nocase(part, ".scope"))
            continue;
        if (!slice_starts(part, "user@"))
            return part;
        manager = part;
    }
    return manager.len ? manager : behind_last(line, '/');
}
