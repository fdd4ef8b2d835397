/* SPDX-License-Identifier: ISC */
/* content: the message by DATA or BDAT, octet for octet into a file, and looked at on its way. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hub/hub.h"

static char *
part_name(const struct session *s)
{
    return mem_format("%s/part-%u", s->opt->out, s->number);
}

static void
open_part(struct session *s)
{
    char *name = part_name(s);

    s->txn.file = fopen(name, "we");
    if (!s->txn.file)
        wire_odd(s, "the hub cannot write %s", name);
    free(name);
}

void
content_drop(struct session *s)
{
    char *name;

    if (!s->txn.file)
        return;
    fclose(s->txn.file);
    s->txn.file = NULL;
    name = part_name(s);
    (void)unlink(name); /* it is gone or was never made */
    free(name);
}

static void
write_envelope(const struct session *s, const char *name, unsigned flights)
{
    const struct transaction *t = &s->txn;
    FILE *f = fopen(name, "we");

    if (!f)
        return;
    fprintf(f, "session: %u\nhelo: %s\n", s->number, s->helo);
    fprintf(f, "mail: <%.*s>", (int)t->from.len, t->from.data ? t->from.data : "");
    fprintf(f, "%s%.*s\n", t->mail_params.len ? " " : "", (int)t->mail_params.len,
        t->mail_params.data ? t->mail_params.data : "");
    if (t->rcpts.len)
        fwrite(t->rcpts.data, 1, t->rcpts.len, f);
    fprintf(f, "tls: %s\nsni: %s\n", s->ssl ? SSL_get_version(s->ssl) : "none", s->sni);
    fprintf(f, "auth: %s %s\n", s->mechanism[0] ? s->mechanism : "none", s->login);
    fprintf(f, "via: %s\noctets: %llu\nflights: %u\nsession-flights: %u\n", t->bdat ? "BDAT" : "DATA",
        (unsigned long long)t->octets, flights, s->flights);
    fprintf(f, "began: %lld\ntaken: %lld\n", (long long)t->began_us, (long long)clock_us());
    fclose(f);
}

void
content_store(struct session *s)
{
    unsigned n = __atomic_add_fetch(s->messages, 1, __ATOMIC_SEQ_CST);
    char *part = part_name(s), *msg = mem_format("%s/%u.msg", s->opt->out, n),
         *env = mem_format("%s/%u.env", s->opt->out, n);

    s->at_dot = false;
    if (s->txn.file) {
        fclose(s->txn.file);
        s->txn.file = NULL;
    }
    /* the client's flights: those that began with MAIL's */
    write_envelope(s, env, s->flights - s->txn.flights + 1);
    if (rename(part, msg) < 0)
        wire_odd(s, "the hub cannot write %s", msg);
    wire_note(s, "message %u, %llu octets", n, (unsigned long long)s->txn.octets);
    free(part);
    free(msg);
    free(env);
}

/* ---- looking at octets */

static void
look_once(struct session *s, bool *told, const char *what)
{
    if (!*told)
        wire_odd(s, "%s", what);
    *told = true;
}

static void
look_at(struct session *s, char c)
{
    struct transaction *t = &s->txn;

    if (t->binary) {
        t->previous = c;
        return;
    }
    t->line++;
    if (c == '\n' && t->previous != '\r')
        look_once(s, &t->told_bare, "a bare LF in the content");
    if (c != '\n' && t->previous == '\r')
        look_once(s, &t->told_bare, "a bare CR in the content");
    if (c == '\0')
        look_once(s, &t->told_bare, "a NUL in the content");
    if ((unsigned char)c > 127 && !t->eightbit && !t->utf8)
        look_once(s, &t->told_8bit, "octets over 127 without BODY=8BITMIME");
    if (c == '\n')
        t->line = 0;
    if (t->line > 1000)
        look_once(s, &t->told_long, "a line of more than 998 octets");
    t->previous = c;
}

static void
add(struct session *s, const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        look_at(s, p[i]);
    if (s->txn.file)
        fwrite(p, 1, len, s->txn.file);
    s->txn.octets += len;
}

/* The script may want to act in the middle of the content. */
static void
tell_progress(struct session *s)
{
    char octets[32];

    for (const struct rule *r = s->script->first; r; r = r->next)
        if (r->event == EVENT_CONTENT) {
            int code = s->code;
            snprintf(octets, sizeof octets, "%llu", (unsigned long long)s->txn.octets);
            (void)session_answer(s, EVENT_CONTENT, slice_of(octets), NULL);
            s->code = code;
            return;
        }
}

/* ---- the end of a message */

static uint64_t
size_offered(const struct session *s)
{
    struct slice rest = { NULL, 0 };
    uint64_t n = 0;

    if (!session_offered(s, "SIZE", &rest) || !slice_number(rest, UINT64_MAX, &n) || !n)
        return UINT64_MAX;
    return n;
}

