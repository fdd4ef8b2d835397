/* SPDX-License-Identifier: ISC */
/*
 * mime: the structure of a message (RFC 2045, 2046) as it streams by: where the header and the body of each part begin and end.
 *
 * Every byte pushed comes out again in one event, in order. Only the line that may be a delimiter is kept; nesting is bounded and
 * nothing recurses. What the bytes of a body mean is not known here.
 */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"
#include "mail/mime_param.h"

enum {
    MIME_DEPTH_MAX = 100,      /* multiparts within multiparts; what is deeper is not looked into */
    MIME_LEAVES_MAX = 1 << 18, /* parts; what comes behind them is not looked into */
    MIME_LINE_KEPT = 1100,     /* of a line that may be a delimiter or a field name */
    MIME_TYPE_MAX = 16384,     /* of a Content-Type field */
};

enum mime_kind {
    MIME_LEAF,      /* a body of its own */
    MIME_MULTIPART, /* its parts come */
    MIME_MESSAGE,   /* message/rfc822: the header of the message in it comes */
    /* multipart/signed and multipart/encrypted (RFC 1847), and what is too deep or too much: one body, never altered */
    MIME_OPAQUE,
};

enum mime_encoding {
    MIME_ENCODING_NONE, /* no such field */
    MIME_7BIT,
    MIME_8BIT,
    MIME_BINARY,
    MIME_QP,
    MIME_BASE64,
    MIME_ENCODING_OTHER,
};

struct mime_part {
    enum mime_kind kind;
    enum mime_encoding encoding;
    struct mime_type type;
    bool has_type, has_encoding, has_version; /* Content-Type, Content-Transfer-Encoding, MIME-Version */
    bool is_text;                             /* a leaf that is text, by its type or for want of one */
    bool is_message; /* it is a message: the outermost or one within message/rfc822 */
    bool has_blank;  /* a blank line ended its header */
    size_t depth;    /* of multiparts around it */
    size_t leaf;     /* number of a leaf, from 0 */
};

enum mime_event {
    MIME_BEGIN,      /* an entity begins */
    MIME_HEADER,     /* the next bytes of its header, the blank line included */
    MIME_BODY_BEGIN, /* its header is over: `part` is complete */
    MIME_BODY,       /* the next bytes of the body of a leaf or of what is opaque */
    MIME_END,        /* that body is over */
    MIME_BETWEEN,    /* preamble, epilogue */
    MIME_DELIMITER,  /* a delimiter line, with the line break in front of it that belongs to it */
};

struct mime;
typedef void mime_fn(void *ctx, enum mime_event event, const struct mime_part *part, struct slice s);

/* Everything here is the scanner's own. */
struct mime {
    mime_fn *fn;
    void *ctx;
    struct mime_part part;
    enum { MIME_IN_HEADER, MIME_IN_BODY, MIME_IN_BETWEEN } place;
    bool in_line;        /* behind the start of a line: what the line is, is known */
    bool digest;         /* the entity stands in a multipart/digest */
    size_t fields;       /* lines of the header so far */
    struct buf *collect; /* the field whose value is wanted, or NULL */
    struct buf type, encoding;
    size_t leaves;
    size_t depth;
    struct {
        size_t len;
        bool digest;
        char boundary[MIME_BOUNDARY_MAX];
    } level[MIME_DEPTH_MAX];
    char brk[2]; /* a line break that may belong to a delimiter */
    size_t nbrk;
    char line[MIME_LINE_KEPT];
    size_t line_len;
    char again[MIME_LINE_KEPT]; /* a line to be read once more: it was no header */
    size_t again_at, again_len;
};

/* A message from its first byte. */
void mime_init(struct mime *m, mime_fn *fn, void *ctx);
/* A message from the first byte of its body; the values of its Content-Type and Content-Transfer-Encoding, NULL: no such field. */
void mime_init_body(
    struct mime *m, mime_fn *fn, void *ctx, const struct slice *type, const struct slice *encoding);
void mime_push(struct mime *m, struct slice s);
/* The message ends here. Frees what is kept. */
void mime_end(struct mime *m);

#endif
