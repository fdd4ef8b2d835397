/* SPDX-License-Identifier: ISC */
/* command: SMTP command lines (RFC 5321 4.1), read by our server and written by our client; pure. */
#ifndef MAIL_COMMAND_H
#define MAIL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

enum command_verb {
    COMMAND_UNKNOWN,
    COMMAND_EHLO,
    COMMAND_HELO,
    COMMAND_MAIL,
    COMMAND_RCPT,
    COMMAND_DATA,
    COMMAND_BDAT,
    COMMAND_RSET,
    COMMAND_NOOP,
    COMMAND_VRFY,
    COMMAND_HELP,
    COMMAND_QUIT,
    COMMAND_OTHER, /* known to exist, not served here: AUTH, STARTTLS, EXPN, ETRN, TURN */
};

#define COMMAND_PARAMS_MAX 20

struct command_param {
    struct slice name;
    struct slice value; /* empty where there is no '=' */
};

struct command {
    enum command_verb verb;
    struct slice argument; /* behind the verb, trimmed */
    struct slice path;     /* MAIL, RCPT: the address without brackets and route; empty = null sender */
    struct command_param params[COMMAND_PARAMS_MAX];
    size_t nparams;
};

/*
 * Parse a line without its line ending. Slices point into `line`. False with err (ERROR_DATA) when it is no command (verb
 * UNKNOWN) or its path or parameters are malformed (verb set). Unqualified addresses are fine; UTF-8 too.
 */
bool command_parse(struct slice line, struct command *c, struct error *err);

/* xtext of RFC 3461, 4: encode any bytes; decode refuses malformed input, CR, LF and NUL. *out is fresh memory. */
void command_xtext_encode(struct buf *out, struct slice s);
bool command_xtext_decode(struct slice s, char **out);

#endif
