/* SPDX-License-Identifier: ISC */
/* tcp: the sockets of `Listen` and who is at their other end. */
#ifndef DAEMON_TCP_H
#define DAEMON_TCP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "config/config.h"

/* A listening socket at "192.0.2.1:25" or "[2001:db8::1]:25", not blocking. -1 with err (78; 75 where somebody else has it). */
int tcp_listen(const char *text, struct error *err);

/* Does this one listen at that address? */
bool tcp_is_listening_at(int fd, const char *text);

/* Who has connected. */
struct tcp_peer {
    struct sockaddr_storage address; /* an IPv4-mapped one is IPv4 */
    bool is_loopback;
    char literal[64]; /* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321, 4.1.3) */
    char network[64]; /* what it cannot change by itself: the literal, of IPv6 with the first 64 bits */
};
/* False: it has gone already. */
bool tcp_identify(int fd, struct tcp_peer *peer);
/* Replies go out at once: the second of two would wait for the peer's delayed acknowledgement of the first. */
void tcp_hurry(int fd);
/* May it hand in mail: from this machine, or from one of ListenNetworks? */
bool tcp_is_allowed(const struct tcp_peer *peer, const struct config_value *networks);
/*
 * The uid of the process at the other end of a connection within this machine, as the kernel knows it; -1: it does
 * not say, or its process has closed it already. `diag` is of tcpowner_open.
 */
int64_t tcp_uid(int diag, int fd, const struct tcp_peer *peer);

#endif
