/* SPDX-License-Identifier: ISC */
/* certs: a certification authority and certificates of all kinds, made in the process. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "hub/hub.h"

#define NAMES "DNS:hub.example.net,DNS:localhost,IP:127.0.0.1,IP:::1"
#define DAY (24L * 60 * 60)

static const struct kind {
    const char *name, *issuer; /* issuer: an earlier entry, or itself */
    const char *common_name, *alternative, *usage;
    long from_day, to_day;
} kinds[] = {
    { "ca", "ca", "hub test CA", NULL, NULL, 0, 3650 },
    { "otherca", "otherca", "another CA", NULL, NULL, 0, 3650 },
    { "sub", "ca", "hub test sub CA", NULL, NULL, 0, 3650 },
    { "valid", "ca", "hub.example.net", NAMES, "serverAuth", 0, 3650 },
    { "expired", "ca", "hub.example.net", NAMES, "serverAuth", -400, -30 },
    { "notyet", "ca", "hub.example.net", NAMES, "serverAuth", 300, 3650 },
    { "soon", "ca", "hub.example.net", NAMES, "serverAuth", 0, 5 },
    { "wronghost", "ca", "other.example.com", "DNS:other.example.com", "serverAuth", 0, 3650 },
    { "wildcard", "ca", "wildcard", "DNS:*.example.net", "serverAuth", 0, 3650 },
    { "clienteku", "ca", "hub.example.net", NAMES, "clientAuth", 0, 3650 },
    { "untrusted", "otherca", "hub.example.net", NAMES, "serverAuth", 0, 3650 },
    { "intermediate", "sub", "hub.example.net", NAMES, "serverAuth", 0, 3650 },
    { "selfsigned", "selfsigned", "hub.example.net", NAMES, "serverAuth", 0, 3650 },
    { "client", "ca", "client.example.org", "DNS:client.example.org", "clientAuth", 0, 3650 },
};

#define KINDS (sizeof kinds / sizeof kinds[0])

struct made {
    X509 *cert;
    EVP_PKEY *key;
};

static size_t
index_of(const char *name)
{
    size_t i = 0;

    while (strcmp(kinds[i].name, name) != 0)
        i++;
    return i;
}

static bool
add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;
    bool ok;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = e && X509_add_ext(cert, e, -1) == 1;
    X509_EXTENSION_free(e);
    return ok;
}

static bool
add_extensions(const struct kind *k, X509 *cert, X509 *issuer)
{
    if (!k->alternative)
        return add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE") &&
               add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
               add_extension(cert, issuer, NID_subject_key_identifier, "hash");
    return add_extension(cert, issuer, NID_basic_constraints, "CA:FALSE") &&
           add_extension(cert, issuer, NID_subject_alt_name, k->alternative) &&
           add_extension(cert, issuer, NID_ext_key_usage, k->usage);
}

static bool
fill(const struct kind *k, X509 *cert, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509_NAME *name = X509_get_subject_name(cert);
    const unsigned char *cn = (const unsigned char *)k->common_name;
    unsigned char serial[8];

    if (RAND_bytes(serial, sizeof serial) != 1)
        return false;
    serial[0] = (serial[0] & 0x7f) | 0x40; /* DER: positive, and no needless zero in front */
    return X509_set_version(cert, X509_VERSION_3) == 1 &&
           ASN1_STRING_set(X509_get_serialNumber(cert), serial, sizeof serial) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(cert), k->from_day * DAY - 3600) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(cert), k->to_day * DAY) != NULL &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, cn, -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
           add_extensions(k, cert, issuer) && X509_sign(cert, issuer_key, EVP_sha256()) > 0;
}

static bool
make(size_t i, struct made *all)
{
    size_t issuer = index_of(kinds[i].issuer);

    all[i].key = EVP_EC_gen("P-256");
    all[i].cert = X509_new();
    return all[i].key && all[i].cert &&
           fill(&kinds[i], all[i].cert, all[i].key, all[issuer].cert, all[issuer].key);
}

/* ---- files */

static FILE *
create(const char *dir, const char *name, const char *ending, struct error *err)
{
    char *path = mem_format("%s/%s.%s", dir, name, ending);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        (void)error_sys(err, ERROR_IO, errno, "%s", path); /* the caller says false */
    free(path);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static void
write_hex(FILE *f, const char *what, const unsigned char *p, size_t len)
{
    fprintf(f, "%s ", what);
    for (size_t i = 0; i < len; i++)
        fprintf(f, "%02x", p[i]);
    putc('\n', f);
}

/* SHA-256 of the certificate and of its public key, as pins have them. */
static bool
write_pin(const char *dir, size_t i, const struct made *m, struct error *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE], *der = NULL;
    FILE *f = create(dir, kinds[i].name, "pin", err);
    unsigned len = 0;
    int n;

    if (!f)
        return false;
    X509_digest(m->cert, EVP_sha256(), digest, &len);
    write_hex(f, "certificate", digest, len);
    n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(m->cert), &der);
    EVP_Digest(der, (size_t)n, digest, &len, EVP_sha256(), NULL);
    write_hex(f, "spki", digest, len);
    OPENSSL_free(der);
    return fclose(f) == 0;
}

static bool
write_parts(const char *dir, size_t i, const struct made *all, const char *ending, bool cert, bool key,
    struct error *err)
{
    FILE *f = create(dir, kinds[i].name, ending, err);
    size_t issuer = index_of(kinds[i].issuer);

    if (!f)
        return false;
    if (cert)
        PEM_write_X509(f, all[i].cert);
    if (cert && strcmp(kinds[i].issuer, "sub") == 0)
        PEM_write_X509(f, all[issuer].cert);
    if (key)
        PEM_write_PrivateKey(f, all[i].key, NULL, NULL, 0, NULL, NULL);
    return fclose(f) == 0 || error_sys(err, ERROR_IO, errno, "%s/%s.%s", dir, kinds[i].name, ending);
}

static bool
write_one(const char *dir, size_t i, const struct made *all, struct error *err)
{
    bool server = kinds[i].alternative != NULL; /* a CA's .pem has no key: it is given to clients */

    return write_parts(dir, i, all, "pem", true, server, err) &&
           write_parts(dir, i, all, "crt", true, false, err) &&
           write_parts(dir, i, all, "key", false, true, err) && write_pin(dir, i, &all[i], err);
}

bool
certs_make(const char *dir, struct error *err)
{
    struct made all[KINDS] = { { NULL, NULL } };
    bool ok = mkdir(dir, 0700) == 0 || errno == EEXIST || error_sys(err, ERROR_IO, errno, "%s", dir);

    for (size_t i = 0; ok && i < KINDS; i++) {
        if (!make(i, all))
            ok = error_set(err, ERROR_INTERNAL, "%s: the certificate cannot be made", kinds[i].name);
        ok = ok && write_one(dir, i, all, err);
    }
    for (size_t i = 0; i < KINDS; i++) {
        X509_free(all[i].cert);
        EVP_PKEY_free(all[i].key);
    }
    return ok;
}
