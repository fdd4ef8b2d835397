/* SPDX-License-Identifier: ISC */
/* tls: the hub's side of TLS, good or bad on purpose. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "hub/hub.h"

static int
version_of(const char *name)
{
    static const struct {
        const char *name;
        int version;
    } versions[] = { { "1.0", TLS1_VERSION }, { "1.1", TLS1_1_VERSION }, { "1.2", TLS1_2_VERSION },
        { "1.3", TLS1_3_VERSION } };

    for (size_t i = 0; name && i < sizeof versions / sizeof versions[0]; i++)
        if (strcmp(versions[i].name, name) == 0)
            return versions[i].version;
    return 0;
}

static int
take_any_certificate(int ok, X509_STORE_CTX *store)
{
    (void)ok, (void)store; /* what the client shows is written down, not judged */
    return 1;
}

static SSL_CTX *
context_new(struct session *s)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    char *pem = mem_format("%s/%s.pem", s->opt->certs, s->opt->cert);
    int max = version_of(s->opt->tls_max);

    SSL_CTX_set_min_proto_version(ctx, s->opt->tls_min ? version_of(s->opt->tls_min) : TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(ctx, max);
    if (max && max < TLS1_2_VERSION)
        (void)SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"); /* the handshake says if that was wrong */
    if (s->opt->client_cert)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, take_any_certificate);
    if (SSL_CTX_use_certificate_chain_file(ctx, pem) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) != 1)
        session_end(s, "the hub's certificate cannot be read");
    free(pem);
    return ctx;
}

static noreturn void
handshake_failed(struct session *s)
{
    unsigned long e = ERR_peek_error();

    wire_note(s, "TLS failed: %s", e ? ERR_error_string(e, NULL) : "the client has gone");
    SSL_free(s->ssl);
    s->ssl = NULL;
    session_end(s, "no TLS");
}

/* What the library wants to write, octet by octet. */
static void
drip_out(struct session *s, BIO *out)
{
    SSL *ssl = s->ssl;
    char *data;
    long len = BIO_get_mem_data(out, &data);

    s->ssl = NULL; /* these octets are the record layer itself */
    wire_drip(s, data, (size_t)len, s->opt->drip_handshake_ms);
    s->ssl = ssl;
    (void)BIO_reset(out);
}

/* The handshake with what the hub writes held back in memory, so that it can leave slowly. */
static int
accept_dripping(struct session *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLIN };
    BIO *in = SSL_get_rbio(s->ssl), *out = BIO_new(BIO_s_mem());
    int rc, e;

    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set0_wbio(s->ssl, out);
    (void)file_nonblocking(s->fd, true);
    do {
        ERR_clear_error();
        rc = SSL_accept(s->ssl);
        e = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, rc);
        drip_out(s, out);
    } while (e == SSL_ERROR_WANT_READ && poll(&p, 1, -1) >= 0);
    (void)file_nonblocking(s->fd, false);
    SSL_set0_wbio(s->ssl, in);
    BIO_free(out);
    return rc;
}

static void
write_down(struct session *s)
{
    const char *sni = SSL_get_servername(s->ssl, TLSEXT_NAMETYPE_host_name);
    X509 *peer = SSL_get1_peer_certificate(s->ssl);

    snprintf(s->sni, sizeof s->sni, "%s", sni ? sni : "");
    wire_note(s, "TLS %s %s sni=%s", SSL_get_version(s->ssl), SSL_get_cipher(s->ssl), s->sni);
    if (peer) {
        char *subject = X509_NAME_oneline(X509_get_subject_name(peer), NULL, 0);
        wire_note(s, "client certificate %s", subject);
        OPENSSL_free(subject);
    }
    X509_free(peer);
}

void
tls_handshake(struct session *s)
{
    SSL_CTX *ctx;

    wire_flush(s);
    if (wire_is_pending(s) && s->in.len > s->taken)
        wire_odd(s, "octets behind STARTTLS in clear");
    buf_reset(&s->in);
    s->taken = 0;
    (void)session_answer(s, EVENT_TLS, slice_of(""), NULL);
    wire_flush(s);
    ctx = context_new(s); /* after the event: it may have set another certificate */
    s->ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    SSL_set_fd(s->ssl, s->fd);
    if ((s->opt->drip_handshake_ms ? accept_dripping(s) : SSL_accept(s->ssl)) != 1)
        handshake_failed(s);
    session_forget(s);
    write_down(s);
    (void)session_answer(s, EVENT_SECURED, slice_of(""), NULL);
}

void
tls_renegotiate(struct session *s)
{
    int rc;

    wire_flush(s);
    if (SSL_version(s->ssl) == TLS1_3_VERSION)
        rc = SSL_key_update(s->ssl, SSL_KEY_UPDATE_REQUESTED);
    else
        rc = SSL_renegotiate(s->ssl);
    if (rc == 1)
        rc = SSL_do_handshake(s->ssl);
    wire_note(s, "renegotiation: %s", rc == 1 ? "begun" : "refused");
    if (rc != 1)
        session_end(s, "renegotiation failed");
}

void
tls_tickets(struct session *s)
{
    wire_flush(s);
    while (SSL_new_session_ticket(s->ssl) == 1 && SSL_do_handshake(s->ssl) == 1)
        ;
    session_end(s, "no more tickets are taken");
}

static bool
end_point(struct session *s, struct buf *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (X509_digest(SSL_get_certificate(s->ssl), EVP_sha256(), digest, &len) != 1)
        return false;
    buf_add(out, digest, len);
    return true;
}

bool
tls_binding(struct session *s, struct slice name, struct buf *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    unsigned char value[32];

    if (!s->ssl)
        return false;
    if (slice_is(name, "tls-server-end-point"))
        return end_point(s, out);
    if (!slice_is(name, "tls-exporter") || SSL_export_keying_material(s->ssl, value, sizeof value, label,
                                               sizeof label - 1, (const unsigned char *)"", 0, 1) != 1)
        return false;
    buf_add(out, value, sizeof value);
    return true;
}
