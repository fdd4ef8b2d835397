/* SPDX-License-Identifier: ISC */
/* settings: what every form of the daemon does with the settings the helper hands it. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include "config/config.h"
#include "ipc/job.h"
#include "ipc/start.h"

/*
 * Receive the first ones into *c, which config_end clears in any case, and what is said beside them into *o (may be NULL). False with
 * err: there are none to be had.
 */
bool settings_receive(struct config *c, struct start_options *o, int helper_sock, struct error *err);
/* The same from a SETTINGS packet that is there already, whose descriptors are taken over. */
bool settings_take(struct config *c, struct start_packet *packet, struct error *err);
/* Open the log as they say. */
void settings_open_log(const struct config *c);
/* What a fact is for people: "hub:25: RCPT TO: 550 5.1.1 no such user". Fresh memory. */
char *settings_fact_text(const struct job_fact *f);

#endif
