/* SPDX-License-Identifier: ISC */
/* asking: questions to name servers that are under way at a time; for resolve alone. The only code that knows c-ares. */
#ifndef SMTP_ASKING_H
#define SMTP_ASKING_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "smtp/resolve.h"

struct ares_channeldata;

struct query {
    int type;
    bool done;
    int status; /* ares status */
    unsigned char *answer;
    int len;
};

/* Queries under way, and the channel they go by. */
struct asking {
    struct ares_channeldata *channel;
    bool open;
    struct query *q;
    size_t n;
};

/* Ask about `name` for the type of each of a->q (a->n). False with err: there is no name service; asking_end() all the same. */
bool asking_begin(struct asking *a, const char *name, const char *servers, struct error *err);
/* What is open gets ARES_EDESTRUCTION for an answer. */
void asking_end(struct asking *a);
bool asking_is_over(const struct asking *a);
/* As resolve_poll() and resolve_step(). */
size_t asking_poll(const struct asking *a, struct pollfd p[RESOLVE_SOCKETS], int64_t *until);
void asking_step(struct asking *a, const struct pollfd *p, size_t n);
/* The answer, as it came; empty: none. */
struct slice asking_message(const struct query *q);

#endif
