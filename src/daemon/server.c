/*
 * server: the state machine of one SMTP session. It knows lines, replies and the order of commands; where a message goes, who
 * the client is and what a file is, it does not know.
 */
#include "daemon/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "daemon/content.h"
#include "mail/command.h"

#define LINE_LIMIT 12288 /* RFC 5321 4.5.3.1.4 asks for 512; our parameters and long addresses want more */
#define INPUT_LIMIT (256 * 1024)        /* kept while a verdict is awaited */
#define OUTPUT_LIMIT (16 * 1024 * 1024) /* a client that reads nothing is cut off */
#define ERRORS_LIMIT 100

enum state { COMMAND, DATA, CHUNK, WAITING, FINISHED };

struct server {
    enum server_kind kind;
    enum state state;
    const struct server_events *events;
    void *ctx;
    struct server_limits limits;
    char *hostname;
    struct buf in, out;
    bool greeted;  /* EHLO or HELO was said */
    bool has_mail; /* MAIL was accepted */
    bool failed;   /* a refused part of a local transaction, or of its content: the rest is answered alike */
    bool content_begun; /* events->begin was called */
    bool by_chunks;
    unsigned errors;
    enum content_ending ending;
    struct content content;
    struct server_transaction t;
    struct error failure; /* why content was refused, said when it is over */
    uint64_t chunk_left;
    bool chunk_last;
};

/* ---------------------------------------------------------------- replies */

/* Reply code and enhanced code of a class, RFC 3463 */
static const struct {
    enum error_class class;
    int code;
    const char *enhanced;
} replies[] = {
    { ERROR_USAGE, 501, "5.5.4" },
    { ERROR_DATA, 501, "5.6.0" },
    { ERROR_NOUSER, 550, "5.1.1" },
    { ERROR_REFUSED, 554, "5.0.0" },
    { ERROR_INTERNAL, 451, "4.3.0" },
    { ERROR_OS, 451, "4.3.0" },
    { ERROR_IO, 452, "4.3.1" },
    { ERROR_TEMP, 451, "4.4.1" },
    { ERROR_PROTOCOL, 451, "4.5.0" },
    { ERROR_ADMIN, 451, "4.7.0" },
    { ERROR_CONFIG, 451, "4.3.5" },
};

static void
reply(struct server *s, const char *text)
{
    buf_add_str(&s->out, text);
    buf_add_str(&s->out, "\r\n");
}

/* one line: "CODE ENH EXnn text" to our own client, "CODE ENH text" to others */
static void
reply_line(struct server *s, int code, char separator, const char *enhanced, enum error_class class,
    const char *text)
{
    buf_add_format(&s->out, "%d%c%s ", code, separator, enhanced);
    if (s->kind == SERVER_LOCAL && class != ERROR_NONE)
        buf_add_format(&s->out, "EX%d ", (int)class);
    text_add_escaped(&s->out, slice_of(text));
    buf_add_str(&s->out, "\r\n");
}

static void
reply_code(struct server *s, int code, const char *enhanced, enum error_class class, const char *text)
{
    reply_line(s, code, ' ', enhanced, class, text);
    if (code >= 500 && ++s->errors >= ERRORS_LIMIT && s->kind != SERVER_LOCAL) {
        reply(s, "421 4.7.0 too many errors");
        s->state = FINISHED;
    }
}

static void
reply_error(struct server *s, const struct error *err)
{
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        if (replies[i].class == err->class) {
            reply_code(s, replies[i].code, replies[i].enhanced, err->class, err->text);
            return;
        }
    }
    reply_code(s, 451, "4.3.0", ERROR_INTERNAL, err->text);
}

/* ---------------------------------------------------------------- transactions */

static void
transaction_reset(struct server *s)
{
    if (s->has_mail || s->content_begun)
        s->events->drop(s->ctx);
    envelope_clear(&s->t.envelope);
    free(s->t.full_name);
    free(s->t.from_address);
    free(s->t.cwd);
    free(s->t.tag);
    memset(&s->t, 0, sizeof s->t);
    s->has_mail = s->failed = s->content_begun = s->by_chunks = false;
}

