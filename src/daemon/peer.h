/* SPDX-License-Identifier: ISC */
/* peer: who is at the other end of a socket, by what the kernel says, never by what the client says. */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stdint.h>

struct peer {
    int64_t uid, pid; /* -1: the kernel does not say */
    char *login;      /* login name of the uid, "" when it has none */
    char *full_name;  /* GECOS name, "" when there is none */
    char *program;    /* comm of the caller of sendmail, where the system tells */
    char *unit;       /* of systemd, by its cgroup, or what the system has instead */
    char *address;    /* over TCP: its address literal, "[192.0.2.1]"; else NULL */
};

/*
 * Identify the peer of `sock` (base/peercred); where it is no Unix socket (sendmail -bs on a pipe) it is this process itself.
 * The strings are owned by *p.
 */
void peer_identify(int sock, struct peer *p);
/* The same over TCP, where the kernel knows but the uid (-1: not even that). `address` is copied. */
void peer_identify_tcp(int64_t uid, const char *address, struct peer *p);
void peer_clear(struct peer *p);

#endif
