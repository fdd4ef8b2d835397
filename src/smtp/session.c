/* SPDX-License-Identifier: ISC */
/* session: the steps up to a usable connection, from top to bottom. What a failure means is mail/status's. */
#include "smtp/session.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/token.h"
#include "smtp/session_state.h"

#define REPLY_LINES_MAX 20000

/* ---------------------------------------------------------------- facts and exchanges */

void
session_fact(
    struct status_fact *fact, enum status_stage stage, enum status_cause cause, const char *format, ...)
{
    char raw[1000];
    va_list ap;

    memset(fact, 0, sizeof *fact);
    fact->stage = stage;
    fact->cause = cause;
    va_start(ap, format);
    (void)vsnprintf(raw, sizeof raw, format, ap); /* cut is fine */
    va_end(ap);
    text_escape(fact->text, sizeof fact->text, slice_of(raw));
}

void
session_fact_reply(struct status_fact *fact, enum status_stage stage, const struct reply *r)
{
    struct buf text;

    memset(fact, 0, sizeof *fact);
    fact->stage = stage;
    fact->cause = STATUS_REPLY;
    fact->code = r->code;
    memcpy(fact->enhanced, r->enhanced, sizeof fact->enhanced);
    buf_init(&text, REPLY_TEXT_MAX + 64);
    reply_format(r, &text);
    text_escape(fact->text, sizeof fact->text, buf_slice(&text));
    buf_clear(&text);
}

void
session_tell_reply(struct session *s, const char *step, unsigned flights, const struct reply *r)
{
    struct buf text;

    if (!s->options->steps)
        return;
    buf_init(&text, REPLY_TEXT_MAX + 64);
    reply_format(r, &text);
    steps_number(s->options->steps, "code", r->code);
    steps_done(s->options->steps, step, s->stream.flights - flights, "%s", buf_str(&text));
    buf_clear(&text);
}

static void
show_sent(struct session *s, struct slice lines)
{
    struct slice line;

    while (s->stream.hook && slice_cut(&lines, '\n', &line))
        s->stream.hook(s->stream.hook_ctx, 'C', slice_trim(line));
}

bool
session_send(struct session *s, struct slice lines, enum status_stage stage, struct status_fact *fact)
{
    show_sent(s, lines);
    enum stream_result r = stream_write(&s->stream, lines, clock_deadline(s->options->timeout_ms));
    if (r == STREAM_OK || (r == STREAM_CLOSED && s->stream.at < s->stream.in.len))
        return true; /* what it said before it went is read as the reply */
    session_fact(fact, stage, STATUS_NETWORK, "%s: %s", status_stage_name(stage), stream_text(r));
    fact->silent = r == STREAM_TIMEOUT;
    return false;
}

static bool
read_reply(struct session *s, enum status_stage stage, int64_t ms, struct reply *r,
    void (*each)(struct session *, struct slice), struct status_fact *fact)
{
    int64_t deadline = clock_deadline(ms);
    enum reply_result result;

    reply_clear(r);
    do {
        struct slice line, rest;
        bool crlf;
        enum stream_result got = stream_line(&s->stream, deadline, &line, &crlf);
        if (got != STREAM_OK) {
            session_fact(fact, stage, got == STREAM_TOO_LONG ? STATUS_GARBAGE : STATUS_NETWORK, "%s: %s",
                status_stage_name(stage), stream_text(got));
            fact->silent = got == STREAM_TIMEOUT;
            return false;
        }
        result = crlf ? reply_line(r, line, &rest) : REPLY_BAD;
        if (result == REPLY_BAD || r->lines > REPLY_LINES_MAX) {
            session_fact(fact, stage, STATUS_GARBAGE, "%s: this is no SMTP reply: %.*s",
                status_stage_name(stage), SLICE_ARG(slice_sub(line, 0, 200)));
            return false;
        }
        if (each && r->lines > 1)
            each(s, rest);
    } while (result == REPLY_MORE);
    return true;
}

bool
session_reply(
    struct session *s, enum status_stage stage, int64_t ms, struct reply *r, struct status_fact *fact)
{
    return read_reply(s, stage, ms, r, NULL, fact);
}

static bool
exchange(
    struct session *s, enum status_stage stage, const char *line, struct reply *r, struct status_fact *fact)
{
    return session_send(s, slice_of(line), stage, fact) &&
           session_reply(s, stage, s->options->timeout_ms, r, fact);
}

/* ---------------------------------------------------------------- EHLO */

