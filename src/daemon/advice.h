/* SPDX-License-Identifier: ISC */
/* advice: the table of what errors mean (mail/explain) of the settings a core has now. In the loop's thread only. */
#ifndef DAEMON_ADVICE_H
#define DAEMON_ADVICE_H

#include "daemon/core.h"
#include "mail/explain.h"

/* Valid until the settings change or the daemon comes to rest, so for the call under way; read at its first use. */
const struct explain *advice_table(struct core *c);
/* The settings are others, nothing is under way, or the core ends. */
void advice_forget(struct core *c);

#endif
