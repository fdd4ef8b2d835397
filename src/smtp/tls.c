/* SPDX-License-Identifier: ISC */
/* tls: OpenSSL turned into a client with deadlines, plain reasons and no surprises (no renegotiation, no stored sessions). */
#include "smtp/tls_state.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

/* ---------------------------------------------------------------- set up */

const char *
tls_last_error(unsigned long *code)
{
    unsigned long e = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(e);

    ERR_clear_error();
    if (code != NULL)
        *code = e;
    return text != NULL ? text : "unknown error";
}

BIO *
tls_text_bio(struct slice text)
{
    return text.len > INT32_MAX ? NULL : BIO_new_mem_buf(text.p, (int)text.len);
}

/* Nobody is there to be asked for a passphrase. */
static int
no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool
use_certificates(SSL_CTX *ctx, struct slice pem)
{
    BIO *bio = tls_text_bio(pem);
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    bool ok = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

    X509_free(cert);
    while (ok && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        ok = SSL_CTX_add1_chain_cert(ctx, cert) == 1;
        X509_free(cert);
    }
    BIO_free(bio);
    return ok;
}

int64_t
tls_client_expiry(struct slice cert_pem)
{
    BIO *bio = tls_text_bio(cert_pem);
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509_AUX(bio, NULL, no_passphrase, NULL);
    int64_t at = cert == NULL ? 0 : tls_verify_expiry(cert);

    X509_free(cert);
    BIO_free(bio);
    ERR_clear_error();
    return at;
}

static bool
set_up_client(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
    BIO *bio;
    EVP_PKEY *key;
    bool ok;

    if (o->cert_pem.len == 0)
        return true;
    if (!use_certificates(ctx, o->cert_pem))
        return error_set(err, ERROR_CONFIG, "TLSCert: no usable certificate in it: %s", tls_last_error(NULL));
    bio = tls_text_bio(o->key_pem.len > 0 ? o->key_pem : o->cert_pem);
    key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        return error_set(
            err, ERROR_CONFIG, "TLSKey: no private key without passphrase in it: %s", tls_last_error(NULL));
    ok = SSL_CTX_use_PrivateKey(ctx, key) == 1;
    EVP_PKEY_free(key);
    if (!ok)
        return error_set(err, ERROR_CONFIG, "TLSKey: not the key of TLSCert: %s", tls_last_error(NULL));
    ERR_clear_error();
    return true;
}

static const struct {
    const char *name;
    int version;
    int security_level; /* TLS 1.0 and 1.1 need SHA-1, which level 1 and up refuse */
} versions[] = {
    { "1.0", TLS1_VERSION, 0 },
    { "1.1", TLS1_1_VERSION, 0 },
    { "1.2", TLS1_2_VERSION, 2 },
    { "1.3", TLS1_3_VERSION, 2 },
};

/* Set what openssl.cnf may have set otherwise, in either direction. */
static bool
set_up_version(SSL_CTX *ctx, const char *least, struct error *err)
{
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        if (strcmp(versions[i].name, least) != 0)
            continue;
        SSL_CTX_set_security_level(ctx, versions[i].security_level);
        if (SSL_CTX_set_min_proto_version(ctx, versions[i].version) != 1 ||
            SSL_CTX_set_max_proto_version(ctx, 0) != 1)
            return error_set(err, ERROR_CONFIG, "TLSMinVersion: OpenSSL refuses %s", least);
        return true;
    }
    return error_set(err, ERROR_CONFIG, "TLSMinVersion: %s is none of 1.0 1.1 1.2 1.3", least);
}

