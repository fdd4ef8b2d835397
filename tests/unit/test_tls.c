/* SPDX-License-Identifier: ISC */
/* tls: whom it trusts, how it fails, and that bytes pass; against an OpenSSL server on a socket pair. */
#include "unit/suite.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "smtp/tls.h"

#define DAY 86400L
#define HOST "mail.example.net"

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

static char *
pem_of(const struct identity *id, bool with_key)
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

static void
free_identity(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

static struct world
make_world(const struct paper *server)
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
    w.ca_pem = pem_of(&w.ca, false);
    return w;
}

static void
free_world(struct world *w)
{
    free_identity(&w->ca);
    free_identity(&w->other_ca);
    free_identity(&w->server);
    free_identity(&w->client);
    free(w->ca_pem);
}

/* How the server behaves. */
struct manners {
    int max_version;  /* 0: all */
    bool want_client; /* demand a client certificate of the CA */
    bool no_notify;   /* close without close_notify */
    const char *say;  /* sent before anything is read; NULL: greet with the SNI it got */
    size_t bulk;      /* so many bytes are read, then as many sent */
    bool renegotiate;
};

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

static void
serve(int fd, const struct world *w, const struct manners *m)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    const char *sni, *say;
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
        if (m->renegotiate) {
            SSL_renegotiate(ssl);
            (void)SSL_do_handshake(ssl);
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
}

struct outcome {
    struct tls *tls;
    enum tls_failure failure;
    struct error err;
    int fd;
    pid_t pid;
};

