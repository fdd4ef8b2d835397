/* SPDX-License-Identifier: ISC */
/*
 * server: the session: lines, the order of commands, what is kept until it can be handled. Replies are server_out's, MAIL and
 * RCPT server_mail's, content server_content's; where a message goes, who the client is and what a file is, none of them knows.
 */
#include "daemon/server.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "daemon/server_state.h"

#define INPUT_LIMIT (256 * 1024)        /* kept while a verdict is awaited */
#define OUTPUT_ENOUGH (256 * 1024)      /* no further command is handled before the client has read */
#define OUTPUT_LIMIT (16 * 1024 * 1024) /* a client that reads nothing is cut off */

void
server_reset(struct server *s)
{
    if (s->has_mail || s->content_begun)
        s->events->drop(s->ctx);
    envelope_clear(&s->t.envelope);
    free(s->t.full_name);
    free(s->t.from_address);
    free(s->t.cwd);
    free(s->t.tag);
    memset(&s->t, 0, sizeof s->t);
    error_init(&s->failure);
    s->has_mail = s->failed = s->content_begun = s->by_chunks = false;
}

static const struct server_traits traits[] = {
    [SERVER_LOCAL] = { .is_own = true, .chunking = true, .ending = CONTENT_CRLF },
    [SERVER_BS] = { .ending = CONTENT_UNDECIDED, .errors_limit = 100 },
    [SERVER_LISTENER] = { .ending = CONTENT_CRLF, .is_network = true, .errors_limit = 20, .junk_limit = 100 },
};

struct server *
server_new(enum server_kind kind, const char *hostname, const struct server_limits *limits,
    const struct server_events *events, void *ctx)
{
    struct server *s = mem_alloc(sizeof *s);

    s->traits = &traits[kind];
    s->events = events;
    s->ctx = ctx;
    s->limits = *limits;
    s->hostname = mem_dup(hostname);
    s->ending = s->traits->ending;
    buf_init(&s->in, INPUT_LIMIT + 65536);
    buf_init(&s->out, OUTPUT_LIMIT);
    return s;
}

void
server_free(struct server *s)
{
    if (!s)
        return;
    server_reset(s);
    buf_clear(&s->in);
    buf_clear(&s->out);
    free(s->hostname);
    free(s->helo);
    free(s);
}

bool
server_is_own(const struct server *s)
{
    return s->traits->is_own;
}

void
server_greet(struct server *s, const struct error *refusal)
{
    if (refusal && s->traits->is_network && refusal->class == ERROR_ADMIN) {
        server_reply_line(s, 554, ' ', "5.7.1", refusal->class, refusal->text);
        s->state = SERVER_FINISHED;
    } else if (refusal) {
        server_reply_line(s, 421, ' ', "4.3.0", refusal->class, refusal->text);
        s->state = SERVER_FINISHED;
    } else if (s->traits->is_own) {
        buf_add_format(&s->out, "220 %s ESMTP smtprelay wait=%d\r\n", s->hostname, s->limits.wait_s);
    } else {
        buf_add_format(&s->out, "220 %s ESMTP smtprelay\r\n", s->hostname);
    }
}

/* What the session cannot go on after: the reply, then the end. */
void
server_end(struct server *s, const char *text)
{
    server_reset(s);
    server_reply(s, text);
    buf_reset(&s->in);
    s->state = SERVER_FINISHED;
}

void
server_stop(struct server *s, const char *why)
{
    if (s->state == SERVER_WAITING || s->state == SERVER_FINISHED)
        return;
    server_reset(s);
    buf_reset(&s->in);
    server_reply_line(s, 421, ' ', "4.3.2", ERROR_TEMP, why);
    s->state = SERVER_FINISHED;
}

/* ---------------------------------------------------------------- commands */

/*
 * Whoever says more before he can have seen an answer on which it depends (RFC 2920, 3.1) does not listen: a web page or a server
 * that was talked into sending a whole dialog here (gopher://, HTTP). No program that speaks SMTP does.
 */
bool
server_is_out_of_turn(struct server *s)
{
    if (!s->traits->is_network || (s->in.len == 0 && !s->more && !s->rest))
        return false;
    server_end(s, "554 5.5.0 commands came before their turn (RFC 2920)");
    return true;
}

