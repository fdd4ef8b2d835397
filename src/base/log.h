/* SPDX-License-Identifier: ISC */
/*
 * log: one line an event, to syslog (facility mail), a file or stderr. Only programs log, never libraries.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/*
 * Where lines go from now on: target NULL or "" = syslog with `ident`, "-" = stderr, else a file that is appended to (opened
 * here with O_NOFOLLOW, mode 0640). Without a call lines go nowhere. `ident` must stay valid. False with err when the file
 * cannot be opened; the old target stays.
 */
bool log_open(const char *ident, const char *target, enum log_level level, struct error *err);
/*
 * The file that log_open opens from now on is this one, opened by somebody who may, whatever its name; the descriptor is taken
 * over. -1: files are opened by name again.
 */
void log_offer(int fd);
/* That of the file that lines go to, which stays the log's; -1 when they go elsewhere. */
int log_descriptor(void);
/* Write each line to standard error, too, wherever else it goes. */
void log_copy(bool on);
/* One line; control characters are escaped. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
