/* SPDX-License-Identifier: ISC */
/* submit: the ESMTP client of the hand-over protocol (src/README.md): one write, then the replies. */
#ifndef SENDMAIL_SUBMIT_H
#define SENDMAIL_SUBMIT_H

#include "sendmail/compose.h"

/*
 * Hand the message over on the connected socket `fd`; `greeting_ms` and `stall_ms` bound the waits. Returns the exit code; err has
 * the line to print for anything but 0, and *note (fresh memory or NULL) one to print with 0.
 */
int submit(int fd, struct compose *c, int greeting_ms, int stall_ms, char **note, struct error *err);

#endif
