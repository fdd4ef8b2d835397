/* SPDX-License-Identifier: ISC */
/* tlspeer: what a certificate may say, made by hand; and a server that behaves as it is told. */
#include "unit/tlspeer.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <check.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/mem.h"

#define DAY 86400L

const struct paper tlspeer_good = { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9 };
const struct manners tlspeer_plain = { 0 };

static void
add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(ext);
    ck_assert_int_eq(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}

static void
add_raw_dns(X509 *cert, const char *name, size_t len)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_IA5STRING *s = ASN1_IA5STRING_new();

    ASN1_STRING_set(s, name, (int)len);
    GENERAL_NAME_set0_value(g, GEN_DNS, s);
    sk_GENERAL_NAME_push(names, g);
    ck_assert_int_eq(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0), 1);
    GENERAL_NAMES_free(names);
}

static struct identity
make_identity(const struct paper *p, const struct identity *issuer, bool is_ca)
{
    static long serial = 1;
    struct identity me = { p->ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_EC_gen("P-256"),
        X509_new() };
    X509_NAME *name = X509_get_subject_name(me.cert);

    if (p->self || issuer == NULL)
        issuer = &me;
    ASN1_INTEGER_set(X509_get_serialNumber(me.cert), serial++);
    X509_set_version(me.cert, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(me.cert), p->from_days * DAY);
    X509_gmtime_adj(X509_getm_notAfter(me.cert), p->to_days * DAY);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)p->cn, -1, -1, 0);
    X509_set_issuer_name(me.cert, X509_get_subject_name(issuer->cert));
    X509_set_pubkey(me.cert, me.key);
    add_ext(me.cert, issuer->cert, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (p->san != NULL)
        add_ext(me.cert, issuer->cert, NID_subject_alt_name, p->san);
    if (p->raw_dns != NULL)
        add_raw_dns(me.cert, p->raw_dns, p->raw_len);
    if (p->eku != NULL)
        add_ext(me.cert, issuer->cert, NID_ext_key_usage, p->eku);
    ck_assert_int_gt(X509_sign(me.cert, issuer->key, p->self && p->ed25519 ? NULL : EVP_sha256()), 0);
    return me;
}

char *
tlspeer_pem(const struct identity *id, bool with_key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *copy;
    long len;

    PEM_write_bio_X509(bio, id->cert);
    if (with_key)
        PEM_write_bio_PrivateKey(bio, id->key, NULL, NULL, 0, NULL, NULL);
    len = BIO_get_mem_data(bio, &data);
    copy = mem_dupn(data, (size_t)len);
    BIO_free(bio);
    return copy;
}

void
tlspeer_pin(unsigned char pin[TLS_PIN_BYTES], const struct identity *id, bool spki)
{
    unsigned char *der = NULL;
    int len = spki ? i2d_PUBKEY(id->key, &der) : i2d_X509(id->cert, &der);

    ck_assert_int_gt(len, 0);
    EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
}

static void
free_identity(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

struct world
tlspeer_world(const struct paper *server)
{
    static const struct paper ca = { .cn = "Test CA", .from_days = -100, .to_days = 100 };
    static const struct paper other = { .cn = "Other CA", .from_days = -100, .to_days = 100 };
    static const struct paper client = { .cn = "client", .eku = "clientAuth", .from_days = -1, .to_days = 1 };
    struct world w;

    (void)signal(SIGPIPE, SIG_IGN);
    w.ca = make_identity(&ca, NULL, true);
    w.other_ca = make_identity(&other, NULL, true);
    w.server = make_identity(server, &w.ca, false);
    w.client = make_identity(&client, &w.ca, false);
    w.ca_pem = tlspeer_pem(&w.ca, false);
    return w;
}

void
tlspeer_free(struct world *w)
{
    free_identity(&w->ca);
    free_identity(&w->other_ca);
    free_identity(&w->server);
    free_identity(&w->client);
    free(w->ca_pem);
}

static void
serve_bulk(SSL *ssl, size_t size)
{
    char block[4096];
    size_t got = 0;
    int n;

    while (got < size && (n = SSL_read(ssl, block, sizeof block)) > 0)
        got += (size_t)n;
    memset(block, 'x', sizeof block);
    for (size_t sent = 0; sent < got; sent += (size_t)n)
        if ((n = SSL_write(ssl, block, (int)(got - sent > sizeof block ? sizeof block : got - sent))) <= 0)
            return;
}

/* Ask for another handshake, and take what comes */
static bool
does_renegotiate(SSL *ssl)
{
    char c;

    (void)SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY); /* back when it is over, not when data has come */
    SSL_renegotiate(ssl);
    (void)SSL_do_handshake(ssl); /* the request alone */
    (void)SSL_read(ssl, &c, 1);
    return !SSL_renegotiate_pending(ssl);
}