static bool
copy_host(struct tls *t, const char *host, struct error *err)
{
    size_t len = host == NULL ? 0 : strcspn(host, "%"); /* an IPv6 zone is ours, not the peer's */

    if (len > 1 && host[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof t->host)
        return error_set(err, ERROR_CONFIG, "TLS: no host name to verify");
    memcpy(t->host, host, len);
    t->host[len] = '\0';
    return true;
}

static bool
set_up(struct tls *t, struct error *err)
{
    const struct tls_options *o = t->options;

    if (!copy_host(t, o->host, err))
        return false;
    t->ctx = SSL_CTX_new(TLS_client_method());
    if (t->ctx == NULL)
        return error_set(err, ERROR_OS, "OpenSSL: %s", tls_last_error(NULL));
    (void)SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    /* else a flood of session tickets would keep us within one SSL_read, where no deadline counts */
    (void)SSL_CTX_clear_mode(t->ctx, SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_mode(t->ctx,
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    if (!set_up_version(t->ctx, o->min_version != NULL ? o->min_version : "1.2", err) ||
        !tls_verify_set_up(t, err) || !set_up_client(t->ctx, o, err))
        return false;
    t->ssl = SSL_new(t->ctx);
    if (t->ssl == NULL || SSL_set_fd(t->ssl, t->fd) != 1)
        return error_set(err, ERROR_OS, "OpenSSL: %s", tls_last_error(NULL));
    return tls_verify_set_host(t, err) && tls_verify_set_dane(t, err);
}

/* ---------------------------------------------------------------- handshake */

/* Until the socket is ready as OpenSSL wants it; false when the deadline has come. */
static bool
wait_for(const struct tls *t, bool writable, int64_t deadline)
{
    struct pollfd p = { t->fd, writable ? POLLOUT : POLLIN, 0 };
    int left, n;

    do {
        left = clock_left(deadline);
        if (left == 0)
            return false; /* even if there is data: a peer that trickles must not go on for ever */
        n = poll(&p, 1, left);
    } while (n < 0 && errno == EINTR);
    return n > 0;
}

/* Which alerts mean that it is our certificate that is not welcome. */
static bool
is_about_our_certificate(int reason)
{
    switch (reason) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return true;
    default:
        return false;
    }
}

static bool
explain_protocol(const struct tls *t, unsigned long code, const char *text, struct error *err)
{
    int reason = ERR_GET_REASON(code);

    switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return error_set(err, ERROR_ADMIN,
            "TLS handshake failed: no TLS version that both allow (TLSMinVersion is %s): %s",
            t->options->min_version != NULL ? t->options->min_version : "1.2", text);
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_HTTP_REQUEST:
        return error_set(
            err, ERROR_ADMIN, "TLS handshake failed: the server does not speak TLS here (%s)", text);
    default:
        return error_set(err, ERROR_ADMIN, "TLS handshake failed: %s%s",
            is_about_our_certificate(reason) ? "the server does not accept our certificate: " : "", text);
    }
}

static enum tls_failure
explain_handshake(struct tls *t, int kind, int errno_value, struct error *err)
{
    unsigned long code = 0;
    const char *text = tls_last_error(&code);

    t->broken = true;
    if (t->refused) {
        (void)error_set(err, ERROR_ADMIN, "certificate of %s not trusted: %s (SHA-256 of its key: %s)",
            t->host, t->reason, t->spki_pin);
        return TLS_FAILURE_CERTIFICATE;
    }
    if (kind == SSL_ERROR_SSL && ERR_GET_REASON(code) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        (void)explain_protocol(t, code, text, err);
        return TLS_FAILURE_HANDSHAKE;
    }
    if (kind == SSL_ERROR_SYSCALL && errno_value != 0)
        (void)error_sys(err, ERROR_TEMP, errno_value, "connection lost during the TLS handshake");
    else
        (void)error_set(err, ERROR_TEMP, "connection closed by the server during the TLS handshake");
    return TLS_FAILURE_LOST;
}

/* How it stands is in *t: shaken, failed, or as is wanted next */
static enum tls_step
shake(struct tls *t)
{
    int n, kind, e;

    ERR_clear_error();
    errno = 0;
    n = SSL_connect(t->ssl);
    if (n == 1) {
        t->shaken = true;
        return TLS_STEP_READ;
    }
    e = errno;
    kind = SSL_get_error(t->ssl, n);
    if (kind == SSL_ERROR_WANT_READ)
        return TLS_STEP_READ;
    if (kind == SSL_ERROR_WANT_WRITE)
        return TLS_STEP_WRITE;
    t->failure = explain_handshake(t, kind, e, &t->why);
    return TLS_STEP_FAILED;
}

static void
shake_hands(struct tls *t, int64_t deadline)
{
    while (!t->shaken && t->failure == TLS_FAILURE_NONE) {
        enum tls_step next = shake(t);
        if (t->shaken || next == TLS_STEP_FAILED || wait_for(t, next == TLS_STEP_WRITE, deadline))
            continue;
        (void)error_set(&t->why, ERROR_TEMP, "TLS handshake: no answer in time");
        t->failure = TLS_FAILURE_TIMEOUT;
    }
}

static void
summarize(struct tls *t)
{
    const char *how = !t->verified            ? "unverified"
                      : t->options->npins > 0 ? "pinned"
                      : t->options->is_dane   ? "dane"
                                              : "verified";

    (void)snprintf(
        t->summary, sizeof t->summary, "%s %s %s", SSL_get_version(t->ssl), SSL_get_cipher_name(t->ssl), how);
}

struct tls *
tls_begin(int fd, const struct tls_options *options)
{
    struct tls *t = mem_alloc(sizeof *t);

    t->fd = fd;
    t->options = options;
    t->broken = true; /* until there is something to say goodbye to */
    ERR_clear_error();
    if (!file_nonblocking(fd, true)) {
        (void)error_sys(&t->why, ERROR_OS, errno, "cannot set up the connection");
        t->failure = TLS_FAILURE_CONFIG;
    } else if (!set_up(t, &t->why)) {
        t->failure = TLS_FAILURE_CONFIG;
    }
    return t;
}

/* Session tickets may come before the peer's first word, and are none */
static enum tls_step
listen_to(struct tls *t)
{
    char first;
    size_t n;

    ERR_clear_error();
    if (SSL_peek_ex(t->ssl, &first, 1, &n) == 1)
        return TLS_STEP_HEARD;
    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        return TLS_STEP_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_STEP_WRITE;
    default:
        return TLS_STEP_HEARD;
    }
}

