/*
 * tls: OpenSSL turned into a client with deadlines, plain reasons and no surprises (no renegotiation, no stored sessions).
 *
 * Trust is decided in one callback during the handshake, so that a refused peer gets a proper alert and we know the reason.
 */
#include "smtp/tls.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "smtp/tls_peer.h"

#define HOST_MAX 256

struct tls {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    const struct tls_options *options; /* NULL after tls_start */
    char host[HOST_MAX];
    bool host_is_ip;
    bool have_store; /* some CA was found */
    bool broken;     /* after a fatal error nothing may be sent */
    bool verified;
    bool pinned;
    bool refused;
    bool has_tlsa; /* at least one record that can be used */
    int days_left;
    char reason[600];
    char subject[256];
    char cert_pin[2 * TLS_PIN_BYTES + 1];
    char spki_pin[2 * TLS_PIN_BYTES + 1];
    char summary[128];
};

/* ---------------------------------------------------------------- the peer's certificate in words */

static void
format_hex(char out[2 * TLS_PIN_BYTES + 1], const unsigned char pin[TLS_PIN_BYTES])
{
    for (size_t i = 0; i < TLS_PIN_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", pin[i]);
}

/* What OpenSSL found wrong, as "it ..." for people. `bad` is the certificate it stumbled over. */
static void
add_verdict(struct buf *out, const struct tls *t, int code, X509 *leaf, X509 *bad)
{
    char date[64], name[256];

    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        tls_peer_format_date(date, sizeof date, X509_get0_notAfter(bad));
        buf_add_format(out, "expired on %s", date);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        tls_peer_format_date(date, sizeof date, X509_get0_notBefore(bad));
        buf_add_format(out, "is not valid before %s", date);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        buf_add_str(out, "is for ");
        tls_peer_add_names(out, leaf);
        buf_add_format(out, ", not for %s", t->host);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        buf_add_str(out, "is self-signed");
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        tls_peer_format_name(name, sizeof name,
            tls_peer_is_self_issued(bad) ? X509_get_subject_name(bad) : X509_get_issuer_name(bad));
        buf_add_format(out, "was issued by an unknown CA (%s)", name);
        break;
    case X509_V_ERR_DANE_NO_MATCH:
        buf_add_format(out, "matches none of the TLSA records of %s (DANE)", t->host);
        break;
    case X509_V_ERR_INVALID_PURPOSE:
        buf_add_str(
            out, bad == leaf ? "is not meant for servers" : "was issued by a CA not meant for servers");
        break;
    default:
        buf_add_format(out, "does not verify (%s)", X509_verify_cert_error_string(code));
        break;
    }
}

static void
explain(struct tls *t, X509_STORE_CTX *store, X509 *leaf)
{
    int code = X509_STORE_CTX_get_error(store);
    X509 *bad = X509_STORE_CTX_get_current_cert(store);
    struct buf b;

    if (bad == NULL)
        bad = leaf;
    buf_init(&b, sizeof t->reason - 1);
    buf_add_str(&b, X509_STORE_CTX_get_error_depth(store) > 0 && bad != leaf &&
                            (code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID)
                        ? "its CA "
                        : "it ");
    add_verdict(&b, t, code, leaf, bad);
    if (!t->have_store && !t->has_tlsa)
        buf_add_str(&b, "; no CA certificates are installed here");
    (void)snprintf(t->reason, sizeof t->reason, "%s", buf_str(&b));
    buf_clear(&b);
}

/* ---------------------------------------------------------------- trust */

static bool
digests(X509 *cert, unsigned char of_cert[TLS_PIN_BYTES], unsigned char of_key[TLS_PIN_BYTES])
{
    unsigned char *der = NULL;
    unsigned len = 0;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    bool ok = n > 0 && EVP_Digest(der, (size_t)n, of_key, NULL, EVP_sha256(), NULL) == 1 &&
              X509_digest(cert, EVP_sha256(), of_cert, &len) == 1;

    OPENSSL_free(der);
    return ok;
}

static bool
is_pinned(const struct tls_options *o, const unsigned char cert[TLS_PIN_BYTES],
    const unsigned char key[TLS_PIN_BYTES])
{
    for (size_t i = 0; i < o->npins; i++)
        if (memcmp(o->pins[i], cert, TLS_PIN_BYTES) == 0 || memcmp(o->pins[i], key, TLS_PIN_BYTES) == 0)
            return true;
    return false;
}

