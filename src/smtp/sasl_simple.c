/* SPDX-License-Identifier: ISC */
/* sasl_simple: mechanisms that send the secret, or prove it with one hash (RFC 4616, 2195, 7628, 4422 A; LOGIN, XOAUTH2). */
#include "smtp/sasl_state.h"

#include <openssl/hmac.h>

#include <string.h>

#include "base/mem.h"
#include "base/text.h"

/* ---------------------------------------------------------------- the simple ones */

bool
sasl_respond_plain(struct sasl *s, struct slice challenge, struct error *err)
{
    (void)challenge;
    if (s->step > 0)
        return sasl_nonsense(s, err, "asks for more than a name and a password");
    buf_add_char(&s->raw, '\0');
    buf_add_str(&s->raw, s->user);
    buf_add_char(&s->raw, '\0');
    buf_add_slice(&s->raw, buf_slice(&s->secret));
    return true;
}

/* The prompts are not looked at: servers write all kinds of things there, but always in this order. */
bool
sasl_respond_login(struct sasl *s, struct slice challenge, struct error *err)
{
    (void)challenge;
    if (s->step > 1)
        return sasl_nonsense(s, err, "asks for more than a name and a password");
    buf_add_slice(&s->raw, s->step == 0 ? slice_of(s->user) : buf_slice(&s->secret));
    return true;
}

bool
sasl_respond_cram(struct sasl *s, struct slice challenge, struct error *err)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (s->step > 0 || challenge.len == 0)
        return sasl_nonsense(s, err, s->step > 0 ? "asks twice" : "sends no challenge");
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

bool
sasl_respond_external(struct sasl *s, struct slice challenge, struct error *err)
{
    (void)challenge;
    if (s->step > 0)
        return sasl_nonsense(s, err, "asks for more than a name");
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
        return sasl_nonsense(s, err, "asks on after its error");
    (void)text_escape(s->detail, sizeof s->detail, challenge);
    return true;
}

bool
sasl_respond_xoauth2(struct sasl *s, struct slice challenge, struct error *err)
{
    if (s->step > 0)
        return note_oauth_error(s, challenge, err); /* answered by an empty line */
    buf_add_format(&s->raw, "user=%s\001auth=Bearer ", s->user);
    buf_add_slice(&s->raw, buf_slice(&s->secret));
    buf_add_str(&s->raw, "\001\001");
    return true;
}

/* RFC 5801: a name in a comma-separated list */
void
sasl_add_name(struct buf *out, struct slice name)
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

bool
sasl_respond_oauthbearer(struct sasl *s, struct slice challenge, struct error *err)
{
    if (s->step > 0) {
        buf_add_char(&s->raw, '\001'); /* RFC 7628, 3.2.3 */
        return note_oauth_error(s, challenge, err);
    }
    buf_add_str(&s->raw, "n,a=");
    sasl_add_name(&s->raw, slice_of(s->user));
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
