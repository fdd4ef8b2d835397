/* SPDX-License-Identifier: ISC */
/* auth: the server's side of SASL; the one user there is has the name and password of the options. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/hub.h"

#define ANSWER_MAX 65536

struct exchange {
    struct session *s;
    const char *mechanism;
    struct slice initial;
    bool has_initial, cancelled;
};

/* ---- base64 and challenges */

static void
encode(struct slice raw, struct buf *out)
{
    size_t room = (raw.len + 2) / 3 * 4 + 1;
    char *p = buf_reserve(out, room);

    if (p)
        out->len += (size_t)EVP_EncodeBlock((unsigned char *)p, (const unsigned char *)raw.p, (int)raw.len);
}

static bool
decode(struct session *s, struct slice text, struct buf *out)
{
    size_t pad = 0;
    char *p;
    int n;

    buf_reset(out);
    if (!text.len || slice_is(text, "="))
        return true;
    while (pad < 2 && pad < text.len && text.p[text.len - 1 - pad] == '=')
        pad++;
    p = buf_reserve(out, text.len + 4);
    n = text.len % 4 || !p
            ? -1
            : EVP_DecodeBlock((unsigned char *)p, (const unsigned char *)text.p, (int)text.len);
    if (n < (int)pad) {
        wire_odd(s, "no base64 in AUTH: '%.*s'", SLICE_ARG(text));
        return false;
    }
    out->len += (size_t)n - pad;
    return true;
}

/* Say 334 and read the answer; false where the client cancelled or sent nonsense. */
static bool
challenge(struct exchange *x, struct slice raw, struct buf *answer)
{
    struct buf text;
    struct slice line;

    buf_init(&text, ANSWER_MAX);
    buf_add_str(&text, "334 ");
    encode(raw, &text);
    wire_reply(x->s, "%s", buf_str(&text));
    buf_clear(&text);
    line = wire_line(x->s);
    x->cancelled = slice_is(line, "*");
    return !x->cancelled && decode(x->s, line, answer);
}

/* What the client says first, with its command or after an empty challenge. */
static bool
first_words(struct exchange *x, struct buf *answer)
{
    return x->has_initial ? decode(x->s, x->initial, answer) : challenge(x, slice_of(""), answer);
}

static void
set_login(struct exchange *x, struct slice user)
{
    snprintf(x->s->login, sizeof x->s->login, "%.*s", SLICE_ARG(user));
}

static bool
is_user(struct exchange *x, struct slice user, struct slice password)
{
    set_login(x, user);
    return slice_is(user, x->s->opt->user) && slice_is(password, x->s->opt->password);
}

/* ---- mechanisms; each with one buffer of its own for what the client says */

static bool
plain(struct exchange *x, struct buf *a)
{
    struct slice rest, authz, user;

    if (!first_words(x, a))
        return false;
    rest = buf_slice(a);
    if (slice_find(rest, '\0') == rest.len)
        return false;
    authz = slice_sub(rest, 0, slice_find(rest, '\0'));
    rest = slice_from(rest, authz.len + 1);
    user = slice_sub(rest, 0, slice_find(rest, '\0'));
    return (!authz.len || slice_eq(authz, user)) && is_user(x, user, slice_from(rest, user.len + 1));
}

static bool
login(struct exchange *x, struct buf *a)
{
    if (!(x->has_initial ? decode(x->s, x->initial, a) : challenge(x, slice_of("Username:"), a)))
        return false;
    set_login(x, buf_slice(a));
    return challenge(x, slice_of("Password:"), a) && slice_is(slice_of(x->s->login), x->s->opt->user) &&
           slice_is(buf_slice(a), x->s->opt->password);
}

static void
hex(struct buf *out, const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_add_format(out, "%02x", p[i]);
}