enum tls_step
tls_step(struct tls *t)
{
    enum tls_step next = TLS_STEP_FAILED;

    if (!t->shaken && t->failure == TLS_FAILURE_NONE)
        next = shake(t);
    return t->shaken ? listen_to(t) : next;
}

bool
tls_is_shaken(const struct tls *t)
{
    return t->shaken;
}

struct tls *
tls_finish(struct tls *t, int64_t deadline, enum tls_failure *failure, struct error *err)
{
    shake_hands(t, deadline);
    *failure = t->failure;
    if (t->failure != TLS_FAILURE_NONE) {
        *err = t->why;
        tls_free(t);
        return NULL;
    }
    t->broken = false;
    summarize(t);
    t->pinned = t->verified && t->options->npins > 0;
    t->options = NULL;
    return t;
}

struct tls *
tls_start(
    int fd, const struct tls_options *options, int64_t deadline, enum tls_failure *failure, struct error *err)
{
    return tls_finish(tls_begin(fd, options), deadline, failure, err);
}

void
tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    ERR_clear_error();
    if (t->ssl != NULL && !t->broken)
        (void)SSL_shutdown(
            t->ssl); /* best effort: the socket does not block, and nobody waits for the answer */
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    ERR_clear_error();
    free(t);
}

/* ---------------------------------------------------------------- bytes */

