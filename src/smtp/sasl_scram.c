/* SPDX-License-Identifier: ISC */
/* sasl_scram: SCRAM, with channel binding or without (RFC 5802, 7677). */
#include "smtp/sasl_state.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "smtp/saslprep.h"

struct hash {
    const EVP_MD *md;
    size_t len;
};

static bool
hmac(const struct hash *h, const unsigned char *key, struct slice data, unsigned char *out)
{
    return HMAC(h->md, key, (int)h->len, (const unsigned char *)data.p, data.len, out, NULL) != NULL;
}

static void
add_gs2_header(const struct sasl *s, struct buf *out)
{
    buf_add_char(out, s->gs2_flag);
    if (s->gs2_flag == 'p')
        buf_add_format(out, "=%s", s->binding_type);
    buf_add_str(out, ",,");
}

static bool
scram_first(struct sasl *s)
{
    struct buf name;

    buf_init(&name, SASL_RESPONSE_MAX);
    saslprep(&name, slice_of(s->user));
    buf_add_str(&s->client_first, "n=");
    sasl_add_name(&s->client_first, buf_slice(&name));
    buf_add_format(&s->client_first, ",r=%s", s->nonce);
    buf_clear(&name);
    add_gs2_header(s, &s->raw);
    buf_add_slice(&s->raw, buf_slice(&s->client_first));
    return true;
}

/* "x=value," at the start of *rest */
static bool
take_attribute(struct slice *rest, const char *key, struct slice *value)
{
    struct slice part;

    if (!slice_cut(rest, ',', &part) || !slice_starts(part, key))
        return false;
    *value = slice_from(part, 2);
    return true;
}

struct server_first {
    struct slice nonce;
    struct buf salt;
    uint64_t iterations;
};

static bool
parse_server_first(const struct sasl *s, struct slice text, struct server_first *f, struct error *err)
{
    struct slice salt, count;

    if (slice_starts(text, "m="))
        return sasl_nonsense(s, err, "demands an extension");
    if (!take_attribute(&text, "r=", &f->nonce) || !take_attribute(&text, "s=", &salt) ||
        !take_attribute(&text, "i=", &count))
        return sasl_nonsense(s, err, "sends a malformed challenge");
    if (!slice_starts(f->nonce, s->nonce) || f->nonce.len <= strlen(s->nonce))
        return error_set(
            err, ERROR_ADMIN, "%s: the server's nonce is not an answer to ours", s->mechanism->name);
    if (salt.len == 0 || !sasl_decode(&f->salt, salt))
        return sasl_nonsense(s, err, "sends a malformed salt");
    if (!slice_number(count, UINT64_MAX, &f->iterations))
        return sasl_nonsense(s, err, "sends a malformed iteration count");
    if (f->iterations < 1 || f->iterations > SASL_ITERATIONS_MAX)
        return error_set(err, ERROR_ADMIN, "%s: the server wants %.*s iterations, 1 to %d are allowed",
            s->mechanism->name, SLICE_ARG(slice_sub(count, 0, 20)), SASL_ITERATIONS_MAX);
    return true;
}

static bool
salt_password(const struct sasl *s, const struct hash *h, const struct server_first *f, unsigned char *out)
{
    struct buf password;
    bool ok;

    buf_init(&password, SASL_RESPONSE_MAX);
    saslprep(&password, buf_slice(&s->secret));
    ok = PKCS5_PBKDF2_HMAC(password.len > 0 ? password.data : "", (int)password.len,
             (const unsigned char *)f->salt.data, (int)f->salt.len, (int)f->iterations, h->md, (int)h->len,
             out) == 1;
    buf_wipe(&password);
    return ok;
}

