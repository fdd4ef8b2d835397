/* SPDX-License-Identifier: ISC */
/*
 * tls_verify: whom a connection trusts: CAs, pins, names, TLSA records; and why it does not, in words.
 *
 * It is decided in one callback during the handshake, so that a refused peer gets a proper alert and we know the reason.
 */
#include "smtp/tls_state.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <openssl/x509_vfy.h>

#include "base/text.h"
#include "smtp/tls_peer.h"

/* ---------------------------------------------------------------- the peer's certificate in words */

static void
format_hex(char out[2 * TLS_PIN_BYTES + 1], const unsigned char pin[TLS_PIN_BYTES])
{
    for (size_t i = 0; i < TLS_PIN_BYTES; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", pin[i]);
}

/* Either the certificate is wrong or the clock, and who reads both sees which */
static void
add_date(struct buf *out, const char *words, const ASN1_TIME *limit)
{
    ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL));
    char date[64], here[64] = "?";

    tls_peer_format_date(date, sizeof date, limit);
    if (now != NULL)
        tls_peer_format_date(here, sizeof here, now);
    buf_add_format(out, "%s %s, and the clock here says %s", words, date, here);
    ASN1_TIME_free(now);
}

/* What OpenSSL found wrong, as "it ..." for people. `bad` is the certificate it stumbled over. */
static void
add_verdict(struct buf *out, const struct tls *t, int code, X509 *leaf, X509 *bad)
{
    char name[256];

    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        add_date(out, "expired on", X509_get0_notAfter(bad));
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        add_date(out, "is not valid before", X509_get0_notBefore(bad));
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

/* By the difference, since time_t may be too short for it */
int64_t
tls_verify_expiry(const X509 *cert)
{
    ASN1_TIME *begin = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool ok = begin != NULL && ASN1_TIME_diff(&days, &seconds, begin, X509_get0_notAfter(cert)) == 1;

    ASN1_TIME_free(begin);
    return ok ? (int64_t)days * 86400 + seconds : 0;
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
    t->expires_s = tls_verify_expiry(cert);
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

/* ---------------------------------------------------------------- what is trusted, and as whom */

static bool
add_ca_text(SSL_CTX *ctx, struct slice pem, struct error *err)
{
    BIO *bio = tls_text_bio(pem);
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

bool
tls_verify_set_up(struct tls *t, struct error *err)
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
        return error_set(err, ERROR_CONFIG, "TLS_CA_Dir: %s", tls_last_error(NULL));
    return true;
}

bool
tls_verify_set_host(struct tls *t, struct error *err)
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
bool
tls_verify_set_dane(struct tls *t, struct error *err)
{
    const struct tls_options *o = t->options;

    if (!o->is_dane || o->ntlsa == 0)
        return true;
    if (SSL_CTX_dane_enable(t->ctx) <= 0 || SSL_dane_enable(t->ssl, t->host) <= 0)
        return error_set(err, ERROR_OS, "OpenSSL: %s", tls_last_error(NULL));
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