static bool
cram_md5(struct exchange *x, struct buf *a)
{
    const struct options *opt = x->s->opt;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    char text[64];
    struct buf want;
    bool ok;

    snprintf(text, sizeof text, "<%u.%ld@hub.example.net>", x->s->number, random());
    if (x->has_initial)
        wire_odd(x->s, "CRAM-MD5 with an initial response");
    if (!challenge(x, slice_of(text), a))
        return false;
    HMAC(EVP_md5(), opt->password, (int)strlen(opt->password), (const unsigned char *)text, strlen(text),
        digest, &len);
    buf_init(&want, 1024);
    buf_add_format(&want, "%s ", opt->user);
    hex(&want, digest, len);
    ok = slice_eq(buf_slice(a), buf_slice(&want));
    set_login(x, slice_sub(buf_slice(a), 0, slice_find(buf_slice(a), ' ')));
    buf_clear(&want);
    return ok;
}

static bool
external(struct exchange *x, struct buf *a)
{
    X509 *peer;

    if (!first_words(x, a))
        return false;
    peer = x->s->ssl ? SSL_get1_peer_certificate(x->s->ssl) : NULL;
    set_login(x, a->len ? buf_slice(a) : slice_of("external"));
    X509_free(peer);
    return peer != NULL;
}

/* "...auth=Bearer TOKEN^A..." */
static bool
has_token(struct exchange *x, struct slice text)
{
    struct slice part;

    while (slice_cut(&text, '\1', &part))
        if (slice_starts_nocase(part, "auth=Bearer "))
            return slice_is(slice_from(part, 12), x->s->opt->password);
    return false;
}

static bool
bearer_refused(struct exchange *x, struct buf *a, const char *why)
{
    if (challenge(x, slice_of(why), a) && a->len > 1)
        wire_odd(x->s, "%s: the error was not answered by an empty response", x->mechanism);
    return false;
}

static bool
xoauth2(struct exchange *x, struct buf *a)
{
    struct slice user;

    if (!first_words(x, a))
        return false;
    user = slice_sub(buf_slice(a), 0, slice_find(buf_slice(a), '\1'));
    set_login(x, slice_from(user, 5));
    if (slice_starts(user, "user=") && slice_is(slice_from(user, 5), x->s->opt->user) &&
        has_token(x, buf_slice(a)))
        return true;
    return bearer_refused(x, a, "{\"status\":\"400\",\"schemes\":\"Bearer\",\"scope\":\"mail\"}");
}

static bool
oauthbearer(struct exchange *x, struct buf *a)
{
    struct slice header;

    if (!first_words(x, a))
        return false;
    header = slice_sub(buf_slice(a), 0, slice_find(buf_slice(a), '\1'));
    if (slice_starts(header, "n,a="))
        set_login(x, slice_sub(header, 4, slice_find(slice_from(header, 4), ',')));
    if (slice_starts(header, "n,") && has_token(x, buf_slice(a)))
        return true;
    return bearer_refused(x, a, "{\"status\":\"invalid_token\"}");
}

/* ---- SCRAM (RFC 5802, 7677) */

struct scram {
    const EVP_MD *md;
    bool plus;
    char *gs2, *bare, *server_first; /* as they went over the wire */
    struct slice nonce;              /* in server_first */
    unsigned char salted[EVP_MAX_MD_SIZE];
};

static size_t
scram_hmac(const struct scram *c, const void *key, const void *data, size_t len, unsigned char *out)
{
    unsigned n = 0;

    HMAC(c->md, key, EVP_MD_get_size(c->md), data, len, out, &n);
    return n;
}

/* The value of "k=value" among the comma-separated parts. */
static struct slice
attribute(struct slice text, char key)
{
    struct slice part;

    while (slice_cut(&text, ',', &part))
        if (part.len > 1 && part.p[0] == key && part.p[1] == '=')
            return slice_from(part, 2);
    return (struct slice){ NULL, 0 };
}

