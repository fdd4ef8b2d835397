/* SPDX-License-Identifier: ISC */
/* why: `smtprelay why` and `smtprelay log`: what became of messages, from the history, asked for as in admin/queue. */
#ifndef ADMIN_WHY_H
#define ADMIN_WHY_H

#include "config/file.h"

/* `words` as they stand on the command line: "why" ID|ADDRESS [N], "why" "--last" [N], "--json" anywhere behind. Returns the exit code. */
int why_ask(const struct config_request *req, const char *const words[], size_t nwords);
/* "log" ["-f"] ["-n" N]; with -f it ends by a signal, or when nobody reads. */
int why_log(const struct config_request *req, const char *const words[], size_t n);

#endif
