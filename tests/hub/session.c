/* SPDX-License-Identifier: ISC */
/* session: one client from connect to close; asks the script first, then does what a good server does. */
#include <fcntl.h>
#include <fnmatch.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hub/hub.h"

/* ---- the end */

/* What a client in clear had sent and nobody read belongs in the transcript, too. */
static void
log_unread(struct session *s)
{
    char rest[16384];
    ssize_t n;

    if (s->in.len > s->taken)
        wire_log(s, "C: (unread) ", slice_from(buf_slice(&s->in), s->taken));
    if (!s->ssl && (n = recv(s->fd, rest, sizeof rest, MSG_DONTWAIT)) > 0)
        wire_log(s, "C: (unread) ", slice_make(rest, (size_t)n));
}

noreturn void
session_end(struct session *s, const char *why)
{
    /* a script may have said 250 and closed in one go */
    if (s->at_dot && s->code / 100 == 2)
        content_store(s);
    content_drop(s);
    log_unread(s);
    wire_note(s, "end: %s (%u flights)", why, s->flights);
    fclose(s->log);
    close(s->fd);
    _exit(0);
}

static void
close_reset(struct session *s)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };

    (void)setsockopt(
        s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger); /* a plain close is the worst case */
}

/* Neither read nor write until the client has gone. */
static noreturn void
hang(struct session *s)
{
    struct pollfd p = { .fd = s->fd, .events = POLLRDHUP };

    wire_note(s, "the hub hangs");
    while (poll(&p, 1, -1) <= 0)
        ;
    session_end(s, "the client has gone while the hub hung");
}

static noreturn void
discard(struct session *s)
{
    for (;;)
        wire_take(s, wire_octets(s).len);
}

/* ---- playing the script */

static void
send_times(struct session *s, const struct action *a)
{
    for (int64_t i = 0; i < a->number; i++)
        wire_send(s, a->text, a->len);
}

/* From 0 to `n` - 1, the same for the same seed and session (xorshift64). */
static uint64_t
roll(struct session *s, uint64_t n)
{
    s->dice ^= s->dice << 13;
    s->dice ^= s->dice >> 7;
    s->dice ^= s->dice << 17;
    return s->dice % n;
}

static void
set_option(struct session *s, const struct action *a)
{
    struct error err;

    error_init(&err);
    if (!options_set(s->opt, a->name, a->text, &err))
        wire_odd(s, "the script is wrong: %s", err.text);
}

static void
leave(struct session *s, enum verb verb)
{
    wire_flush(s);
    if (verb == VERB_SHUTDOWN && s->ssl)
        (void)SSL_shutdown(s->ssl); /* close_notify; the client's is not awaited */
    if (verb == VERB_RESET)
        close_reset(s);
    session_end(s, "the script says so");
}

static void
usual(struct session *s, const char *text)
{
    s->defaulted = true;
    if (text)
        wire_reply(s, "%s", text);
}

static void
act(struct session *s, const struct action *a, const char *text)
{
    switch (a->verb) {
    case VERB_REPLY:
        wire_send(s, a->text, a->len);
        wire_send(s, "\r\n", 2);
        break;
    case VERB_SEND:
        wire_send(s, a->text, a->len);
        break;
    case VERB_REPEAT:
        send_times(s, a);
        break;
    case VERB_DRIP:
        wire_drip(s, a->text, a->len, a->number);
        break;
    case VERB_SLEEP:
        wire_sleep(s, a->number + (int64_t)roll(s, (uint64_t)(a->most - a->number) + 1));
        break;
    case VERB_DEFAULT:
        usual(s, text);
        break;
    case VERB_SET:
        set_option(s, a);
        break;
    case VERB_HANDSHAKE:
        tls_handshake(s);
        break;
    case VERB_RENEGOTIATE:
        tls_renegotiate(s);
        break;
    case VERB_TICKETS:
        tls_tickets(s);
        break;
    case VERB_TAKE:
        if (s->at_dot)
            content_store(s);
        break;
    case VERB_DISCARD:
        wire_flush(s);
        discard(s);
    case VERB_HANG:
        wire_flush(s);
        hang(s);
    case VERB_SHUTDOWN:
    case VERB_CLOSE:
    case VERB_RESET:
        leave(s, a->verb);
        break;
    case VERB_QUIET:
    case VERBS:
        break;
    }
}

