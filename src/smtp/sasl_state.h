/* SPDX-License-Identifier: ISC */
/* sasl_state: what the mechanisms share; nobody else includes it. */
#ifndef SMTP_SASL_STATE_H
#define SMTP_SASL_STATE_H

#include <openssl/evp.h>

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "smtp/sasl.h"

#define SASL_RESPONSE_MAX 65536 /* an OAuth token may be long */

struct mechanism;

struct sasl {
    const struct mechanism *mechanism;
    char *user;
    struct buf secret;
    char *host;
    unsigned port;
    char *binding_type;
    struct buf binding;
    char gs2_flag; /* 'n', 'y' or 'p' (RFC 5802, 6) */
    unsigned step; /* responses made */
    bool first_sent;
    bool first_in_command;
    bool repeated;
    char *nonce;
    struct buf client_first; /* bare */
    unsigned char server_signature[EVP_MAX_MD_SIZE];
    size_t hash_len;
    bool signature_seen;
    char detail[500];
    struct buf raw;   /* the response being made */
    struct buf first; /* the first response in base64 where the client begins */
    struct buf wire;  /* the response in base64 */
};

struct mechanism {
    enum sasl_mechanism id;
    const char *name;
    bool client_first;
    bool scram;
    const char *digest;
    /* Add the response to s->raw. Step 0 of a client-first mechanism has no challenge. */
    bool (*respond)(struct sasl *s, struct slice challenge, struct error *err);
};

/* sasl.c */
void sasl_encode(struct buf *out, struct slice in);
/* Strict: no blanks, padding where it belongs, no bits behind the end. */
bool sasl_decode(struct buf *out, struct slice in);
/* "PLAIN: the server WHAT" */
bool sasl_nonsense(const struct sasl *s, struct error *err, const char *what);

/* sasl_simple.c */
/* A user as `saslname` of RFC 5801 writes it. */
void sasl_add_name(struct buf *out, struct slice name);
bool sasl_respond_plain(struct sasl *s, struct slice challenge, struct error *err);
bool sasl_respond_login(struct sasl *s, struct slice challenge, struct error *err);
bool sasl_respond_cram(struct sasl *s, struct slice challenge, struct error *err);
bool sasl_respond_external(struct sasl *s, struct slice challenge, struct error *err);
bool sasl_respond_xoauth2(struct sasl *s, struct slice challenge, struct error *err);
bool sasl_respond_oauthbearer(struct sasl *s, struct slice challenge, struct error *err);

/* sasl_scram.c */
bool sasl_respond_scram(struct sasl *s, struct slice challenge, struct error *err);

#endif