static enum tls_io
finish_io(struct tls *t, int kind, int errno_value, struct error *err)
{
    unsigned long code = 0;
    const char *text;

    switch (kind) {
    case SSL_ERROR_WANT_READ:
        return TLS_IO_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_IO_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_IO_EOF;
    default:
        break;
    }
    t->broken = true;
    text = tls_last_error(&code);
    if (kind == SSL_ERROR_SYSCALL && errno_value != 0)
        (void)error_sys(err, ERROR_TEMP, errno_value, "connection lost");
    else if (kind == SSL_ERROR_SYSCALL || ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return TLS_IO_EOF; /* SMTP marks its own ends: no close_notify is no danger */
    else if (is_about_our_certificate(ERR_GET_REASON(code)))
        (void)error_set(err, ERROR_ADMIN, "TLS: the server does not accept our certificate: %s", text);
    else
        (void)error_set(err, ERROR_TEMP, "TLS: connection lost: %s", text);
    return TLS_IO_ERROR;
}

enum tls_io
tls_read_some(struct tls *t, void *data, size_t size, size_t *done, struct error *err)
{
    int n, e;

    *done = 0;
    ERR_clear_error();
    errno = 0;
    n = SSL_read_ex(t->ssl, data, size, done);
    e = errno;
    return n == 1 ? TLS_IO_DONE : finish_io(t, SSL_get_error(t->ssl, n), e, err);
}

enum tls_io
tls_write_some(struct tls *t, const void *data, size_t len, size_t *done, struct error *err)
{
    enum tls_io io;
    int n, e;

    *done = 0;
    ERR_clear_error();
    errno = 0;
    n = SSL_write_ex(t->ssl, data, len, done);
    e = errno;
    if (n == 1)
        return TLS_IO_DONE;
    io = finish_io(t, SSL_get_error(t->ssl, n), e, err);
    if (io == TLS_IO_EOF) {
        t->broken = true;
        (void)error_set(err, ERROR_TEMP, "connection closed by the server");
        return TLS_IO_ERROR;
    }
    return io;
}

/* ---------------------------------------------------------------- what was agreed */

void
tls_info(const struct tls *t, struct tls_info *info)
{
    info->version = SSL_get_version(t->ssl);
    info->cipher = SSL_get_cipher_name(t->ssl);
    info->verified = t->verified;
    info->pinned = t->pinned;
    info->reason = t->reason;
    info->subject = t->subject;
    info->days_left = t->days_left;
    info->expires_s = t->expires_s;
    info->cert_pin = t->cert_pin;
    info->spki_pin = t->spki_pin;
    info->summary = t->summary;
}

/* RFC 5929, 4.1: the hash of the certificate's signature, SHA-256 in place of MD5 and SHA-1; undefined for EdDSA. */
static bool
end_point(SSL *ssl, struct buf *out)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *cert = SSL_get1_peer_certificate(ssl);
    const EVP_MD *md = NULL;
    int nid = NID_undef;

    if (cert != NULL && X509_get_signature_info(cert, &nid, NULL, NULL, NULL) == 1 && nid != NID_undef)
        md = nid == NID_md5 || nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(nid);
    if (md != NULL && X509_digest(cert, md, hash, &len) == 1)
        buf_add(out, hash, len);
    X509_free(cert);
    ERR_clear_error();
    return len > 0;
}

/* RFC 9266. Below TLS 1.3 it would need the extended master secret, and servers do not offer it there. */
static bool
exporter(SSL *ssl, struct buf *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char data[32];

    if (SSL_version(ssl) < TLS1_3_VERSION ||
        SSL_export_keying_material(ssl, data, sizeof data, label, sizeof label - 1, NULL, 0, 1) != 1) {
        ERR_clear_error();
        return false;
    }
    buf_add(out, data, sizeof data);
    mem_wipe(data, sizeof data);
    return true;
}

const char *
tls_binding(struct tls *t, struct buf *out)
{
    if (exporter(t->ssl, out))
        return "tls-exporter";
    return end_point(t->ssl, out) ? "tls-server-end-point" : NULL;
}
