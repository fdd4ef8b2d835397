/* SPDX-License-Identifier: ISC */
/* ctl: `smtprelayd --ctl`: the control protocol (daemon/control) for one request on descriptors 0 and 1, without a daemon. */
#ifndef DAEMON_CTL_H
#define DAEMON_CTL_H

#include "config/file.h"

/*
 * Answer the one request as the caller. Where `request` leads to a file of the caller's (or -C) that sets Socket, and somebody
 * listens on its control socket, the session is passed on. Returns this program's exit code: 0 when an answer went out.
 */
int ctl_serve(const struct config_request *request);
/*
 * Tell the daemon at `socket`.ctl, where there is one, that this process has added to the queue. `user` is whom it may run as
 * besides root. Waits for no answer: a daemon that does not hear it looks by itself, later.
 */
void ctl_wake(const char *socket, const char *user);

#endif
