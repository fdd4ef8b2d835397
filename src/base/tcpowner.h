/* SPDX-License-Identifier: ISC */
/* tcpowner: whose process has the other end of a TCP connection within this machine, as the kernel knows it. */
#ifndef BASE_TCPOWNER_H
#define BASE_TCPOWNER_H

#include <stdint.h>
#include <sys/socket.h>

/* What it is asked through, which a confined process can no longer make; close-on-exec. -1: there is none to be had, or none needed. */
int tcpowner_open(void);

/*
 * The uid that owns the socket whose own address is `theirs` and whose peer is `ours`, both of one family (IPv4 or IPv6) and without
 * IPv4-mapped addresses. -1: it is not known, or its process has closed it already.
 */
int64_t tcpowner_uid(int diag, const struct sockaddr_storage *theirs, const struct sockaddr_storage *ours);

#endif