static void
take_limits(struct session_caps *c, struct slice rest)
{
    struct slice word;

    while (slice_cut(&rest, ' ', &word)) {
        if (slice_starts_nocase(word, "RCPTMAX="))
            (void)slice_number(slice_from(word, 8), 1000000, &c->rcpt_max); /* nonsense is no limit */
        else if (slice_starts_nocase(word, "MAILMAX="))
            (void)slice_number(slice_from(word, 8), 1000000, &c->mail_max);
    }
}

static void
take_mechanisms(struct session_caps *c, struct slice rest)
{
    size_t have = strlen(c->mechanisms);

    c->auth = true;
    if (rest.len + 2 > sizeof c->mechanisms - have)
        return;
    (void)snprintf(c->mechanisms + have, sizeof c->mechanisms - have, "%s%.*s", have ? " " : "",
        (int)rest.len, rest.p ? rest.p : "");
}

static void
take_capability(struct session *s, struct slice line)
{
    static const struct {
        const char *word;
        size_t offset;
    } flags[] = {
        { "PIPELINING", offsetof(struct session_caps, pipelining) },
        { "8BITMIME", offsetof(struct session_caps, eightbit) },
        { "SMTPUTF8", offsetof(struct session_caps, smtputf8) },
        { "DSN", offsetof(struct session_caps, dsn) },
        { "CHUNKING", offsetof(struct session_caps, chunking) },
        { "BINARYMIME", offsetof(struct session_caps, binary) },
        { "STARTTLS", offsetof(struct session_caps, starttls) },
        { "SIZE", offsetof(struct session_caps, size) },
    };
    struct slice word = slice_sub(line, 0, slice_find(line, ' ')),
                 rest = slice_trim(slice_from(line, word.len));

    steps_item(s->options->steps, "offers");
    steps_item_text(s->options->steps, "line", line);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (slice_is_nocase(word, flags[i].word))
            *(bool *)((char *)&s->caps + flags[i].offset) = true;
    if (slice_is_nocase(word, "SIZE"))
        (void)slice_number(rest, UINT64_MAX, &s->caps.size_max); /* nonsense is no limit */
    else if (slice_is_nocase(word, "LIMITS"))
        take_limits(&s->caps, rest);
    else if (slice_is_nocase(word, "AUTH"))
        take_mechanisms(&s->caps, rest);
    else if (slice_starts_nocase(line, "AUTH="))
        take_mechanisms(&s->caps, slice_from(line, 5)); /* before RFC 2554 */
}

static bool
is_success(const struct reply *r)
{
    return r->code >= 200 && r->code < 300;
}

static bool
send_ehlo(struct session *s, enum status_stage stage, struct reply *r, struct status_fact *fact)
{
    char line[300];

    memset(&s->caps, 0, sizeof s->caps);
    (void)snprintf(line, sizeof line, "EHLO %s\r\n", s->options->ehlo_name);
    if (!session_send(s, slice_of(line), stage, fact) ||
        !read_reply(s, stage, s->options->timeout_ms, r, take_capability, fact))
        return false;
    if (is_success(r))
        s->caps.esmtp = true;
    else
        memset(&s->caps, 0, sizeof s->caps);
    return true;
}

/* Where EHLO is refused. Of a server that then hangs up the refusal is what counts: it says why. */
static bool
send_helo(struct session *s, struct reply *r, struct status_fact *fact)
{
    struct status_fact refused;
    char line[300];

    session_fact_reply(&refused, STATUS_EHLO, r);
    (void)snprintf(line, sizeof line, "HELO %s\r\n", s->options->ehlo_name);
    if (!exchange(s, STATUS_EHLO, line, r, fact)) {
        if (fact->cause == STATUS_NETWORK)
            *fact = refused;
        return false;
    }
    if (!is_success(r))
        session_fact_reply(fact, STATUS_EHLO, r);
    return is_success(r);
}

