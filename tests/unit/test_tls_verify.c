/* SPDX-License-Identifier: ISC */
/* tls_verify: whom tls trusts: by a CA, by a pin, by TLSA records; against an OpenSSL server on a socket pair. */
#include "unit/suite.h"
#include "unit/tlspeer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/mem.h"

/* ---------------------------------------------------------------- certificates */

static const struct {
    const char *what;
    struct paper paper;
    const char *host;
    const char *why; /* NULL: trusted; else what the error says */
} papers[] = {
    { "valid", { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9 }, TLSPEER_HOST, NULL },
    { "valid, other case", { .cn = "x", .san = "DNS:MAIL.example.NET", .from_days = -1, .to_days = 9 },
        TLSPEER_HOST, NULL },
    { "valid, trailing dot asked", { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9 },
        TLSPEER_HOST ".", NULL },
    { "serverAuth",
        { .cn = "x", .san = "DNS:" TLSPEER_HOST, .eku = "serverAuth", .from_days = -1, .to_days = 9 },
        TLSPEER_HOST, NULL },
    { "second name", { .cn = "x", .san = "DNS:a.example,DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9 },
        TLSPEER_HOST, NULL },
    { "expired", { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -9, .to_days = -1 }, TLSPEER_HOST,
        "it expired on 20" },
    { "not yet", { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = 1, .to_days = 9 }, TLSPEER_HOST,
        "it is not valid before 20" },
    { "wrong host",
        { .cn = TLSPEER_HOST,
            .san = "DNS:a.example,DNS:*.b.example,IP:192.0.2.1",
            .from_days = -1,
            .to_days = 9 },
        TLSPEER_HOST, "it is for a.example, *.b.example, 192.0.2.1, not for " TLSPEER_HOST },
    { "wildcard", { .cn = "x", .san = "DNS:*.example.net", .from_days = -1, .to_days = 9 }, TLSPEER_HOST,
        NULL },
    { "wildcard, two labels", { .cn = "x", .san = "DNS:*.example.net", .from_days = -1, .to_days = 9 },
        "a.mail.example.net", "not for a.mail.example.net" },
    { "wildcard, no label", { .cn = "x", .san = "DNS:*.example.net", .from_days = -1, .to_days = 9 },
        "example.net", "not for example.net" },
    { "partial wildcard", { .cn = "x", .san = "DNS:m*.example.net", .from_days = -1, .to_days = 9 },
        TLSPEER_HOST, "not for" },
    { "inner wildcard", { .cn = "x", .san = "DNS:mail.*.net", .from_days = -1, .to_days = 9 }, TLSPEER_HOST,
        "not for" },
    { "parent's name", { .cn = "x", .san = "DNS:example.net", .from_days = -1, .to_days = 9 }, TLSPEER_HOST,
        "not for" },
    { "self-signed", { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9, .self = true },
        TLSPEER_HOST, "it is self-signed" },
    { "CN only", { .cn = TLSPEER_HOST, .from_days = -1, .to_days = 9 }, TLSPEER_HOST,
        "it is for no host, not for " TLSPEER_HOST },
    { "client purpose",
        { .cn = "x", .san = "DNS:" TLSPEER_HOST, .eku = "clientAuth", .from_days = -1, .to_days = 9 },
        TLSPEER_HOST, "it is not meant for servers" },
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
            .raw_dns = TLSPEER_HOST "\0.evil.example",
            .raw_len = sizeof TLSPEER_HOST "\0.evil.example" - 1,
            .from_days = -1,
            .to_days = 9 },
        TLSPEER_HOST, "it is for " TLSPEER_HOST "\\x00.evil.example, not" },
    { "dot and name",
        { .cn = "x",
            .raw_dns = "." TLSPEER_HOST,
            .raw_len = sizeof TLSPEER_HOST,
            .from_days = -1,
            .to_days = 9 },
        TLSPEER_HOST, "not for" },
};

