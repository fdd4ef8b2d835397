/* SPDX-License-Identifier: ISC */
/* setup_ask: what only the one at the terminal knows. */
#ifndef ADMIN_SETUP_ASK_H
#define ADMIN_SETUP_ASK_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * Ask at the terminal for one line that is not shown. A signal (Ctrl-C, Ctrl-Z, hang-up) puts the terminal back first and then does what
 * it does. False with err (64) when there is no terminal or nothing was said.
 */
bool setup_ask_secret(const char *prompt, struct buf *secret, struct error *err);
/* A yes at the terminal. Anything else, and no terminal, is no. */
bool setup_ask_yes(const char *question);

#endif