struct server *
server_new(enum server_kind kind, const char *hostname, const struct server_limits *limits,
    const struct server_events *events, void *ctx)
{
    struct server *s = mem_alloc(sizeof *s);

    s->kind = kind;
    s->events = events;
    s->ctx = ctx;
    s->limits = *limits;
    s->hostname = mem_dup(hostname);
    s->ending = kind == SERVER_BS ? CONTENT_UNDECIDED : CONTENT_CRLF;
    buf_init(&s->in, INPUT_LIMIT + 65536);
    buf_init(&s->out, OUTPUT_LIMIT);
    return s;
}

void
server_free(struct server *s)
{
    if (!s)
        return;
    transaction_reset(s);
    buf_clear(&s->in);
    buf_clear(&s->out);
    free(s->hostname);
    free(s);
}

void
server_greet(struct server *s, const struct error *refusal)
{
    if (refusal) {
        reply_line(s, 421, ' ', "4.3.0", refusal->class, refusal->text);
        s->state = FINISHED;
    } else if (s->kind == SERVER_LOCAL) {
        buf_add_format(&s->out, "220 %s ESMTP smtprelay wait=%d\r\n", s->hostname, s->limits.wait_s);
    } else {
        buf_add_format(&s->out, "220 %s ESMTP smtprelay\r\n", s->hostname);
    }
}

/* ---------------------------------------------------------------- commands */

static void
command_hello(struct server *s, const struct command *c)
{
    transaction_reset(s);
    s->greeted = true;
    if (c->verb == COMMAND_HELO) {
        buf_add_format(&s->out, "250 %s\r\n", s->hostname);
        return;
    }
    buf_add_format(&s->out,
        "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n",
        s->hostname, (unsigned long long)s->limits.message_size);
    if (s->kind == SERVER_LOCAL)
        buf_add_str(&s->out, "250-CHUNKING\r\n250-X-SMTPRELAY\r\n");
    reply(s, "250 ENHANCEDSTATUSCODES");
}

