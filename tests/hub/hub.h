/* SPDX-License-Identifier: ISC */
/*
 * hub: a scripted SMTP smarthost for tests; README.md beside it has its command line and its script language.
 *
 * A connection is a process of its own, forked from the listener: a session may end in the middle of anything by
 * session_end(), and what a script `set`s holds for its session alone.
 */
#ifndef TESTS_HUB_HUB_H
#define TESTS_HUB_HUB_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdnoreturn.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* ---- options: what the hub is like; from the command line, a script's head, and `set` */

#define OFFER_MAX 40

struct options {
    char *script, *out, *certs, *make_certs, *talk;
    char *tls;     /* starttls, implicit, none */
    char *cert;    /* name below `certs` */
    char *tls_min; /* 1.0 1.1 1.2 1.3 */
    char *tls_max;
    char *auth; /* mechanisms, blanks between */
    char *user, *password;
    char *name;    /* in the greeting */
    char *address; /* to listen at; NULL: loopback */
    char *listen;  /* yes, no (refuses), blackhole */
    char *offer[OFFER_MAX];
    size_t offers;
    int64_t port, accept, sessions, buffer, hurry, iterations, seed;
    int64_t delay_ms, max_time_ms, drip_handshake_ms;
    bool ipv6, require_auth, auth_clear, client_cert, once, in_turn, free_port, help;
};

void options_init(struct options *opt);
void options_clear(struct options *opt);
/* Set one by name; false with err (ERROR_USAGE) for an unknown name or a wrong value. */
bool options_set(struct options *opt, const char *name, const char *value, struct error *err);
/* The whole command line; what the script named there says about itself stands above it. */
struct script;
bool options_parse(struct options *opt, struct script *script, int argc, char **argv, struct error *err);
/* Is a capability offered? Its parameters in *rest (may be NULL). */
bool options_offers(const struct options *opt, const char *keyword, struct slice *rest);
/* "250ms" "2s" "9m"; a bare number is seconds. */
bool options_time(struct slice s, int64_t *ms);

/* ---- script: rules, each an event with conditions and what to do then */

enum event {
    EVENT_CONNECT,
    EVENT_GREETING,
    EVENT_EHLO,
    EVENT_HELO,
    EVENT_STARTTLS,
    EVENT_TLS,
    EVENT_SECURED,
    EVENT_AUTH,
    EVENT_ANSWER,
    EVENT_LOGIN,
    EVENT_MAIL,
    EVENT_RCPT,
    EVENT_DATA,
    EVENT_BDAT,
    EVENT_CONTENT,
    EVENT_DOT,
    EVENT_ACCEPTED,
    EVENT_RSET,
    EVENT_NOOP,
    EVENT_QUIT,
    EVENT_OTHER,
    EVENTS
};

enum verb {
    VERB_REPLY,
    VERB_SEND,
    VERB_REPEAT,
    VERB_DRIP,
    VERB_SLEEP,
    VERB_QUIET,
    VERB_DEFAULT,
    VERB_SET,
    VERB_HANDSHAKE,
    VERB_RENEGOTIATE,
    VERB_TICKETS,
    VERB_TAKE,
    VERB_DISCARD,
    VERB_HANG,
    VERB_SHUTDOWN,
    VERB_CLOSE,
    VERB_RESET,
    VERBS
};

struct action {
    enum verb verb;
    int64_t number; /* times or milliseconds */
    int64_t most;   /* of `sleep`: from `number` to this many milliseconds, by chance */
    char *text;     /* escapes undone, a NUL behind; NULL where the verb has none */
    size_t len;
    char name[32]; /* of the option to set */
    struct action *next;
};

struct rule {
    enum event event;
    char *glob; /* for the argument; NULL = any */
    unsigned nth_first, nth_last, session_first, session_last;
    unsigned chance; /* in percent, 0 = always */
    bool plain_only, tls_only, once;
    struct action *first, *last;
    struct rule *next;
};

struct script {
    struct rule *first, *last;
};

/* Read a script; its `option` lines go to `opt`. False with err ("FILE:LINE: ..."). */
bool script_load(struct script *script, const char *path, struct options *opt, struct error *err);
void script_clear(struct script *script);

/* ---- wire: bytes in and out, with or without TLS, and the transcript */

struct session;