/* True: all as it should be */
static bool
serve(int fd, const struct world *w, const struct manners *m)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const char *sni, *say;
    bool ok = true;
    SSL *ssl;

    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(ctx, m->max_version);
    SSL_CTX_use_certificate(ctx, w->server.cert);
    SSL_CTX_use_PrivateKey(ctx, w->server.key);
    if (m->want_client) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), w->ca.cert);
    }
    ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        ok = !m->renegotiate || !does_renegotiate(ssl);
        if (m->gate) {
            char any;
            (void)!read(m->gate, &any, 1); /* the end will do, too */
        }
        say = m->say != NULL ? m->say : sni != NULL ? sni : "-";
        (void)SSL_write(ssl, say, (int)strlen(say));
        if (m->bulk > 0)
            serve_bulk(ssl, m->bulk);
        if (!m->no_notify)
            (void)SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return ok;
}

void
tlspeer_start(struct outcome *o, const struct world *w, const struct manners *m)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    o->pid = fork();
    ck_assert_int_ge(o->pid, 0);
    if (o->pid == 0) {
        close(pair[0]);
        bool ok = serve(pair[1], w, m);
        close(pair[1]);
        _exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    close(pair[1]);
    o->fd = pair[0];
    error_init(&o->err);
}

void
tlspeer_connect(struct outcome *o, const struct world *w, const struct manners *m, struct tls_options options)
{
    tlspeer_start(o, w, m);
    o->tls = tls_start(o->fd, &options, clock_deadline(20000), &o->failure, &o->err);
    ck_assert_int_eq(o->tls == NULL, o->failure != TLS_FAILURE_NONE);
}

bool
tlspeer_hang_up(struct outcome *o)
{
    int status = -1;

    tls_free(o->tls);
    close(o->fd);
    (void)waitpid(o->pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

struct tls_options
tlspeer_strict(const struct world *w, const char *host)
{
    return (struct tls_options){ .host = host, .verify = true, .ca_pem = slice_of(w->ca_pem) };
}

static bool
wait_for(struct outcome *o, enum tls_io io, int64_t deadline)
{
    struct pollfd p = { o->fd, io == TLS_IO_WANT_WRITE ? POLLOUT : POLLIN, 0 };

    return poll(&p, 1, clock_left(deadline)) > 0 || error_set(&o->err, ERROR_TEMP, "not in time");
}

ssize_t
tlspeer_read(struct outcome *o, void *data, size_t size, int64_t deadline)
{
    size_t done;
    enum tls_io io;

    while ((io = tls_read_some(o->tls, data, size, &done, &o->err)) == TLS_IO_WANT_READ ||
           io == TLS_IO_WANT_WRITE)
        if (!wait_for(o, io, deadline))
            return -1;
    if (io == TLS_IO_EOF)
        return 0;
    return io == TLS_IO_DONE ? (ssize_t)done : -1;
}

bool
tlspeer_write(struct outcome *o, const void *data, size_t len, int64_t deadline)
{
    const char *p = data;
    size_t done;

    while (len > 0) {
        enum tls_io io = tls_write_some(o->tls, p, len, &done, &o->err);

        if (io == TLS_IO_ERROR || (io != TLS_IO_DONE && !wait_for(o, io, deadline)))
            return false;
        p += done;
        len -= done;
    }
    return true;
}
