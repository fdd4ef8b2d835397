/* SPDX-License-Identifier: ISC */
/* server_state: what the parts of the server share; nobody else includes it. */
#ifndef DAEMON_SERVER_STATE_H
#define DAEMON_SERVER_STATE_H

#include "daemon/content.h"
#include "daemon/server.h"
#include "mail/command.h"

#define SERVER_LINE_LIMIT \
    12288 /* RFC 5321 4.5.3.1.4 asks for 512; our parameters and long addresses want more */

enum server_state { SERVER_AT_COMMAND, SERVER_IN_DATA, SERVER_IN_CHUNK, SERVER_WAITING, SERVER_FINISHED };

/* In what the kinds of session differ. */
struct server_traits {
    bool is_own;   /* the private extensions and exit codes; one refusal is the transaction's */
    bool chunking; /* BDAT */
    enum content_ending ending;
    bool is_network;       /* strangers: HTTP is told so and cut off */
    unsigned errors_limit; /* 5xx replies in a row without a message taken; 0 = any number */
    unsigned
        junk_limit; /* NOOPs and the like without a message taken; more count as errors; 0 = any number */
};

struct server {
    const struct server_traits *traits;
    enum server_state state;
    const struct server_events *events;
    void *ctx;
    struct server_limits limits;
    char *hostname;
    struct buf in, out;
    char *helo;
    bool greeted;  /* EHLO or HELO was said */
    bool has_mail; /* MAIL was accepted */
    bool failed;   /* a refused part of a local transaction, or of its content: the rest is answered alike */
    bool content_begun; /* events->begin was called */
    bool by_chunks;
    unsigned errors, junk;
    uint64_t steps;
    bool more, rest; /* there is more to read, and more to feed, behind what stands in `in` */
    enum content_ending ending;
    struct content content;
    struct server_transaction t;
    struct error failure; /* why content was refused, said when it is over */
    uint64_t chunk_left;
    bool chunk_last;
};

/* server_out: text is one line without its ending; foreign text is escaped except by server_reply. */
void server_reply(struct server *s, const char *text);
/* "CODE ENH EXnn text" to our own client, "CODE ENH text" to others; `separator` is ' ' or '-'. */
void server_reply_line(struct server *s, int code, char separator, const char *enhanced,
    enum error_class class, const char *text);
/* The same with a blank; counts errors and ends the session after too many. */
void server_reply_code(
    struct server *s, int code, const char *enhanced, enum error_class class, const char *text);
void server_reply_error(struct server *s, const struct error *err);
/* A refusal inside a transaction: for our own client it spoils all of it (exit != 0: nobody gets the message). */
void server_refuse(
    struct server *s, int code, const char *enhanced, enum error_class class, const char *text);

/* server_mail: the commands MAIL and RCPT. */
void server_mail(struct server *s, const struct command *c);
void server_rcpt(struct server *s, const struct command *c);

/* server_content: the commands, and taking what stands in the input in the states DATA and CHUNK. */
void server_data(struct server *s);
void server_bdat(struct server *s, const struct command *c);
void server_take_data(struct server *s);
void server_take_chunk(struct server *s);

/* server: commands of a stranger lie behind one that has to be the last of its group: the session is over. */
bool server_is_out_of_turn(struct server *s);
/* server: forget the transaction; the owner is told where there was one. */
void server_reset(struct server *s);
/* What the session cannot go on after: the reply, then the end. */
void server_end(struct server *s, const char *text);

#endif