static void
command_hello(struct server *s, const struct command *c)
{
    server_reset(s);
    if (server_is_out_of_turn(s))
        return;
    s->greeted = true;
    free(s->helo);
    s->helo = slice_dup(slice_sub(c->argument, 0, 255));
    if (c->verb == COMMAND_HELO) {
        buf_add_format(&s->out, "250 %s\r\n", s->hostname);
        return;
    }
    buf_add_format(&s->out,
        "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n",
        s->hostname, (unsigned long long)s->limits.message_size);
    if (s->traits->chunking)
        server_reply(s, "250-CHUNKING");
    if (s->traits->is_own)
        server_reply(s, "250-X-SMTPRELAY");
    server_reply(s, "250 ENHANCEDSTATUSCODES");
}

/* What brings no message nearer is not to be said for ever */
static void
count_junk(struct server *s, enum command_verb verb)
{
    if (s->state != SERVER_AT_COMMAND || verb == COMMAND_MAIL || verb == COMMAND_RCPT)
        return;
    if (s->traits->junk_limit && ++s->junk > s->traits->junk_limit && ++s->errors >= s->traits->errors_limit)
        server_end(s, "421 4.7.0 too many commands without a message");
}

static void
command_session(struct server *s, const struct command *c)
{
    switch (c->verb) {
    case COMMAND_RSET:
        server_reset(s);
        server_reply(s, "250 2.0.0 ok");
        break;
    case COMMAND_NOOP:
        server_reply(s, "250 2.0.0 ok");
        break;
    case COMMAND_VRFY:
        server_reply(s, "252 2.5.2 cannot verify, send some mail");
        break;
    case COMMAND_HELP:
        server_reply(s, "214 2.0.0 see RFC 5321");
        break;
    case COMMAND_QUIT:
        server_reset(s);
        buf_add_format(&s->out, "221 2.0.0 %s\r\n", s->hostname);
        s->state = SERVER_FINISHED;
        break;
    default:
        server_reply_code(s, 502, "5.5.1", ERROR_USAGE, "command not implemented");
        break;
    }
}

/* `sendmail -bs` hands its whole session over: from here on it is one of SERVER_BS */
static void
become_bs(struct server *s)
{
    s->traits = &traits[SERVER_BS];
    s->ending = s->traits->ending;
    server_greet(s, NULL);
}

/* A browser or a script that was led here: what it sends behind this is not to be taken for commands */
static bool
is_http(struct slice line)
{
    static const char *const verbs[] = { "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "CONNECT",
        "TRACE", "PATCH", "PRI" };
    struct slice verb = slice_sub(line, 0, slice_find(line, ' '));

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (slice_is_nocase(verb, verbs[i]))
            return true;
    return false;
}

static void
handle_command(struct server *s, struct slice line)
{
    struct command c;
    struct error err;

    if (s->traits->is_own && !s->greeted && slice_is_nocase(line, "X-BS")) {
        become_bs(s);
        return;
    }
    if (s->traits->is_network && is_http(line)) {
        server_end(s, "554 5.5.1 this is SMTP, not HTTP");
        return;
    }
    if (!command_parse(line, &c, &err)) {
        if (s->traits->is_own)
            s->failed = true;
        if (c.verb == COMMAND_UNKNOWN)
            server_reply_code(s, 500, "5.5.2", ERROR_USAGE, "command not recognised");
        else
            server_reply_code(s, c.verb == COMMAND_RCPT || c.verb == COMMAND_MAIL ? 553 : 501,
                c.verb == COMMAND_RCPT ? "5.1.3" : "5.5.4", ERROR_DATA, err.text);
        return;
    }
    switch (c.verb) {
    case COMMAND_EHLO:
    case COMMAND_HELO:
        command_hello(s, &c);
        break;
    case COMMAND_MAIL:
        server_mail(s, &c);
        break;
    case COMMAND_RCPT:
        server_rcpt(s, &c);
        break;
    case COMMAND_DATA:
        server_data(s);
        break;
    case COMMAND_BDAT:
        server_bdat(s, &c);
        break;
    default:
        command_session(s, &c);
        break;
    }
    count_junk(s, c.verb);
}

/* ---------------------------------------------------------------- input */

/*
 * A command line of the input, without its ending. False: none there yet (or the session was ended). For -bs the first
 * line decides which ending the session has; our own client always sends CRLF.
 */
