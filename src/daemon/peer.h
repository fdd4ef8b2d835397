/* peer: who is at the other end of a socket, by what the kernel says, never by what the client says. */
#ifndef DAEMON_PEER_H
#define DAEMON_PEER_H

#include <stdint.h>

struct peer {
    int64_t uid, pid; /* -1: the kernel does not say */
    char *login;      /* login name of the uid, "" when it has none */
    char *full_name;  /* GECOS name, "" when there is none */
    char *program;    /* comm of the caller of sendmail, where /proc tells */
    char *unit;       /* last part of its cgroup */
};

/*
 * Identify the peer of `sock` (SO_PEERCRED); where it is no Unix socket (sendmail -bs on a pipe) it is this process itself.
 * The strings are owned by *p.
 */
void peer_identify(int sock, struct peer *p);
void peer_clear(struct peer *p);

#endif
