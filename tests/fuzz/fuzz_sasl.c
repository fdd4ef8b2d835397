/* SPDX-License-Identifier: ISC */
/*
 * A server that does not know the password never gets SCRAM believed, never gets an endless exchange, never finds the secret in
 * an error text; responses are clean base64; and preparing a prepared text changes nothing.
 *
 * Input: a letter for the mechanism, then one challenge a line; a line with '!' in front stands on the wire as it is, others go
 * there in base64.
 */
#include <string.h>

#include <openssl/evp.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "smtp/sasl.h"
#include "smtp/saslprep.h"

#define SECRET "S3cr3tW0rd"
#define CHALLENGES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_prepared(struct slice in)
{
    struct buf once, twice;

    buf_init(&once, 1 << 20);
    buf_init(&twice, 1 << 20);
    saslprep(&once, in);
    saslprep(&twice, buf_slice(&once));
    ensure(!once.overflow && !twice.overflow);
    ensure(once.len > SASLPREP_MAX || slice_eq(buf_slice(&once), buf_slice(&twice)));
    ensure(text_is_utf8(in) == text_is_utf8(buf_slice(&once)));
    buf_clear(&once);
    buf_clear(&twice);
}

static void
check_response(struct slice wire)
{
    ensure(wire.len % 4 == 0 || slice_is(wire, "="));
    for (size_t i = 0; i < wire.len; i++)
        ensure(ascii_is_alpha(wire.p[i]) || ascii_is_digit(wire.p[i]) || strchr("+/=", wire.p[i]) != NULL);
}

static void
put_challenge(struct buf *wire, struct slice line)
{
    char *p;

    buf_reset(wire);
    if (line.len > 0 && line.p[0] == '!') {
        buf_add_slice(wire, slice_from(line, 1));
        return;
    }
    p = buf_reserve(wire, line.len / 3 * 4 + 8);
    ensure(p != NULL);
    if (line.len > 0)
        wire->len +=
            (size_t)EVP_EncodeBlock((unsigned char *)p, (const unsigned char *)line.p, (int)line.len);
}

static void
talk(struct sasl *s, struct slice lines, bool scram)
{
    struct slice line, response;
    struct error err;
    struct buf wire;
    unsigned answered = 0;
    bool told = memmem(lines.p, lines.len, SECRET, strlen(SECRET)) != NULL; /* then it may quote itself */

    buf_init(&wire, 1 << 20);
    for (int i = 0; i < CHALLENGES && slice_cut(&lines, '\n', &line); i++) {
        put_challenge(&wire, line);
        error_init(&err);
        if (!sasl_step(s, buf_slice(&wire), &response, &err)) {
            ensure(err.class != ERROR_NONE && err.text[0] != '\0');
            ensure(told || strstr(err.text, SECRET) == NULL);
            break;
        }
        check_response(response);
        ensure(++answered <= 3);
    }
    ensure(!scram || !sasl_finish(s, &err));
    buf_clear(&wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make((const char *)data, size), response;
    struct sasl_options o = { .user = "user@example.org", .secret = slice_of(SECRET), .nonce = "abc" };
    struct error err;
    struct sasl *s;

    if (size == 0)
        return 0;
    o.mechanism = (enum sasl_mechanism)(SASL_SCRAM_SHA_256_PLUS + (unsigned)data[0] % SASL_OAUTHBEARER);
    o.binding_type = "tls-exporter";
    o.binding = slice_of("binding");
    in = slice_from(in, 1);
    (void)sasl_choose(in, NULL, true, true, &err);
    check_prepared(in);
    s = sasl_start(&o, &err);
    ensure(s != NULL);
    if (data[0] >= 128 && sasl_initial(s, &response))
        check_response(response);
    talk(s, in, o.mechanism <= SASL_SCRAM_SHA_1);
    sasl_free(s);
    return 0;
}
