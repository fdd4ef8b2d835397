/* SPDX-License-Identifier: ISC */
/*
 * session: an SMTP connection brought to where mail can be sent: greeting, EHLO, STARTTLS, AUTH. Straight-line and blocking,
 * one deadline for each exchange. RFC 5321, 3207, 4954, 8314.
 */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/reply.h"
#include "mail/status.h"
#include "smtp/step.h"
#include "smtp/stream.h"

enum session_tls { SESSION_TLS_NONE, SESSION_TLS_IMPLICIT, SESSION_TLS_STARTTLS, SESSION_TLS_OPPORTUNISTIC };

struct session_options {
    const char *host; /* as configured, for texts, and for OAUTHBEARER */
    uint16_t port;
    enum session_tls tls;
    struct tls_options tls_options;
    const char *ehlo_name;
    const char *user, *secret; /* user NULL: no login */
    const char *method;        /* "auto" or a mechanism's name */
    bool plaintext_auth;       /* a login without TLS is allowed */
    int64_t greeting_ms;       /* ConnectTimeout: until the greeting is there */
    int64_t timeout_ms;        /* each exchange */
    int64_t end_ms;            /* the reply to the last byte */
    stream_hook *hook;         /* may be NULL; secrets are '*' */
    stream_slow *slow;         /* may be NULL */
    void *hook_ctx;
    struct steps *steps; /* NULL: nobody looks */
};

struct session_caps {
    bool esmtp, pipelining, eightbit, smtputf8, dsn, chunking, binary, starttls, auth, size;
    uint64_t size_max;     /* 0 = not said */
    uint64_t rcpt_max;     /* LIMITS RCPTMAX (RFC 9422), 0 = not said */
    uint64_t mail_max;     /* LIMITS MAILMAX */
    char mechanisms[1024]; /* of AUTH, blanks between */
};

struct session {
    struct stream stream;
    const struct session_options *options;
    struct session_caps caps;
    char tls_info[100]; /* "" = in clear */
    char mechanism[32]; /* "" = no login */
    unsigned mails;     /* transactions so far */
    bool introduced;    /* EHLO or HELO was taken: it is owed a QUIT */
    bool asked_again;   /* session_ask_again() did */
    int64_t
        expires_s; /* when the certificate that was verified expires; 0: nobody asks for its dates (clear, a pin) */
    bool unverified; /* opportunistic TLS with a certificate nobody checked */
};

/*
 * Bring up a session on the connected non-blocking `fd` (taken over, also on failure). `options` must outlive the session.
 * False with *fact; nothing is left open then.
 */
bool session_open(struct session *s, int fd, const struct session_options *options, struct status_fact *fact);
/* The same where TLS of SESSION_TLS_IMPLICIT has begun already (taken over; NULL: it has not). */
bool session_open_begun(struct session *s, int fd, struct tls *begun, const struct session_options *options,
    struct status_fact *fact);
/* QUIT, not waiting for its answer, and close. */
void session_close(struct session *s);
/* May another message go over it? Any readable byte or the end means no. */
bool session_is_alive(struct session *s);

/*
 * After a login, once a session: EHLO again, for what is offered only then. A refusal keeps the old list. False with *fact when
 * the connection is of no use any more.
 */
bool session_ask_again(struct session *s, struct status_fact *fact);

/* For smtp/transaction: send command lines, read one reply. False with *fact. */
bool session_send(struct session *s, struct slice lines, enum status_stage stage, struct status_fact *fact);
bool session_reply(
    struct session *s, enum status_stage stage, int64_t ms, struct reply *r, struct status_fact *fact);
/* A step has ended well, with this reply, since the stream had so many flights. */
void session_tell_reply(struct session *s, const char *step, unsigned flights, const struct reply *r);
/* A fact from a reply, or from anything else. */
void session_fact_reply(struct status_fact *fact, enum status_stage stage, const struct reply *r);
void session_fact(struct status_fact *fact, enum status_stage stage, enum status_cause cause,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
