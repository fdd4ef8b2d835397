/* SPDX-License-Identifier: ISC */
/*
 * addrlist: address lists (RFC 5322 3.4, the obsolete syntax of 4.4 included) as they stream by, from header fields and
 * from command lines.
 *
 * Bytes come in pieces of any size, mailboxes go out one by one. Only the address being read is kept, so a list may have any
 * length and any depth of comments. Groups vanish: their members come like any other mailbox. ';' separates like ',' outside
 * groups, too.
 */
#ifndef MAIL_ADDRLIST_H
#define MAIL_ADDRLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"
#include "mail/address.h"

enum {
    /*
     * A command-line argument: line breaks are refused. Without it: the value of a header field, where they are folding.
     */
    ADDRLIST_ARGUMENT = 1,
    /*
     * Blanks alone part addresses, too, `a@x b@y`, as Postfix and sendmail have it. Of words without '@' only an argument is a
     * list, and never where some have one: `Joe Doe joe@x` is a name without its brackets.
     */
    ADDRLIST_BLANKS = 2,
};

/* Longest text kept of one address, white space and comments not counted. */
enum { ADDRLIST_TEXT_MAX = 1024 };

/* [start, end) in bytes pushed since addrlist_init(); start == end: there is none. */
struct addrlist_range {
    size_t start;
    size_t end;
};

/* What the callback gets; valid until it returns. */
struct addrlist_item {
    const struct error
        *error;             /* NULL: `address` is good. Else why this entry is not an address (ERROR_DATA) */
    struct address address; /* slices into the parser's own memory */
    struct addrlist_range
        spec; /* the addr-spec, without brackets and route: what to replace to change the address */
    struct addrlist_range name;    /* the display name in front of '<', with its quotes */
    struct addrlist_range comment; /* the last comment, with its parentheses */
    struct addrlist_range entry;   /* all of the entry, from separator to separator */
    bool in_angle;                 /* it stood in < > */
    bool in_group;
    bool in_blanks; /* one of several parted by blanks alone: spec and entry are those of all of them */
};

typedef void addrlist_fn(void *ctx, const struct addrlist_item *item);

/* Everything here is the parser's own. */
struct addrlist {
    addrlist_fn *fn;
    void *ctx;
    unsigned flags;
    int mode;     /* enum mode of addrlist.c */
    bool escaped; /* the byte before was a backslash */
    bool in_group;
    bool in_angle;
    bool after_angle;
    bool has_token;     /* the entry has more than blanks and comments */
    bool pending_blank; /* blank or comment since the last byte of text */
    bool has_loose_dot; /* a blank beside a '.': fine in an addr-spec, else `J. Public` */
    bool has_at;        /* an '@' outside quotes */
    bool is_long;       /* text did not fit */
    const char *why;    /* the first thing wrong with the entry */
    size_t depth;       /* of comments */
    size_t pos;         /* bytes pushed before this one */
    size_t text_len;
    struct addrlist_item item;
    struct error err;
    char text[ADDRLIST_TEXT_MAX];
};

/* Begin. `fn` is called for each mailbox and each malformed entry, in their order. There is nothing to free. */
void addrlist_init(struct addrlist *a, unsigned flags, addrlist_fn *fn, void *ctx);
/* The next bytes, for a field: of its value. */
void addrlist_push(struct addrlist *a, struct slice s);
/* The list ends here; the last entry comes out now. The parser then stands as after addrlist_init(). */
void addrlist_end(struct addrlist *a);

#endif
