/* SPDX-License-Identifier: ISC */
/*
 * server: the ESMTP server of the daemon as a pure state machine: bytes in, bytes and events out.
 *
 * It serves our own sendmail (with the X- extensions of src/README.md, "The hand-over protocol"), `sendmail -bs` and the listener.
 * It does no I/O: the owner feeds what was read, writes what stands in `out`, and answers events.
 * RFC 5321, 1870 (SIZE), 2034, 2920 (PIPELINING), 3030 (CHUNKING), 3461 (DSN), 6152 (8BITMIME), 6531 (SMTPUTF8).
 */
#ifndef DAEMON_SERVER_H
#define DAEMON_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "mail/envelope.h"

enum server_kind {
    SERVER_LOCAL, /* our own socket: private extensions, unqualified addresses, a refused recipient ends the transaction */
    SERVER_BS,       /* sendmail -bs: no private extensions; LF or CRLF as the first command has it */
    SERVER_LISTENER, /* ESMTP over TCP: no private extensions, CRLF only, each recipient answered by itself */
};

/* One transaction as the client said it; owned by the server. */
struct server_transaction {
    struct envelope envelope; /* recipients as the client named them */
    bool own_sender;          /* X-LOGIN: the reverse-path is the caller's login */
    bool smtputf8, eight_bit, verbose;
    char mode; /* X-MODE: 'i', 'b', 'q'; 0 = default */
    char *full_name, *from_address, *cwd, *tag;
    const char *helo; /* what the client called itself, "" = nothing */
    uint64_t size;    /* announced by SIZE, 0 = not */
};

/*
 * What the owner decides. Each gets `ctx`; a false answer carries err, whose class and text become the reply.
 */
struct server_events {
    bool (*recipient)(void *ctx, const struct server_transaction *t, const char *address, struct error *err);
    bool (*begin)(
        void *ctx, struct server_transaction *t, struct error *err);   /* the content is about to come */
    bool (*content)(void *ctx, struct slice bytes, struct error *err); /* CRLF lines, unstuffed */
    bool (*end)(
        void *ctx, struct error *err); /* content complete: true = server_verdict() will be called later */
    void (*drop)(void *ctx);           /* the transaction is over, also after a verdict; idempotent */
};

struct server_limits {
    uint64_t message_size;
    uint64_t recipients;
    int wait_s; /* announced in the greeting: how long a client should wait for the verdict; 0 = as long as it takes */
};

struct server;

/* `events` and `ctx` must live as long as the server. `hostname` is copied. */
struct server *server_new(enum server_kind kind, const char *hostname, const struct server_limits *limits,
    const struct server_events *events, void *ctx);
void server_free(struct server *s);
/* Our own client, by the private extensions; `X-BS` as its first command makes the session one of SERVER_BS. */
bool server_is_own(const struct server *s);
/* Put the greeting into the output; with `refusal` the 421 that ends the session. */
void server_greet(struct server *s, const struct error *refusal);
/* The session is to end: 421 with `why` now, unless a verdict is awaited; then the owner ends it behind that. */
void server_stop(struct server *s, const char *why);
/* The peer had said more before it could hear the answer to what is fed next. */
void server_more(struct server *s, bool more);
/* Take bytes that were read. What cannot be handled yet (a verdict is awaited) is kept; see server_wants_input(). */
void server_feed(struct server *s, struct slice bytes);
/* False while enough is buffered already: the owner stops reading. */
bool server_wants_input(const struct server *s);
/* Commands lie there that wait until the client has read what it was answered. */
bool server_is_held(const struct server *s);
/* The owner has written: go on with them. True: there is something new to write, or to wait for. */
bool server_resume(struct server *s);
/* What is to be written; the owner consumes it. */
struct buf *server_output(struct server *s);
/* The session is over: write the output, then close. */
bool server_finished(const struct server *s);
/* Commands handled and messages ended so far. */
uint64_t server_steps(const struct server *s);
/* A verdict is awaited. */
bool server_is_waiting(const struct server *s);
/* A line of the dialog for a client that asked for X-VERBOSE. */
void server_progress(struct server *s, struct slice text);
/*
 * The verdict on the transaction: class ERROR_NONE = accepted; `text` one line for people; `refused` (may be NULL): lines
 * "address: words" for recipients that were refused though the message was taken.
 */
void server_verdict(
    struct server *s, enum error_class class, const char *text, const char *const *refused, size_t nrefused);

#endif