static void
tell_hello(struct session *s, unsigned flights)
{
    const struct session_caps *c = &s->caps;
    struct buf text;

    if (!s->options->steps)
        return;
    buf_init(&text, 600);
    buf_add_format(&text, "as %s", s->options->ehlo_name);
    buf_add_str(&text, !c->esmtp ? "; the server knows only HELO" : "; offered:");
    buf_add_str(&text, c->starttls ? " STARTTLS" : "");
    if (c->auth)
        buf_add_format(&text, " AUTH (%s)", c->mechanisms);
    buf_add_str(&text, c->pipelining ? " PIPELINING" : "");
    buf_add_str(&text, c->chunking ? " CHUNKING" : "");
    buf_add_str(&text, c->eightbit ? " 8BITMIME" : "");
    buf_add_str(&text, c->smtputf8 ? " SMTPUTF8" : "");
    buf_add_str(&text, c->dsn ? " DSN" : "");
    if (c->size_max)
        buf_add_format(&text, " SIZE %llu", (unsigned long long)c->size_max);
    steps_done(s->options->steps, "ehlo", s->stream.flights - flights, "%s", buf_str(&text));
    buf_clear(&text);
}

/* EHLO, and HELO where that is not known. A refusal of both is a fact. */
static bool
say_hello(struct session *s, struct status_fact *fact)
{
    unsigned flights = s->stream.flights;
    struct reply r;
    bool ok;

    reply_init(&r);
    ok = send_ehlo(s, STATUS_EHLO, &r, fact);
    if (ok && r.code >= 500) {
        ok = send_helo(s, &r, fact);
    } else if (ok && !is_success(&r)) {
        session_fact_reply(fact, STATUS_EHLO, &r);
        ok = false;
    }
    s->introduced = ok;
    if (ok)
        tell_hello(s, flights);
    reply_clear(&r);
    return ok;
}

bool
session_ask_again(struct session *s, struct status_fact *fact)
{
    struct session_caps before = s->caps;
    struct reply r;
    bool ok;

    if (!s->mechanism[0] || s->asked_again)
        return true;
    s->asked_again = true;
    reply_init(&r);
    ok = send_ehlo(s, STATUS_MAIL, &r, fact); /* lost here is lost before the message */
    if (!ok || !s->caps.esmtp)
        s->caps = before; /* OpenSMTPD: 503 Already identified */
    if (ok && r.code == 421) {
        session_fact_reply(fact, STATUS_MAIL, &r);
        ok = false;
    }
    reply_clear(&r);
    return ok;
}

/* ---------------------------------------------------------------- TLS */

static void
tell_client(struct steps *steps, struct slice cert_pem)
{
    int64_t expires = steps && cert_pem.len ? tls_client_expiry(cert_pem) : 0;
    struct buf told;

    if (!expires)
        return;
    buf_init(&told, 100);
    token_describe(expires, (int64_t)clock_wall().tv_sec, &told);
    steps_number(steps, "client_certificate_expires", expires);
    steps_note(steps, "the client certificate (TLSCert): %s", buf_str(&told));
    buf_clear(&told);
}

static void
tell_tls(struct steps *steps, const struct tls_info *info)
{
    bool newest = strcmp(info->version, "TLSv1.3") == 0;

    steps_text(steps, "version", slice_of(info->version));
    steps_text(steps, "cipher", slice_of(info->cipher));
    steps_flag(steps, "verified", info->verified);
    if (!info->verified && *info->reason)
        steps_note(steps, "the certificate is not verified: %s", info->reason);
    steps_done(steps, "tls", newest ? 1 : 2, "%s %s, certificate %s", info->version, info->cipher,
        info->pinned     ? "as pinned"
        : info->verified ? "verified"
                         : "not verified");
}

static bool
start_tls(struct session *s, struct tls *begun, struct status_fact *fact)
{
    static const enum status_cause causes[] = {
        [TLS_FAILURE_NONE] = STATUS_TROUBLE,
        [TLS_FAILURE_CONFIG] = STATUS_NOT_OFFERED,
        [TLS_FAILURE_CERTIFICATE] = STATUS_CERTIFICATE,
        [TLS_FAILURE_HANDSHAKE] = STATUS_HANDSHAKE,
        [TLS_FAILURE_LOST] = STATUS_NETWORK,
        [TLS_FAILURE_TIMEOUT] = STATUS_NETWORK,
    };
    struct tls_options o = s->options->tls_options;
    enum tls_failure failure = TLS_FAILURE_NONE;
    int64_t deadline = clock_deadline(s->options->timeout_ms);
    struct tls_info info;
    struct error err;

    o.opportunistic = s->options->tls == SESSION_TLS_OPPORTUNISTIC;
    o.steps = s->options->steps;
    s->stream.tls = begun ? tls_finish(begun, deadline, &failure, &err)
                          : tls_start(s->stream.fd, &o, deadline, &failure, &err);
    if (!s->stream.tls) {
        s->stream.broken =
            true; /* not even QUIT: who is at the other end waits for TLS, or is nobody to talk to */
        session_fact(fact, STATUS_TLS, causes[failure], "%s", err.text);
        return false;
    }
    tls_info(s->stream.tls, &info);
    s->unverified = o.opportunistic && !info.verified;
    s->expires_s = info.verified && !info.pinned ? info.expires_s : 0;
    tell_client(s->options->steps, o.cert_pem);
    tell_tls(s->options->steps, &info);
    (void)snprintf(s->tls_info, sizeof s->tls_info, "%s", info.summary);
    return true;
}

