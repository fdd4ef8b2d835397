/* SPDX-License-Identifier: ISC */
/*
 * zone: how far the local time is from UTC.
 *
 * The C library reads its zone file by seven system calls; a program that lives for one message and wants one number from it
 * can have that by three.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/slice.h"

/* Seconds east of UTC that hold at `when`, in the zone of this process ($TZ, else /etc/localtime); 0 where none is known. */
int32_t zone_seconds(time_t when);
/*
 * The same from a file of the format TZif (RFC 8536). False where it does not say so itself: it is malformed, of version 1, has
 * leap seconds, or a rule for summer time is all there is for this time.
 */
bool zone_find(struct slice file, int64_t when, int32_t *seconds);

#endif