/* Remember what logs tell about the peer; whether one of the pins is it. */
static bool
note_peer(struct tls *t, X509 *cert)
{
    unsigned char of_cert[TLS_PIN_BYTES], of_key[TLS_PIN_BYTES];
    int days = 0, seconds = 0;

    tls_peer_format_name(t->subject, sizeof t->subject, X509_get_subject_name(cert));
    if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)) == 1)
        t->days_left = days == 0 && seconds < 0 ? -1 : days;
    if (!digests(cert, of_cert, of_key))
        return false;
    format_hex(t->cert_pin, of_cert);
    format_hex(t->spki_pin, of_key);
    return is_pinned(t->options, of_cert, of_key);
}

/* Is it of no matter who the peer is? */
static bool
takes_anyone(const struct tls *t, const struct tls_options *o)
{
    return o->is_dane ? !t->has_tlsa : o->npins == 0 && !o->verify && !o->opportunistic;
}

/* Called by OpenSSL in place of its own verification: 1 accepts the peer. */
static int
judge(X509_STORE_CTX *store, void *arg)
{
    struct tls *t = arg;
    const struct tls_options *o = t->options;
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    bool pinned;

    if (o == NULL || cert == NULL)
        return 0;
    pinned = note_peer(t, cert);
    if (o->npins > 0) {
        t->verified = pinned;
        if (!pinned) {
            (void)snprintf(t->reason, sizeof t->reason, "it is none of those pinned");
            X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
        }
    } else if (takes_anyone(t, o)) {
        (void)snprintf(t->reason, sizeof t->reason, "it was not looked at");
    } else {
        t->verified = X509_verify_cert(store) == 1;
        if (!t->verified)
            explain(t, store, cert);
    }
    tls_peer_tell(o->steps, X509_STORE_CTX_get0_chain(store), X509_STORE_CTX_get0_untrusted(store), cert,
        t->days_left, t->spki_pin);
    if (t->verified || takes_anyone(t, o) || (o->opportunistic && !o->is_dane)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    t->refused = true;
    return 0;
}

/* ---------------------------------------------------------------- set up */

/* The newest OpenSSL error as text; empties its queue. */
static const char *
last_error(unsigned long *code)
{
    unsigned long e = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(e);

    ERR_clear_error();
    if (code != NULL)
        *code = e;
    return text != NULL ? text : "unknown error";
}

static BIO *
text_bio(struct slice text)
{
    return text.len > INT32_MAX ? NULL : BIO_new_mem_buf(text.p, (int)text.len);
}

static bool
add_ca_text(SSL_CTX *ctx, struct slice pem, struct error *err)
{
    BIO *bio = text_bio(pem);
    STACK_OF(X509_INFO) *all = bio == NULL ? NULL : PEM_X509_INFO_read_bio(bio, NULL, NULL, NULL);
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    int certs = 0;

    for (int i = 0; i < sk_X509_INFO_num(all); i++) {
        const X509_INFO *info = sk_X509_INFO_value(all, i);

        if (info->x509 != NULL && X509_STORE_add_cert(store, info->x509) == 1)
            certs++;
    }
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    BIO_free(bio);
    ERR_clear_error();
    if (certs == 0)
        return error_set(err, ERROR_CONFIG, "TLS_CA_File: no certificate in it (PEM is expected)");
    return true;
}

/* "5d30f3c5.3": the names c_rehash gives */
static bool
is_hash_name(const char *name)
{
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && ascii_is_digit(name[9]);
}

static bool
is_hashed_dir(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;

    if (dir == NULL)
        return false;
    while (!found && (entry = readdir(dir)) != NULL)
        found = is_hash_name(entry->d_name);
    (void)closedir(dir);
    return found;
}

/* The directory is preferred because only the one CA that is needed is read from it: parsing the bundle takes longer than the
   rest of the handshake. The environment counts as for every program that uses OpenSSL. */
void
tls_system_store(const char **file, const char **dir)
{
    *file = secure_getenv(X509_get_default_cert_file_env());
    *dir = secure_getenv(X509_get_default_cert_dir_env());
    if (*file != NULL || *dir != NULL)
        return;
    if (is_hashed_dir(X509_get_default_cert_dir()))
        *dir = X509_get_default_cert_dir();
    else
        *file = X509_get_default_cert_file();
}

static bool
add_system_store(X509_STORE *store)
{
    const char *file, *dir;
    bool found = false;

    tls_system_store(&file, &dir);
    if (dir != NULL)
        found = X509_STORE_load_path(store, dir) == 1;
    if (file != NULL && X509_STORE_load_file(store, file) == 1)
        found = true;
    ERR_clear_error();
    return found;
}

static bool
set_up_trust(struct tls *t, struct error *err)
{
    const struct tls_options *o = t->options;
    X509_STORE *store = SSL_CTX_get_cert_store(t->ctx);

    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(t->ctx, judge, t);
    if (o->npins > 0 || o->is_dane || (!o->verify && !o->opportunistic)) {
        t->have_store = true;
        return true;
    }
    if (o->ca_pem.len == 0 && o->ca_dir == NULL) {
        t->have_store = add_system_store(store);
        return true;
    }
    t->have_store = true;
    /* an intermediate the administrator names is trusted as it is */
    (void)X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (o->ca_pem.len > 0 && !add_ca_text(t->ctx, o->ca_pem, err))
        return false;
    if (o->ca_dir != NULL && X509_STORE_load_path(store, o->ca_dir) != 1)
        return error_set(err, ERROR_CONFIG, "TLS_CA_Dir: %s", last_error(NULL));
    return true;
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
    BIO *bio = text_bio(pem);
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

static bool
set_up_client(SSL_CTX *ctx, const struct tls_options *o, struct error *err)
{
    BIO *bio;
    EVP_PKEY *key;
    bool ok;

    if (o->cert_pem.len == 0)
        return true;
    if (!use_certificates(ctx, o->cert_pem))
        return error_set(err, ERROR_CONFIG, "TLSCert: no usable certificate in it: %s", last_error(NULL));
    bio = text_bio(o->key_pem.len > 0 ? o->key_pem : o->cert_pem);
    key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (key == NULL)
        return error_set(
            err, ERROR_CONFIG, "TLSKey: no private key without passphrase in it: %s", last_error(NULL));
    ok = SSL_CTX_use_PrivateKey(ctx, key) == 1;
    EVP_PKEY_free(key);
    if (!ok)
        return error_set(err, ERROR_CONFIG, "TLSKey: not the key of TLSCert: %s", last_error(NULL));
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

/* The name or address the certificate must be for. */
static bool
set_up_host(struct tls *t, struct error *err)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    unsigned char address[sizeof(struct in6_addr)];

    t->host_is_ip = inet_pton(AF_INET, t->host, address) == 1 || inet_pton(AF_INET6, t->host, address) == 1;
    X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (t->host_is_ip ? X509_VERIFY_PARAM_set1_ip_asc(param, t->host) == 1
                      : X509_VERIFY_PARAM_set1_host(param, t->host, 0) == 1 &&
                            SSL_set_tlsext_host_name(t->ssl, t->host) == 1)
        return true;
    return error_set(err, ERROR_CONFIG, "TLS: %s is no host name", t->host);
}

/* OpenSSL says which records are of a kind it knows; 0 is "of no use" */
static bool
set_up_dane(struct tls *t, struct error *err)
{
    const struct tls_options *o = t->options;

    if (!o->is_dane || o->ntlsa == 0)
        return true;
    if (SSL_CTX_dane_enable(t->ctx) <= 0 || SSL_dane_enable(t->ssl, t->host) <= 0)
        return error_set(err, ERROR_OS, "OpenSSL: %s", last_error(NULL));
    (void)SSL_dane_set_flags(t->ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (size_t i = 0; i < o->ntlsa; i++) {
        const struct tls_tlsa *r = &o->tlsa[i];
        int n = SSL_dane_tlsa_add(t->ssl, r->usage, r->selector, r->matching, r->data, r->len);
        t->has_tlsa = t->has_tlsa || n > 0;
    }
    ERR_clear_error();
    if (o->next_hop)
        (void)SSL_add1_host(t->ssl, o->next_hop); /* what is no host name is in no certificate */
    return true;
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
        return error_set(err, ERROR_OS, "OpenSSL: %s", last_error(NULL));
    (void)SSL_CTX_set_options(t->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    (void)SSL_CTX_set_mode(t->ctx,
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
    if (!set_up_version(t->ctx, o->min_version != NULL ? o->min_version : "1.2", err) ||
        !set_up_trust(t, err) || !set_up_client(t->ctx, o, err))
        return false;
    t->ssl = SSL_new(t->ctx);
    if (t->ssl == NULL || SSL_set_fd(t->ssl, t->fd) != 1)
        return error_set(err, ERROR_OS, "OpenSSL: %s", last_error(NULL));
    return set_up_host(t, err) && set_up_dane(t, err);
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
    const char *text = last_error(&code);

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

static enum tls_failure
shake_hands(struct tls *t, int64_t deadline, struct error *err)
{
    int n, kind, e;

    for (;;) {
        ERR_clear_error();
        errno = 0;
        n = SSL_connect(t->ssl);
        if (n == 1)
            return TLS_FAILURE_NONE;
        e = errno;
        kind = SSL_get_error(t->ssl, n);
        if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE)
            return explain_handshake(t, kind, e, err);
        if (!wait_for(t, kind == SSL_ERROR_WANT_WRITE, deadline)) {
            t->broken = true;
            (void)error_set(err, ERROR_TEMP, "TLS handshake: no answer in time");
            return TLS_FAILURE_TIMEOUT;
        }
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
tls_start(
    int fd, const struct tls_options *options, int64_t deadline, enum tls_failure *failure, struct error *err)
{
    struct tls *t = mem_alloc(sizeof *t);

    t->fd = fd;
    t->options = options;
    t->broken = true; /* until there is something to say goodbye to */
    ERR_clear_error();
    if (!file_nonblocking(fd, true)) {
        (void)error_sys(err, ERROR_OS, errno, "cannot set up the connection");
        *failure = TLS_FAILURE_CONFIG;
    } else if (!set_up(t, err)) {
        *failure = TLS_FAILURE_CONFIG;
    } else {
        *failure = shake_hands(t, deadline, err);
    }
    if (*failure != TLS_FAILURE_NONE) {
        tls_free(t);
        return NULL;
    }
    t->broken = false;
    summarize(t);
    t->pinned = t->verified && options->npins > 0;
    t->options = NULL;
    return t;
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
    text = last_error(&code);
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

size_t
tls_pending(const struct tls *t)
{
    return (size_t)SSL_pending(t->ssl);
}

ssize_t
tls_read(struct tls *t, void *data, size_t size, int64_t deadline, struct error *err)
{
    size_t done;
    enum tls_io io;

    while ((io = tls_read_some(t, data, size, &done, err)) == TLS_IO_WANT_READ || io == TLS_IO_WANT_WRITE)
        if (!wait_for(t, io == TLS_IO_WANT_WRITE, deadline)) {
            (void)error_set(err, ERROR_TEMP, "no answer in time");
            return -1;
        }
    if (io == TLS_IO_EOF)
        return 0;
    return io == TLS_IO_DONE ? (ssize_t)done : -1;
}

bool
tls_write(struct tls *t, const void *data, size_t len, int64_t deadline, struct error *err)
{
    const char *p = data;
    size_t done;

    while (len > 0) {
        enum tls_io io = tls_write_some(t, p, len, &done, err);

        if (io == TLS_IO_ERROR)
            return false;
        if (io != TLS_IO_DONE && !wait_for(t, io == TLS_IO_WANT_WRITE, deadline))
            return error_set(err, ERROR_TEMP, "the server does not take our data in time");
        p += done;
        len -= done;
    }
    return true;
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

bool
tls_channel_binding(struct tls *t, const char *type, struct buf *out)
{
    if (strcmp(type, "tls-exporter") == 0)
        return exporter(t->ssl, out);
    if (strcmp(type, "tls-server-end-point") == 0)
        return end_point(t->ssl, out);
    return false;
}

const char *
tls_binding(struct tls *t, struct buf *out)
{
    if (exporter(t->ssl, out))
        return "tls-exporter";
    return end_point(t->ssl, out) ? "tls-server-end-point" : NULL;
}
