/* SPDX-License-Identifier: ISC */
/*
 * sasl: the client's half of each SASL mechanism, as one function a mechanism: decoded challenge in, response out.
 *
 * RFC 4616 (PLAIN), 5802 and 7677 (SCRAM), 2195 (CRAM-MD5), 7628 (OAUTHBEARER), 4422 A (EXTERNAL), draft-murchison-sasl-login,
 * Google's XOAUTH2. Base64 and the AUTH command's length are dealt with here, too, so that secrets have one place.
 */
#include "smtp/sasl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "smtp/saslprep.h"

#define RESPONSE_MAX 65536 /* an OAuth token may be long */
#define COMMAND_MAX 512    /* RFC 4954, 4: else no initial response */
#define NONCE_BYTES 18

struct mechanism;

struct sasl {
    const struct mechanism *mechanism;
    char *user;
    struct buf secret;
    char *host;
    unsigned port;
    char *binding_type;
    struct buf binding;
    char gs2_flag; /* 'n', 'y' or 'p' (RFC 5802, 6) */
    unsigned step; /* responses made */
    bool first_sent;
    bool first_in_command;
    bool repeated;
    char *nonce;
    struct buf client_first; /* bare */
    unsigned char server_signature[EVP_MAX_MD_SIZE];
    size_t hash_len;
    bool signature_seen;
    char detail[500];
    struct buf raw;   /* the response being made */
    struct buf first; /* the first response in base64 where the client begins */
    struct buf wire;  /* the response in base64 */
};

struct mechanism {
    enum sasl_mechanism id;
    const char *name;
    bool client_first;
    bool scram;
    const char *digest;
    /* Add the response to s->raw. Step 0 of a client-first mechanism has no challenge. */
    bool (*respond)(struct sasl *s, struct slice challenge, struct error *err);
};

/* ---------------------------------------------------------------- base64 */

static int
base64_value(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c == '\0' ? NULL : strchr(alphabet, c);

    return p == NULL ? -1 : (int)(p - alphabet);
}

static void
base64_encode(struct buf *out, struct slice in)
{
    size_t size = (in.len + 2) / 3 * 4 + 1; /* with the NUL that OpenSSL puts behind it */
    char *p = buf_reserve(out, size);

    if (p == NULL) {
        out->overflow = true;
        return;
    }
    if (in.len > 0)
        out->len += (size_t)EVP_EncodeBlock((unsigned char *)p, (const unsigned char *)in.p, (int)in.len);
}

/* Strict: no blanks, padding where it belongs, no bits behind the end. */
static bool
base64_decode(struct buf *out, struct slice in)
{
    size_t pad = 0;
    uint32_t bits = 0;

    if (in.len % 4 != 0)
        return false;
    while (pad < 2 && pad < in.len && in.p[in.len - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < in.len; i++) {
        int v = i < in.len - pad ? base64_value(in.p[i]) : 0;

        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 != 3)
            continue;
        for (size_t k = 0; k < 3 - (i + 1 == in.len ? pad : 0); k++)
            buf_add_char(out, (char)(bits >> (16 - 8 * k) & 0xFF));
        if (i + 1 == in.len && (bits & ((1U << 8 * pad) - 1)) != 0)
            return false;
        bits = 0;
    }
    return !out->overflow;
}

/* ---------------------------------------------------------------- the simple ones */

static bool nonsense(const struct sasl *s, struct error *err, const char *what);

static bool
respond_plain(struct sasl *s, struct slice challenge, struct error *err)
{
    (void)challenge;
    if (s->step > 0)
        return nonsense(s, err, "asks for more than a name and a password");
    buf_add_char(&s->raw, '\0');
    buf_add_str(&s->raw, s->user);
    buf_add_char(&s->raw, '\0');
    buf_add_slice(&s->raw, buf_slice(&s->secret));
    return true;
}

/* The prompts are not looked at: servers write all kinds of things there, but always in this order. */
static bool
respond_login(struct sasl *s, struct slice challenge, struct error *err)
{
    (void)challenge;
    if (s->step > 1)
        return nonsense(s, err, "asks for more than a name and a password");
    buf_add_slice(&s->raw, s->step == 0 ? slice_of(s->user) : buf_slice(&s->secret));
    return true;
}