/* Queue octets for the client; they leave before the next read or pause. The code of the last reply is remembered. */
void wire_send(struct session *s, const void *data, size_t len);
/* A line; CRLF is put behind. */
void wire_reply(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void wire_flush(struct session *s);
/* Wait for more octets; ends the session where the client has gone. */
void wire_fill(struct session *s);
/* The next line without its end, valid until the next read. */
struct slice wire_line(struct session *s);
/* What has arrived behind the last line, at least one octet; wire_take() drops the first `n`. */
struct slice wire_octets(struct session *s);
void wire_take(struct session *s, size_t n);
/* Has anything arrived behind the last line? */
bool wire_is_pending(struct session *s);
/* Wait, after what is queued has left. */
void wire_sleep(struct session *s, int64_t ms);
/* One octet each `ms`. */
void wire_drip(struct session *s, const char *data, size_t len, int64_t ms);
/* A line in the transcript: "C: ", "S: " or "== " before it. */
void wire_log(struct session *s, const char *mark, struct slice text);
void wire_note(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The client did something it should not: a line in OUT/odd and in the transcript. */
void wire_odd(struct session *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- session: one client */

struct transaction {
    bool open;
    struct buf from, mail_params, rcpts; /* rcpts: "rcpt: <address> PARAMS" lines */
    unsigned nrcpt;
    bool utf8, eightbit, binary;
    uint64_t declared; /* SIZE= */
    unsigned flights;  /* at MAIL */
    int64_t began_us;  /* MAIL, CLOCK_BOOTTIME */
    bool bdat;
    /* content as it arrives */
    FILE *file;
    uint64_t octets;
    unsigned line;
    bool content_8bit, told_long, told_8bit, told_bare;
    char previous; /* octet */
};

struct session {
    struct options *opt;
    const struct script *script;
    unsigned number;
    unsigned *messages; /* shared by all sessions */
    int fd;
    SSL *ssl;
    struct buf in, out;
    size_t taken; /* of `in`, by the last line */
    FILE *log;
    bool wrote; /* since the client's last octets */
    unsigned flights;
    int code;        /* of the last reply, 0 while nothing was said */
    unsigned column; /* in the line being said */
    bool defaulted;  /* the last event went its usual way */
    struct buf said; /* the last EHLO reply: what was offered */
    bool listening;  /* to what is said, for `said` */
    bool greeted;
    bool at_dot; /* a 2xx now means that the message is taken */
    char sni[256], client_name[256], helo[256];
    char mechanism[32], login[256];
    unsigned times[EVENTS];
    uint64_t dice;
    struct transaction txn;
};

/* Serve the client on `fd`; does not return. */
noreturn void session_run(struct session *s);
/* The end: log why, leave. */
noreturn void session_end(struct session *s, const char *why);
/* Let the script answer an event, or say `text` (NULL: nothing). The code of the last reply, 0 where nothing was said. */
int session_answer(struct session *s, enum event event, struct slice arg, const char *text);

/* Did the last EHLO reply offer it? Its parameters in *rest (may be NULL). */
bool session_offered(const struct session *s, const char *keyword, struct slice *rest);
/* Forget greeting, envelope and login, as after a handshake. */
void session_forget(struct session *s);

/* ---- the parts of a session */

/* TLS handshake as server; ends the session where it fails. */
void tls_handshake(struct session *s);
void tls_renegotiate(struct session *s);
void tls_tickets(struct session *s);
/* Channel binding data of this name ("tls-exporter", "tls-server-end-point"); false where there is none. */
bool tls_binding(struct session *s, struct slice name, struct buf *out);

/* AUTH with its argument. */
void auth_command(struct session *s, struct slice arg);

void envelope_mail(struct session *s, struct slice arg);
void envelope_rcpt(struct session *s, struct slice arg);
void envelope_reset(struct session *s);

void content_data(struct session *s, struct slice arg);
void content_bdat(struct session *s, struct slice arg);
/* Put the message into OUT; it has been accepted. */
void content_store(struct session *s);
void content_drop(struct session *s);

/* ---- certs: a CA and certificates of all kinds */

/* Write ca.pem, NAME.pem (certificate and key), NAME.crt, NAME.key and NAME.pin into a folder, made if need be. */
bool certs_make(const char *dir, struct error *err);

/* ---- talk: a client, for tests of servers */

/* Send standard input to HOST:PORT or a Unix socket once it has greeted, show what comes back until it closes. */
int talk_run(const char *where, bool in_turn, int64_t max_time_ms);

#endif