START_TEST(only_a_certificate_for_this_host_by_a_known_ca_in_its_time_and_purpose_is_trusted)
{
    for (size_t i = 0; i < sizeof papers / sizeof papers[0]; i++) {
        struct world w = tlspeer_world(&papers[i].paper);
        struct outcome o;
        struct tls_info info;

        tlspeer_connect(&o, &w, &tlspeer_plain, tlspeer_strict(&w, papers[i].host));
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
        tlspeer_hang_up(&o);
        tlspeer_free(&w);
    }
}
END_TEST

START_TEST(a_certificate_of_another_ca_is_not_trusted)
{
    struct world w = tlspeer_world(&tlspeer_good);
    struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
    char *other = tlspeer_pem(&w.other_ca, false);
    struct outcome o;

    options.ca_pem = slice_of(other);
    tlspeer_connect(&o, &w, &tlspeer_plain, options);
    ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
    ck_assert_msg(strstr(o.err.text, "unknown CA (CN=Test CA)") != NULL, "%s", o.err.text);
    tlspeer_hang_up(&o);
    options.ca_pem = slice_of(NULL);
    tlspeer_connect(&o, &w, &tlspeer_plain, options);
    ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
    tlspeer_hang_up(&o);
    free(other);
    tlspeer_free(&w);
}
END_TEST

START_TEST(a_server_certificate_given_as_ca_is_trusted_for_its_own_name)
{
    struct world w = tlspeer_world(&tlspeer_good);
    struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
    char *leaf = tlspeer_pem(&w.server, false);
    struct outcome o;

    options.ca_pem = slice_of(leaf);
    tlspeer_connect(&o, &w, &tlspeer_plain, options);
    ck_assert_msg(o.tls != NULL, "%s", o.err.text);
    tlspeer_hang_up(&o);
    options.host = "other.example.net";
    tlspeer_connect(&o, &w, &tlspeer_plain, options);
    ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
    tlspeer_hang_up(&o);
    free(leaf);
    tlspeer_free(&w);
}
END_TEST

START_TEST(a_hashed_directory_serves_as_ca_dir_and_as_the_system_store)
{
    struct world w = tlspeer_world(&tlspeer_good);
    char *dir = mem_dup("./ca.XXXXXX"), *file;
    FILE *f;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    file =
        mem_format("%s/%08lx.0", dir, X509_NAME_hash_ex(X509_get_subject_name(w.ca.cert), NULL, NULL, NULL));
    f = fopen(file, "w");
    ck_assert(f != NULL && fputs(w.ca_pem, f) >= 0 && fclose(f) == 0);
    for (int i = 0; i < 3; i++) {
        struct tls_options options = { .host = TLSPEER_HOST, .verify = true, .ca_dir = i == 0 ? dir : NULL };
        struct outcome o;

        (void)setenv(i == 1 ? "SSL_CERT_DIR" : "SSL_CERT_FILE", i == 1 ? dir : file, 1);
        if (i == 2)
            (void)unsetenv("SSL_CERT_DIR");
        tlspeer_connect(&o, &w, &tlspeer_plain, options);
        ck_assert_msg(o.tls != NULL, "%d: %s", i, o.err.text);
        tlspeer_hang_up(&o);
    }
    (void)unlink(file);
    (void)rmdir(dir);
    free(file);
    free(dir);
    tlspeer_free(&w);
}
END_TEST