static void
connect_to(struct outcome *o, const struct world *w, const struct manners *m, struct tls_options options)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    o->pid = fork();
    ck_assert_int_ge(o->pid, 0);
    if (o->pid == 0) {
        close(pair[0]);
        serve(pair[1], w, m);
        close(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    o->fd = pair[0];
    error_init(&o->err);
    o->tls = tls_start(o->fd, &options, clock_deadline(20000), &o->failure, &o->err);
    ck_assert_int_eq(o->tls == NULL, o->failure != TLS_FAILURE_NONE);
}

static void
disconnect(struct outcome *o)
{
    tls_free(o->tls);
    close(o->fd);
    (void)waitpid(o->pid, NULL, 0);
}

static struct tls_options
strict(const struct world *w, const char *host)
{
    return (struct tls_options){ .host = host, .verify = true, .ca_pem = slice_of(w->ca_pem) };
}

static const struct manners plain = { 0 };

/* ---------------------------------------------------------------- certificates */

static const struct {
    const char *what;
    struct paper paper;
    const char *host;
    const char *why; /* NULL: trusted; else what the error says */
} papers[] = {
    { "valid", { .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9 }, HOST, NULL },
    { "valid, other case", { .cn = "x", .san = "DNS:MAIL.example.NET", .from_days = -1, .to_days = 9 }, HOST,
        NULL },
    { "valid, trailing dot asked", { .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9 }, HOST ".",
        NULL },
    { "serverAuth", { .cn = "x", .san = "DNS:" HOST, .eku = "serverAuth", .from_days = -1, .to_days = 9 },
        HOST, NULL },
    { "second name", { .cn = "x", .san = "DNS:a.example,DNS:" HOST, .from_days = -1, .to_days = 9 }, HOST,
        NULL },
    { "expired", { .cn = "x", .san = "DNS:" HOST, .from_days = -9, .to_days = -1 }, HOST,
        "it expired on 20" },
    { "not yet", { .cn = "x", .san = "DNS:" HOST, .from_days = 1, .to_days = 9 }, HOST,
        "it is not valid before 20" },
    { "wrong host",
        { .cn = HOST, .san = "DNS:a.example,DNS:*.b.example,IP:192.0.2.1", .from_days = -1, .to_days = 9 },
        HOST, "it is for a.example, *.b.example, 192.0.2.1, not for " HOST },
    { "wildcard", { .cn = "x", .san = "DNS:*.example.net", .from_days = -1, .to_days = 9 }, HOST, NULL },
    { "wildcard, two labels", { .cn = "x", .san = "DNS:*.example.net", .from_days = -1, .to_days = 9 },
        "a.mail.example.net", "not for a.mail.example.net" },
    { "wildcard, no label", { .cn = "x", .san = "DNS:*.example.net", .from_days = -1, .to_days = 9 },
        "example.net", "not for example.net" },
    { "partial wildcard", { .cn = "x", .san = "DNS:m*.example.net", .from_days = -1, .to_days = 9 }, HOST,
        "not for" },
    { "inner wildcard", { .cn = "x", .san = "DNS:mail.*.net", .from_days = -1, .to_days = 9 }, HOST,
        "not for" },
    { "parent's name", { .cn = "x", .san = "DNS:example.net", .from_days = -1, .to_days = 9 }, HOST,
        "not for" },
    { "self-signed", { .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9, .self = true }, HOST,
        "it is self-signed" },
    { "CN only", { .cn = HOST, .from_days = -1, .to_days = 9 }, HOST, "it is for no host, not for " HOST },
    { "client purpose", { .cn = "x", .san = "DNS:" HOST, .eku = "clientAuth", .from_days = -1, .to_days = 9 },
        HOST, "it is not meant for servers" },
    { "IPv4", { .cn = "x", .san = "IP:192.0.2.1", .from_days = -1, .to_days = 9 }, "192.0.2.1", NULL },
    { "IPv6", { .cn = "x", .san = "IP:2001:db8::1", .from_days = -1, .to_days = 9 }, "2001:DB8:0::1", NULL },
    { "IPv6 zone", { .cn = "x", .san = "IP:fe80::1", .from_days = -1, .to_days = 9 }, "fe80::1%eth0", NULL },
    { "other IP", { .cn = "x", .san = "IP:192.0.2.2", .from_days = -1, .to_days = 9 }, "192.0.2.1",
        "it is for 192.0.2.2, not" },
    { "IP as name", { .cn = "x", .san = "DNS:192.0.2.1", .from_days = -1, .to_days = 9 }, "192.0.2.1",
        "not for 192.0.2.1" },
    { "IP by wildcard", { .cn = "x", .san = "DNS:*.0.2.1", .from_days = -1, .to_days = 9 }, "192.0.2.1",
        "not for 192.0.2.1" },
    { "NUL in name",
        { .cn = "x",
            .raw_dns = HOST "\0.evil.example",
            .raw_len = sizeof HOST "\0.evil.example" - 1,
            .from_days = -1,
            .to_days = 9 },
        HOST, "it is for " HOST "\\x00.evil.example, not" },
    { "dot and name",
        { .cn = "x", .raw_dns = "." HOST, .raw_len = sizeof HOST, .from_days = -1, .to_days = 9 }, HOST,
        "not for" },
};

START_TEST(only_a_certificate_for_this_host_by_a_known_ca_in_its_time_and_purpose_is_trusted)
{
    for (size_t i = 0; i < sizeof papers / sizeof papers[0]; i++) {
        struct world w = make_world(&papers[i].paper);
        struct outcome o;
        struct tls_info info;

        connect_to(&o, &w, &plain, strict(&w, papers[i].host));
        if (papers[i].why == NULL) {
            ck_assert_msg(o.tls != NULL, "%s: %s", papers[i].what, o.err.text);
            tls_info(o.tls, &info);
            ck_assert(info.verified && !info.pinned);
            ck_assert_str_eq(info.reason, "");
            ck_assert_str_eq(info.summary, "TLSv1.3 TLS_AES_256_GCM_SHA384 verified");
        } else {
            ck_assert_msg(o.tls == NULL, "%s", papers[i].what);
            ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
            ck_assert_int_eq(o.err.class, ERROR_ADMIN);
            ck_assert_msg(strstr(o.err.text, papers[i].why) != NULL, "%s: %s", papers[i].what, o.err.text);
        }
        disconnect(&o);
        free_world(&w);
    }
}
END_TEST

static const struct paper good = { .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9 };

START_TEST(a_certificate_of_another_ca_is_not_trusted)
{
    struct world w = make_world(&good);
    struct tls_options options = strict(&w, HOST);
    char *other = pem_of(&w.other_ca, false);
    struct outcome o;

    options.ca_pem = slice_of(other);
    connect_to(&o, &w, &plain, options);
    ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
    ck_assert_msg(strstr(o.err.text, "unknown CA (CN=Test CA)") != NULL, "%s", o.err.text);
    disconnect(&o);
    options.ca_pem = slice_of(NULL);
    connect_to(&o, &w, &plain, options);
    ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
    disconnect(&o);
    free(other);
    free_world(&w);
}
END_TEST

START_TEST(a_server_certificate_given_as_ca_is_trusted_for_its_own_name)
{
    struct world w = make_world(&good);
    struct tls_options options = strict(&w, HOST);
    char *leaf = pem_of(&w.server, false);
    struct outcome o;

    options.ca_pem = slice_of(leaf);
    connect_to(&o, &w, &plain, options);
    ck_assert_msg(o.tls != NULL, "%s", o.err.text);
    disconnect(&o);
    options.host = "other.example.net";
    connect_to(&o, &w, &plain, options);
    ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
    disconnect(&o);
    free(leaf);
    free_world(&w);
}
END_TEST

START_TEST(a_hashed_directory_serves_as_ca_dir_and_as_the_system_store)
{
    struct world w = make_world(&good);
    char *dir = mem_dup("./ca.XXXXXX"), *file;
    FILE *f;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    file =
        mem_format("%s/%08lx.0", dir, X509_NAME_hash_ex(X509_get_subject_name(w.ca.cert), NULL, NULL, NULL));
    f = fopen(file, "w");
    ck_assert(f != NULL && fputs(w.ca_pem, f) >= 0 && fclose(f) == 0);
    for (int i = 0; i < 3; i++) {
        struct tls_options options = { .host = HOST, .verify = true, .ca_dir = i == 0 ? dir : NULL };
        struct outcome o;

        (void)setenv(i == 1 ? "SSL_CERT_DIR" : "SSL_CERT_FILE", i == 1 ? dir : file, 1);
        if (i == 2)
            (void)unsetenv("SSL_CERT_DIR");
        connect_to(&o, &w, &plain, options);
        ck_assert_msg(o.tls != NULL, "%d: %s", i, o.err.text);
        disconnect(&o);
    }
    (void)unlink(file);
    (void)rmdir(dir);
    free(file);
    free(dir);
    free_world(&w);
}
END_TEST

static void
pin_of(unsigned char pin[TLS_PIN_BYTES], const struct identity *id, bool spki)
{
    unsigned char *der = NULL;
    int len = spki ? i2d_PUBKEY(id->key, &der) : i2d_X509(id->cert, &der);

    ck_assert_int_gt(len, 0);
    EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
}

START_TEST(a_pin_of_certificate_or_key_replaces_chain_name_and_dates)
{
    static const struct paper bad[] = {
        { .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9 },
        { .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9, .self = true },
        { .cn = "x", .san = "DNS:" HOST, .from_days = -9, .to_days = -1 },
        { .cn = "x", .san = "DNS:elsewhere.example", .from_days = -9, .to_days = -1, .self = true },
    };

    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        struct world w = make_world(&bad[i / 2]);
        unsigned char pins[2][TLS_PIN_BYTES] = { { 0 }, { 0 } };
        struct tls_options options = {
            .host = HOST, .verify = true, .pins = (const unsigned char(*)[TLS_PIN_BYTES])pins, .npins = 2
        };
        struct tls_info info;
        struct outcome o;

        pin_of(pins[1], &w.server, i % 2 == 0);
        connect_to(&o, &w, &plain, options);
        ck_assert_msg(o.tls != NULL, "%s", o.err.text);
        tls_info(o.tls, &info);
        ck_assert(info.verified && info.pinned);
        ck_assert_str_eq(info.summary, "TLSv1.3 TLS_AES_256_GCM_SHA384 pinned");
        ck_assert_int_eq(info.days_left >= 0, bad[i / 2].to_days > 0);
        disconnect(&o);
        free_world(&w);
    }
}
END_TEST

