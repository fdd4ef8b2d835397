/*
 * start: what the helper (who holds configuration and secrets) and the daemon say to each other, over a SOCK_SEQPACKET pair.
 *
 *     helper -> daemon   SETTINGS  a sealed descriptor: the flat settings without secrets        at start, after SIGHUP
 *                        FAILED    class and text: no settings, or no worker
 *                        READY     the daemon's end of a worker's socket                          answers WORKER
 *     daemon -> helper   WORKER    the name of an account of the settings: start a worker for it
 */
#ifndef IPC_START_H
#define IPC_START_H

#include <stdbool.h>

#include "base/error.h"

#define START_TEXT_MAX 1200

enum start_type { START_SETTINGS = 1, START_FAILED, START_READY, START_WORKER };

struct start_packet {
    enum start_type type;
    enum error_class class; /* FAILED */
    char text[START_TEXT_MAX];
    int fd; /* SETTINGS, READY: owned by the receiver; else -1 */
};

/* `fd` (-1 = none) stays the caller's. False with errno. */
bool start_send(int sock, enum start_type type, enum error_class class, const char *text, int fd);
/* 1 = a packet, 0 = the peer is gone, -1 = malformed or a system error (err), -2 = nothing there now. */
int start_receive(int sock, struct start_packet *packet, struct error *err);

#endif