/* STARTTLS of RFC 3207. True also where opportunistic TLS goes without. */
static bool
upgrade(struct session *s, struct status_fact *fact)
{
    bool must = s->options->tls == SESSION_TLS_STARTTLS;
    struct reply r;
    bool ok;

    if (!s->caps.starttls) {
        if (must)
            session_fact(fact, STATUS_STARTTLS, STATUS_NOT_OFFERED,
                "STARTTLS: the server does not offer it; nothing is sent in clear (UseTLS = \"implicit\" may "
                "be what it wants)");
        return !must;
    }
    unsigned flights = s->stream.flights;
    reply_init(&r);
    ok = exchange(s, STATUS_STARTTLS, "STARTTLS\r\n", &r, fact);
    if (ok && r.code != 220) {
        session_fact_reply(fact, STATUS_STARTTLS, &r);
        reply_clear(&r);
        return !must && fact->code != 421;
    }
    reply_clear(&r);
    if (!ok)
        return false;
    /* CVE-2011-0411: what came in clear behind the 220 must never be taken for what comes through TLS */
    if (s->stream.at < s->stream.in.len) {
        s->stream.broken = true;
        session_fact(
            fact, STATUS_STARTTLS, STATUS_HANDSHAKE, "STARTTLS: text was slipped in before the handshake");
        return false;
    }
    steps_done(s->options->steps, "starttls", s->stream.flights - flights, "the server is ready for TLS");
    return start_tls(s, NULL, fact) && say_hello(s, fact);
}

/* ---------------------------------------------------------------- all of it */

static bool
greeting(struct session *s, struct status_fact *fact)
{
    unsigned flights = s->stream.flights;
    struct reply r;
    bool ok;

    reply_init(&r);
    ok = session_reply(s, STATUS_GREETING, s->options->greeting_ms, &r, fact);
    if (ok && r.code != 220) {
        session_fact_reply(fact, STATUS_GREETING, &r);
        ok = false;
    }
    if (ok)
        session_tell_reply(s, "greeting", flights, &r);
    reply_clear(&r);
    return ok;
}

static bool
open_steps(struct session *s, struct tls *begun, struct status_fact *fact)
{
    const struct session_options *o = s->options;

    if (o->tls == SESSION_TLS_IMPLICIT && !start_tls(s, begun, fact))
        return false;
    if (!greeting(s, fact) || !say_hello(s, fact))
        return false;
    if ((o->tls == SESSION_TLS_STARTTLS || o->tls == SESSION_TLS_OPPORTUNISTIC) && !upgrade(s, fact))
        return false;
    if (!o->user && !(o->method && strcasecmp(o->method, "external") == 0))
        return true;
    return session_login(s, fact);
}

bool
session_open_begun(struct session *s, int fd, struct tls *begun, const struct session_options *options,
    struct status_fact *fact)
{
    ensure(!begun || options->tls == SESSION_TLS_IMPLICIT);
    memset(s, 0, sizeof *s);
    s->options = options;
    steps_begin(options->steps);
    stream_init(&s->stream, fd, options->hook, options->hook_ctx);
    s->stream.slow = options->slow;
    if (open_steps(s, begun, fact))
        return true;
    session_close(s);
    return false;
}

bool
session_open(struct session *s, int fd, const struct session_options *options, struct status_fact *fact)
{
    return session_open_begun(s, fd, NULL, options, fact);
}

void
session_close(struct session *s)
{
    if (s->stream.fd < 0)
        return;
    if (!s->stream.broken && s->introduced)
        (void)stream_write(
            &s->stream, slice_of("QUIT\r\n"), clock_deadline(1000)); /* manners; nobody waits for the 221 */
    stream_close(&s->stream);
}

bool
session_is_alive(struct session *s)
{
    return s->stream.fd >= 0 && !stream_has_input(&s->stream) &&
           (!s->caps.mail_max || s->mails < s->caps.mail_max);
}
