/* SPDX-License-Identifier: ISC */
/* session_login: AUTH: which mechanism, the exchange, and what is told of it (RFC 4954). */
#include "smtp/session_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mail/token.h"
#include "smtp/sasl.h"

#define CHALLENGES_MAX 8

/* A line that holds a secret: the hook is shown `shown` in its place */
static bool
send_masked(
    struct session *s, const char *shown, const char *prefix, struct slice text, struct status_fact *fact)
{
    struct buf line;
    enum stream_result r;

    buf_init(&line, 65536);
    buf_add_str(&line, prefix);
    buf_add_slice(&line, text);
    buf_add_str(&line, "\r\n");
    if (s->stream.hook)
        s->stream.hook(s->stream.hook_ctx, 'C', slice_of(shown));
    r = stream_write(&s->stream, buf_slice(&line), clock_deadline(s->options->timeout_ms));
    buf_wipe(&line);
    if (r == STREAM_OK)
        return true;
    session_fact(fact, STATUS_AUTH, STATUS_NETWORK, "AUTH: %s", stream_text(r));
    return false;
}

/* Answer a 334. Trouble with it cancels the exchange by "*" (RFC 4954, 4). */
static bool
answer_challenge(struct session *s, struct sasl *sasl, struct slice text, struct reply *r,
    struct error *trouble, struct status_fact *fact)
{
    struct slice response;
    bool sent;

    if (sasl_step(sasl, text, &response, trouble))
        sent = send_masked(s, "*", "", response, fact);
    else
        sent = session_send(s, slice_of("*\r\n"), STATUS_AUTH, fact);
    return sent && session_reply(s, STATUS_AUTH, s->options->timeout_ms, r, fact);
}

static bool
begin_auth(struct session *s, struct sasl *sasl, const char *name, struct status_fact *fact)
{
    char prefix[64], shown[80];
    struct slice initial;

    if (sasl_initial(sasl, &initial)) {
        (void)snprintf(prefix, sizeof prefix, "AUTH %s ", name);
        (void)snprintf(shown, sizeof shown, "AUTH %s *", name);
        return send_masked(s, shown, prefix, initial, fact);
    }
    (void)snprintf(prefix, sizeof prefix, "AUTH %s\r\n", name);
    return session_send(s, slice_of(prefix), STATUS_AUTH, fact);
}

/* What the exchange was given up for; "AUTH MECHANISM: why" */
static void
fail_auth(const char *name, const struct error *why, enum status_cause cause, struct status_fact *fact)
{
    bool named = strncmp(why->text, name, strlen(name)) == 0;

    session_fact(fact, STATUS_AUTH, cause, "AUTH %s%s%s", named ? "" : name, named ? "" : ": ", why->text);
}

/* OAuth servers say why in the exchange (RFC 7628, 3.2.2), and in the reply behind it only that it is so */
static void
tell_detail(struct session *s, const struct sasl *sasl)
{
    const char *detail = sasl_detail(sasl);

    if (detail[0] && !(s->options->secret && strstr(detail, s->options->secret)))
        steps_note(s->options->steps, "before its reply the server said: %s", detail);
}

static bool
authenticate(
    struct session *s, struct sasl *sasl, const char *name, struct reply *r, struct status_fact *fact)
{
    struct error trouble, err;
    bool ok;

    error_init(&trouble);
    ok = begin_auth(s, sasl, name, fact) && session_reply(s, STATUS_AUTH, s->options->timeout_ms, r, fact);
    for (unsigned i = 0; ok && r->code == 334; i++) {
        if (i == CHALLENGES_MAX) {
            session_fact(fact, STATUS_AUTH, STATUS_GARBAGE, "AUTH: the server never stops asking");
            return false;
        }
        char *text = slice_dup(buf_slice(&r->text)); /* the reply's memory is used again */
        ok = answer_challenge(s, sasl, slice_make(text, r->text.len), r, &trouble, fact);
        free(text);
    }
    if (!ok)
        return false;
    if (trouble.class != ERROR_NONE) {
        fail_auth(
            name, &trouble, trouble.class == ERROR_PROTOCOL ? STATUS_GARBAGE : STATUS_NOT_OFFERED, fact);
        return false;
    }
    if (r->code != 235) {
        tell_detail(s, sasl);
        session_fact_reply(fact, STATUS_AUTH, r);
        return false;
    }
    if (!sasl_finish(sasl, &err)) {
        fail_auth(name, &err, STATUS_NOT_OFFERED, fact);
        return false;
    }
    return true;
}

static bool
may_login(struct session *s, struct status_fact *fact)
{
    if (s->options->plaintext_auth || (s->stream.tls && !s->unverified))
        return true;
    session_fact(fact, STATUS_AUTH, STATUS_NOT_OFFERED,
        "AUTH: the connection is not protected by TLS; the login is not sent");
    return false;
}