static bool
respond_cram(struct sasl *s, struct slice challenge, struct error *err)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (s->step > 0 || challenge.len == 0)
        return nonsense(s, err, s->step > 0 ? "asks twice" : "sends no challenge");
    if (HMAC(EVP_md5(), s->secret.len > 0 ? s->secret.data : "", (int)s->secret.len,
            (const unsigned char *)challenge.p, challenge.len, mac, &len) == NULL)
        return error_set(
            err, ERROR_ADMIN, "%s: OpenSSL does not allow MD5 here", sasl_name(s->mechanism->id));
    buf_add_str(&s->raw, s->user);
    buf_add_char(&s->raw, ' ');
    for (unsigned i = 0; i < len; i++)
        buf_add_format(&s->raw, "%02x", mac[i]);
    mem_wipe(mac, sizeof mac);
    return true;
}

static bool
respond_external(struct sasl *s, struct slice challenge, struct error *err)
{
    (void)challenge;
    if (s->step > 0)
        return nonsense(s, err, "asks for more than a name");
    if (s->user != NULL)
        buf_add_str(&s->raw, s->user);
    return true;
}

/* ---------------------------------------------------------------- OAuth */

/* An answer to the error is due, then comes the 535; the text is what helps the administrator. */
static bool
note_oauth_error(struct sasl *s, struct slice challenge, struct error *err)
{
    if (s->step > 1)
        return nonsense(s, err, "asks on after its error");
    (void)text_escape(s->detail, sizeof s->detail, challenge);
    return true;
}

static bool
respond_xoauth2(struct sasl *s, struct slice challenge, struct error *err)
{
    if (s->step > 0)
        return note_oauth_error(s, challenge, err); /* answered by an empty line */
    buf_add_format(&s->raw, "user=%s\001auth=Bearer ", s->user);
    buf_add_slice(&s->raw, buf_slice(&s->secret));
    buf_add_str(&s->raw, "\001\001");
    return true;
}

/* RFC 5801: a name in a comma-separated list */
static void
add_saslname(struct buf *out, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] == ',')
            buf_add_str(out, "=2C");
        else if (name.p[i] == '=')
            buf_add_str(out, "=3D");
        else
            buf_add_char(out, name.p[i]);
    }
}

static bool
respond_oauthbearer(struct sasl *s, struct slice challenge, struct error *err)
{
    if (s->step > 0) {
        buf_add_char(&s->raw, '\001'); /* RFC 7628, 3.2.3 */
        return note_oauth_error(s, challenge, err);
    }
    buf_add_str(&s->raw, "n,a=");
    add_saslname(&s->raw, slice_of(s->user));
    buf_add_str(&s->raw, ",\001");
    if (s->host != NULL)
        buf_add_format(&s->raw, "host=%s\001", s->host);
    if (s->port != 0)
        buf_add_format(&s->raw, "port=%u\001", s->port);
    buf_add_str(&s->raw, "auth=Bearer ");
    buf_add_slice(&s->raw, buf_slice(&s->secret));
    buf_add_str(&s->raw, "\001\001");
    return true;
}

/* ---------------------------------------------------------------- SCRAM */

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

    buf_init(&name, RESPONSE_MAX);
    saslprep(&name, slice_of(s->user));
    buf_add_str(&s->client_first, "n=");
    add_saslname(&s->client_first, buf_slice(&name));
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
        return nonsense(s, err, "demands an extension");
    if (!take_attribute(&text, "r=", &f->nonce) || !take_attribute(&text, "s=", &salt) ||
        !take_attribute(&text, "i=", &count))
        return nonsense(s, err, "sends a malformed challenge");
    if (!slice_starts(f->nonce, s->nonce) || f->nonce.len <= strlen(s->nonce))
        return error_set(
            err, ERROR_ADMIN, "%s: the server's nonce is not an answer to ours", s->mechanism->name);
    if (salt.len == 0 || !base64_decode(&f->salt, salt))
        return nonsense(s, err, "sends a malformed salt");
    if (!slice_number(count, UINT64_MAX, &f->iterations))
        return nonsense(s, err, "sends a malformed iteration count");
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

    buf_init(&password, RESPONSE_MAX);
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

    buf_init(&input, RESPONSE_MAX);
    add_gs2_header(s, &input);
    if (s->gs2_flag == 'p')
        buf_add_slice(&input, buf_slice(&s->binding));
    buf_add_str(out, "c=");
    base64_encode(out, buf_slice(&input));
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
    buf_init(&auth, 4 * RESPONSE_MAX);
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
        base64_encode(&s->raw, slice_make((const char *)proof, h.len));
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
        return nonsense(s, err, "does not show its signature");
    buf_init(&signature, SASL_CHALLENGE_MAX);
    good = base64_decode(&signature, text) && signature.len == s->hash_len &&
           CRYPTO_memcmp(signature.data, s->server_signature, s->hash_len) == 0;
    buf_clear(&signature);
    if (!good)
        return error_set(err, ERROR_ADMIN,
            "%s: the server does not know the password: it is an impostor (wrong signature)",
            s->mechanism->name);
    s->signature_seen = true;
    return true;
}

