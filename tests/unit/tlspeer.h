/* SPDX-License-Identifier: ISC */
/*
 * tlspeer: a TLS server of OpenSSL's in a process of its own, at the other end of a socket pair, with certificates made for the test.
 */
#ifndef TESTS_UNIT_TLSPEER_H
#define TESTS_UNIT_TLSPEER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "smtp/tls.h"

#define TLSPEER_HOST "mail.example.net"

/* What a certificate says; the CA signs it unless `self`. */
struct paper {
    const char *cn;
    const char *san;     /* as in openssl.cnf: "DNS:a,IP:1.2.3.4"; NULL: none */
    const char *raw_dns; /* a dNSName of `raw_len` bytes, may hold NUL */
    size_t raw_len;
    const char *eku; /* "serverAuth"; NULL: none */
    long from_days, to_days;
    bool self;
    bool ed25519;
};

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

struct world {
    struct identity ca, other_ca, server, client;
    char *ca_pem;
};

/* How the server behaves. */
struct manners {
    int max_version;  /* 0: all */
    bool want_client; /* demand a client certificate of the CA */
    bool no_notify;   /* close without close_notify */
    const char *say;  /* sent before anything is read; NULL: greet with the SNI it got */
    size_t bulk;      /* so many bytes are read, then as many sent */
    bool renegotiate; /* asks for a second handshake before it says anything */
    int gate;         /* it speaks only when there is a byte to read from this; 0: at once */
};

struct outcome {
    struct tls *tls;
    enum tls_failure failure;
    struct error err;
    int fd;
    pid_t pid;
};

/* A certificate in its time for TLSPEER_HOST; a server without manners of its own. */
extern const struct paper tlspeer_good;
extern const struct manners tlspeer_plain;

/* Two CAs, a server with that certificate and a client, both by the first CA. */
struct world tlspeer_world(const struct paper *server);
void tlspeer_free(struct world *w);
/* A certificate, with its key if wanted, as text, which is the caller's. */
char *tlspeer_pem(const struct identity *id, bool with_key);
/* SHA-256 of the certificate, or of its key. */
void tlspeer_pin(unsigned char pin[TLS_PIN_BYTES], const struct identity *id, bool spki);
/* What a host is asked for that has to be right, by the first CA. */
struct tls_options tlspeer_strict(const struct world *w, const char *host);
/* Start a server that behaves like that, for tls_begin at our end, which is o->fd; then tlspeer_hang_up, as below. */
void tlspeer_start(struct outcome *o, const struct world *w, const struct manners *m);
/* The same, and tls_start at our end; tlspeer_hang_up is due, however it went. */
void tlspeer_connect(
    struct outcome *o, const struct world *w, const struct manners *m, struct tls_options options);
/* False: the server has got a second handshake, which it asked for (manners.renegotiate). */
bool tlspeer_hang_up(struct outcome *o);
/* Wait for at least one byte: how many came, 0 at the end, -1 with o->err when it is lost or the deadline has come. */
ssize_t tlspeer_read(struct outcome *o, void *data, size_t size, int64_t deadline);
/* Write all, or false with o->err. */
bool tlspeer_write(struct outcome *o, const void *data, size_t len, int64_t deadline);

#endif