static bool
decoded(struct slice value, char **out)
{
    struct buf b;

    buf_init(&b, LINE_LIMIT);
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

static bool
param_envid(struct server_transaction *t, struct slice value)
{
    free(t->envelope.envid);
    t->envelope.envid = NULL;
    return value.len <= 100 && command_xtext_decode(value, &t->envelope.envid);
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

static bool
param_auth(struct server_transaction *t, struct slice value)
{
    (void)t; /* RFC 4954, 5: whom the client believes; nobody here does */
    return value.len > 0;
}

static bool
param_mode(struct server_transaction *t, struct slice value)
{
    t->mode = value.len ? value.p[0] : '\0';
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

static const struct {
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

static bool
mail_parameter(struct server *s, const struct command_param *p)
{
    for (size_t i = 0; i < sizeof mail_params / sizeof mail_params[0]; i++)
        if (slice_is_nocase(p->name, mail_params[i].name) &&
            (!mail_params[i].local || s->kind == SERVER_LOCAL))
            return mail_params[i].take(&s->t, p->value);
    return false;
}

/* A refusal inside a transaction: for our own client it spoils all of it (exit != 0: nobody gets the message). */
static void
refuse(struct server *s, int code, const char *enhanced, enum error_class class, const char *text)
{
    if (s->kind == SERVER_LOCAL)
        s->failed = true;
    reply_code(s, code, enhanced, class, text);
}

static void
command_mail(struct server *s, const struct command *c)
{
    if (!s->greeted || s->has_mail) {
        reply_code(s, 503, "5.5.1", ERROR_USAGE, s->greeted ? "MAIL was said already" : "EHLO comes first");
        return;
    }
    transaction_reset(s);
    for (size_t i = 0; i < c->nparams; i++) {
        if (mail_parameter(s, &c->params[i]))
            continue;
        char text[200];
        (void)snprintf(
            text, sizeof text, "MAIL: parameter %.*s is not understood", SLICE_ARG(c->params[i].name));
        transaction_reset(s);
        refuse(s, 555, "5.5.4", ERROR_USAGE, text);
        return;
    }
    if (s->t.size > s->limits.message_size) {
        transaction_reset(s);
        refuse(s, 552, "5.3.4", ERROR_REFUSED, "message: larger than MaxMessageSize");
        return;
    }
    char *sender = slice_dup(c->path);
    envelope_set_sender(&s->t.envelope, sender);
    free(sender);
    s->has_mail = true;
    reply(s, "250 2.1.0 ok");
}

/* NOTIFY and ORCPT of RFC 3461, 4.1 and 4.2 */
static bool
rcpt_parameters(const struct command *c, unsigned *notify, char **orcpt)
{
    for (size_t i = 0; i < c->nparams; i++) {
        const struct command_param *p = &c->params[i];
        if (slice_is_nocase(p->name, "NOTIFY")) {
            if (!envelope_notify_parse(p->value.p, p->value.len, notify))
                return false;
        } else if (slice_is_nocase(p->name, "ORCPT")) {
            free(*orcpt);
            *orcpt = NULL;
            if (p->value.len > 500 || !command_xtext_decode(p->value, orcpt) || !strchr(*orcpt, ';'))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

static void
command_rcpt(struct server *s, const struct command *c)
{
    unsigned notify = 0;
    char *orcpt = NULL, *address;
    struct error err;

    if (!s->has_mail) {
        refuse(s, 503, "5.5.1", ERROR_USAGE, "MAIL comes first");
        return;
    }
    if (s->t.envelope.n >= s->limits.recipients) {
        /* RFC 5321 4.5.3.1.10 has 452, which makes clients send the rest later; ours is told for good */
        if (s->kind == SERVER_LOCAL)
            refuse(s, 550, "5.5.3", ERROR_REFUSED, "recipients: more than MaxRecipients");
        else
            reply_code(s, 452, "4.5.3", ERROR_TEMP, "too many recipients");
        return;
    }
    if (!rcpt_parameters(c, &notify, &orcpt)) {
        free(orcpt);
        refuse(s, 501, "5.5.4", ERROR_USAGE, "RCPT: a parameter is not understood");
        return;
    }
    address = slice_dup(c->path);
    if (s->events->recipient(s->ctx, &s->t, address, &err)) {
        (void)envelope_add(&s->t.envelope, address, notify, orcpt);
        reply(s, "250 2.1.5 ok");
    } else {
        if (s->kind == SERVER_LOCAL)
            s->failed = true;
        reply_error(s, &err);
    }
    free(address);
    free(orcpt);
}

static bool
begin_content(struct server *s, struct error *err)
{
    if (s->content_begun)
        return true;
    content_init(&s->content, s->by_chunks ? CONTENT_CRLF : s->ending, !s->by_chunks);
    if (!s->events->begin(s->ctx, &s->t, err))
        return false;
    s->content_begun = true;
    return true;
}

static bool
may_begin(struct server *s)
{
    if (s->failed) {
        reply_code(s, 554, "5.5.1", ERROR_USAGE, "an earlier command was refused");
        transaction_reset(s);
        return false;
    }
    if (!s->has_mail || s->t.envelope.n == 0) {
        reply_code(s, s->has_mail ? 554 : 503, "5.5.1", ERROR_USAGE, "no valid recipients");
        return false;
    }
    return true;
}

static void
command_data(struct server *s)
{
    struct error err;

    if (s->by_chunks) {
        reply_code(s, 503, "5.5.1", ERROR_USAGE, "BDAT was begun already");
        transaction_reset(s);
        return;
    }
    if (!may_begin(s))
        return;
    if (!begin_content(s, &err)) {
        transaction_reset(s);
        reply_error(s, &err);
        return;
    }
    s->state = DATA;
    reply(s, "354 end with a line that holds only a dot");
}

/* "BDAT size [LAST]" (RFC 3030, 2). A refused chunk's bytes are read all the same. */
static void
command_bdat(struct server *s, const struct command *c)
{
    struct slice rest = c->argument, size, last;
    uint64_t n;

    if (!slice_cut(&rest, ' ', &size) || !slice_number(size, UINT64_MAX / 2, &n) || s->kind != SERVER_LOCAL) {
        reply_code(s, 501, "5.5.4", ERROR_USAGE, "BDAT: size [LAST] is wanted");
        s->state = FINISHED; /* where the next command begins is not known */
        return;
    }
    last = slice_trim(rest);
    s->chunk_last = slice_is_nocase(last, "LAST");
    s->chunk_left = n;
    s->by_chunks = true;
    s->state = CHUNK;
}

static void
command_session(struct server *s, const struct command *c)
{
    switch (c->verb) {
    case COMMAND_RSET:
        transaction_reset(s);
        reply(s, "250 2.0.0 ok");
        break;
    case COMMAND_NOOP:
        reply(s, "250 2.0.0 ok");
        break;
    case COMMAND_VRFY:
        reply(s, "252 2.5.2 cannot verify, send some mail");
        break;
    case COMMAND_HELP:
        reply(s, "214 2.0.0 see RFC 5321");
        break;
    case COMMAND_QUIT:
        transaction_reset(s);
        buf_add_format(&s->out, "221 2.0.0 %s\r\n", s->hostname);
        s->state = FINISHED;
        break;
    default:
        reply_code(s, 502, "5.5.1", ERROR_USAGE, "command not implemented");
        break;
    }
}

static void
handle_command(struct server *s, struct slice line)
{
    struct command c;
    struct error err;

    if (!command_parse(line, &c, &err)) {
        if (s->kind == SERVER_LOCAL)
            s->failed = true;
        if (c.verb == COMMAND_UNKNOWN)
            reply_code(s, 500, "5.5.2", ERROR_USAGE, "command not recognised");
        else
            reply_code(s, c.verb == COMMAND_RCPT || c.verb == COMMAND_MAIL ? 553 : 501,
                c.verb == COMMAND_RCPT ? "5.1.3" : "5.5.4", ERROR_DATA, err.text);
        return;
    }
    switch (c.verb) {
    case COMMAND_EHLO:
    case COMMAND_HELO:
        command_hello(s, &c);
        break;
    case COMMAND_MAIL:
        command_mail(s, &c);
        break;
    case COMMAND_RCPT:
        command_rcpt(s, &c);
        break;
    case COMMAND_DATA:
        command_data(s);
        break;
    case COMMAND_BDAT:
        command_bdat(s, &c);
        break;
    default:
        command_session(s, &c);
        break;
    }
}

/* ---------------------------------------------------------------- input */

/* What the session cannot go on after: the reply, then the end. */
static void
end_session(struct server *s, const char *text)
{
    transaction_reset(s);
    reply(s, text);
    buf_reset(&s->in);
    s->state = FINISHED;
}

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
        if (in.len > LINE_LIMIT)
            end_session(s, "500 5.5.2 line too long");
        return false;
    }
    crlf = i > 0 && in.p[i - 1] == '\r';
    *line = slice_sub(in, 0, crlf ? i - 1 : i);
    *used = i + 1;
    if (s->ending == CONTENT_UNDECIDED)
        s->ending = crlf ? CONTENT_CRLF : CONTENT_LF;
    if (crlf != (s->ending == CONTENT_CRLF) || slice_has(*line, '\r')) {
        end_session(s, "550 5.5.2 line endings are mixed");
        return false;
    }
    if (line->len > LINE_LIMIT) {
        end_session(s, "500 5.5.2 line too long");
        return false;
    }
    return true;
}

/* The content is over: ask for the verdict. */
static void
content_ended(struct server *s)
{
    struct error err;

    s->state = WAITING;
    if (s->events->end(s->ctx, &err))
        return;
    s->state = COMMAND;
    transaction_reset(s);
    reply_error(s, &err);
}

/* Pass what was decoded to the owner; a failure is kept in `failed` until the content is over. */
static void
pass_on(struct server *s, struct buf *decoded_bytes, struct error *failure)
{
    struct error err;

    if (!s->failed && decoded_bytes->len && !s->events->content(s->ctx, buf_slice(decoded_bytes), &err)) {
        s->failed = true;
        *failure = err;
    }
}

static void
take_data(struct server *s)
{
    struct slice in = slice_sub(buf_slice(&s->in), 0, 65536);
    struct error failure;
    struct buf text;
    size_t used = 0;

    buf_init(&text, 2 * in.len + 16);
    error_init(&failure);
    enum content_result r = content_feed(&s->content, in, &text, &used);
    pass_on(s, &text, &failure);
    buf_clear(&text);
    buf_consume(&s->in, used);
    if (failure.class != ERROR_NONE)
        s->failure = failure;
    if (r == CONTENT_BAD) {
        end_session(s, "550 5.5.2 bare CR or LF, or mixed line endings");
    } else if (r == CONTENT_END && s->failed) {
        s->state = COMMAND;
        transaction_reset(s);
        reply_error(s, &s->failure);
    } else if (r == CONTENT_END) {
        content_ended(s);
    }
}

/* A chunk is over. Only whole lines make a message. */
static void
chunk_ended(struct server *s)
{
    s->state = COMMAND;
    if (s->failed || !s->content_begun) {
        struct error failure = s->failure;
        transaction_reset(s);
        if (failure.class == ERROR_NONE)
            error_set(&failure, ERROR_USAGE, "BDAT: no valid recipients");
        error_init(&s->failure);
        reply_error(s, &failure);
        /* the rest of a pipelined message is read and refused chunk by chunk */
        s->failed = !s->chunk_last;
    } else if (!s->chunk_last) {
        reply(s, "250 2.0.0 chunk taken");
    } else if (!content_is_complete(&s->content)) {
        transaction_reset(s);
        reply_code(s, 550, "5.5.2", ERROR_DATA, "message: its last line does not end");
    } else {
        content_ended(s);
    }
}

static void
take_chunk(struct server *s)
{
    struct slice in = slice_sub(buf_slice(&s->in), 0, s->chunk_left < 65536 ? (size_t)s->chunk_left : 65536);
    struct buf text;
    size_t used = 0;
    bool valid = s->has_mail && s->t.envelope.n > 0 && !s->failed;

    if (valid && !begin_content(s, &s->failure)) {
        s->failed = true;
        valid = false;
    }
    buf_init(&text, 2 * in.len + 16);
    if (valid) {
        if (content_feed(&s->content, in, &text, &used) == CONTENT_MORE) {
            pass_on(s, &text, &s->failure);
        } else {
            s->failed = true;
            error_set(&s->failure, ERROR_DATA, "message: bare CR or LF in a chunk");
        }
    }
    buf_clear(&text);
    s->chunk_left -= in.len;
    buf_consume(&s->in, in.len);
    if (s->chunk_left == 0)
        chunk_ended(s);
}

static void
take_command(struct server *s)
{
    struct slice line;
    size_t used;
    char *copy;

    if (!next_line(s, &line, &used))
        return;
    copy = slice_dup(line); /* the input may move while the command is handled */
    size_t len = line.len;
    buf_consume(&s->in, used);
    handle_command(s, slice_make(copy, len));
    free(copy);
}

/* Handle input until nothing more can be done with it. */
static void
run(struct server *s)
{
    size_t before;
    enum state state;

    do {
        before = s->in.len;
        state = s->state;
        if (state == COMMAND && s->in.len)
            take_command(s);
        else if (state == DATA && s->in.len)
            take_data(s);
        else if (state == CHUNK && (s->in.len || s->chunk_left == 0))
            take_chunk(s);
    } while (s->in.len != before || s->state != state);
    if (s->out.overflow)
        s->state = FINISHED; /* it reads nothing */
}

void
server_feed(struct server *s, struct slice bytes)
{
    /* in pieces, so that a chunk of any size passes through a small buffer */
    while (bytes.len && s->state != FINISHED) {
        struct slice piece = slice_sub(bytes, 0, 65536);
        buf_add_slice(&s->in, piece);
        bytes = slice_from(bytes, piece.len);
        if (s->state != WAITING)
            run(s);
        if (s->in.overflow)
            end_session(s, "421 4.7.0 too much input at once");
    }
}

bool
server_wants_input(const struct server *s)
{
    return s->state != FINISHED && s->in.len < INPUT_LIMIT - 65536 && s->out.len < OUTPUT_LIMIT / 2;
}

struct buf *
server_output(struct server *s)
{
    return &s->out;
}

bool
server_finished(const struct server *s)
{
    return s->state == FINISHED;
}

bool
server_is_waiting(const struct server *s)
{
    return s->state == WAITING;
}

void
server_progress(struct server *s, struct slice text)
{
    if (s->kind != SERVER_LOCAL || s->state != WAITING || !s->t.verbose)
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

    if (s->state != WAITING)
        return;
    s->state = COMMAND;
    if (class == ERROR_NONE) {
        for (size_t i = 0; i < nrefused && s->kind == SERVER_LOCAL; i++)
            reply_line(s, 250, '-', "2.0.0", ERROR_NOUSER, refused[i]);
        reply_line(s, 250, ' ', "2.0.0", ERROR_NONE, text);
    } else {
        error_set(&err, class, "%s", text);
        reply_error(s, &err);
    }
    transaction_reset(s);
    run(s);
}
