/* SPDX-License-Identifier: ISC */
/*
 * direct: what direct delivery needs besides a configuration, for `smtprelay check`: that others see a machine whose name and address
 * lead to one another. The questions to the name service are the worker's, as an ordinary user; nothing here reads from the network.
 */
#ifndef ADMIN_DIRECT_H
#define ADMIN_DIRECT_H

#include "config/config.h"

/* Say so for each account that delivers directly: how it is on standard output, what is missing as warnings. */
void direct_check(const struct config *c);

#endif