static bool
respond_scram(struct sasl *s, struct slice challenge, struct error *err)
{
    switch (s->step) {
    case 0:
        return scram_first(s);
    case 1:
        return scram_final(s, challenge, err);
    case 2:
        return scram_verify(s, challenge, err);
    default:
        return nonsense(s, err, "asks on after its signature");
    }
}

/* ---------------------------------------------------------------- mechanisms */

/* in the order of enum sasl_mechanism, from 1 */
static const struct mechanism mechanisms[] = {
    { SASL_SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS", true, true, "SHA256", respond_scram },
    { SASL_SCRAM_SHA_256, "SCRAM-SHA-256", true, true, "SHA256", respond_scram },
    { SASL_SCRAM_SHA_1, "SCRAM-SHA-1", true, true, "SHA1", respond_scram },
    { SASL_PLAIN, "PLAIN", true, false, NULL, respond_plain },
    { SASL_LOGIN, "LOGIN", false, false, NULL, respond_login },
    { SASL_CRAM_MD5, "CRAM-MD5", false, false, NULL, respond_cram },
    { SASL_EXTERNAL, "EXTERNAL", true, false, NULL, respond_external },
    { SASL_XOAUTH2, "XOAUTH2", true, false, NULL, respond_xoauth2 },
    { SASL_OAUTHBEARER, "OAUTHBEARER", true, false, NULL, respond_oauthbearer },
};
#define MECHANISMS (sizeof mechanisms / sizeof mechanisms[0])

const char *
sasl_name(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_NONE ? "NONE" : mechanisms[mechanism - 1].name;
}

static bool
nonsense(const struct sasl *s, struct error *err, const char *what)
{
    return error_set(err, ERROR_PROTOCOL, "%s: the server %s", s->mechanism->name, what);
}

/* The next word; blanks of any number between them. */
static bool
next_word(struct slice *rest, struct slice *word)
{
    while (slice_cut(rest, ' ', word)) {
        *word = slice_trim(*word);
        if (word->len > 0)
            return true;
    }
    return false;
}

static bool
offers(struct slice offered, const char *name)
{
    struct slice word;

    while (next_word(&offered, &word))
        if (slice_is_nocase(word, name))
            return true;
    return false;
}

static bool
offers_binding(struct slice offered)
{
    struct slice word;

    while (next_word(&offered, &word))
        if (slice_starts_nocase(word, "SCRAM-") && slice_ends_nocase(word, "-PLUS"))
            return true;
    return false;
}

static enum sasl_mechanism
choose_auto(struct slice offered, bool have_binding, bool have_secret, struct error *err)
{
    if (!have_secret) {
        (void)error_set(err, ERROR_ADMIN, "login: there is no password");
        return SASL_NONE;
    }
    for (size_t i = 0; i < MECHANISMS && mechanisms[i].id < SASL_EXTERNAL; i++)
        if ((mechanisms[i].id != SASL_SCRAM_SHA_256_PLUS || have_binding) &&
            offers(offered, mechanisms[i].name))
            return mechanisms[i].id;
    if (slice_trim(offered).len == 0) {
        (void)error_set(err, ERROR_ADMIN, "login: the server offers no mechanism for it");
        return SASL_NONE;
    }
    (void)error_set(err, ERROR_ADMIN, "login: none of the server's mechanisms (%.*s) will do%s",
        SLICE_ARG(slice_sub(offered, 0, 400)),
        offers(offered, "XOAUTH2") || offers(offered, "OAUTHBEARER") || offers(offered, "EXTERNAL")
            ? "; some need to be named by AuthMethod"
            : "");
    return SASL_NONE;
}

enum sasl_mechanism
sasl_choose(struct slice offered, const char *method, bool have_binding, bool have_secret, struct error *err)
{
    const struct mechanism *m = NULL;

    if (method == NULL || slice_is_nocase(slice_of(method), "auto"))
        return choose_auto(offered, have_binding, have_secret, err);
    for (size_t i = 0; i < MECHANISMS; i++)
        if (slice_is_nocase(slice_of(method), mechanisms[i].name))
            m = &mechanisms[i];
    if (m == NULL)
        (void)error_set(err, ERROR_CONFIG, "AuthMethod: %s is not known", method);
    else if (!offers(offered, m->name))
        (void)error_set(err, ERROR_ADMIN, "login: the server does not offer %s, only %.*s", m->name,
            SLICE_ARG(slice_sub(offered, 0, 400)));
    else if (m->id == SASL_SCRAM_SHA_256_PLUS && !have_binding)
        (void)error_set(err, ERROR_ADMIN, "login: %s needs TLS with a channel binding", m->name);
    else if (m->id != SASL_EXTERNAL && !have_secret)
        (void)error_set(err, ERROR_ADMIN, "login: there is no password");
    else
        return m->id;
    return SASL_NONE;
}

/* ---------------------------------------------------------------- the exchange */

/* What would end a field early in the mechanism's own syntax, or never reach the server whole. */
static bool
check_options(const struct sasl_options *o, struct error *err)
{
    bool oauth = o->mechanism == SASL_XOAUTH2 || o->mechanism == SASL_OAUTHBEARER;
    struct slice user = slice_of(o->user);

    if (o->user == NULL && o->mechanism != SASL_EXTERNAL)
        return error_set(err, ERROR_CONFIG, "login: there is no user name");
    if (slice_has(o->secret, '\0') || o->secret.len > RESPONSE_MAX / 2 || user.len > RESPONSE_MAX / 8)
        return error_set(err, ERROR_CONFIG, "login: a NUL in the password, or it or the name is too long");
    if (oauth &&
        (slice_has(o->secret, '\001') || slice_has(user, '\001') || slice_has(slice_of(o->host), '\001')))
        return error_set(err, ERROR_CONFIG, "login: a control character in token or name");
    if (o->mechanism == SASL_SCRAM_SHA_256_PLUS && (o->binding_type == NULL || o->binding.len == 0))
        return error_set(
            err, ERROR_ADMIN, "login: %s needs TLS with a channel binding", sasl_name(o->mechanism));
    return true;
}

/*
 * 'y' tells the server that we could bind but saw no offer, so that it notices if somebody took the offer away. It must not be
 * said when there was an offer which we do not take.
 */
static char
gs2_flag(const struct sasl_options *o)
{
    if (o->mechanism == SASL_SCRAM_SHA_256_PLUS)
        return 'p';
    return o->binding_type != NULL && o->binding.len > 0 && !offers_binding(o->offered) ? 'y' : 'n';
}

static bool
make_nonce(struct sasl *s, const char *given, struct error *err)
{
    unsigned char random[NONCE_BYTES];
    struct buf b;

    if (given != NULL) {
        s->nonce = mem_dup(given);
        return true;
    }
    if (RAND_bytes(random, sizeof random) != 1)
        return error_set(err, ERROR_OS, "login: no random numbers");
    buf_init(&b, 100);
    base64_encode(&b, slice_make((const char *)random, sizeof random));
    s->nonce = buf_steal(&b);
    return true;
}

static void
init_buffers(struct sasl *s)
{
    buf_init(&s->secret, RESPONSE_MAX);
    buf_init(&s->binding, 1024);
    buf_init(&s->client_first, RESPONSE_MAX);
    buf_init(&s->raw, RESPONSE_MAX);
    buf_init(&s->first, 2 * RESPONSE_MAX);
    buf_init(&s->wire, 2 * RESPONSE_MAX);
}

/* The response to `challenge` in base64, in `out`. */
static bool
respond(struct sasl *s, struct slice challenge, struct buf *out, struct error *err)
{
    bool ok;

    buf_wipe(&s->raw);
    buf_wipe(out);
    ok = s->mechanism->respond(s, challenge, err);
    if (ok) {
        base64_encode(out, buf_slice(&s->raw));
        if (s->raw.overflow || out->overflow)
            ok = error_set(err, ERROR_CONFIG, "login: name or password is too long");
    }
    buf_wipe(&s->raw);
    s->step++;
    return ok;
}

struct sasl *
sasl_start(const struct sasl_options *o, struct error *err)
{
    struct sasl *s;

    if (!check_options(o, err))
        return NULL;
    s = mem_alloc(sizeof *s);
    init_buffers(s);
    s->mechanism = &mechanisms[o->mechanism - 1];
    s->user = mem_dup(o->user);
    s->host = mem_dup(o->host);
    s->port = o->port;
    s->binding_type = mem_dup(o->binding_type);
    s->gs2_flag = gs2_flag(o);
    buf_add_slice(&s->secret, o->secret);
    buf_add_slice(&s->binding, o->binding);
    if (s->binding.overflow)
        (void)error_set(err, ERROR_INTERNAL, "login: channel binding too long");
    else if (make_nonce(s, o->nonce, err) &&
             (!s->mechanism->client_first || respond(s, slice_of(NULL), &s->first, err)))
        return s;
    sasl_free(s);
    return NULL;
}

bool
sasl_initial(struct sasl *s, struct slice *response)
{
    size_t len = strlen("AUTH  \r\n") + strlen(s->mechanism->name) + s->first.len;

    if (!s->mechanism->client_first || s->first_sent || len > COMMAND_MAX)
        return false;
    s->first_sent = true;
    s->first_in_command = true;
    *response = s->first.len > 0 ? buf_slice(&s->first) : slice_of("=");
    return true;
}

/* Is it the first response that the server is waiting for? */
static bool
wants_first(struct sasl *s, struct slice challenge)
{
    if (!s->mechanism->client_first)
        return false;
    if (!s->first_sent)
        return s->first_sent = true;
    /* some servers do not read an initial response: once more, then */
    if (s->first_in_command && !s->repeated && s->step == 1 && challenge.len == 0)
        return s->repeated = true;
    return false;
}

bool
sasl_step(struct sasl *s, struct slice challenge, struct slice *response, struct error *err)
{
    struct buf decoded;
    bool ok = true;

    challenge = slice_trim(challenge);
    if (challenge.len > SASL_CHALLENGE_MAX)
        return nonsense(s, err, "sends a challenge that is too long");
    buf_init(&decoded, SASL_CHALLENGE_MAX);
    if (!base64_decode(&decoded, challenge)) {
        ok = nonsense(s, err, "sends a challenge that is no base64");
    } else if (wants_first(s, challenge)) {
        *response = buf_slice(&s->first);
    } else {
        ok = respond(s, buf_slice(&decoded), &s->wire, err);
        *response = buf_slice(&s->wire);
    }
    buf_clear(&decoded);
    return ok;
}

bool
sasl_finish(const struct sasl *s, struct error *err)
{
    if (!s->mechanism->scram || s->signature_seen)
        return true;
    return error_set(err, ERROR_ADMIN,
        "%s: the server accepts the login but does not prove that it knows the password: it is an impostor",
        s->mechanism->name);
}

const char *
sasl_detail(const struct sasl *s)
{
    return s->detail;
}

void
sasl_free(struct sasl *s)
{
    if (s == NULL)
        return;
    free(s->user);
    free(s->host);
    free(s->binding_type);
    free(s->nonce);
    buf_wipe(&s->secret);
    buf_clear(&s->binding);
    buf_clear(&s->client_first);
    buf_wipe(&s->raw);
    buf_wipe(&s->first);
    buf_wipe(&s->wire);
    mem_wipe(s, sizeof *s);
    free(s);
}
