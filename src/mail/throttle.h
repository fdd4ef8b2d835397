/* SPDX-License-Identifier: ISC */
/*
 * throttle: does a peer say that too much comes at once, so that sending more slowly helps? RFC 5321 and 3463 have no word for it: each
 * provider has a code of its own, or only says so. Pure.
 */
#ifndef MAIL_THROTTLE_H
#define MAIL_THROTTLE_H

#include <stdbool.h>

#include "base/slice.h"

/* `code` and `enhanced` ("" = none) of a reply, and its words. Only what is temporary can mean it. */
bool throttle_is_said(int code, const char *enhanced, struct slice words);

#endif
