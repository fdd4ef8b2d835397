/* SPDX-License-Identifier: ISC */
/* tls_peer: what a certificate says, in words. For smtp/tls, whose OpenSSL types it shares. */
#ifndef SMTP_TLS_PEER_H
#define SMTP_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/x509.h>

#include "base/buf.h"
#include "smtp/step.h"

/* "CN=hub.example.org,O=..."; escaped, "" where there is none */
void tls_peer_format_name(char *out, size_t size, const X509_NAME *name);
/* "2026-01-31 12:00 UTC" */
void tls_peer_format_date(char *out, size_t size, const ASN1_TIME *when);
/* "a.example, *.b.example": the names a certificate is for */
void tls_peer_add_names(struct buf *out, X509 *cert);
bool tls_peer_is_self_issued(X509 *cert);
/*
 * All of it as details of the step under way: the chain that was built, else what was sent. `pin`: SHA-256 of its key, to be pasted
 * as TLSFingerprint.
 */
void tls_peer_tell(struct steps *steps, const STACK_OF(X509) * chain, const STACK_OF(X509) * sent, X509 *cert,
    int days_left, const char *pin);

#endif
