/* SPDX-License-Identifier: ISC */
/* tls_peer: certificates in words, escaped; decides nothing about trust. */
#include "smtp/tls_peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/text.h"

enum { NAMES_SHOWN = 5, CHAIN_SHOWN = 6 };

void
tls_peer_format_name(char *out, size_t size, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;

    out[0] = '\0';
    if (bio != NULL &&
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        len = BIO_get_mem_data(bio, &text);
        if (len > 0)
            (void)text_escape(out, size, slice_make(text, (size_t)len));
    }
    BIO_free(bio);
}

void
tls_peer_format_date(char *out, size_t size, const ASN1_TIME *when)
{
    struct tm tm;

    out[0] = '\0';
    if (ASN1_TIME_to_tm(when, &tm) == 1)
        (void)strftime(out, size, "%Y-%m-%d %H:%M UTC", &tm);
}

static void
add_name(struct buf *out, size_t shown, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    const ASN1_STRING *s;
    const unsigned char *data;
    size_t len;

    if (shown > 0)
        buf_add_str(out, shown < NAMES_SHOWN ? ", " : " ...");
    if (shown >= NAMES_SHOWN)
        return;
    s = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    data = ASN1_STRING_get0_data(s);
    len = (size_t)ASN1_STRING_length(s);
    if (name->type == GEN_DNS)
        text_add_escaped(out, slice_make((const char *)data, len > 100 ? 100 : len));
    else if ((len == 4 || len == 16) &&
             inet_ntop(len == 4 ? AF_INET : AF_INET6, data, text, sizeof text) != NULL)
        buf_add_str(out, text);
    else
        buf_add_str(out, "?");
}

void
tls_peer_add_names(struct buf *out, X509 *cert)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t shown = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && shown <= NAMES_SHOWN; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_DNS || name->type == GEN_IPADD)
            add_name(out, shown++, name);
    }
    if (shown == 0)
        buf_add_str(out, "no host");
    GENERAL_NAMES_free(names);
}

bool
tls_peer_is_self_issued(X509 *cert)
{
    return X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
}

/* ---------------------------------------------------------------- as a step's details */

static void
tell_chain(struct steps *steps, const STACK_OF(X509) * chain)
{
    char subject[256], issuer[256];

    for (int i = 0; i < sk_X509_num(chain) && i < CHAIN_SHOWN; i++) {
        X509 *cert = sk_X509_value(chain, i);
        tls_peer_format_name(subject, sizeof subject, X509_get_subject_name(cert));
        tls_peer_format_name(issuer, sizeof issuer, X509_get_issuer_name(cert));
        steps_item(steps, "chain");
        steps_item_text(steps, "subject", slice_of(subject));
        steps_item_text(steps, "issuer", slice_of(issuer));
        steps_note(steps, "%s%s", i ? "issued by: " : "certificate: ", subject);
        if (i + 1 == sk_X509_num(chain) && !tls_peer_is_self_issued(cert))
            steps_note(steps, "issued by: %s (not sent, or not known here)", issuer);
    }
}

void
tls_peer_tell(struct steps *steps, const STACK_OF(X509) * chain, const STACK_OF(X509) * sent, X509 *cert,
    int days_left, const char *pin)
{
    char date[64];
    struct buf names;

    if (!steps)
        return;
    buf_init(&names, 600);
    tls_peer_add_names(&names, cert);
    tls_peer_format_date(date, sizeof date, X509_get0_notAfter(cert));
    steps_text(steps, "names", buf_slice(&names));
    steps_text(steps, "expires", slice_of(date));
    steps_number(steps, "days_left", days_left);
    steps_text(steps, "pin", slice_of(pin));
    tell_chain(steps, sk_X509_num(chain) > 0 ? chain : sent);
    steps_note(steps, "for %s; expires on %s, %d days left", buf_str(&names), date, days_left);
    steps_note(steps, "to pin it: TLSFingerprint = \"%s\"", pin);
    buf_clear(&names);
    ERR_clear_error();
}
