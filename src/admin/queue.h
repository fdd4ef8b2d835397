/* SPDX-License-Identifier: ISC */
/* queue: status, and what is done with waiting messages: asked of whoever serves control requests. */
#ifndef ADMIN_QUEUE_H
#define ADMIN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "config/file.h"

/* What is asked: a request line's words (daemon/control) */
struct queue_request {
    const char *word[1000];
    size_t n;
    bool json;
    bool direct;   /* not by the daemon: what the configuration says now */
    bool yes;      /* whoever asks is sure */
    bool removes;  /* more than one is to be confirmed on a terminal */
    bool progress; /* it may take long, which is shown on a terminal */
};

/* Ask the daemon, or without one a process of the caller's; prints the answer. Returns the exit code. */
int queue_ask(const struct config_request *req, const struct queue_request *q);
/* The same, the answer put into `answer`. */
int queue_ask_into(const struct config_request *req, const struct queue_request *q, struct buf *answer);

/*
 * Send the request line of these words to whoever answers, and hand its data lines to `data` as they come. Returns the exit code; err
 * says what should be said, "" = nothing.
 */
int queue_converse(const struct config_request *req, const struct queue_request *q,
    bool (*data)(void *ctx, struct slice lines), void *ctx, struct error *err);

#endif