static bool
glob_matches(const struct rule *rule, struct slice arg)
{
    char *text;
    bool match;

    if (!rule->glob)
        return true;
    if (rule->event == EVENT_CONTENT) {
        uint64_t at = 0, n = 0;
        return slice_number(slice_of(rule->glob), UINT64_MAX, &at) && slice_number(arg, UINT64_MAX, &n) &&
               n >= at;
    }
    text = slice_dup(arg);
    match = fnmatch(rule->glob, text, FNM_CASEFOLD) == 0;
    free(text);
    return match;
}

static bool
rule_applies(const struct session *s, const struct rule *rule, enum event event, struct slice arg)
{
    return rule->event == event && s->times[event] >= rule->nth_first && s->times[event] <= rule->nth_last &&
           s->number >= rule->session_first && s->number <= rule->session_last &&
           !(rule->plain_only && s->ssl) && !(rule->tls_only && !s->ssl) && glob_matches(rule, arg);
}

/* Is it the first time that this sender and these recipients are here? A file is left to know them again. */
static bool
is_first_time(const struct session *s)
{
    const struct buf *parts[] = { &s->txn.from, &s->txn.rcpts };
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    char *path;
    int fd;

    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < parts[p]->len; i++)
            hash = (hash ^ (unsigned char)parts[p]->data[i]) * 1099511628211u;
    path = mem_format("%s/seen-%016llx", s->opt->out, (unsigned long long)hash);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    free(path);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static bool
has_luck(struct session *s, const struct rule *rule)
{
    return (!rule->chance || roll(s, 100) < rule->chance) && (!rule->once || is_first_time(s));
}

static const struct rule *
find_rule(struct session *s, enum event event, struct slice arg)
{
    if (s->opt->sessions && s->number > s->opt->sessions)
        return NULL;
    for (const struct rule *rule = s->script->first; rule; rule = rule->next)
        if (rule_applies(s, rule, event, arg) && has_luck(s, rule))
            return rule;
    return NULL;
}

int
session_answer(struct session *s, enum event event, struct slice arg, const char *text)
{
    const struct rule *rule;

    s->times[event]++;
    s->code = 0;
    s->defaulted = false;
    rule = find_rule(s, event, arg);
    if (!rule)
        usual(s, text);
    for (const struct action *a = rule ? rule->first : NULL; a; a = a->next)
        act(s, a, text);
    return s->code;
}

/* ---- greeting and EHLO */

bool
session_offered(const struct session *s, const char *keyword, struct slice *rest)
{
    struct slice text = buf_slice(&s->said), line, word;

    slice_cut(&text, '\n', &line); /* the first line is the name */
    while (slice_cut(&text, '\n', &line)) {
        line = slice_trim(slice_from(line, 4));
        if (!slice_cut(&line, ' ', &word) || !slice_is_nocase(word, keyword))
            continue;
        if (rest)
            *rest = line;
        return true;
    }
    return false;
}

void
session_forget(struct session *s)
{
    envelope_reset(s);
    buf_reset(&s->said);
    s->greeted = false;
    s->login[0] = s->mechanism[0] = '\0';
}

static void
add_capability(struct buf *out, const char *text)
{
    buf_add_format(out, "\r\n250-%s", text);
}

/* The usual EHLO reply, without the last CRLF. */
static void
build_ehlo(const struct session *s, struct buf *out)
{
    const struct options *opt = s->opt;
    size_t last = 0;

    buf_add_format(out, "250-%s greets you", opt->name);
    for (size_t i = 0; i < opt->offers; i++)
        add_capability(out, opt->offer[i]);
    if (!s->ssl && strcmp(opt->tls, "starttls") == 0)
        add_capability(out, "STARTTLS");
    if (opt->auth && *opt->auth && (s->ssl || opt->auth_clear))
        buf_add_format(out, "\r\n250-AUTH %s", opt->auth);
    for (size_t i = 0; i + 3 < out->len; i++)
        if (i == 0 || out->data[i - 1] == '\n')
            last = i;
    out->data[last + 3] = ' ';
}

static void
keep_name(struct session *s, struct slice arg)
{
    if (!arg.len || slice_has(arg, ' '))
        wire_odd(s, "EHLO without a name, or with more than one word");
    snprintf(s->helo, sizeof s->helo, "%.*s", SLICE_ARG(arg));
}

static void
command_ehlo(struct session *s, struct slice arg)
{
    struct buf text;

    keep_name(s, arg);
    envelope_reset(s);
    buf_reset(&s->said);
    buf_init(&text, 65536);
    build_ehlo(s, &text);
    s->listening = true;
    s->greeted = session_answer(s, EVENT_EHLO, arg, buf_str(&text)) / 100 == 2;
    s->listening = false;
    buf_clear(&text);
}

