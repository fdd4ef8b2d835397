/* SPDX-License-Identifier: ISC */
/* rights: what a program may, by its user and group. */
#ifndef BASE_RIGHTS_H
#define BASE_RIGHTS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Be the caller, with no more rights, whatever set-id bit somebody gave the program: arguments, environment and files of the caller
 * decide what it does. False (errno) when the rights cannot be given up.
 */
bool rights_drop(void);

/* Was this program started with more rights than its caller has? */
bool rights_differ(void);

/* The real uid this program was started with, without a system call where that can be. */
uid_t rights_caller(void);

/* Can this process become another user? Root in a container may have lost that. */
bool rights_may_change_user(void);

#endif
