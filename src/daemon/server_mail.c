/* SPDX-License-Identifier: ISC */
/* server_mail: MAIL and RCPT with their parameters, as tables. It fills the transaction and knows no content. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/server_state.h"
#include "mail/address.h"

static bool
decoded(struct slice value, char **out)
{
    struct buf b;

    buf_init(&b, SERVER_LINE_LIMIT);
    if (!text_percent_decode(&b, value) || slice_has(buf_slice(&b), '\0')) {
        buf_clear(&b);
        return false;
    }
    free(*out);
    *out = buf_steal(&b);
    return true;
}

static bool
param_body(struct server_transaction *t, struct slice value)
{
    t->eight_bit = slice_is_nocase(value, "8BITMIME");
    return t->eight_bit || slice_is_nocase(value, "7BIT");
}

static bool
param_ret(struct server_transaction *t, struct slice value)
{
    if (slice_is_nocase(value, "FULL"))
        t->envelope.ret = ENVELOPE_RET_FULL;
    else if (slice_is_nocase(value, "HDRS"))
        t->envelope.ret = ENVELOPE_RET_HDRS;
    return t->envelope.ret != ENVELOPE_RET_NONE;
}

/* What was hidden in xtext ends in queue files, DSNs and logs (CVE-2020-28021, CVE-2020-28026). */
static bool
is_printable(const char *text)
{
    for (; *text; text++)
        if (ascii_is_control(*text))
            return false;
    return true;
}

static bool
param_envid(struct server_transaction *t, struct slice value)
{
    free(t->envelope.envid);
    t->envelope.envid = NULL;
    return value.len <= 100 && command_xtext_decode(value, &t->envelope.envid) &&
           is_printable(t->envelope.envid);
}

static bool
param_size(struct server_transaction *t, struct slice value)
{
    return slice_number(value, UINT64_MAX, &t->size);
}

static bool
param_utf8(struct server_transaction *t, struct slice value)
{
    t->smtputf8 = true;
    return value.len == 0;
}

/* RFC 4954, 5: whom the client believes. Nobody has logged in here, so it counts as AUTH=<>, but it has to be well made. */
static bool
param_auth(struct server_transaction *t, struct slice value)
{
    struct address a;
    struct error ignored;
    char *text = NULL;
    bool ok;

    (void)t;
    ok = value.len <= 500 && command_xtext_decode(value, &text) &&
         (strcmp(text, "<>") == 0 || address_parse(slice_of(text), 0, &a, &ignored));
    free(text);
    return ok;
}

static bool
param_mode(struct server_transaction *t, struct slice value)
{
    t->mode = value.len == 1 ? value.p[0] : '\0';
    return slice_is(value, "i") || slice_is(value, "b") || slice_is(value, "q") || slice_is(value, "default");
}

static bool
param_verbose(struct server_transaction *t, struct slice value)
{
    t->verbose = true;
    return value.len == 0;
}

static bool
param_login(struct server_transaction *t, struct slice value)
{
    t->own_sender = true;
    return value.len == 0;
}

static bool
param_name(struct server_transaction *t, struct slice value)
{
    return decoded(value, &t->full_name);
}

static bool
param_from(struct server_transaction *t, struct slice value)
{
    return decoded(value, &t->from_address);
}

static bool
param_cwd(struct server_transaction *t, struct slice value)
{
    return decoded(value, &t->cwd);
}

static bool
param_tag(struct server_transaction *t, struct slice value)
{
    return decoded(value, &t->tag);
}

static const struct mail_param {
    const char *name;
    bool local; /* only our own client */
    bool (*take)(struct server_transaction *, struct slice);
} mail_params[] = {
    { "BODY", false, param_body },
    { "SIZE", false, param_size },
    { "SMTPUTF8", false, param_utf8 },
    { "RET", false, param_ret },
    { "ENVID", false, param_envid },
    { "AUTH", false, param_auth },
    { "X-MODE", true, param_mode },
    { "X-VERBOSE", true, param_verbose },
    { "X-LOGIN", true, param_login },
    { "X-NAME", true, param_name },
    { "X-FROM", true, param_from },
    { "X-CWD", true, param_cwd },
    { "X-TAG", true, param_tag },
};

static const struct mail_param *
find_param(const struct server *s, struct slice name)
{
    for (size_t i = 0; i < sizeof mail_params / sizeof mail_params[0]; i++)
        if (slice_is_nocase(name, mail_params[i].name) && (!mail_params[i].local || s->traits->is_own))
            return &mail_params[i];
    return NULL;
}

/* RFC 3461, 4: a parameter stands once */
static bool
is_repeated(const struct command *c, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (slice_eq_nocase(c->params[k].name, c->params[i].name))
            return true;
    return false;
}