/* Why this mechanism of those offered is not the one; NULL: it is */
static const char *
why_not(const struct session_options *o, const struct sasl_options *so, struct slice word)
{
    enum sasl_mechanism m = SASL_NONE;

    for (int i = SASL_SCRAM_SHA_256_PLUS; i <= SASL_OAUTHBEARER; i++)
        if (slice_is_nocase(word, sasl_name((enum sasl_mechanism)i)))
            m = (enum sasl_mechanism)i;
    if (m == so->mechanism && m != SASL_NONE)
        return NULL;
    if (m == SASL_NONE)
        return "not known here";
    if (o->method && !slice_is_nocase(slice_of(o->method), "auto"))
        return "AuthMethod names another";
    if (m >= SASL_EXTERNAL)
        return "only where AuthMethod names it";
    if (m == SASL_SCRAM_SHA_256_PLUS && !so->binding_type)
        return "needs TLS with a channel binding";
    return so->mechanism == SASL_NONE ? "cannot be used" : "a stronger one is offered";
}

/* What was offered, and why it was this one */
static void
tell_choice(struct session *s, const struct sasl_options *so)
{
    struct steps *steps = s->options->steps;
    struct slice rest = so->offered, word;

    steps_text(steps, "user", slice_of(s->options->user));
    steps_text(steps, "mechanism", slice_of(so->mechanism ? sasl_name(so->mechanism) : ""));
    while (steps && slice_cut(&rest, ' ', &word)) {
        const char *why = word.len ? why_not(s->options, so, word) : NULL;
        steps_item(steps, "mechanisms");
        steps_item_text(steps, "name", word);
        steps_item_text(steps, "skipped", slice_of(why));
        if (why)
            steps_note(steps, "%.*s: %s", SLICE_ARG(word), why);
    }
}

/* Until when the secret is good, where that can be told: a login that fails for it needs no other explanation */
static void
tell_token(struct session *s, struct buf *told)
{
    struct token_times t;

    if (!s->options->steps || !token_read(slice_of(s->options->secret), &t))
        return;
    steps_number(s->options->steps, "token_expires", t.expires_s);
    buf_add_str(told, "token ");
    token_describe(t.expires_s, (int64_t)clock_wall().tv_sec, told);
    if (t.expires_s <= (int64_t)clock_wall().tv_sec)
        steps_note(s->options->steps, "the %s", buf_str(told));
}

static bool
run_login(struct session *s, const struct sasl_options *so, struct status_fact *fact)
{
    struct error err;
    struct reply r;
    struct sasl *sasl = sasl_start(so, &err);
    bool ok;

    if (!sasl) {
        session_fact(fact, STATUS_AUTH, STATUS_NOT_OFFERED, "%s", err.text);
        return false;
    }
    reply_init(&r);
    r.text.max = SASL_CHALLENGE_MAX;
    ok = authenticate(s, sasl, sasl_name(so->mechanism), &r, fact);
    buf_clear(&r.text);
    sasl_free(sasl);
    if (ok)
        (void)snprintf(s->mechanism, sizeof s->mechanism, "%s", sasl_name(so->mechanism));
    else
        steps_note(s->options->steps, "tried: %s%s%s", sasl_name(so->mechanism), so->user ? " as " : "",
            so->user ? so->user : "");
    return ok;
}

bool
session_login(struct session *s, struct status_fact *fact)
{
    const struct session_options *o = s->options;
    struct sasl_options so = { .offered = slice_of(s->caps.mechanisms),
        .user = o->user,
        .secret = slice_of(o->secret),
        .host = o->host,
        .port = o->port };
    struct buf binding, token;
    struct error err;
    unsigned flights = s->stream.flights;
    bool ok;

    if (!may_login(s, fact))
        return false;
    buf_init(&binding, 1000);
    buf_init(&token, 100);
    if (s->stream.tls)
        so.binding_type = tls_binding(s->stream.tls, &binding);
    so.binding = buf_slice(&binding);
    so.mechanism = sasl_choose(so.offered, o->method, so.binding_type != NULL, o->secret != NULL, &err);
    tell_choice(s, &so);
    if (o->secret)
        tell_token(s, &token);
    if (so.mechanism == SASL_NONE) {
        session_fact(fact, STATUS_AUTH, STATUS_NOT_OFFERED, "%s", err.text);
        ok = false;
    } else {
        ok = run_login(s, &so, fact);
    }
    if (ok)
        steps_done(s->options->steps, "login", s->stream.flights - flights, "%s%s%s%s%s", s->mechanism,
            o->user ? " as " : "", o->user ? o->user : "", token.len ? ", " : "", buf_str(&token));
    buf_clear(&binding);
    buf_clear(&token);
    return ok;
}