static bool
scram_first(struct exchange *x, struct scram *c, struct slice text)
{
    static const char salt[] = "0123456789ab";
    size_t gs2 = slice_find(text, ',') + 1;
    unsigned char random_octets[12];
    struct buf out;

    gs2 += slice_find(slice_from(text, gs2), ',') + 1;
    if (gs2 > text.len || c->plus != (text.p[0] == 'p') ||
        (text.p[0] == 'y' && strstr(x->s->opt->auth, "-PLUS")))
        return false;
    c->gs2 = slice_dup(slice_sub(text, 0, gs2));
    c->bare = slice_dup(slice_from(text, gs2));
    set_login(x, attribute(slice_of(c->bare), 'n'));
    RAND_bytes(random_octets, sizeof random_octets);
    buf_init(&out, ANSWER_MAX);
    buf_add_str(&out, "r=");
    buf_add_slice(&out, attribute(slice_of(c->bare), 'r'));
    hex(&out, random_octets, sizeof random_octets);
    buf_add_str(&out, ",s=");
    encode(slice_make(salt, 12), &out);
    buf_add_format(&out, ",i=%d", (int)x->s->opt->iterations);
    c->server_first = buf_steal(&out);
    PKCS5_PBKDF2_HMAC(x->s->opt->password, -1, (const unsigned char *)salt, 12, (int)x->s->opt->iterations,
        c->md, EVP_MD_get_size(c->md), c->salted);
    return attribute(slice_of(c->bare), 'r').len >= 8 && slice_is(slice_of(x->s->login), x->s->opt->user);
}

/* The client's c= must be the header it began with and, with -PLUS, this very connection. */
static bool
scram_binding(struct exchange *x, const struct scram *c, struct slice final)
{
    struct slice header = slice_of(c->gs2);
    struct buf want, got;
    bool ok;

    buf_init(&want, 4096);
    buf_init(&got, 4096);
    buf_add_slice(&want, header);
    ok = !c->plus || tls_binding(x->s, slice_sub(header, 2, slice_find(header, ',') - 2), &want);
    ok = ok && decode(x->s, attribute(final, 'c'), &got) && slice_eq(buf_slice(&want), buf_slice(&got));
    if (!ok)
        wire_odd(x->s, "%s: wrong channel binding", x->mechanism);
    buf_clear(&want);
    buf_clear(&got);
    return ok;
}

/* ClientKey = proof xor HMAC(H(ClientKey), message): is it the right one? */
static bool
scram_proof(const struct scram *c, struct slice message, struct slice proof)
{
    unsigned char key[EVP_MAX_MD_SIZE], stored[EVP_MAX_MD_SIZE], signature[EVP_MAX_MD_SIZE];
    size_t n = scram_hmac(c, c->salted, "Client Key", 10, key);
    bool ok = proof.len == n;

    EVP_Digest(key, n, stored, NULL, c->md, NULL);
    scram_hmac(c, stored, message.p, message.len, signature);
    for (size_t i = 0; ok && i < n; i++)
        ok = (unsigned char)(key[i] ^ signature[i]) == (unsigned char)proof.p[i];
    return ok;
}

static bool
scram_say_signature(struct exchange *x, const struct scram *c, struct slice message)
{
    unsigned char key[EVP_MAX_MD_SIZE], signature[EVP_MAX_MD_SIZE];
    struct buf text, answer;
    size_t n;
    bool ok;

    scram_hmac(c, c->salted, "Server Key", 10, key);
    n = scram_hmac(c, key, message.p, message.len, signature);
    buf_init(&text, 1024);
    buf_init(&answer, ANSWER_MAX);
    buf_add_str(&text, "v=");
    encode(slice_make((const char *)signature, n), &text);
    ok = challenge(x, buf_slice(&text), &answer) && !answer.len;
    buf_clear(&text);
    buf_clear(&answer);
    return ok;
}

static bool
scram_final(struct exchange *x, const struct scram *c, struct slice final)
{
    struct slice nonce = attribute(slice_of(c->server_first), 'r'), without;
    struct buf message, proof;
    bool ok;

    buf_init(&message, ANSWER_MAX * 3);
    buf_init(&proof, ANSWER_MAX);
    without = slice_sub(final, 0, slice_find_last(final, ','));
    buf_add_format(&message, "%s,%s,%.*s", c->bare, c->server_first, SLICE_ARG(without));
    ok = slice_eq(attribute(final, 'r'), nonce) && scram_binding(x, c, final) &&
         decode(x->s, attribute(final, 'p'), &proof) &&
         scram_proof(c, buf_slice(&message), buf_slice(&proof)) &&
         scram_say_signature(x, c, buf_slice(&message));
    buf_clear(&message);
    buf_clear(&proof);
    return ok;
}

