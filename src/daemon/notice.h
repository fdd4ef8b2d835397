/* SPDX-License-Identifier: ISC */
/* notice: mail to the administrator (`root`) about what the daemon has seen, from the null sender. */
#ifndef DAEMON_NOTICE_H
#define DAEMON_NOTICE_H

#include "daemon/core.h"

/*
 * `text` is a line for the subject, an empty line, and what there is to say (LF). It is in the queue soon; where that is not possible the
 * log says so.
 */
void notice_send(struct core *c, const char *text);

#endif
