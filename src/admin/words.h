/* SPDX-License-Identifier: ISC */
/* words: options of a command of smtprelay's that have a value. */
#ifndef ADMIN_WORDS_H
#define ADMIN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is words[*i] the option `name`, as "--name=value" or as "--name" with the value behind it? Then *value is that, and *i the last word of
 * it. Ends the program (64) where the value is missing; words[0] is the command.
 */
bool words_take_value(const char *const words[], size_t n, size_t *i, const char *name, const char **value);

#endif