START_TEST(a_wrong_pin_is_refused_even_without_verification_and_the_right_one_is_told)
{
    struct world w = make_world(&good);
    unsigned char pins[1][TLS_PIN_BYTES], right[TLS_PIN_BYTES];
    char hex[2 * TLS_PIN_BYTES + 1];
    struct tls_options options = strict(&w, HOST);
    struct outcome o;

    pin_of(pins[0], &w.ca, true);
    pin_of(right, &w.server, true);
    for (size_t i = 0; i < TLS_PIN_BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", right[i]);
    options.pins = (const unsigned char(*)[TLS_PIN_BYTES])pins;
    options.npins = 1;
    for (int verify = 0; verify < 2; verify++) {
        options.verify = verify == 1;
        connect_to(&o, &w, &plain, options);
        ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
        ck_assert_msg(strstr(o.err.text, "none of those pinned") != NULL && strstr(o.err.text, hex) != NULL,
            "%s", o.err.text);
        disconnect(&o);
    }
    free_world(&w);
}
END_TEST

START_TEST(opportunistic_takes_anything_but_tells_what_it_is)
{
    static const struct paper self = {
        .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9, .self = true
    };

    for (int i = 0; i < 3; i++) {
        struct world w = make_world(i == 0 ? &good : &self);
        struct tls_options options = strict(&w, HOST);
        struct tls_info info;
        struct outcome o;

        options.opportunistic = i < 2;
        options.verify = i < 2;
        connect_to(&o, &w, &plain, options);
        ck_assert_msg(o.tls != NULL, "%s", o.err.text);
        tls_info(o.tls, &info);
        ck_assert_int_eq(info.verified, i == 0);
        ck_assert_str_eq(info.reason, i == 0 ? "" : i == 1 ? "it is self-signed" : "it was not looked at");
        ck_assert_str_eq(info.subject, "CN=x");
        disconnect(&o);
        free_world(&w);
    }
}
END_TEST

/* ---------------------------------------------------------------- DANE */

enum { OF_SERVER, OF_CA, OF_NOBODY };

/* A record about the whole certificate or key, or its hash */
static struct tls_tlsa
make_tlsa(const struct world *w, int whose, uint8_t usage, uint8_t selector, uint8_t matching,
    unsigned char data[4096])
{
    X509 *cert = whose == OF_CA ? w->ca.cert : w->server.cert;
    unsigned char *der = NULL;
    int n = selector ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : i2d_X509(cert, &der);
    unsigned len = (unsigned)n;

    ck_assert(n > 0 && n < 4096);
    if (matching)
        ck_assert_int_eq(
            EVP_Digest(der, (size_t)n, data, &len, matching == 1 ? EVP_sha256() : EVP_sha512(), NULL), 1);
    else
        memcpy(data, der, len);
    OPENSSL_free(der);
    if (whose == OF_NOBODY)
        data[len - 1] ^= 1;
    return (struct tls_tlsa){
        .usage = usage, .selector = selector, .matching = matching, .data = data, .len = len
    };
}

static const struct {
    int whose;
    uint8_t usage, selector, matching;
    const char *host, *next_hop;
    bool expired;
    const char *summary, *why; /* one of the two */
} tlsas[] = {
    { OF_SERVER, 3, 1, 1, HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 0, 1, HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 1, 2, HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 0, 0, HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 1, 0, HOST, NULL, false, "dane", NULL },
    /* RFC 7672, 3.1.1: neither names nor dates */
    { OF_SERVER, 3, 1, 1, "other.example", NULL, false, "dane", NULL },
    { OF_SERVER, 3, 1, 1, HOST, NULL, true, "dane", NULL },
    { OF_NOBODY, 3, 1, 1, HOST, NULL, false, NULL, "matches none of the TLSA records of " HOST },
    { OF_CA, 3, 1, 1, HOST, NULL, false, NULL, "matches none of the TLSA records of " HOST },
    /* RFC 7672, 3.1.2: a CA of their own, whose certificate counts for names and dates */
    { OF_CA, 2, 0, 0, HOST, NULL, false, "dane", NULL },
    { OF_CA, 2, 0, 0, "other.example", HOST, false, "dane", NULL },
    { OF_CA, 2, 0, 0, "other.example", NULL, false, NULL, "not for other.example" },
    { OF_CA, 2, 0, 0, HOST, NULL, true, NULL, "it expired" },
    { OF_NOBODY, 2, 1, 1, HOST, NULL, false, NULL, "not trusted" },
    /* nothing to go by: TLS, with whatever certificate */
    { OF_SERVER, 3, 1, 9, HOST, NULL, false, "unverified", NULL },
    { OF_SERVER, 3, 7, 1, HOST, NULL, false, "unverified", NULL },
};

START_TEST(a_tlsa_record_takes_the_place_of_cas)
{
    for (size_t i = 0; i < sizeof tlsas / sizeof tlsas[0]; i++) {
        struct paper paper = good;
        paper.from_days = -9;
        paper.to_days = tlsas[i].expired ? -1 : 9;
        struct world w = make_world(&paper);
        unsigned char data[4096];
        struct tls_tlsa record =
            make_tlsa(&w, tlsas[i].whose, tlsas[i].usage, tlsas[i].selector, tlsas[i].matching % 3, data);
        struct tls_options options = {
            .host = tlsas[i].host, .is_dane = true, .tlsa = &record, .ntlsa = 1, .next_hop = tlsas[i].next_hop
        };
        struct tls_info info;
        struct outcome o;

        record.matching = tlsas[i].matching;
        connect_to(&o, &w, &plain, options);
        ck_assert_msg((o.tls != NULL) == !tlsas[i].why, "%zu: %s", i, o.err.text);
        if (o.tls != NULL) {
            tls_info(o.tls, &info);
            ck_assert_msg(strstr(info.summary, tlsas[i].summary), "%zu: %s", i, info.summary);
        } else {
            ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
            ck_assert_msg(strstr(o.err.text, tlsas[i].why), "%zu: %s", i, o.err.text);
        }
        disconnect(&o);
        free_world(&w);
    }
}
END_TEST

START_TEST(tlsa_records_none_of_which_can_be_used_leave_tls_without_a_check)
{
    struct world w = make_world(&good);
    struct tls_options options = { .host = "other.example", .is_dane = true };
    struct tls_info info;
    struct outcome o;

    connect_to(&o, &w, &plain, options);
    ck_assert_msg(o.tls != NULL, "%s", o.err.text);
    tls_info(o.tls, &info);
    ck_assert(!info.verified);
    disconnect(&o);
    free_world(&w);
}
END_TEST

/* ---------------------------------------------------------------- handshake */

START_TEST(versions_below_the_least_are_refused)
{
    static const struct {
        int server;
        const char *least;
        const char *got; /* NULL: refused */
    } cases[] = {
        { TLS1_VERSION, NULL, NULL },
        { TLS1_1_VERSION, NULL, NULL },
        { TLS1_2_VERSION, NULL, "TLSv1.2" },
        { TLS1_2_VERSION, "1.3", NULL },
        { 0, "1.3", "TLSv1.3" },
        { TLS1_VERSION, "1.0", "TLSv1" },
        { TLS1_1_VERSION, "1.0", "TLSv1.1" },
        { TLS1_VERSION, "1.1", NULL },
    };
    struct world w = make_world(&good);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tls_options options = strict(&w, HOST);
        struct manners m = { .max_version = cases[i].server };
        struct tls_info info;
        struct outcome o;

        options.min_version = cases[i].least;
        connect_to(&o, &w, &m, options);
        if (cases[i].got == NULL) {
            ck_assert_int_eq(o.failure, TLS_FAILURE_HANDSHAKE);
            ck_assert_int_eq(o.err.class, ERROR_ADMIN);
            ck_assert_msg(strstr(o.err.text, "TLS version") != NULL, "%s", o.err.text);
        } else {
            ck_assert_msg(o.tls != NULL, "%zu: %s", i, o.err.text);
            tls_info(o.tls, &info);
            ck_assert_str_eq(info.version, cases[i].got);
        }
        disconnect(&o);
    }
    free_world(&w);
}
END_TEST

