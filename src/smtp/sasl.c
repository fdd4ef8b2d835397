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
#include <openssl/rand.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "smtp/sasl_state.h"

#define COMMAND_MAX 512 /* RFC 4954, 4: else no initial response */
#define NONCE_BYTES 18

/* ---------------------------------------------------------------- base64 */

static int
base64_value(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *p = c == '\0' ? NULL : strchr(alphabet, c);

    return p == NULL ? -1 : (int)(p - alphabet);
}

void
sasl_encode(struct buf *out, struct slice in)
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

bool
sasl_decode(struct buf *out, struct slice in)
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

/* ---------------------------------------------------------------- mechanisms */

/* in the order of enum sasl_mechanism, from 1 */
static const struct mechanism mechanisms[] = {
    { SASL_SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS", true, true, "SHA256", sasl_respond_scram },
    { SASL_SCRAM_SHA_256, "SCRAM-SHA-256", true, true, "SHA256", sasl_respond_scram },
    { SASL_SCRAM_SHA_1, "SCRAM-SHA-1", true, true, "SHA1", sasl_respond_scram },
    { SASL_PLAIN, "PLAIN", true, false, NULL, sasl_respond_plain },
    { SASL_LOGIN, "LOGIN", false, false, NULL, sasl_respond_login },
    { SASL_CRAM_MD5, "CRAM-MD5", false, false, NULL, sasl_respond_cram },
    { SASL_EXTERNAL, "EXTERNAL", true, false, NULL, sasl_respond_external },
    { SASL_XOAUTH2, "XOAUTH2", true, false, NULL, sasl_respond_xoauth2 },
    { SASL_OAUTHBEARER, "OAUTHBEARER", true, false, NULL, sasl_respond_oauthbearer },
};
#define MECHANISMS (sizeof mechanisms / sizeof mechanisms[0])

const char *
sasl_name(enum sasl_mechanism mechanism)
{
    return mechanism == SASL_NONE ? "NONE" : mechanisms[mechanism - 1].name;
}

bool
sasl_nonsense(const struct sasl *s, struct error *err, const char *what)
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
    if (slice_has(o->secret, '\0') || o->secret.len > SASL_RESPONSE_MAX / 2 ||
        user.len > SASL_RESPONSE_MAX / 8)
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
    sasl_encode(&b, slice_make((const char *)random, sizeof random));
    s->nonce = buf_steal(&b);
    return true;
}

static void
init_buffers(struct sasl *s)
{
    buf_init(&s->secret, SASL_RESPONSE_MAX);
    buf_init(&s->binding, 1024);
    buf_init(&s->client_first, SASL_RESPONSE_MAX);
    buf_init(&s->raw, SASL_RESPONSE_MAX);
    buf_init(&s->first, 2 * SASL_RESPONSE_MAX);
    buf_init(&s->wire, 2 * SASL_RESPONSE_MAX);
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
        sasl_encode(out, buf_slice(&s->raw));
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
        return sasl_nonsense(s, err, "sends a challenge that is too long");
    buf_init(&decoded, SASL_CHALLENGE_MAX);
    if (!sasl_decode(&decoded, challenge)) {
        ok = sasl_nonsense(s, err, "sends a challenge that is no base64");
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
