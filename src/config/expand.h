/* SPDX-License-Identifier: ISC */
/*
 * expand: what a recipient becomes on this machine: aliases, then `root` for accounts of the system. Knows no accounts of
 * smarthosts beyond the one whose settings count, and sends nothing.
 */
#ifndef CONFIG_EXPAND_H
#define CONFIG_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct expand_hooks {
    /* An address it became, each once; not qualified where it has no domain (the worker does that) */
    void (*found)(void *ctx, const char *address);
    /* A step on the way, for those who want to know; `depth` says how many aliases lead there. NULL: nobody does. */
    void (*step)(void *ctx, unsigned depth, const char *text);
    void *ctx;
    size_t max; /* addresses that may be found, 0: EXPAND_MAX */
};

enum { EXPAND_MAX = 100000 };

/*
 * Expand one recipient by aliases, root and MinUserId of `account` (smtprelay.conf(5), "Recipients"). Only local ones change:
 * without domain, or at one of the machine's own names. False with err (ERROR_NOUSER: an alias that names what is refused, a
 * circle; ERROR_REFUSED: more than max; ERROR_CONFIG, ERROR_TEMP: a file that cannot be read), and then nothing was found.
 */
bool expand_recipient(const struct config *c, size_t account, const char *address,
    const struct expand_hooks *hooks, struct error *err);
/*
 * Check the aliases files: how many aliases they have; duplicates and members that get no mail become warnings in `c`. False with err
 * that names file and line.
 */
bool expand_check(struct config *c, size_t *count, struct error *err);

#endif
