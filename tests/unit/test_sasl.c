/* SPDX-License-Identifier: ISC */
/* sasl: the vectors of the RFCs, the choice, and servers that ask for what they should not get. */
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "smtp/sasl.h"
#include "smtp/saslprep.h"

#define STEPS 4
#define SECRET "pencil"

/* "text" in base64; one of a few static places, so that two can be used at once */
static struct slice
b64(struct slice text)
{
    static char places[4][70000];
    static unsigned next;
    char *p = places[next++ % 4];
    int n = EVP_EncodeBlock((unsigned char *)p, (const unsigned char *)text.p, (int)text.len);

    return slice_make(p, (size_t)n);
}

/* And back, with "" for the wire form "=". */
static struct slice
plain(struct slice wire)
{
    static char place[70000];
    int n;

    if (slice_is(wire, "=") || wire.len == 0)
        return slice_make("", 0);
    n = EVP_DecodeBlock((unsigned char *)place, (const unsigned char *)wire.p, (int)wire.len);
    ck_assert_int_ge(n, 0);
    for (size_t i = wire.len; i > 0 && wire.p[i - 1] == '='; i--)
        n--;
    return slice_make(place, (size_t)n);
}

struct exchange {
    const char *what;
    struct sasl_options options;
    const char *initial;         /* NULL: there is none */
    const char *steps[STEPS][2]; /* challenge, response; response NULL: refused */
    const char *error;           /* in its text */
    bool finished;               /* a 235 afterwards is believed */
};

#define LOGIN_AS(mech, name, pass) .mechanism = (mech), .user = (name), .secret = { (pass), sizeof(pass) - 1 }
#define RFC7677 "rOprNGfwEbeRWgbNEkqO"
#define RFC7677_ALL RFC7677 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define BINDING                                                                                              \
    .binding_type = "tls-exporter",                                                                          \
    .binding = { "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37", \
        32 }

