/* SPDX-License-Identifier: ISC */
/* envelope: MAIL and RCPT, and whether the client keeps to what was offered. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "hub/hub.h"

void
envelope_reset(struct session *s)
{
    struct transaction *t = &s->txn;

    content_drop(s);
    buf_clear(&t->from);
    buf_clear(&t->mail_params);
    buf_clear(&t->rcpts);
    *t = (struct transaction){ 0 };
    buf_init(&t->from, 4096);
    buf_init(&t->mail_params, 4096);
    buf_init(&t->rcpts, 16 * 1024 * 1024);
}

/* The end of the path that begins with '<', behind the '>'; quoted strings are passed over. */
static size_t
path_length(struct slice s)
{
    bool quoted = false;

    for (size_t i = 1; i < s.len; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] == '>' && !quoted)
            return i + 1;
    }
    return 0;
}

/* "FROM:<address> PARAMS" with its word before the colon. False (after an ODD) where it cannot be understood. */
static bool
split(struct session *s, struct slice arg, const char *word, struct slice *address, struct slice *params)
{
    size_t len;

    if (!slice_starts_nocase(arg, word)) {
        wire_odd(s, "'%.*s' does not begin with %s", SLICE_ARG(arg), word);
        return false;
    }
    arg = slice_from(arg, strlen(word));
    if (arg.len && arg.p[0] == ' ') {
        wire_odd(s, "a blank behind %s", word);
        arg = slice_trim(arg);
    }
    if (!arg.len || arg.p[0] != '<' || !(len = path_length(arg))) {
        wire_odd(s, "an address without < and >: '%.*s'", SLICE_ARG(arg));
        return false;
    }
    *address = slice_sub(arg, 1, len - 2);
    *params = slice_trim(slice_from(arg, len));
    if (arg.len > len && arg.p[len] != ' ')
        wire_odd(s, "octets behind > in '%.*s'", SLICE_ARG(arg));
    return true;
}

static const struct parameter {
    const char *begin; /* with '=' where it takes a value */
    const char *capability;
    bool on_rcpt;
} parameters[] = {
    { "SIZE=", "SIZE", false },
    { "BODY=7BIT", "8BITMIME", false },
    { "BODY=8BITMIME", "8BITMIME", false },
    { "BODY=BINARYMIME", "BINARYMIME", false },
    { "SMTPUTF8", "SMTPUTF8", false },
    { "RET=", "DSN", false },
    { "ENVID=", "DSN", false },
    { "AUTH=", "AUTH", false },
    { "NOTIFY=", "DSN", true },
    { "ORCPT=", "DSN", true },
};

static const struct parameter *
find_parameter(struct slice word, bool on_rcpt)
{
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++)
        if (parameters[i].on_rcpt == on_rcpt && slice_starts_nocase(word, parameters[i].begin))
            return &parameters[i];
    return NULL;
}

static void
use_parameter(struct session *s, struct slice word)
{
    if (slice_starts_nocase(word, "SIZE=") &&
        !slice_number(slice_from(word, 5), UINT64_MAX, &s->txn.declared))
        wire_odd(s, "SIZE is no number in '%.*s'", SLICE_ARG(word));
    s->txn.eightbit |= slice_is_nocase(word, "BODY=8BITMIME");
    s->txn.binary |= slice_is_nocase(word, "BODY=BINARYMIME");
    s->txn.utf8 |= slice_is_nocase(word, "SMTPUTF8");
}

static void
look_at_parameters(struct session *s, struct slice params, bool on_rcpt)
{
    struct slice word;

    while (slice_cut(&params, ' ', &word)) {
        const struct parameter *p = find_parameter(word, on_rcpt);
        if (!p)
            wire_odd(s, "unknown parameter '%.*s'", SLICE_ARG(word));
        else if (!session_offered(s, p->capability, NULL))
            wire_odd(s, "parameter '%.*s' where %s was not offered", SLICE_ARG(word), p->capability);
        if (!on_rcpt)
            use_parameter(s, word);
    }
}

static void
look_at_address(struct session *s, struct slice address)
{
    if (!text_is_ascii(address) && !s->txn.utf8)
        wire_odd(s, "octets over 127 in '%.*s' without SMTPUTF8", SLICE_ARG(address));
    if (address.len > 254)
        wire_odd(s, "an address of %zu octets", address.len);
}

/* The limit of SIZE, UINT64_MAX where there is none. */
static uint64_t
size_limit(const struct session *s)
{
    struct slice rest = { NULL, 0 };
    uint64_t n = 0;

    if (!session_offered(s, "SIZE", &rest) || !slice_number(rest, UINT64_MAX, &n) || n == 0)
        return UINT64_MAX;
    return n;
}

static const char *
mail_verdict(const struct session *s)
{
    if (s->txn.open)
        return "503 5.5.1 nested MAIL";
    if (s->opt->require_auth && !s->login[0])
        return "530 5.7.0 authentication required";
    if (s->txn.declared > size_limit(s))
        return "552 5.3.4 message size exceeds the fixed limit";
    return "250 2.1.0 sender ok";
}

void
envelope_mail(struct session *s, struct slice arg)
{
    struct slice address, params;

    if (s->txn.open)
        wire_odd(s, "MAIL within a transaction");
    else
        envelope_reset(s);
    if (!split(s, arg, "FROM:", &address, &params)) {
        wire_reply(s, "501 5.5.4 MAIL FROM:<address>");
        return;
    }
    look_at_parameters(s, params, false);
    look_at_address(s, address);
    s->txn.flights = s->flights;
    s->txn.began_us = clock_us();
    if (session_answer(s, EVENT_MAIL, arg, mail_verdict(s)) / 100 != 2)
        return;
    s->txn.open = true;
    buf_add_slice(&s->txn.from, address);
    buf_add_slice(&s->txn.mail_params, params);
}

/* A number of "LIMITS NAME=N NAME=N". */
static uint64_t
limit(const struct session *s, const char *name)
{
    struct slice rest = { NULL, 0 }, word;
    uint64_t n = UINT64_MAX;

    if (!session_offered(s, "LIMITS", &rest))
        return n;
    while (slice_cut(&rest, ' ', &word))
        if (slice_starts_nocase(word, name))
            (void)slice_number(
                slice_from(word, strlen(name)), UINT64_MAX, &n); /* else it stays without limit */
    return n;
}

static const char *
rcpt_verdict(struct session *s)
{
    if (!s->txn.open)
        return "503 5.5.1 MAIL first";
    if (s->txn.nrcpt < limit(s, "RCPTMAX="))
        return "250 2.1.5 recipient ok";
    wire_odd(s, "more recipients than RCPTMAX");
    return "452 4.5.3 too many recipients";
}

void
envelope_rcpt(struct session *s, struct slice arg)
{
    struct slice address, params;

    if (!split(s, arg, "TO:", &address, &params)) {
        wire_reply(s, "501 5.5.4 RCPT TO:<address>");
        return;
    }
    look_at_parameters(s, params, true);
    look_at_address(s, address);
    if (session_answer(s, EVENT_RCPT, arg, rcpt_verdict(s)) / 100 != 2 || !s->txn.open)
        return;
    s->txn.nrcpt++;
    buf_add_str(&s->txn.rcpts, "rcpt: <");
    buf_add_slice(&s->txn.rcpts, address);
    buf_add_str(&s->txn.rcpts, params.len ? "> " : ">");
    buf_add_slice(&s->txn.rcpts, params);
    buf_add_char(&s->txn.rcpts, '\n');
}
