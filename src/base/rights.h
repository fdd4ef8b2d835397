/* SPDX-License-Identifier: ISC */
/* rights: what a program may, by its user and group. */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include <stdbool.h>

/*
 * Be the caller, with no more rights, whatever set-id bit somebody gave the program: arguments, environment and files of the caller
 * decide what it does. False (errno) when the rights cannot be given up.
 */
bool rights_drop(void);

#endif