START_TEST(a_name_goes_out_as_sni_and_an_address_does_not)
{
    static const struct paper both = {
        .cn = "x", .san = "DNS:" HOST ",IP:192.0.2.1", .from_days = -1, .to_days = 9
    };
    static const char *const cases[][2] = { { HOST, HOST }, { "192.0.2.1", "-" } };
    struct world w = make_world(&both);

    for (size_t i = 0; i < 2; i++) {
        char text[100] = "";
        struct outcome o;
        ssize_t n;

        connect_to(&o, &w, &plain, strict(&w, cases[i][0]));
        ck_assert_msg(o.tls != NULL, "%s", o.err.text);
        n = tls_read(o.tls, text, sizeof text - 1, clock_deadline(10000), &o.err);
        ck_assert_int_eq(n, (ssize_t)strlen(cases[i][1]));
        ck_assert_str_eq(text, cases[i][1]);
        ck_assert_int_eq(tls_read(o.tls, text, sizeof text, clock_deadline(10000), &o.err), 0);
        disconnect(&o);
    }
    free_world(&w);
}
END_TEST

START_TEST(a_client_certificate_is_used_and_its_absence_is_named)
{
    static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
    struct world w = make_world(&good);
    char *mine = pem_of(&w.client, true), *cert = pem_of(&w.client, false), *theirs = pem_of(&w.server, true);

    for (size_t i = 0; i < 4; i++) {
        struct manners m = { .want_client = true, .max_version = version[i / 2], .say = "hello" };
        struct tls_options options = strict(&w, HOST);
        struct outcome o;
        char text[10];
        ssize_t n = -1;

        if (i % 2 == 0) {
            options.cert_pem = slice_of(cert);
            options.key_pem = slice_of(mine);
        }
        connect_to(&o, &w, &m, options);
        if (o.tls != NULL)
            n = tls_read(o.tls, text, sizeof text, clock_deadline(10000), &o.err);
        ck_assert_msg((n == 5) == (i % 2 == 0), "%zu: %s", i, o.err.text);
        if (i % 2 == 1)
            ck_assert_int_eq(o.err.class, ERROR_ADMIN);
        disconnect(&o);
    }
    for (size_t i = 0; i < 3; i++) {
        struct tls_options options = strict(&w, HOST);
        struct outcome o;

        options.cert_pem = slice_of(i == 0 ? "nonsense" : cert);
        options.key_pem = slice_of(i == 2 ? theirs : NULL);
        connect_to(&o, &w, &plain, options);
        ck_assert_int_eq(o.failure, TLS_FAILURE_CONFIG);
        ck_assert_int_eq(o.err.class, ERROR_CONFIG);
        disconnect(&o);
    }
    free(mine), free(cert), free(theirs);
    free_world(&w);
}
END_TEST