START_TEST(a_pin_of_certificate_or_key_replaces_chain_name_and_dates)
{
    static const struct paper bad[] = {
        { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9 },
        { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9, .self = true },
        { .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -9, .to_days = -1 },
        { .cn = "x", .san = "DNS:elsewhere.example", .from_days = -9, .to_days = -1, .self = true },
    };

    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        struct world w = tlspeer_world(&bad[i / 2]);
        unsigned char pins[2][TLS_PIN_BYTES] = { { 0 }, { 0 } };
        struct tls_options options = { .host = TLSPEER_HOST,
            .verify = true,
            .pins = (const unsigned char(*)[TLS_PIN_BYTES])pins,
            .npins = 2 };
        struct tls_info info;
        struct outcome o;

        tlspeer_pin(pins[1], &w.server, i % 2 == 0);
        tlspeer_connect(&o, &w, &tlspeer_plain, options);
        ck_assert_msg(o.tls != NULL, "%s", o.err.text);
        tls_info(o.tls, &info);
        ck_assert(info.verified && info.pinned);
        ck_assert_str_eq(info.summary, "TLSv1.3 TLS_AES_256_GCM_SHA384 pinned");
        ck_assert_int_eq(info.days_left >= 0, bad[i / 2].to_days > 0);
        tlspeer_hang_up(&o);
        tlspeer_free(&w);
    }
}
END_TEST