static const struct exchange exchanges[] = {
    { "RFC 5802, 5", { LOGIN_AS(SASL_SCRAM_SHA_1, "user", SECRET), .nonce = "fyko+d2lbbFgONRv9qkxdawL" },
        "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        { { "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
              "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=" },
            { "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", "" } },
        NULL, true },
    { "RFC 7677, 3", { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET), .nonce = RFC7677 },
        "n,,n=user,r=" RFC7677,
        { { "r=" RFC7677_ALL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
              "c=biws,r=" RFC7677_ALL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" },
            { "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "" } },
        NULL, true },
    { "PLUS", { LOGIN_AS(SASL_SCRAM_SHA_256_PLUS, "user", SECRET), .nonce = "abcdefgh", BINDING },
        "p=tls-exporter,,n=user,r=abcdefgh",
        { { "r=abcdefghXYZ,s=c2FsdA==,i=4096",
              "c=cD10bHMtZXhwb3J0ZXIsLAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f,r=abcdefghXYZ,p=dSGRgzFChA/"
              "udhAvVeJuSDjard2yke2y68iydHMjQQs=" },
            { "v=i8K+KFmRR4mMHgrnGUa1Gt2UloVdAWPWXxJIt09j7kE=", "" } },
        NULL, true },
    { "SASLprep, and a name with comma and equals",
        { LOGIN_AS(SASL_SCRAM_SHA_256, "a,b=c", "\xE2\x85\xA8 pa\xC2\xADss\xC2\xA0word"),
            .nonce = "abcdefgh" },
        "n,,n=a=2Cb=3Dc,r=abcdefgh",
        { { "r=abcdefghXYZ,s=c2FsdA==,i=1",
              "c=biws,r=abcdefghXYZ,p=T4Xv+v7cyXmbYYxpkcXmO0eOuYiY2cOodqVqKkN7msE=" },
            { "v=il3S35I0w0L+2ASP6yOXndgcz2xOD8MF8X/1WpXifKo=", "" } },
        NULL, true },
    { "SCRAM, 235 at once", { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET), .nonce = "abc" },
        "n,,n=user,r=abc", { { NULL } }, "impostor", false },
    { "SCRAM, 235 without signature", { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET), .nonce = RFC7677 },
        "n,,n=user,r=" RFC7677,
        { { "r=" RFC7677_ALL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "c=biws,r=" RFC7677_ALL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" } },
        "impostor", false },
    { "SCRAM, wrong signature", { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET), .nonce = RFC7677 },
        "n,,n=user,r=" RFC7677,
        { { "r=" RFC7677_ALL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
              "c=biws,r=" RFC7677_ALL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" },
            { "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", NULL } },
        "impostor", false },
    { "SCRAM, short signature", { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET), .nonce = RFC7677 },
        "n,,n=user,r=" RFC7677,
        { { "r=" RFC7677_ALL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
              "c=biws,r=" RFC7677_ALL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" },
            { "v=", NULL } },
        "impostor", false },
    { "SCRAM, e=", { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET), .nonce = RFC7677 }, "n,,n=user,r=" RFC7677,
        { { "r=" RFC7677_ALL ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
              "c=biws,r=" RFC7677_ALL ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=" },
            { "e=invalid-proof", NULL } },
        "invalid-proof", false },
    { "PLAIN", { LOGIN_AS(SASL_PLAIN, "tim", "tanstaaftanstaaf") }, "?tim?tanstaaftanstaaf", { { NULL } },
        NULL, true },
    { "PLAIN, asked again", { LOGIN_AS(SASL_PLAIN, "tim", SECRET) }, "?tim?" SECRET,
        { { "", "?tim?" SECRET }, { "", NULL } }, "asks for more", true },
    { "PLAIN, asked for a name", { LOGIN_AS(SASL_PLAIN, "tim", SECRET) }, "?tim?" SECRET,
        { { "Username:", NULL } }, "asks for more", true },
    { "LOGIN", { LOGIN_AS(SASL_LOGIN, "tim", SECRET) }, NULL,
        { { "Username:", "tim" }, { "Password:", SECRET } }, NULL, true },
    { "LOGIN for ever", { LOGIN_AS(SASL_LOGIN, "tim", SECRET) }, NULL,
        { { "", "tim" }, { "", SECRET }, { "Password:", NULL } }, "asks for more", true },
    { "RFC 2195, 2", { LOGIN_AS(SASL_CRAM_MD5, "tim", "tanstaaftanstaaf") }, NULL,
        { { "<1896.697170952@postoffice.reston.mci.net>", "tim b913a602c7eda7a495b4e6e7334d3890" } }, NULL,
        true },
    { "CRAM-MD5 twice", { LOGIN_AS(SASL_CRAM_MD5, "tim", "tanstaaftanstaaf") }, NULL,
        { { "<1896.697170952@postoffice.reston.mci.net>", "tim b913a602c7eda7a495b4e6e7334d3890" },
            { "<1>", NULL } },
        "asks twice", true },
    { "CRAM-MD5 of nothing", { LOGIN_AS(SASL_CRAM_MD5, "tim", SECRET) }, NULL, { { "", NULL } },
        "no challenge", true },
    { "EXTERNAL", { .mechanism = SASL_EXTERNAL }, "", { { NULL } }, NULL, true },
    { "EXTERNAL with a name", { .mechanism = SASL_EXTERNAL, .user = "tim" }, "tim", { { NULL } }, NULL,
        true },
    { "XOAUTH2",
        { LOGIN_AS(SASL_XOAUTH2, "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg") },
        "user=someuser@example.com\001auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\001\001",
        { { NULL } }, NULL, true },
    { "XOAUTH2 refused", { LOGIN_AS(SASL_XOAUTH2, "u", "t") }, "user=u\001auth=Bearer t\001\001",
        { { "{\"status\":\"401\"}", "" }, { "{}", NULL } }, "asks on", true },
    { "RFC 7628, 4.1",
        { LOGIN_AS(SASL_OAUTHBEARER, "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
            .host = "server.example.com", .port = 587 },
        "n,a=user@example.com,\001host=server.example.com\001port=587\001auth=Bearer "
        "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\001\001",
        { { NULL } }, NULL, true },
    { "RFC 7628, 4.3", { LOGIN_AS(SASL_OAUTHBEARER, "u,=", "t"), .host = "h", .port = 1 },
        "n,a=u=2C=3D,\001host=h\001port=1\001auth=Bearer t\001\001",
        { { "{\"status\":\"invalid_token\"}", "\001" }, { "{}", NULL } }, "asks on", true },
};

/* '?' in an expected text stands for NUL */
static void
assert_response(const char *what, struct slice wire, const char *want)
{
    struct slice got = plain(wire);

    ck_assert_msg(got.len == strlen(want), "%s: got %zu octets, want %zu", what, got.len, strlen(want));
    for (size_t i = 0; i < got.len; i++)
        ck_assert_msg(got.p[i] == (want[i] == '?' ? '\0' : want[i]), "%s: octet %zu of '%.*s', want '%s'",
            what, i, SLICE_ARG(got), want);
}

static void
run_exchange(const struct exchange *x)
{
    struct slice wire;
    struct error err;
    struct sasl *s;
    bool ok = true;

    error_init(&err);
    s = sasl_start(&x->options, &err);
    ck_assert_msg(s != NULL, "%s: %s", x->what, err.text);
    ck_assert_msg(sasl_initial(s, &wire) == (x->initial != NULL), "%s", x->what);
    if (x->initial != NULL)
        assert_response(x->what, wire, x->initial);
    for (size_t i = 0; ok && i < STEPS && x->steps[i][0] != NULL; i++) {
        ok = sasl_step(s, b64(slice_of(x->steps[i][0])), &wire, &err);
        ck_assert_msg(ok == (x->steps[i][1] != NULL), "%s: step %zu: %s", x->what, i, err.text);
        if (ok)
            assert_response(x->what, wire, x->steps[i][1]);
    }
    ck_assert_msg(
        sasl_finish(s, ok ? &err : &(struct error){ .class = ERROR_NONE }) == x->finished, "%s", x->what);
    if (x->error != NULL)
        ck_assert_msg(strstr(err.text, x->error) != NULL, "%s: %s", x->what, err.text);
    else
        ck_assert_str_eq(err.text, "");
    ck_assert_ptr_null(strstr(err.text, SECRET));
    sasl_free(s);
}

START_TEST(every_mechanism_speaks_as_its_rfc_shows)
{
    for (size_t i = 0; i < sizeof exchanges / sizeof exchanges[0]; i++)
        run_exchange(&exchanges[i]);
}
END_TEST

START_TEST(responses_stand_on_the_wire_as_the_rfcs_print_them)
{
    static const struct {
        struct sasl_options options;
        const char *wire;
    } cases[] = {
        { { .mechanism = SASL_EXTERNAL }, "=" },
        { { LOGIN_AS(SASL_PLAIN, "tim", "tanstaaftanstaaf") }, "AHRpbQB0YW5zdGFhZnRhbnN0YWFm" },
        { { LOGIN_AS(SASL_XOAUTH2, "someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg") },
            "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1s"
            "emRHRXVZMjl0Q2cBAQ==" },
        { { LOGIN_AS(SASL_OAUTHBEARER, "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
              .host = "server.example.com", .port = 587 },
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVhcmVyIHZGOWRm"
            "dDRxbVRjMk52YjN"
            "SbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct slice wire;
        struct error err;
        struct sasl *s = sasl_start(&cases[i].options, &err);

        ck_assert(sasl_initial(s, &wire));
        ck_assert_slice(wire, cases[i].wire);
        sasl_free(s);
    }
}
END_TEST

START_TEST(a_response_too_long_for_the_command_waits_for_the_first_challenge)
{
    struct sasl_options o = { .mechanism = SASL_XOAUTH2, .user = "u" };
    struct buf token;
    struct slice wire;
    struct error err;
    struct sasl *s;

    buf_init(&token, 40000);
    for (size_t len = 340; len <= 20000; len = len < 380 ? len + 1 : len * 3) {
        while (token.len < len)
            buf_add_char(&token, 't');
        o.secret = buf_slice(&token);
        s = sasl_start(&o, &err);
        ck_assert_ptr_nonnull(s);
        if (sasl_initial(s, &wire)) {
            ck_assert_uint_le(strlen("AUTH XOAUTH2 \r\n") + wire.len, 512);
        } else {
            ck_assert(sasl_step(s, slice_of(NULL), &wire, &err));
            ck_assert_uint_gt(strlen("AUTH XOAUTH2 \r\n") + wire.len, 512);
            ck_assert(!sasl_initial(s, &wire));
            ck_assert(sasl_step(s, b64(slice_of("{\"status\":\"x\x1b\"}")), &wire, &err));
            ck_assert_uint_eq(wire.len, 0);
            ck_assert_str_eq(sasl_detail(s), "{\"status\":\"x\\x1B\"}");
        }
        sasl_free(s);
    }
    buf_clear(&token);
}
END_TEST

START_TEST(a_scram_challenge_out_of_order_is_refused)
{
    static const struct {
        const char *challenge, *error;
        enum error_class class;
    } cases[] = {
        { "", "malformed", ERROR_PROTOCOL },
        { "r=abcdefgh,s=c2FsdA==,i=4096", "nonce", ERROR_ADMIN },
        { "r=attacker,s=c2FsdA==,i=4096", "nonce", ERROR_ADMIN },
        { "r=xabcdefgh,s=c2FsdA==,i=4096", "nonce", ERROR_ADMIN },
        { "r=abcdefghX,s=,i=4096", "salt", ERROR_PROTOCOL },
        { "r=abcdefghX,s=c2FsdA,i=4096", "salt", ERROR_PROTOCOL },
        { "r=abcdefghX,s=c2FsdA==,i=0", "0 iterations", ERROR_ADMIN },
        { "r=abcdefghX,s=c2FsdA==,i=1000001", "1000001 iterations", ERROR_ADMIN },
        { "r=abcdefghX,s=c2FsdA==,i=2000000000", "2000000000 iterations", ERROR_ADMIN },
        { "r=abcdefghX,s=c2FsdA==,i=99999999999999999999999", "malformed iteration", ERROR_PROTOCOL },
        { "r=abcdefghX,s=c2FsdA==,i=-1", "malformed iteration", ERROR_PROTOCOL },
        { "r=abcdefghX,s=c2FsdA==,i=", "malformed iteration", ERROR_PROTOCOL },
        { "r=abcdefghX,s=c2FsdA==", "malformed challenge", ERROR_PROTOCOL },
        { "s=c2FsdA==,r=abcdefghX,i=4096", "malformed challenge", ERROR_PROTOCOL },
        { "m=x,r=abcdefghX,s=c2FsdA==,i=4096", "extension", ERROR_PROTOCOL },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sasl_options o = { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET), .nonce = "abcdefgh" };
        struct slice wire;
        struct error err;
        struct sasl *s = sasl_start(&o, &err);

        /* an empty challenge right after the initial response asks for it again, so it is sent late here */
        ck_assert(sasl_step(s, slice_of(""), &wire, &err));
        ck_assert(!sasl_step(s, b64(slice_of(cases[i].challenge)), &wire, &err));
        ck_assert_msg(strstr(err.text, cases[i].error) != NULL, "%s: %s", cases[i].challenge, err.text);
        ck_assert_int_eq(err.class, cases[i].class);
        ck_assert_ptr_null(strstr(err.text, SECRET));
        ck_assert(!sasl_finish(s, &err));
        sasl_free(s);
    }
}
END_TEST

START_TEST(a_challenge_that_is_no_base64_is_refused)
{
    static const char *const bad[] = { "<this is not base64>!", "QUJ", "QUJD=", "=QUJ", "QU=D",
        "QR==", "QUF=QUFB", "QU JD", "====", "Q===" };
    char *huge = mem_alloc(SASL_CHALLENGE_MAX + 5);

    memset(huge, 'A', SASL_CHALLENGE_MAX + 4);
    for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
        struct sasl_options o = { LOGIN_AS(SASL_LOGIN, "tim", SECRET) };
        struct slice wire;
        struct error err;
        struct sasl *s = sasl_start(&o, &err);

        ck_assert_msg(!sasl_step(s, slice_of(i < sizeof bad / sizeof bad[0] ? bad[i] : huge), &wire, &err),
            "%s", bad[i]);
        ck_assert_int_eq(err.class, ERROR_PROTOCOL);
        sasl_free(s);
    }
    free(huge);
}
END_TEST

START_TEST(the_strongest_mechanism_offered_is_taken_and_others_only_by_name)
{
    static const struct {
        const char *offered, *method;
        bool binding, secret;
        enum sasl_mechanism want;
    } cases[] = {
        { "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS", NULL, true, true,
            SASL_SCRAM_SHA_256_PLUS },
        { "PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "auto", false, true,
            SASL_SCRAM_SHA_256 },
        { "plain login cram-md5 scram-sha-1", "AUTO", true, true, SASL_SCRAM_SHA_1 },
        { "  LOGIN   CRAM-MD5  PLAIN ", NULL, true, true, SASL_PLAIN },
        { "CRAM-MD5 LOGIN", NULL, true, true, SASL_LOGIN },
        { "X-FOO CRAM-MD5 GSSAPI", NULL, true, true, SASL_CRAM_MD5 },
        { "XOAUTH2 OAUTHBEARER EXTERNAL", NULL, true, true, SASL_NONE },
        { "XOAUTH2 OAUTHBEARER EXTERNAL", "xoauth2", true, true, SASL_XOAUTH2 },
        { "XOAUTH2 OAUTHBEARER EXTERNAL", "OAuthBearer", true, true, SASL_OAUTHBEARER },
        { "XOAUTH2 OAUTHBEARER EXTERNAL", "external", false, false, SASL_EXTERNAL },
        { "PLAIN", "external", false, true, SASL_NONE },
        { "PLAIN LOGIN", "cram-md5", false, true, SASL_NONE },
        { "PLAIN LOGIN", "login", false, true, SASL_LOGIN },
        { "PLAIN LOGIN", "plain", false, false, SASL_NONE },
        { "PLAIN LOGIN", NULL, false, false, SASL_NONE },
        { "PLAIN LOGIN", "plai", false, true, SASL_NONE },
        { "PLAINTEXT", NULL, false, true, SASL_NONE },
        { "SCRAM-SHA-256-PLUS", "scram-sha-256-plus", false, true, SASL_NONE },
        { "SCRAM-SHA-256-PLUS SCRAM-SHA-256", "scram-sha-256", true, true, SASL_SCRAM_SHA_256 },
        { "", NULL, true, true, SASL_NONE },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err;
        enum sasl_mechanism got;

        error_init(&err);
        got =
            sasl_choose(slice_of(cases[i].offered), cases[i].method, cases[i].binding, cases[i].secret, &err);
        ck_assert_msg(got == cases[i].want, "%zu: %s", i, sasl_name(got));
        ck_assert_int_eq(got == SASL_NONE, err.class != ERROR_NONE);
    }
}
END_TEST

START_TEST(the_server_learns_that_we_could_have_bound_only_if_it_did_not_offer)
{
    static const struct {
        const char *offered;
        bool binding;
        const char *start;
    } cases[] = {
        { "SCRAM-SHA-256", true, "y,,n=" },
        { "SCRAM-SHA-256", false, "n,,n=" },
        { "SCRAM-SHA-256 SCRAM-SHA-256-PLUS", true, "n,,n=" },
        { "SCRAM-SHA-256 SCRAM-SHA-1-PLUS", true, "n,,n=" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sasl_options o = { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET),
            .offered = slice_of(cases[i].offered) };
        struct slice wire;
        struct error err;
        struct sasl *s;

        if (cases[i].binding) {
            o.binding_type = "tls-exporter";
            o.binding = slice_of("12345");
        }
        s = sasl_start(&o, &err);
        ck_assert(sasl_initial(s, &wire));
        ck_assert(slice_starts(plain(wire), cases[i].start));
        sasl_free(s);
    }
}
END_TEST

START_TEST(nonces_are_long_printable_and_never_the_same)
{
    struct sasl_options o = { LOGIN_AS(SASL_SCRAM_SHA_256, "user", SECRET) };
    char before[200] = "";

    for (int i = 0; i < 3; i++) {
        struct slice wire, text;
        struct error err;
        struct sasl *s = sasl_start(&o, &err);

        ck_assert(sasl_initial(s, &wire));
        text = plain(wire);
        ck_assert_uint_eq(text.len, strlen("n,,n=user,r=") + 24);
        ck_assert(!slice_is(text, before));
        (void)snprintf(before, sizeof before, "%.*s", SLICE_ARG(text));
        sasl_free(s);
    }
}
END_TEST

START_TEST(what_a_mechanism_cannot_carry_is_refused_before_anything_is_sent)
{
    const struct sasl_options cases[] = {
        { LOGIN_AS(SASL_PLAIN, "tim", "a\0b") },
        { LOGIN_AS(SASL_PLAIN, NULL, "a") },
        { LOGIN_AS(SASL_XOAUTH2, "tim", "a\001b") },
        { LOGIN_AS(SASL_XOAUTH2, "tim\001auth=x", "a") },
        { LOGIN_AS(SASL_OAUTHBEARER, "tim", "a"), .host = "h\001" },
        { LOGIN_AS(SASL_SCRAM_SHA_256_PLUS, "tim", "a") },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err;

        error_init(&err);
        ck_assert_ptr_null(sasl_start(&cases[i], &err));
        ck_assert_int_ne(err.class, ERROR_NONE);
    }
}
END_TEST

START_TEST(names_and_passwords_are_prepared_as_rfc_4013_says)
{
    static const char *const cases[][2] = {
        { "I\xC2\xADX", "IX" }, /* RFC 4013, 3: soft hyphen */
        { "user", "user" },
        { "USER", "USER" },
        { "\xC2\xAA", "a" },
        { "\xE2\x85\xA8", "IX" },
        { "a\xE3\x80\x80"
          "b",
            "a b" },                 /* ideographic space */
        { "u\xCC\x88", "\xC3\xBC" }, /* u and diaeresis */
        { "\xC3\xBC", "\xC3\xBC" },
        { "q\xCC\x87\xCC\xA3", "q\xCC\xA3\xCC\x87" }, /* marks in order */
        { "\xEF\xBC\xA1\xEF\xBC\x91", "A1" },         /* full width */
        { "\xEF\xAC\x81", "fi" },
        { "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB", "\xED\x95\x9C" }, /* conjoining jamo */
        { "\xEF\xBE\x8A\xEF\xBE\x9F", "\xE3\x83\x91" },             /* half width kana with its mark */
        { "\xE2\x84\xAB", "\xC3\x85" },                             /* angstrom */
        { "\xE1\xBE\x82", "\xE1\xBE\x82" },                         /* three composites deep */
        { "\xF0\x9F\x94\x91", "\xF0\x9F\x94\x91" },                 /* beyond the tables */
        { "\xC2\xAD", "\xC2\xAD" },                                 /* nothing would be left */
        { "p\xFCr", "p\xFCr" },                                     /* Latin-1 */
        { "a\x07", "a\x07" },
        { "", "" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;

        buf_init(&out, 100);
        saslprep(&out, slice_of(cases[i][0]));
        ck_assert_str_eq(buf_str(&out), cases[i][1]);
        buf_clear(&out);
    }
}
END_TEST

SUITE_MAIN("sasl", every_mechanism_speaks_as_its_rfc_shows,
    responses_stand_on_the_wire_as_the_rfcs_print_them,
    a_response_too_long_for_the_command_waits_for_the_first_challenge,
    a_scram_challenge_out_of_order_is_refused, a_challenge_that_is_no_base64_is_refused,
    the_strongest_mechanism_offered_is_taken_and_others_only_by_name,
    the_server_learns_that_we_could_have_bound_only_if_it_did_not_offer,
    nonces_are_long_printable_and_never_the_same,
    what_a_mechanism_cannot_carry_is_refused_before_anything_is_sent,
    names_and_passwords_are_prepared_as_rfc_4013_says)