static bool
next_line(struct server *s, struct slice *line, size_t *used)
{
    struct slice in = buf_slice(&s->in);
    size_t i = slice_find(in, '\n');
    bool crlf;

    if (i == in.len) {
        if (in.len > SERVER_LINE_LIMIT)
            server_end(s, "500 5.5.2 line too long");
        return false;
    }
    crlf = i > 0 && in.p[i - 1] == '\r';
    *line = slice_sub(in, 0, crlf ? i - 1 : i);
    *used = i + 1;
    if (s->ending == CONTENT_UNDECIDED)
        s->ending = crlf ? CONTENT_CRLF : CONTENT_LF;
    if (crlf != (s->ending == CONTENT_CRLF) || slice_has(*line, '\r')) {
        server_end(s, "550 5.5.2 line endings are mixed");
        return false;
    }
    if (line->len > SERVER_LINE_LIMIT) {
        server_end(s, "500 5.5.2 line too long");
        return false;
    }
    return true;
}

static void
take_command(struct server *s)
{
    struct slice line;
    size_t used;
    char *copy;

    if (s->traits->is_network && s->in.data[0] == 0x16) { /* a handshake: it would wait for ours */
        server_end(s, "554 5.5.1 this is SMTP without TLS");
        return;
    }
    if (!next_line(s, &line, &used))
        return;
    copy = slice_dup(line); /* the input may move while the command is handled */
    size_t len = line.len;
    buf_consume(&s->in, used);
    s->steps++;
    handle_command(s, slice_make(copy, len));
    free(copy);
}

/* Handle input until nothing more can be done with it. */
static void
run(struct server *s)
{
    size_t before;
    enum server_state state;

    do {
        before = s->in.len;
        state = s->state;
        if (state == SERVER_AT_COMMAND && s->in.len && s->out.len < OUTPUT_ENOUGH)
            take_command(s);
        else if (state == SERVER_IN_DATA && s->in.len)
            server_take_data(s);
        else if (state == SERVER_IN_CHUNK && (s->in.len || s->chunk_left == 0))
            server_take_chunk(s);
    } while (s->in.len != before || s->state != state);
    if (s->out.overflow)
        s->state = SERVER_FINISHED; /* it reads nothing */
}

void
server_more(struct server *s, bool more)
{
    s->more = more;
}

void
server_feed(struct server *s, struct slice bytes)
{
    /* in pieces, so that a chunk of any size passes through a small buffer */
    while (bytes.len && s->state != SERVER_FINISHED) {
        struct slice piece = slice_sub(bytes, 0, 65536);
        buf_add_slice(&s->in, piece);
        bytes = slice_from(bytes, piece.len);
        s->rest = bytes.len > 0;
        if (s->state != SERVER_WAITING)
            run(s);
        if (s->in.overflow)
            server_end(s, "421 4.7.0 too much input at once");
    }
}

bool
server_wants_input(const struct server *s)
{
    return s->state != SERVER_FINISHED && s->in.len < INPUT_LIMIT - 65536 && s->out.len < OUTPUT_ENOUGH;
}

bool
server_is_held(const struct server *s)
{
    return s->state == SERVER_AT_COMMAND && slice_has(buf_slice(&s->in), '\n');
}

bool
server_resume(struct server *s)
{
    if (!server_is_held(s) || s->out.len >= OUTPUT_ENOUGH)
        return false;
    run(s);
    return true;
}

struct buf *
server_output(struct server *s)
{
    return &s->out;
}

bool
server_finished(const struct server *s)
{
    return s->state == SERVER_FINISHED;
}

uint64_t
server_steps(const struct server *s)
{
    return s->steps;
}

bool
server_is_waiting(const struct server *s)
{
    return s->state == SERVER_WAITING;
}

void
server_progress(struct server *s, struct slice text)
{
    if (!s->traits->is_own || s->state != SERVER_WAITING || !s->t.verbose)
        return;
    buf_add_str(&s->out, "150 ");
    text_add_escaped(&s->out, text);
    buf_add_str(&s->out, "\r\n");
}

void
server_verdict(
    struct server *s, enum error_class class, const char *text, const char *const *refused, size_t nrefused)
{
    struct error err;

    if (s->state != SERVER_WAITING)
        return;
    s->state = SERVER_AT_COMMAND;
    s->steps++;
    if (class == ERROR_NONE) {
        s->errors = s->junk = 0;
        for (size_t i = 0; i < nrefused && s->traits->is_own; i++)
            server_reply_line(s, 250, '-', "2.0.0", ERROR_NOUSER, refused[i]);
        server_reply_line(s, 250, ' ', "2.0.0", ERROR_NONE, text);
    } else {
        error_set(&err, class, "%s", text);
        server_reply_error(s, &err);
    }
    server_reset(s);
    run(s);
}
