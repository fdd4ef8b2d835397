/* SPDX-License-Identifier: ISC */
/* trial: one transaction with a scripted peer. */
#ifndef TESTS_UNIT_TRIAL_H
#define TESTS_UNIT_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "smtp/transaction.h"
#include "unit/peer.h"

#define TRIAL_RCPT_MAX 250
#define TRIAL_SMALL "Subject: x\r\n\r\nhello\r\n"

/* What the peer has offered */
enum { TRIAL_NONE = 0, TRIAL_PIPELINING = 1, TRIAL_CHUNKING = 2, TRIAL_LOGIN = 4 };

struct trial {
    struct session s;
    struct session_options options;
    struct transaction t;
    struct transaction_rcpt rcpt[TRIAL_RCPT_MAX];
    char paths[TRIAL_RCPT_MAX][40];
    const char *content;
    size_t piece; /* the producer writes pieces of this size; 0: all at once */
    struct peer peer;
    bool usable;
};

/* A session after EHLO and a message for so many recipients, r0@b.example and so on; `content` is borrowed. */
void trial_prepare(struct trial *t, unsigned offered, size_t rcpts, const char *content);
/* All of it; each recipient has its fact. The peer is to be cleared. */
void trial_run(struct trial *t, int type, const struct peer_step *steps, size_t n);
#define TRIAL_RUN(t, type, steps) trial_run((t), (type), (steps), sizeof(steps) / sizeof((steps)[0]))

/* What becomes of recipient `i` */
enum status_outcome trial_outcome(const struct trial *t, size_t i);
/* How often */
size_t trial_count(const char *text, const char *what);
/* `n` lines of 70 octets; `what`, n times. Fresh memory. */
char *trial_long_text(size_t n);
char *trial_repeat(const char *what, size_t n);

#endif