START_TEST(a_wrong_pin_is_refused_even_without_verification_and_the_right_one_is_told)
{
    struct world w = tlspeer_world(&tlspeer_good);
    unsigned char pins[1][TLS_PIN_BYTES], right[TLS_PIN_BYTES];
    char hex[2 * TLS_PIN_BYTES + 1];
    struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
    struct outcome o;

    tlspeer_pin(pins[0], &w.ca, true);
    tlspeer_pin(right, &w.server, true);
    for (size_t i = 0; i < TLS_PIN_BYTES; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", right[i]);
    options.pins = (const unsigned char(*)[TLS_PIN_BYTES])pins;
    options.npins = 1;
    for (int verify = 0; verify < 2; verify++) {
        options.verify = verify == 1;
        tlspeer_connect(&o, &w, &tlspeer_plain, options);
        ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
        ck_assert_msg(strstr(o.err.text, "none of those pinned") != NULL && strstr(o.err.text, hex) != NULL,
            "%s", o.err.text);
        tlspeer_hang_up(&o);
    }
    tlspeer_free(&w);
}
END_TEST

START_TEST(opportunistic_takes_anything_but_tells_what_it_is)
{
    static const struct paper self = {
        .cn = "x", .san = "DNS:" TLSPEER_HOST, .from_days = -1, .to_days = 9, .self = true
    };

    for (int i = 0; i < 3; i++) {
        struct world w = tlspeer_world(i == 0 ? &tlspeer_good : &self);
        struct tls_options options = tlspeer_strict(&w, TLSPEER_HOST);
        struct tls_info info;
        struct outcome o;

        options.opportunistic = i < 2;
        options.verify = i < 2;
        tlspeer_connect(&o, &w, &tlspeer_plain, options);
        ck_assert_msg(o.tls != NULL, "%s", o.err.text);
        tls_info(o.tls, &info);
        ck_assert_int_eq(info.verified, i == 0);
        ck_assert_str_eq(info.reason, i == 0 ? "" : i == 1 ? "it is self-signed" : "it was not looked at");
        ck_assert_str_eq(info.subject, "CN=x");
        tlspeer_hang_up(&o);
        tlspeer_free(&w);
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
    { OF_SERVER, 3, 1, 1, TLSPEER_HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 0, 1, TLSPEER_HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 1, 2, TLSPEER_HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 0, 0, TLSPEER_HOST, NULL, false, "dane", NULL },
    { OF_SERVER, 3, 1, 0, TLSPEER_HOST, NULL, false, "dane", NULL },
    /* RFC 7672, 3.1.1: neither names nor dates */
    { OF_SERVER, 3, 1, 1, "other.example", NULL, false, "dane", NULL },
    { OF_SERVER, 3, 1, 1, TLSPEER_HOST, NULL, true, "dane", NULL },
    { OF_NOBODY, 3, 1, 1, TLSPEER_HOST, NULL, false, NULL,
        "matches none of the TLSA records of " TLSPEER_HOST },
    { OF_CA, 3, 1, 1, TLSPEER_HOST, NULL, false, NULL, "matches none of the TLSA records of " TLSPEER_HOST },
    /* RFC 7672, 3.1.2: a CA of their own, whose certificate counts for names and dates */
    { OF_CA, 2, 0, 0, TLSPEER_HOST, NULL, false, "dane", NULL },
    { OF_CA, 2, 0, 0, "other.example", TLSPEER_HOST, false, "dane", NULL },
    { OF_CA, 2, 0, 0, "other.example", NULL, false, NULL, "not for other.example" },
    { OF_CA, 2, 0, 0, TLSPEER_HOST, NULL, true, NULL, "it expired" },
    { OF_NOBODY, 2, 1, 1, TLSPEER_HOST, NULL, false, NULL, "not trusted" },
    /* nothing to go by: TLS, with whatever certificate */
    { OF_SERVER, 3, 1, 9, TLSPEER_HOST, NULL, false, "unverified", NULL },
    { OF_SERVER, 3, 7, 1, TLSPEER_HOST, NULL, false, "unverified", NULL },
};

START_TEST(a_tlsa_record_takes_the_place_of_cas)
{
    for (size_t i = 0; i < sizeof tlsas / sizeof tlsas[0]; i++) {
        struct paper paper = tlspeer_good;
        paper.from_days = -9;
        paper.to_days = tlsas[i].expired ? -1 : 9;
        struct world w = tlspeer_world(&paper);
        unsigned char data[4096];
        struct tls_tlsa record =
            make_tlsa(&w, tlsas[i].whose, tlsas[i].usage, tlsas[i].selector, tlsas[i].matching % 3, data);
        struct tls_options options = {
            .host = tlsas[i].host, .is_dane = true, .tlsa = &record, .ntlsa = 1, .next_hop = tlsas[i].next_hop
        };
        struct tls_info info;
        struct outcome o;

        record.matching = tlsas[i].matching;
        tlspeer_connect(&o, &w, &tlspeer_plain, options);
        ck_assert_msg((o.tls != NULL) == !tlsas[i].why, "%zu: %s", i, o.err.text);
        if (o.tls != NULL) {
            tls_info(o.tls, &info);
            ck_assert_msg(strstr(info.summary, tlsas[i].summary), "%zu: %s", i, info.summary);
        } else {
            ck_assert_int_eq(o.failure, TLS_FAILURE_CERTIFICATE);
            ck_assert_msg(strstr(o.err.text, tlsas[i].why), "%zu: %s", i, o.err.text);
        }
        tlspeer_hang_up(&o);
        tlspeer_free(&w);
    }
}
END_TEST

START_TEST(tlsa_records_none_of_which_can_be_used_leave_tls_without_a_check)
{
    struct world w = tlspeer_world(&tlspeer_good);
    struct tls_options options = { .host = "other.example", .is_dane = true };
    struct tls_info info;
    struct outcome o;

    tlspeer_connect(&o, &w, &tlspeer_plain, options);
    ck_assert_msg(o.tls != NULL, "%s", o.err.text);
    tls_info(o.tls, &info);
    ck_assert(!info.verified);
    tlspeer_hang_up(&o);
    tlspeer_free(&w);
}
END_TEST

SUITE_MAIN("tls_verify", only_a_certificate_for_this_host_by_a_known_ca_in_its_time_and_purpose_is_trusted,
    a_certificate_of_another_ca_is_not_trusted, a_server_certificate_given_as_ca_is_trusted_for_its_own_name,
    a_hashed_directory_serves_as_ca_dir_and_as_the_system_store,
    a_pin_of_certificate_or_key_replaces_chain_name_and_dates,
    a_wrong_pin_is_refused_even_without_verification_and_the_right_one_is_told,
    opportunistic_takes_anything_but_tells_what_it_is, a_tlsa_record_takes_the_place_of_cas,
    tlsa_records_none_of_which_can_be_used_leave_tls_without_a_check)
