/* queue: the commands that ask the daemon over its control socket, or `smtprelayd --ctl` where there is none. */
#ifndef ADMIN_QUEUE_H
#define ADMIN_QUEUE_H

#include "config/file.h"

/*
 * Ask what `words` say (daemon/control: "status", "queue", "show" ID) and print the answer. Returns the exit code; trouble was told
 * on stderr.
 */
int queue_ask(const struct config_request *req, const char *const words[], size_t n);
/* The same, the answer written to `out`. */
int queue_ask_to(const struct config_request *req, const char *const words[], size_t n, int out);

#endif
