/* SPDX-License-Identifier: ISC */
/* status: `smtprelay status`, once or again and again on a terminal. */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "admin/queue.h"
#include "config/file.h"

/*
 * With --watch among the words (it is taken out) the terminal shows the answer anew every two seconds, until q, Ctrl-C or the
 * terminal's end; it is left as it was. Returns the exit code of the (last) answer.
 */
int status_ask(const struct config_request *req, struct queue_request *q);

#endif
