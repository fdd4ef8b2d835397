/* SPDX-License-Identifier: ISC */
/*
 * tls: the client side of TLS over a connected socket, and the decision whether the peer may be trusted.
 *
 * Knows no SMTP. Every wait has a deadline (a point of clock_ms); errors are in words and never hold secrets. The program
 * ignores SIGPIPE.
 */
#ifndef SMTP_TLS_H
#define SMTP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

#define TLS_PIN_BYTES 32

struct tls;
struct steps;

/* A TLSA record (RFC 6698, 2.1) */
struct tls_tlsa {
    uint8_t usage, selector, matching;
    const unsigned char *data;
    size_t len;
};

/* All pointers are needed only until the handshake is over (tls_start, tls_finish). */
struct tls_options {
    const char *
        host; /* A-label without trailing dot, or IP literal without brackets: checked and, a name, sent as SNI */
    bool verify;         /* false: anything is accepted (pins still count) */
    bool opportunistic;  /* what cannot be verified is accepted, and tls_info says so */
    struct slice ca_pem; /* text of TLS_CA_File; empty: none */
    const char *ca_dir;  /* hashed directory or NULL; without both the system's store */
    const unsigned char (
        *pins)[TLS_PIN_BYTES]; /* SHA-256 of certificate or SPKI, in place of chain, name and dates */
    size_t npins;
    /*
     * RFC 7672: usages 2 and 3, in place of the CAs; with usage 3 names and dates do not count. `host` is the name they were found
     * at, `next_hop` another one the certificate may be for (NULL: none). Where none can be used, anything is accepted.
     */
    const struct tls_tlsa *tlsa;
    size_t ntlsa;
    bool is_dane; /* they are to be looked at, also if there are none */
    const char *next_hop;
    const char *min_version; /* "1.0" to "1.3"; NULL is "1.2" */
    struct slice cert_pem;   /* client certificate with its chain; empty: none */
    struct slice key_pem;    /* its key; empty: in cert_pem */
    struct steps *steps;     /* is told what certificate came; NULL: nobody looks */
};

enum tls_failure {
    TLS_FAILURE_NONE,
    TLS_FAILURE_CONFIG,      /* our own CA, certificate, key or version: ERROR_CONFIG */
    TLS_FAILURE_CERTIFICATE, /* the peer's certificate is not trusted: ERROR_ADMIN */
    TLS_FAILURE_HANDSHAKE,   /* alert, version, no TLS at all: ERROR_ADMIN */
    TLS_FAILURE_LOST,        /* cut off: ERROR_TEMP */
    TLS_FAILURE_TIMEOUT,     /* ERROR_TEMP */
};

/*
 * tls_start - shake hands over `fd` and check the peer
 *
 * `fd` becomes non-blocking, stays the caller's and must outlive what is returned. NULL with *failure and err (its class as
 * at enum tls_failure) when it fails; then nothing more may be sent over fd.
 */
struct tls *tls_start(int fd, const struct tls_options *options, int64_t deadline, enum tls_failure *failure,
    struct error *err);
/*
 * The same in steps, for whoever watches several peers: begin, which sends nothing yet; step as often as the socket is ready as the
 * one before wanted; tls_finish() does the rest, whatever there is left of it, and says what came of it, as tls_start() does (`t` is
 * freed then if it failed).
 */
struct tls *tls_begin(int fd, const struct tls_options *options);
enum tls_step {
    TLS_STEP_READ,  /* poll for POLLIN, then step again */
    TLS_STEP_WRITE, /* the same with POLLOUT */
    TLS_STEP_HEARD, /* the handshake is over, and the peer has said something more, or has gone */
    TLS_STEP_FAILED /* tls_finish() will say why */
};
/* `fd` never blocks then. */
enum tls_step tls_step(struct tls *t);
/* The handshake is over and went well. */
bool tls_is_shaken(const struct tls *t);
struct tls *tls_finish(struct tls *t, int64_t deadline, enum tls_failure *failure, struct error *err);
/* Say goodbye (close_notify) as far as it goes without waiting, and free. The descriptor stays open. NULL is fine. */
void tls_free(struct tls *t);

enum tls_io {
    TLS_IO_DONE,       /* *done bytes, at least one */
    TLS_IO_WANT_READ,  /* nothing now: poll for POLLIN, then call again */
    TLS_IO_WANT_WRITE, /* the same with POLLOUT */
    TLS_IO_EOF,        /* reading only: the peer has closed, with or without close_notify */
    TLS_IO_ERROR,      /* lost; err says how. Only tls_free may follow */
};

/*
 * One step without waiting. After a WANT from tls_write_some the next write begins with the same bytes (more may follow,
 * and the memory may have moved); reading in between is fine. A silent peer gives WANT_READ even if session tickets came.
 */
enum tls_io tls_read_some(struct tls *t, void *data, size_t size, size_t *done, struct error *err);
enum tls_io tls_write_some(struct tls *t, const void *data, size_t len, size_t *done, struct error *err);

/* Until when the client certificate in this text is good, in seconds since 1970; 0: there is none, or it does not say. */
int64_t tls_client_expiry(struct slice cert_pem);

/* Where the system keeps the CAs that are used without TLS_CA_File and TLS_CA_Dir; NULL for what does not count. */
void tls_system_store(const char **file, const char **dir);

struct tls_info {
    const char *version;  /* "TLSv1.3" */
    const char *cipher;   /* "TLS_AES_256_GCM_SHA384" */
    bool verified;        /* by chain and name, by pin, or by a TLSA record */
    bool pinned;          /* by pin */
    const char *reason;   /* why not verified, "" if it is */
    const char *subject;  /* of the peer's certificate, escaped */
    int days_left;        /* until it expires; negative when it has */
    int64_t expires_s;    /* the same in seconds since 1970, 0: not known */
    const char *cert_pin; /* SHA-256 of the certificate, hexadecimal */
    const char *spki_pin; /* SHA-256 of its public key (SPKI) */
    const char *
        summary; /* for logs: "TLSv1.3 TLS_AES_256_GCM_SHA384 verified" (or "pinned", "dane", "unverified") */
};
/* The strings live as long as `t`. */
void tls_info(const struct tls *t, struct tls_info *info);

/*
 * The channel binding both ends can compute here: its type, "tls-exporter" (RFC 9266) over TLS 1.3, else
 * "tls-server-end-point" (RFC 5929), with its data added to `out`; NULL when there is none.
 */
const char *tls_binding(struct tls *t, struct buf *out);

#endif
