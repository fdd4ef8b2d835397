/* SPDX-License-Identifier: ISC */
/*
 * supervise: the life of the daemon, seen from the process that was started (the helper): its sockets, its process, signals, and the
 * word to systemd. It reads nothing from the network and nothing from clients; what it does for the daemon is daemon/helper's.
 */
#ifndef DAEMON_SUPERVISE_H
#define DAEMON_SUPERVISE_H

#include "config/file.h"

struct supervise_request {
    struct config_request config;
    int ready_fd; /* one octet when it serves, then standard input, output and error go away; -1: it stays in the foreground */
};

/*
 * Be the daemon until SIGTERM or SIGINT (0), or until it turns out that it cannot start: then its exit code, and err says why in
 * one line, which is in the log, too.
 */
int supervise_run(const struct supervise_request *req, struct error *err);

#endif
