/* SPDX-License-Identifier: ISC */
/*
 * compose: reads a message from standard input: header fields as they stream by, recipients of -t, what must not go out; the
 * body in wire form. Decides nothing about where it goes.
 */
#ifndef SENDMAIL_COMPOSE_H
#define SENDMAIL_COMPOSE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "mail/addrset.h"
#include "sendmail/options.h"

#define COMPOSE_HEADER_MAX (2u << 20)
#define COMPOSE_BODY_MAX (1u << 20)

struct compose_rcpts {
    char **address;
    size_t n, cap;
    struct addrset seen; /* of them */
};

struct compose {
    const struct options *options;
    struct compose_rcpts rcpts;
    char *sender;       /* checked; "" = null sender; NULL = the caller's login */
    char *from_address; /* in the From field; NULL = none */
    struct buf header;  /* as it goes out, the blank line at its end */
    struct buf body;    /* what was read of it so far, not yet taken */
    bool eight_bit, utf8;
    bool ended; /* standard input is at its end */
    struct compose_state *state;
};

/*
 * Begin: check the sender and the recipients among the arguments. False with err: 64 (no recipient, and no -t), 65 (malformed).
 * compose_clear() is due in either case.
 */
bool compose_init(struct compose *c, const struct options *o, struct error *err);
/*
 * The next bytes of the message, in pieces of any size; what is ready of the body is added to c->body. False with err: 64 (no
 * recipient), 65 (malformed), 69 (a loop). c->ended is set when a lone dot has ended it: the rest is ignored.
 */
bool compose_push(struct compose *c, struct slice bytes, struct error *err);
/* The message ends here; sets c->ended. False as compose_push(). */
bool compose_end(struct compose *c, struct error *err);
void compose_clear(struct compose *c);

/* compose_init(), and the header and up to COMPOSE_BODY_MAX of body from `fd`. False as above, or 74 (reading failed). */
bool compose_begin(struct compose *c, const struct options *o, int fd, struct error *err);
/* More body into c->body (which the caller has emptied); c->ended tells when there is no more. */
bool compose_more(struct compose *c, struct error *err);

#endif
