/* SPDX-License-Identifier: ISC */
/*
 * sasl: the client side of AUTH (RFC 4954): which mechanism, and what to answer to each challenge.
 *
 * Knows no connection. Texts go in and out as they stand on the wire, in base64. Secrets are wiped and never in an error.
 */
#ifndef SMTP_SASL_H
#define SMTP_SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/slice.h"

enum sasl_mechanism {
    SASL_NONE,
    SASL_SCRAM_SHA_256_PLUS, /* from here strongest first: what "auto" takes */
    SASL_SCRAM_SHA_256,
    SASL_SCRAM_SHA_1,
    SASL_PLAIN,
    SASL_LOGIN,
    SASL_CRAM_MD5,
    SASL_EXTERNAL, /* from here only by name */
    SASL_XOAUTH2,
    SASL_OAUTHBEARER,
};

/* A challenge longer than this (RFC 4954, 4: 12288 octets a line) is not read. */
#define SASL_CHALLENGE_MAX 12288
/* More PBKDF2 rounds than this are refused. */
#define SASL_ITERATIONS_MAX 1000000

/* "SCRAM-SHA-256-PLUS"; SASL_NONE is "NONE". */
const char *sasl_name(enum sasl_mechanism mechanism);

/*
 * sasl_choose - the mechanism to use
 *
 * `offered` are the words behind AUTH in the EHLO reply; `method` is NULL, "auto" or a name, without case. SASL_NONE with err
 * (ERROR_ADMIN; what was offered, what to set) when nothing fits.
 */
enum sasl_mechanism sasl_choose(
    struct slice offered, const char *method, bool have_binding, bool have_secret, struct error *err);

struct sasl_options {
    enum sasl_mechanism mechanism;
    struct slice offered; /* as for sasl_choose */
    const char *user;     /* may be NULL for EXTERNAL */
    struct slice secret;  /* password or token */
    const char *host;     /* OAUTHBEARER */
    unsigned port;
    const char *binding_type; /* "tls-exporter"; NULL without channel binding */
    struct slice binding;     /* its data */
    const char *nonce;        /* printable, for tests; NULL: random */
};

struct sasl;

/* Begin. Everything is copied. NULL with err when user or secret hold what the mechanism cannot carry. */
struct sasl *sasl_start(const struct sasl_options *options, struct error *err);
/*
 * The response that goes into the AUTH command, base64, "=" when empty. False when the mechanism has none, or when the
 * command would be longer than 512 octets: then it comes out of the first sasl_step. *response lives until the next call.
 */
bool sasl_initial(struct sasl *s, struct slice *response);
/*
 * sasl_step - answer the text of a 334
 *
 * True: send *response (perhaps empty) and CRLF; it lives until the next call. False with err: send "*", expect 501, and
 * report err (ERROR_ADMIN when the server is not who it should be or asks too much, ERROR_PROTOCOL when it talks nonsense).
 */
bool sasl_step(struct sasl *s, struct slice challenge, struct slice *response, struct error *err);
/* At 235: has the server done its part, too? False with err (ERROR_ADMIN) when SCRAM has not seen its signature. */
bool sasl_finish(const struct sasl *s, struct error *err);
/* What the server said inside the exchange about a failure (the JSON of the OAuth mechanisms), escaped; "" if nothing. */
const char *sasl_detail(const struct sasl *s);
/* Wipe and free; NULL is fine. */
void sasl_free(struct sasl *s);

#endif
