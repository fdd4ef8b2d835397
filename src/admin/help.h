/* SPDX-License-Identifier: ISC */
/* help: what `smtprelay --help` prints, of all commands or of one. */
#ifndef ADMIN_HELP_H
#define ADMIN_HELP_H

/* To standard output; of `command` alone, NULL or one that is not known: of all. */
void help_print(const char *command);

#endif
