/* SPDX-License-Identifier: ISC */
/*
 * absent: what a configuration names and this machine has not, for `smtprelay check`: users, programs, files, folders, addresses. All of
 * it may come later, as in a container, so it is never an error.
 */
#ifndef ADMIN_ABSENT_H
#define ADMIN_ABSENT_H

#include "config/config.h"

/* Say so in c->warnings, with where it was named. What is a default is nobody's mistake. */
void absent_check(struct config *c);

#endif
