/* SPDX-License-Identifier: ISC */
/*
 * body: line ends. What comes in with any of them goes on with CRLF alone, and lines are dot-stuffed for DATA.
 *
 * Both filters take pieces of any size, keep a few bytes of state and pass bytes on without copying them. MIME, encodings and
 * headers are not known here.
 */
#ifndef MAIL_BODY_H
#define MAIL_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Takes the next piece of output: at most as long as the input pushed, or a few bytes. Valid until it returns. */
typedef void body_fn(void *ctx, struct slice s);

enum {
    /*
     * A line with a single dot ends the message, and of two dots at the start of a line one goes (sendmail without -i).
     * Other dots stay.
     */
    BODY_DOT = 1,
};

/*
 * The normaliser: LF, CRLF, CR CR LF and bare CR each end a line; out comes CRLF. An unended last line is ended. Normalising
 * twice is normalising once (without BODY_DOT).
 */
struct body {
    /* of what went out so far; all of it after body_end() */
    uint64_t octets;
    uint64_t lines;
    uint64_t longest; /* octets of the longest line, without CRLF */
    bool has_8bit;    /* a byte over 127 */
    bool has_nul;
    bool has_bare_cr;  /* a CR of the input that was no part of a CR LF or CR CR LF */
    bool ended_by_dot; /* with BODY_DOT: the dot was read, everything behind it is ignored */
    /* the rest is private */
    body_fn *fn;
    void *ctx;
    unsigned flags;
    unsigned crs;
    bool dot;
    uint64_t line_len;
};

void body_init(struct body *b, unsigned flags, body_fn *fn, void *ctx);
void body_push(struct body *b, struct slice s);
/* The input ends: end the last line. */
void body_end(struct body *b);

/*
 * Dot-stuffing (RFC 5321 4.5.2) of text whose lines end in CRLF, as the normaliser writes it. One dot more where a line begins
 * with one.
 */
struct body_stuff {
    body_fn *fn;
    void *ctx;
    bool in_line; /* the last byte was no LF */
};

void body_stuff_init(struct body_stuff *b, body_fn *fn, void *ctx);
void body_stuff_push(struct body_stuff *b, struct slice s);
/* End the last line, if it is not, and the data: the lone dot. */
void body_stuff_end(struct body_stuff *b);

#endif