/* Those of MAIL into the transaction; else it is over, and the reply is 501 for what is malformed, 555 for what is unknown */
static bool
mail_parameters(struct server *s, const struct command *c)
{
    for (size_t i = 0; i < c->nparams; i++) {
        const struct mail_param *known = find_param(s, c->params[i].name);
        char text[200];
        if (known && !is_repeated(c, i) && known->take(&s->t, c->params[i].value))
            continue;
        (void)snprintf(
            text, sizeof text, "MAIL: parameter %.*s is not understood", SLICE_ARG(c->params[i].name));
        server_reset(s);
        server_refuse(s, known ? 501 : 555, "5.5.4", ERROR_USAGE, text);
        return false;
    }
    return true;
}

/* RFC 6531, 3.5. Our own client names no one by it: the worker asks for SMTPUTF8 where it is needed. */
static bool
is_allowed_path(struct server *s, struct slice path)
{
    if (s->traits->is_own || s->t.smtputf8 || text_is_ascii(path))
        return true;
    server_refuse(s, 553, "5.6.7", ERROR_DATA, "address: beyond ASCII, and MAIL did not say SMTPUTF8");
    return false;
}

void
server_mail(struct server *s, const struct command *c)
{
    if (!s->greeted || s->has_mail) {
        server_reply_code(
            s, 503, "5.5.1", ERROR_USAGE, s->greeted ? "MAIL was said already" : "EHLO comes first");
        return;
    }
    server_reset(s);
    if (!mail_parameters(s, c))
        return;
    if (!is_allowed_path(s, c->path)) {
        server_reset(s);
        return;
    }
    if (s->t.size > s->limits.message_size) {
        server_reset(s);
        server_refuse(s, 552, "5.3.4", ERROR_REFUSED, "message: larger than MaxMessageSize");
        return;
    }
    char *sender = slice_dup(c->path);
    envelope_set_sender(&s->t.envelope, sender);
    free(sender);
    s->has_mail = true;
    server_reply(s, "250 2.1.0 ok");
}

/* "addr-type;address", RFC 3461, 4.2 */
static bool
is_orcpt(const char *text)
{
    size_t n = 0;

    while (ascii_is_alpha(text[n]) || ascii_is_digit(text[n]) || text[n] == '-')
        n++;
    return n > 0 && text[n] == ';' && text[n + 1] && is_printable(text + n);
}

/* NOTIFY and ORCPT of RFC 3461, 4.1 and 4.2 */
static bool
rcpt_parameters(const struct command *c, unsigned *notify, char **orcpt)
{
    for (size_t i = 0; i < c->nparams; i++) {
        const struct command_param *p = &c->params[i];
        if (is_repeated(c, i))
            return false;
        if (slice_is_nocase(p->name, "NOTIFY")) {
            if (!envelope_notify_parse(p->value.p, p->value.len, notify))
                return false;
        } else if (slice_is_nocase(p->name, "ORCPT")) {
            free(*orcpt);
            *orcpt = NULL;
            if (p->value.len > 500 || !command_xtext_decode(p->value, orcpt) || !is_orcpt(*orcpt))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

void
server_rcpt(struct server *s, const struct command *c)
{
    unsigned notify = 0;
    char *orcpt = NULL, *address;
    struct error err;

    if (!s->has_mail) {
        server_refuse(s, 503, "5.5.1", ERROR_USAGE, "MAIL comes first");
        return;
    }
    if (s->by_chunks) { /* the owner has begun the message for those named so far */
        server_refuse(s, 503, "5.5.1", ERROR_USAGE, "RCPT after BDAT");
        return;
    }
    if (s->t.envelope.n >= s->limits.recipients) {
        /* RFC 5321 4.5.3.1.10 has 452, which makes clients send the rest later; ours is told for good */
        if (s->traits->is_own)
            server_refuse(s, 550, "5.5.3", ERROR_REFUSED, "recipients: more than MaxRecipients");
        else
            server_reply_code(s, 452, "4.5.3", ERROR_TEMP, "too many recipients");
        return;
    }
    if (!rcpt_parameters(c, &notify, &orcpt)) {
        free(orcpt);
        server_refuse(s, 501, "5.5.4", ERROR_USAGE, "RCPT: a parameter is not understood");
        return;
    }
    if (!is_allowed_path(s, c->path)) {
        free(orcpt);
        return;
    }
    address = slice_dup(c->path);
    if (s->events->recipient(s->ctx, &s->t, address, &err)) {
        (void)envelope_add(&s->t.envelope, address, notify, orcpt);
        server_reply(s, "250 2.1.5 ok");
    } else {
        if (s->traits->is_own)
            s->failed = true;
        server_reply_error(s, &err);
    }
    free(address);
    free(orcpt);
}