START_TEST(broken_settings_are_named)
{
    struct world w = make_world(&good);
    struct tls_options bad[4];
    static const char *const why[] = { "TLS_CA_File", "TLSMinVersion", "host name", "host name" };
    char *long_name = mem_alloc(1000);

    memset(long_name, 'a', 999);
    for (size_t i = 0; i < 4; i++)
        bad[i] = strict(&w, HOST);
    bad[0].ca_pem = slice_of("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    bad[1].min_version = "1.4";
    bad[2].host = "";
    bad[3].host = long_name;
    for (size_t i = 0; i < 4; i++) {
        struct outcome o;

        connect_to(&o, &w, &plain, bad[i]);
        ck_assert_int_eq(o.failure, TLS_FAILURE_CONFIG);
        ck_assert_msg(strstr(o.err.text, why[i]) != NULL, "%s", o.err.text);
        disconnect(&o);
    }
    free(long_name);
    free_world(&w);
}
END_TEST

/* Talk to a peer that is no TLS server: it has sent `say`, then stays silent or closes. */
static enum tls_failure
against(struct slice say, bool closes, struct error *err)
{
    struct tls_options options = { .host = HOST, .verify = false };
    enum tls_failure failure;
    struct tls *t;
    int pair[2];

    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    if (say.len > 0)
        ck_assert_int_eq(write(pair[1], say.p, say.len), (ssize_t)say.len);
    if (closes)
        (void)shutdown(pair[1], SHUT_WR);
    error_init(err);
    t = tls_start(pair[0], &options, clock_deadline(closes ? 10000 : 50), &failure, err);
    ck_assert_ptr_null(t);
    close(pair[0]);
    close(pair[1]);
    return failure;
}

START_TEST(a_handshake_that_is_cut_off_is_temporary_and_one_that_is_no_tls_is_not)
{
    struct error err;

    ck_assert_int_eq(against(slice_of(""), true, &err), TLS_FAILURE_LOST);
    ck_assert_int_eq(err.class, ERROR_TEMP);
    ck_assert_int_eq(against(slice_of("\x16\x03\x03"), true, &err), TLS_FAILURE_LOST);
    ck_assert_int_eq(against(slice_of(""), false, &err), TLS_FAILURE_TIMEOUT);
    ck_assert_int_eq(err.class, ERROR_TEMP);
    ck_assert_int_eq(against(slice_of("220 mail.example.net ESMTP\r\n"), false, &err), TLS_FAILURE_HANDSHAKE);
    ck_assert_int_eq(err.class, ERROR_ADMIN);
    ck_assert_msg(strstr(err.text, "does not speak TLS") != NULL, "%s", err.text);
    ck_assert_int_eq(
        against(slice_make("\x15\x03\x03\0\x02\x02\x28", 7), false, &err), TLS_FAILURE_HANDSHAKE);
}
END_TEST

/* ---------------------------------------------------------------- bytes */

START_TEST(the_end_is_the_end_with_or_without_close_notify)
{
    struct world w = make_world(&good);

    for (int i = 0; i < 4; i++) {
        struct manners m = {
            .say = "hello", .no_notify = i % 2 == 0, .max_version = i / 2 == 0 ? TLS1_2_VERSION : 0
        };
        struct outcome o;
        char text[10];
        size_t done;
        enum tls_io io;

        connect_to(&o, &w, &m, strict(&w, HOST));
        ck_assert_int_eq(tls_read(o.tls, text, 2, clock_deadline(10000), &o.err), 2);
        ck_assert_uint_eq(tls_pending(o.tls), 3);
        ck_assert_int_eq(tls_read(o.tls, text, sizeof text, clock_deadline(10000), &o.err), 3);
        ck_assert_int_eq(tls_read(o.tls, text, sizeof text, clock_deadline(10000), &o.err), 0);
        io = tls_read_some(o.tls, text, sizeof text, &done, &o.err);
        ck_assert(io == TLS_IO_EOF || io == TLS_IO_ERROR);
        disconnect(&o);
    }
    free_world(&w);
}
END_TEST

START_TEST(a_silent_peer_gives_want_read_and_a_deadline_ends_the_wait)
{
    struct world w = make_world(&good);
    struct manners m = { .say = "x", .bulk = 1 };
    struct outcome o;
    char text[10];
    size_t done;

    connect_to(&o, &w, &m, strict(&w, HOST));
    ck_assert_int_eq(tls_read(o.tls, text, sizeof text, clock_deadline(10000), &o.err), 1);
    ck_assert_int_eq(tls_read_some(o.tls, text, sizeof text, &done, &o.err), TLS_IO_WANT_READ);
    ck_assert_int_eq(tls_read(o.tls, text, sizeof text, clock_deadline(20), &o.err), -1);
    ck_assert_int_eq(o.err.class, ERROR_TEMP);
    ck_assert(tls_write(o.tls, "y", 1, clock_deadline(10000), &o.err));
    ck_assert_int_eq(tls_read(o.tls, text, sizeof text, clock_deadline(10000), &o.err), 1);
    disconnect(&o);
    free_world(&w);
}
END_TEST

START_TEST(megabytes_pass_in_both_directions)
{
    const size_t size = 3000000;
    struct world w = make_world(&good);
    char *data = mem_alloc(size);

    for (int i = 0; i < 2; i++) {
        struct manners m = { .say = "x", .bulk = size, .max_version = i == 0 ? TLS1_2_VERSION : 0 };
        struct outcome o;
        size_t got = 0;
        ssize_t n;

        connect_to(&o, &w, &m, strict(&w, HOST));
        ck_assert_int_eq(tls_read(o.tls, data, 1, clock_deadline(10000), &o.err), 1);
        ck_assert_msg(tls_write(o.tls, data, size, clock_deadline(20000), &o.err), "%s", o.err.text);
        while ((n = tls_read(o.tls, data, size, clock_deadline(20000), &o.err)) > 0)
            got += (size_t)n;
        ck_assert_int_eq(n, 0);
        ck_assert_uint_eq(got, size);
        disconnect(&o);
    }
    free(data);
    free_world(&w);
}
END_TEST

START_TEST(renegotiation_is_refused)
{
    struct world w = make_world(&good);
    struct manners m = { .say = "hello", .max_version = TLS1_2_VERSION, .renegotiate = true };
    struct tls_info info;
    struct outcome o;
    char text[10];
    ssize_t n;

    connect_to(&o, &w, &m, strict(&w, HOST));
    n = tls_read(o.tls, text, sizeof text, clock_deadline(10000), &o.err);
    ck_assert_int_le(n, 5); /* the server gives up or goes on; the session stays what it was */
    tls_info(o.tls, &info);
    ck_assert(info.verified);
    disconnect(&o);
    free_world(&w);
}
END_TEST

/* ---------------------------------------------------------------- channel binding */

START_TEST(the_binding_is_the_exporter_over_tls_1_3_and_the_certificate_below)
{
    struct world w = make_world(&good);
    unsigned char want[TLS_PIN_BYTES];

    pin_of(want, &w.server, false); /* signed with SHA-256, so the same hash */
    for (int i = 0; i < 2; i++) {
        struct manners m = { .say = "x", .max_version = i == 0 ? TLS1_2_VERSION : 0 };
        struct outcome o;
        struct buf data;
        const char *type;

        buf_init(&data, 1000);
        connect_to(&o, &w, &m, strict(&w, HOST));
        type = tls_binding(o.tls, &data);
        ck_assert_str_eq(type, i == 0 ? "tls-server-end-point" : "tls-exporter");
        ck_assert_uint_eq(data.len, 32);
        buf_reset(&data);
        ck_assert(tls_channel_binding(o.tls, "tls-server-end-point", &data));
        ck_assert_mem_eq(data.data, want, sizeof want);
        ck_assert(!tls_channel_binding(o.tls, "tls-unique", &data));
        ck_assert_int_eq(tls_channel_binding(o.tls, "tls-exporter", &data), i == 1);
        buf_clear(&data);
        disconnect(&o);
    }
    free_world(&w);
}
END_TEST

START_TEST(a_certificate_signed_without_a_hash_has_no_end_point)
{
    static const struct paper ed = {
        .cn = "x", .san = "DNS:" HOST, .from_days = -1, .to_days = 9, .self = true, .ed25519 = true
    };
    struct world w = make_world(&ed);
    struct manners m = { .say = "x", .max_version = TLS1_2_VERSION };
    struct tls_options options = { .host = HOST };
    struct outcome o;
    struct buf data;

    buf_init(&data, 1000);
    connect_to(&o, &w, &m, options);
    ck_assert_msg(o.tls != NULL, "%s", o.err.text);
    ck_assert_ptr_null(tls_binding(o.tls, &data));
    disconnect(&o);
    free_world(&w);
}
END_TEST

SUITE_MAIN("tls", only_a_certificate_for_this_host_by_a_known_ca_in_its_time_and_purpose_is_trusted,
    a_certificate_of_another_ca_is_not_trusted, a_server_certificate_given_as_ca_is_trusted_for_its_own_name,
    a_hashed_directory_serves_as_ca_dir_and_as_the_system_store,
    a_pin_of_certificate_or_key_replaces_chain_name_and_dates,
    a_wrong_pin_is_refused_even_without_verification_and_the_right_one_is_told,
    opportunistic_takes_anything_but_tells_what_it_is, a_tlsa_record_takes_the_place_of_cas,
    tlsa_records_none_of_which_can_be_used_leave_tls_without_a_check, versions_below_the_least_are_refused,
    a_name_goes_out_as_sni_and_an_address_does_not, a_client_certificate_is_used_and_its_absence_is_named,
    broken_settings_are_named, a_handshake_that_is_cut_off_is_temporary_and_one_that_is_no_tls_is_not,
    the_end_is_the_end_with_or_without_close_notify,
    a_silent_peer_gives_want_read_and_a_deadline_ends_the_wait, megabytes_pass_in_both_directions,
    renegotiation_is_refused, the_binding_is_the_exporter_over_tls_1_3_and_the_certificate_below,
    a_certificate_signed_without_a_hash_has_no_end_point)
