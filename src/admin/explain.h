/* SPDX-License-Identifier: ISC */
/* explain: `smtprelay explain`: what a reply or an error means, from the tables of config/explanations and by the RFCs. */
#ifndef ADMIN_EXPLAIN_H
#define ADMIN_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * `words` as they stand on the command line, the first is "explain"; they are one text, which without any is read from standard
 * input. Returns the exit code: 0 when there was something to say, 1 when not.
 */
int explain_ask(uid_t uid, const char *const words[], size_t n);

#endif
