/* SPDX-License-Identifier: ISC */
/*
 * stream: lines and flights over one connection, in clear or through TLS, each wait with a deadline.
 *
 * What is written leaves in as few packets as possible; while it cannot be written, replies are read, so that two sides that
 * both write cannot block one another.
 */
#ifndef SMTP_STREAM_H
#define SMTP_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "smtp/tls.h"

/* Called when a line has not come for a while; it is waited for on. */
typedef void stream_slow(void *ctx);
/* Called with each line of the dialog: 'C' or 'S' and the line without CRLF. */
typedef void stream_hook(void *ctx, char who, struct slice line);

struct stream {
    int fd; /* owned */
    struct tls *tls;
    struct buf in;
    size_t at;        /* of `in`: what was given out already */
    unsigned flights; /* how often a reply had to be waited for */
    int64_t heard_ms; /* the peer's first word came; 0: none has */
    bool broken;      /* an error or the end was seen */
    stream_hook *hook;
    stream_slow *slow; /* may be NULL, set by the owner */
    void *hook_ctx;    /* of both */
};

enum stream_result { STREAM_OK, STREAM_CLOSED, STREAM_TIMEOUT, STREAM_TOO_LONG };

/* Takes the non-blocking `fd`. */
void stream_init(struct stream *s, int fd, stream_hook *hook, void *ctx);
void stream_close(struct stream *s);
/* The next line, without its CRLF; valid until the next call. A line has to end in CRLF: `crlf` tells. 16 kB at most. */
enum stream_result stream_line(struct stream *s, int64_t deadline, struct slice *line, bool *crlf);
/* Write all of it. STREAM_CLOSED may leave replies that came before: they can still be read. */
enum stream_result stream_write(struct stream *s, struct slice data, int64_t deadline);
/* Has the peer said something, or gone, though nothing was asked? Does not wait. */
bool stream_has_input(struct stream *s);
/* A plain word for people: "connection closed by the server", "no answer in time" ... */
const char *stream_text(enum stream_result r);

#endif