static void
command_helo(struct session *s, struct slice arg)
{
    keep_name(s, arg);
    envelope_reset(s);
    buf_reset(&s->said);
    s->greeted = session_answer(s, EVENT_HELO, arg, "250 hub.example.net") / 100 == 2;
}

static void
command_starttls(struct session *s, struct slice arg)
{
    bool able = strcmp(s->opt->tls, "starttls") == 0 && !s->ssl;
    int code;

    if (!session_offered(s, "STARTTLS", NULL))
        wire_odd(s, "STARTTLS where it was not offered");
    code = session_answer(s, EVENT_STARTTLS, arg, able ? "220 2.0.0 go ahead" : "502 5.5.1 no STARTTLS here");
    if (code == 220 && !s->ssl)
        tls_handshake(s);
}

/* ---- the small commands */

static void
command_rset(struct session *s, struct slice arg)
{
    envelope_reset(s);
    (void)session_answer(s, EVENT_RSET, arg, "250 2.0.0 ok");
}

static void
command_noop(struct session *s, struct slice arg)
{
    (void)session_answer(s, EVENT_NOOP, arg, "250 2.0.0 ok");
}

static void
command_quit(struct session *s, struct slice arg)
{
    (void)session_answer(s, EVENT_QUIT, arg, "221 2.0.0 good bye");
    if (!s->code)
        return;
    wire_flush(s);
    if (s->ssl)
        (void)SSL_shutdown(s->ssl); /* the client may be gone already */
    session_end(s, "QUIT");
}

static void
command_other(struct session *s, struct slice arg)
{
    wire_odd(s, "unknown command '%.*s'", SLICE_ARG(arg));
    (void)session_answer(s, EVENT_OTHER, arg, "500 5.5.2 what?");
}

/* ---- the loop */

static const struct command {
    const char *verb;
    void (*run)(struct session *, struct slice arg);
    bool ends_group; /* nothing may follow before its reply (RFC 2920) */
    bool needs_hello;
} commands[] = {
    { "EHLO", command_ehlo, true, false },
    { "HELO", command_helo, true, false },
    { "STARTTLS", command_starttls, true, true },
    { "AUTH", auth_command, true, true },
    { "MAIL", envelope_mail, false, true },
    { "RCPT", envelope_rcpt, false, true },
    { "DATA", content_data, true, true },
    { "BDAT", content_bdat, false, true },
    { "RSET", command_rset, false, false },
    { "NOOP", command_noop, true, false },
    { "QUIT", command_quit, true, false },
    { "", command_other, true, false },
};

static const struct command *
find_command(struct slice verb)
{
    size_t i = 0;

    while (commands[i].verb[0] && !slice_is_nocase(verb, commands[i].verb))
        i++;
    return &commands[i];
}

static void
look_at_group(struct session *s, const struct command *c)
{
    if (c->run == content_bdat || !wire_is_pending(s))
        return;
    if (c->ends_group)
        wire_odd(s, "octets behind %s before its reply", c->verb);
    else if (!session_offered(s, "PIPELINING", NULL))
        wire_odd(s, "pipelining behind %s where it was not offered", c->verb);
}

static void
serve_line(struct session *s)
{
    char *line = slice_dup(wire_line(s)); /* reading further moves the buffer */
    struct slice arg = slice_of(line), verb = { NULL, 0 };
    const struct command *c;

    slice_cut(&arg, ' ', &verb);
    c = find_command(verb);
    if (s->opt->delay_ms)
        wire_sleep(s, s->opt->delay_ms);
    look_at_group(s, c);
    if (c->needs_hello && !s->greeted) {
        wire_odd(s, "%s before EHLO", c->verb);
        wire_reply(s, "503 5.5.1 EHLO first");
    } else {
        c->run(s, c->run == command_other ? slice_of(line) : arg);
    }
    free(line);
}

noreturn void
session_run(struct session *s)
{
    char *text = mem_format("220 %s ESMTP hub", s->opt->name);

    /* any number but 0; neighbouring sessions far apart */
    s->dice = ((uint64_t)s->opt->seed << 32 | s->number) * 0x9e3779b97f4a7c15 + 1;
    buf_init(&s->in, 4 * 1024 * 1024);
    buf_init(&s->out, 4 * 1024 * 1024);
    buf_init(&s->said, 1024 * 1024);
    wire_note(s, "connection from %s", s->client_name);
    (void)session_answer(s, EVENT_CONNECT, slice_of(s->client_name), NULL);
    if (strcmp(s->opt->tls, "implicit") == 0)
        tls_handshake(s);
    (void)session_answer(s, EVENT_GREETING, slice_of(s->client_name), text);
    free(text);
    for (;;)
        serve_line(s);
}
