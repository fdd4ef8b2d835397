/* SPDX-License-Identifier: ISC */
/* notify: one word to who started us, as sd_notify(3) and the protocol of sd_watchdog_enabled(3) say. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* "READY=1" and so on to $NOTIFY_SOCKET; without one, or where it takes nothing, nothing happens. */
void notify_send(const char *text);
/* RELOADING=1 with the time it needs. */
void notify_reloading(void);
/* How often WATCHDOG=1 is expected from this process at least, in ms; 0 = it is not. */
int64_t notify_watchdog_ms(void);

#endif
