/* SPDX-License-Identifier: ISC */
/*
 * helper: the process that was started. It alone reads configuration and secrets and starts workers; it reads nothing from the
 * network and nothing from clients.
 */
#ifndef DAEMON_HELPER_H
#define DAEMON_HELPER_H

#include "config/file.h"
#include "daemon/spawn.h"
#include "ipc/start.h"

/*
 * Serve the daemon at the other end of `sock` (ipc/start) until it hangs up: load the configuration that `req` says and send it,
 * then start workers as asked. `daemon` is its pid, for the caller to wait for. `explains`: it gets the tables of config/explanations, too.
 */
void helper_run(int sock, pid_t daemon, const struct config_request *req, bool explains);
/*
 * Its parts, for a helper that does more. Send the settings, with `text` and the log's descriptor beside them; unless it is NULL, with the
 * tables of config/explanations for *explains, too. False with err, and errno EAGAIN when the daemon does not read now.
 */
bool helper_send_settings(
    int sock, const struct config *c, const char *text, const uid_t *explains, struct error *err);
/* Do what a packet from the daemon asks for, and answer. False with errno: the answer did not go out. */
bool helper_answer(int sock, struct config *c, struct spawn_kept *kept, struct start_packet *p);

#endif