static const char *
verdict(const struct session *s)
{
    if (!s->txn.open || !s->txn.nrcpt)
        return "554 5.5.1 no valid recipients";
    if (s->txn.octets > size_offered(s))
        return "552 5.3.4 message too big";
    return "250 2.0.0 taken";
}

static void
finish(struct session *s)
{
    struct transaction *t = &s->txn;
    bool taken;

    if (t->declared && t->octets > t->declared)
        wire_odd(
            s, "%llu octets, but SIZE=%llu", (unsigned long long)t->octets, (unsigned long long)t->declared);
    if (!t->binary && t->octets && t->previous != '\n')
        wire_odd(s, "the content does not end in CRLF");
    if (t->file)
        fflush(t->file);
    s->at_dot = t->open && t->nrcpt;
    taken = session_answer(s, EVENT_DOT, slice_of(""), verdict(s)) / 100 == 2 && s->at_dot;
    if (taken)
        content_store(s);
    s->at_dot = false;
    wire_flush(s);
    envelope_reset(s);
    if (taken)
        (void)session_answer(s, EVENT_ACCEPTED, slice_of(""), NULL);
}

/* ---- DATA */

enum place { LINE_START, DOT, DOT_CR, CR, MIDDLE };

/* Octets up to the end of data: how many were used; *ended says whether CRLF.CRLF was among them. */
static size_t
unstuff(struct session *s, struct slice in, enum place *place, bool *ended)
{
    for (size_t i = 0; i < in.len; i++) {
        char c = in.p[i];
        if (*place == LINE_START && c == '.') {
            *place = DOT;
            continue;
        }
        if (*place == DOT && c == '\r') {
            *place = DOT_CR;
            continue;
        }
        if (*place == DOT_CR && c == '\n') {
            *ended = true;
            return i + 1;
        }
        if (*place == DOT && c != '.')
            wire_odd(s, "a line begins with one dot");
        if (*place == DOT_CR)
            add(s, "\r", 1);
        add(s, &c, 1);
        *place = c == '\r' ? CR : c == '\n' && *place == CR ? LINE_START : MIDDLE;
    }
    return in.len;
}

static void
receive_data(struct session *s)
{
    enum place place = LINE_START;
    bool ended = false;

    open_part(s);
    while (!ended) {
        wire_take(s, unstuff(s, wire_octets(s), &place, &ended));
        tell_progress(s);
    }
    wire_log(s, "C: (content)", slice_of(""));
    finish(s);
}

void
content_data(struct session *s, struct slice arg)
{
    const char *text = "354 go ahead";

    if (s->txn.binary)
        wire_odd(s, "DATA with BODY=BINARYMIME");
    if (!s->txn.open || !s->txn.nrcpt)
        text = "503 5.5.1 no valid recipients";
    if (session_answer(s, EVENT_DATA, arg, text) == 354)
        receive_data(s);
}

/* ---- BDAT */

static bool
parse_bdat(struct slice arg, uint64_t *octets, bool *last)
{
    struct slice number = { NULL, 0 };

    if (!slice_cut(&arg, ' ', &number) || !slice_number(number, UINT64_MAX, octets))
        return false;
    *last = slice_is_nocase(arg, "LAST");
    return *last || !arg.len;
}

static void
receive_chunk(struct session *s, uint64_t octets, bool keep)
{
    while (octets) {
        struct slice got = wire_octets(s);
        size_t n = got.len < octets ? got.len : (size_t)octets;
        if (keep)
            add(s, got.p, n);
        wire_take(s, n);
        octets -= n;
        if (keep)
            tell_progress(s);
    }
}

void
content_bdat(struct session *s, struct slice arg)
{
    bool last = false, keep = s->txn.open && s->txn.nrcpt;
    uint64_t octets = 0;
    char text[64];

    if (!session_offered(s, "CHUNKING", NULL))
        wire_odd(s, "BDAT where CHUNKING was not offered");
    if (!parse_bdat(arg, &octets, &last)) {
        wire_odd(s, "BDAT cannot be understood: '%.*s'", SLICE_ARG(arg));
        session_end(s, "no BDAT");
    }
    s->txn.bdat = true;
    if (keep && !s->txn.file)
        open_part(s);
    receive_chunk(s, octets, keep);
    wire_note(s, "chunk of %llu octets", (unsigned long long)octets);
    snprintf(text, sizeof text, "250 2.0.0 %llu octets", (unsigned long long)octets);
    if (keep && last)
        finish(s);
    else
        (void)session_answer(s, EVENT_BDAT, arg, keep ? text : "503 5.5.1 no valid recipients");
    if (!keep && last)
        envelope_reset(s);
}
