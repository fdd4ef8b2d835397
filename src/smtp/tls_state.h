/* SPDX-License-Identifier: ISC */
/* tls_state: what the parts of tls share; nobody else includes it. */
#ifndef SMTP_TLS_STATE_H
#define SMTP_TLS_STATE_H

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "smtp/tls.h"

#define TLS_HOST_MAX 256

struct tls {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    const struct tls_options *options; /* NULL when the handshake is over */
    char host[TLS_HOST_MAX];
    bool host_is_ip;
    bool have_store; /* some CA was found */
    bool broken;     /* after a fatal error nothing may be sent */
    bool shaken;     /* the handshake has ended well */
    enum tls_failure failure;
    struct error why; /* `failure`: its words */
    bool verified;
    bool pinned;
    bool refused;
    bool has_tlsa; /* at least one record that can be used */
    int days_left;
    int64_t expires_s;
    char reason[600];
    char subject[256];
    char cert_pin[2 * TLS_PIN_BYTES + 1];
    char spki_pin[2 * TLS_PIN_BYTES + 1];
    char summary[128];
};

/* tls.c */
/* The newest OpenSSL error as text; empties its queue. `code`: NULL is fine. */
const char *tls_last_error(unsigned long *code);
/* To read PEM from; NULL when there is no memory. It borrows the text. */
BIO *tls_text_bio(struct slice text);

/* tls_verify.c, in this order: before there is an SSL */
bool tls_verify_set_up(struct tls *t, struct error *err);
/* The name or address the certificate must be for. */
bool tls_verify_set_host(struct tls *t, struct error *err);
bool tls_verify_set_dane(struct tls *t, struct error *err);
/* When it expires, in seconds since 1970; 0: it does not say. */
int64_t tls_verify_expiry(const X509 *cert);

#endif
