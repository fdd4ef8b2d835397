/* SPDX-License-Identifier: ISC */
/*
 * job: what daemon and worker say to each other, small records over a SOCK_SEQPACKET pair, checked on both ends.
 *
 *     daemon -> worker   AVOID  smarthosts that failed of late, "host:port", blanks between; for the next job
 *     daemon -> worker   LATE   smarthosts that work, but take their time to greet; for the next job
 *     daemon -> worker   PROBE  in place of a job: does this smarthost, "host:port", work again? No message is sent.
 *     daemon -> worker   JOB    {flags, account generation, which recipients} + the record's descriptor, read-only
 *     worker -> daemon   STEP   a line of the dialog, for -v; of a test: a step, in words (smtp/step)    any number
 *                        LOG    a line for the log, with its level                  any number
 *                        HUB    a smarthost, "host:port", and how it is (its level)   any number
 *                        CERTIFICATE  until when that of a smarthost, "host:port", is good   one for each session
 *                        WAITS  the smarthost takes its time                        one at most
 *                        TOKEN  until when the account's token is good, "short": it is one of those that are renewed all the time
 *                        CLIENT until when its own certificate is good              each once for a worker
 *                        FACT   what became of one recipient                        one for each asked for
 *                        DONE   the attempt is over: what it used, how long         one
 *                        FAILED no worker can be had for this account: class, why   instead of all others, then it ends
 *                        STARVED it had no memory, or was killed from outside: that is not the message's doing    the last one
 *
 * FAILED comes from the process that was to become the worker (daemon/spawn), STARVED from the helper, which sees how it ended. The worker reports facts (stage, cause, reply); what they mean is decided by mail/status in the daemon.
 */
#ifndef IPC_JOB_H
#define IPC_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* no packet is larger; a bitmap of 100,000 recipients fits */
#define JOB_PACKET_MAX 16384
#define JOB_RECIPIENTS_MAX 100000
#define JOB_EXPIRES_MAX 253402300799 /* the end of the year 9999: no certificate says more */

enum job_type {
    JOB_START = 1,
    JOB_STEP,
    JOB_LOG,
    JOB_FACT,
    JOB_DONE,
    JOB_FAILED,
    JOB_AVOID,
    JOB_HUB,
    JOB_CERTIFICATE,
    JOB_PROBE,
    JOB_WAITS,
    JOB_TOKEN,
    JOB_CLIENT,
    JOB_LATE,
    JOB_STARVED
};
/* JOB_TEST: on a connection of its own, and each step is told; JOB_NO_MESSAGE: up to RCPT TO, then RSET */
enum { JOB_VERBOSE = 1, JOB_TEST = 2, JOB_NO_MESSAGE = 4 };

/* HUB; LATE: it works, but takes longer to greet than another one waits that could have its place */
enum job_health { JOB_HUB_WORKS, JOB_HUB_FAILS, JOB_HUB_LATE };

/* What the worker says of one recipient; text is bounded and escaped already. */
struct job_fact {
    uint32_t recipient; /* index in the record */
    int32_t stage;      /* enum status_stage */
    int32_t cause;      /* enum status_cause */
    int32_t code;       /* reply code, 0 = none */
    bool maybe_sent;
    bool others;  /* there are other smarthosts: it says nothing of the account */
    bool has_dsn; /* the peer has taken NOTIFY upon itself (RFC 3461) */
    char enhanced[16];
    char relay[200]; /* host:port, or "" */
    char text[1000]; /* the peer's words, or what went wrong */
};

/* One packet as it was received; `text` borrows from the receive buffer. */
struct job_packet {
    enum job_type type;
    uint32_t flags;      /* START */
    uint32_t recipients; /* START: recipients of the record */
    struct slice bitmap; /* START: bit i = recipient i is to be tried */
    int level; /* LOG: 0 to 3; HUB: enum job_health; FAILED: enum error_class, none that would be the message's fault */
    struct slice
        text; /* STEP, LOG, FAILED, AVOID, LATE, HUB, CERTIFICATE, PROBE, TOKEN; DONE: words for the log */
    int64_t expires_s; /* CERTIFICATE, TOKEN, CLIENT: seconds since 1970, 0: not known, or of no matter */
    struct job_fact fact;
    int fd;      /* START: the record, owned by the receiver; else -1 */
    bool unread; /* the peer is gone and has not read all that was sent to it */
};

/* All send functions: false with errno; the peer's end being closed is EPIPE. */
bool job_send_start(
    int sock, uint32_t flags, uint32_t recipients, const unsigned char *bitmap, int record_fd);
bool job_send_text(
    int sock, enum job_type type, int level, const char *text); /* all but START, FACT and those of expiry */
/* CERTIFICATE with the relay, TOKEN, CLIENT */
bool job_send_expiry(int sock, enum job_type type, const char *text, int64_t expires_s);
bool job_send_fact(int sock, const struct job_fact *fact);
/*
 * Receive one packet into `buffer` (JOB_PACKET_MAX bytes, must live as long as the packet's slices). 1 = a packet, 0 = the
 * peer is gone (and all it said was received), -1 = malformed or a system error (err), -2 = nothing there now (EAGAIN).
 */
int job_receive(int sock, char *buffer, struct job_packet *packet, struct error *err);

bool job_bit(struct slice bitmap, uint32_t i);

#endif
