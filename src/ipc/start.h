/* SPDX-License-Identifier: ISC */
/*
 * start: what the helper (who holds configuration and secrets) and the daemon say to each other, over a SOCK_SEQPACKET pair.
 *
 *     helper -> daemon   SETTINGS  a sealed descriptor: the flat settings without secrets; text: start_options, or "";
 *                                  perhaps a second one: the log file, opened                   at start, after SIGHUP
 *                        SOCKET    a listening socket, text "local", "control" or "listener"      behind the first SETTINGS
 *                        BROKEN    what is on disk cannot be used, the last SETTINGS stay: start_broken   until the next SETTINGS
 *                        FAILED    class and text: no settings, or no worker
 *                        READY     the daemon's end of a worker's socket, the account's name      answers WORKER
 *                        STOP      finish what is under way and end
 *     daemon -> helper   WORKER    the name of an account of the settings: start a worker for it
 *                        ALIVE     it serves; as often as start_options ask for
 *                        FAILED    class and text: why it cannot serve; it ends now
 *                        TROUBLE   what the TroubleCommand is to be told
 *
 * The end of either is the end of the socket: a daemon without its helper finishes as after STOP.
 */
#ifndef IPC_START_H
#define IPC_START_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define START_TEXT_MAX 1200

enum start_type {
    START_SETTINGS = 1,
    START_FAILED,
    START_READY,
    START_WORKER,
    START_SOCKET,
    START_STOP,
    START_ALIVE,
    START_TROUBLE,
    START_BROKEN
};

struct start_packet {
    enum start_type type;
    enum error_class class; /* FAILED */
    char text[START_TEXT_MAX];
    int fd;     /* SETTINGS, READY, SOCKET: owned by the receiver; else -1 */
    int log_fd; /* SETTINGS: the same, or -1 */
};

/* `fd` (-1 = none) stays the caller's. False with errno. */
bool start_send(int sock, enum start_type type, enum error_class class, const char *text, int fd);
/* SETTINGS; `log_fd` (-1 = none) stays the caller's, too. */
bool start_send_settings(int sock, const char *text, int fd, int log_fd);
/*
 * 1 = a packet, 0 = the peer is gone, -1 = malformed or a system error (err), -2 = nothing there now. A READY whose descriptor
 * this process has no room for comes as FAILED (75).
 */
int start_receive(int sock, struct start_packet *packet, struct error *err);

/* Close the descriptors of a packet that nobody wants. */
void start_drop(struct start_packet *packet);

/* The text of SETTINGS: what is no setting. */
struct start_options {
    bool own;            /* a file that is not the system's set Socket: only its sockets are served */
    bool log_stderr;     /* what is logged goes to standard error, too */
    uint32_t sockets;    /* so many SOCKETs follow (0 behind a reload) */
    int64_t watchdog_ms; /* ALIVE at least twice in this time; 0: not asked for */
    int64_t loaded_s;    /* when the settings were read, in seconds since 1970 */
};
void start_options_format(const struct start_options *o, char text[START_TEXT_MAX]);
/* What it does not know it passes over. */
void start_options_parse(const char *text, struct start_options *o);

/* The text of BROKEN: since when (seconds since 1970), and why. False: it is none. `why` points into `text`. */
void start_broken_format(int64_t since_s, const char *why, char text[START_TEXT_MAX]);
bool start_broken_parse(const char *text, int64_t *since_s, const char **why);

#endif
