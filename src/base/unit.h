/* SPDX-License-Identifier: ISC */
/* unit: which unit of systemd a process belongs to. */
#ifndef BASE_UNIT_H
#define BASE_UNIT_H

#include "base/slice.h"

/*
 * The unit of systemd in what /proc/PID/cgroup says: the first part that has the name of one, so that what a service makes below
 * its own cgroup (Delegate=) is still that service; of a user's manager the unit below it; else the last part, whatever it is.
 */
struct slice unit_name(struct slice cgroups);

#endif