static bool
scram(struct exchange *x, struct buf *a)
{
    struct scram c = { .plus = strstr(x->mechanism, "-PLUS") != NULL };
    bool ok;

    c.md = strstr(x->mechanism, "SHA-256") ? EVP_sha256() : EVP_sha1();
    ok = first_words(x, a) && scram_first(x, &c, buf_slice(a)) && challenge(x, slice_of(c.server_first), a) &&
         scram_final(x, &c, buf_slice(a));
    free(c.gs2);
    free(c.bare);
    free(c.server_first);
    return ok;
}

/* ---- the command */

static const struct {
    const char *name;
    bool (*run)(struct exchange *, struct buf *answer);
} mechanisms[] = {
    { "PLAIN", plain },
    { "LOGIN", login },
    { "CRAM-MD5", cram_md5 },
    { "SCRAM-SHA-1", scram },
    { "SCRAM-SHA-256", scram },
    { "SCRAM-SHA-1-PLUS", scram },
    { "SCRAM-SHA-256-PLUS", scram },
    { "XOAUTH2", xoauth2 },
    { "OAUTHBEARER", oauthbearer },
    { "EXTERNAL", external },
};

static bool
is_offered(const struct session *s, struct slice mechanism)
{
    struct slice rest = { NULL, 0 }, word;

    if (!session_offered(s, "AUTH", &rest))
        return false;
    while (slice_cut(&rest, ' ', &word))
        if (slice_eq_nocase(word, mechanism))
            return true;
    return false;
}

/* The exchange itself; what to say at its end. */
static const char *
run(struct session *s, struct slice mechanism, struct slice initial)
{
    struct exchange x = { .s = s, .initial = initial, .has_initial = initial.len > 0 };
    struct buf answer;
    bool ok = false;
    size_t i = 0, n = sizeof mechanisms / sizeof mechanisms[0];

    while (i < n && !slice_is_nocase(mechanism, mechanisms[i].name))
        i++;
    if (i == n || !is_offered(s, mechanism))
        return "504 5.5.4 no such mechanism";
    x.mechanism = mechanisms[i].name;
    snprintf(s->mechanism, sizeof s->mechanism, "%s", x.mechanism);
    buf_init(&answer, ANSWER_MAX);
    ok = mechanisms[i].run(&x, &answer);
    buf_wipe(&answer);
    if (x.cancelled)
        return "501 5.7.0 cancelled";
    return ok ? "235 2.7.0 welcome" : "535 5.7.8 authentication failed";
}

/* A script answers AUTH itself: as long as it says 334, the client's lines are answers. */
static void
play(struct session *s)
{
    while (s->code == 334) {
        char *line = slice_dup(wire_line(s));
        (void)session_answer(s, EVENT_ANSWER, slice_of(line), "535 5.7.8 authentication failed");
        free(line);
    }
    if (s->code == 235)
        snprintf(s->login, sizeof s->login, "(script)");
}

void
auth_command(struct session *s, struct slice arg)
{
    struct slice mechanism = { NULL, 0 }, all = arg;

    if (!s->ssl && !s->opt->auth_clear)
        wire_odd(s, "AUTH without TLS");
    if (s->login[0])
        wire_odd(s, "a second AUTH");
    slice_cut(&arg, ' ', &mechanism);
    if (!is_offered(s, mechanism))
        wire_odd(s, "AUTH %.*s where it was not offered", SLICE_ARG(mechanism));
    (void)session_answer(s, EVENT_AUTH, all, NULL);
    if (!s->defaulted) {
        play(s);
        return;
    }
    if (session_answer(s, EVENT_LOGIN, mechanism, run(s, mechanism, arg)) != 235)
        s->login[0] = s->mechanism[0] = '\0';
}