/* RFC 5802, 3: proof for the server, and the signature it must show */
static bool
prove(struct sasl *s, const struct hash *h, const struct server_first *f, struct slice auth_message,
    unsigned char *proof)
{
    unsigned char salted[EVP_MAX_MD_SIZE], client[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE];
    unsigned char signature[EVP_MAX_MD_SIZE], server[EVP_MAX_MD_SIZE];
    bool ok = salt_password(s, h, f, salted) && hmac(h, salted, slice_of("Client Key"), client) &&
              EVP_Digest(client, h->len, stored, NULL, h->md, NULL) == 1 &&
              hmac(h, stored, auth_message, signature) && hmac(h, salted, slice_of("Server Key"), server) &&
              hmac(h, server, auth_message, s->server_signature);

    for (size_t i = 0; ok && i < h->len; i++)
        proof[i] = client[i] ^ signature[i];
    s->hash_len = h->len;
    mem_wipe(salted, sizeof salted);
    mem_wipe(client, sizeof client);
    mem_wipe(stored, sizeof stored);
    mem_wipe(signature, sizeof signature);
    mem_wipe(server, sizeof server);
    return ok;
}

/* "c=...,r=...": what stands before the proof */
static void
add_final_without_proof(const struct sasl *s, struct slice nonce, struct buf *out)
{
    struct buf input;

    buf_init(&input, SASL_RESPONSE_MAX);
    add_gs2_header(s, &input);
    if (s->gs2_flag == 'p')
        buf_add_slice(&input, buf_slice(&s->binding));
    buf_add_str(out, "c=");
    sasl_encode(out, buf_slice(&input));
    buf_add_str(out, ",r=");
    buf_add_slice(out, nonce);
    buf_clear(&input);
}

static bool
scram_final(struct sasl *s, struct slice challenge, struct error *err)
{
    const struct hash h = { EVP_get_digestbyname(s->mechanism->digest),
        (size_t)EVP_MD_get_size(EVP_get_digestbyname(s->mechanism->digest)) };
    unsigned char proof[EVP_MAX_MD_SIZE];
    struct server_first first = { .iterations = 0 };
    struct buf auth;
    bool ok;

    buf_init(&first.salt, SASL_CHALLENGE_MAX);
    buf_init(&auth, 4 * SASL_RESPONSE_MAX);
    ok = parse_server_first(s, challenge, &first, err);
    if (ok) {
        add_final_without_proof(s, first.nonce, &s->raw);
        buf_add_slice(&auth, buf_slice(&s->client_first));
        buf_add_char(&auth, ',');
        buf_add_slice(&auth, challenge);
        buf_add_char(&auth, ',');
        buf_add_slice(&auth, buf_slice(&s->raw));
        ok = prove(s, &h, &first, buf_slice(&auth), proof);
        if (!ok)
            (void)error_set(err, ERROR_OS, "%s: OpenSSL cannot compute it", s->mechanism->name);
    }
    if (ok) {
        buf_add_str(&s->raw, ",p=");
        sasl_encode(&s->raw, slice_make((const char *)proof, h.len));
    }
    buf_clear(&auth);
    buf_clear(&first.salt);
    return ok;
}

static bool
scram_verify(struct sasl *s, struct slice challenge, struct error *err)
{
    struct slice text;
    struct buf signature;
    bool good;

    if (slice_starts(challenge, "e=")) {
        (void)text_escape(s->detail, sizeof s->detail, slice_from(challenge, 2));
        return error_set(
            err, ERROR_ADMIN, "%s: the server refuses the login: %s", s->mechanism->name, s->detail);
    }
    if (!take_attribute(&challenge, "v=", &text))
        return sasl_nonsense(s, err, "does not show its signature");
    buf_init(&signature, SASL_CHALLENGE_MAX);
    good = sasl_decode(&signature, text) && signature.len == s->hash_len &&
           CRYPTO_memcmp(signature.data, s->server_signature, s->hash_len) == 0;
    buf_clear(&signature);
    if (!good)
        return error_set(err, ERROR_ADMIN,
            "%s: the server does not know the password: it is an impostor (wrong signature)",
            s->mechanism->name);
    s->signature_seen = true;
    return true;
}

bool
sasl_respond_scram(struct sasl *s, struct slice challenge, struct error *err)
{
    switch (s->step) {
    case 0:
        return scram_first(s);
    case 1:
        return scram_final(s, challenge, err);
    case 2:
        return scram_verify(s, challenge, err);
    default:
        return sasl_nonsense(s, err, "asks on after its signature");
    }
}
