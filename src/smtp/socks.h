/* SPDX-License-Identifier: ISC */
/*
 * socks: to a host through a SOCKS5 proxy (RFC 1928).
 */
#ifndef SMTP_SOCKS_H
#define SMTP_SOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "smtp/connect.h"

/* Over the connection to the proxy: it is to connect to o->host. False: *why, in plain words. */
bool socks_ask(int fd, const struct connect_options *o, int64_t deadline, const char **why);

#endif
