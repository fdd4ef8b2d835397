/*
 * complete: the filter that makes a recorded message ready for the wire: adds what is absent, removes what must not go, qualifies
 * addresses (INTERFACE "The message"). The same record gives the same bytes at each attempt.
 *
 * The header is rewritten in memory once; the body is read from the record each time it is written.
 */
#ifndef WORKER_COMPLETE_H
#define WORKER_COMPLETE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "queue/record.h"

struct complete_settings {
    const char *hostname;
    const char *rewrite_domain; /* NULL: hostname qualifies, and no address is rewritten */
    char *const *own_names;     /* with rewrite_domain, addresses at these become addresses at it */
    size_t nown;
    bool force_from;  /* FromPolicy force: From is `from`, whatever stood there */
    const char *from; /* NULL = none */
    char *const *add_header;
    size_t nadd;
};

struct complete {
    const struct complete_settings *settings;
    const struct record *record;
    int fd;
    struct buf header;    /* rewritten, ends with the blank line */
    uint64_t body_offset; /* in the record's content */
    uint64_t body_size;
    bool eight_bit;        /* header or body */
    bool has_nul;          /* in the body */
    bool header_eight_bit; /* raw UTF-8 is left in the header */
    uint64_t longest_line;
};

/* Read the record behind `fd` and rewrite its header. False with err (65 or 69; 74 when it cannot be read). */
bool complete_init(struct complete *c, int fd, const struct record *record,
    const struct complete_settings *settings, struct error *err);
void complete_clear(struct complete *c);
/* Is it such as RFC 5321 does not carry (a NUL, a line over 998 octets), so that BODY=BINARYMIME (RFC 3030) has to? */
bool complete_is_binary(const struct complete *c);
/* Octets that complete_write will write. */
uint64_t complete_size(const struct complete *c);
/* Header and body into the sink, in pieces; stops when it returns false. False with err when the record cannot be read. */
bool complete_write(
    struct complete *c, bool (*sink)(void *ctx, struct slice bytes), void *ctx, struct error *err);
/*
 * An address qualified as the settings say, as a path without brackets, its domain as A-labels: added to `out`. *utf8 is set when
 * its local part needs SMTPUTF8. False with err (65).
 */
bool complete_path(
    const struct complete_settings *s, const char *address, struct buf *out, bool *utf8, struct error *err);

#endif
