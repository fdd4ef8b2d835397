/* SPDX-License-Identifier: ISC */
/*
 * server_content: DATA and BDAT, from the command to the last byte. What was refused is read all the same where its length is
 * known, so that content is never taken for commands.
 */
#include <string.h>

#include "daemon/server_state.h"

static bool
begin_content(struct server *s, struct error *err)
{
    if (s->content_begun)
        return true;
    content_init(&s->content, s->by_chunks ? CONTENT_CRLF : s->ending, !s->by_chunks);
    s->t.helo = s->helo ? s->helo : "";
    if (!s->events->begin(s->ctx, &s->t, err))
        return false;
    s->content_begun = true;
    return true;
}

static bool
may_begin(struct server *s)
{
    if (s->failed) {
        server_reply_code(s, 554, "5.5.1", ERROR_USAGE, "an earlier command was refused");
        server_reset(s);
        return false;
    }
    if (!s->has_mail || s->t.envelope.n == 0) {
        server_reply_code(s, s->has_mail ? 554 : 503, "5.5.1", ERROR_USAGE, "no valid recipients");
        return false;
    }
    return true;
}

void
server_data(struct server *s)
{
    struct error err;

    if (s->by_chunks) {
        server_reply_code(s, 503, "5.5.1", ERROR_USAGE, "BDAT was begun already");
        server_reset(s);
        return;
    }
    if (!may_begin(s) || server_is_out_of_turn(s))
        return;
    if (!begin_content(s, &err)) {
        server_reset(s);
        server_reply_error(s, &err);
        return;
    }
    s->state = SERVER_IN_DATA;
    server_reply(s, "354 end with a line that holds only a dot");
}

/* "BDAT size [LAST]" (RFC 3030, 2). A refused chunk's bytes are read all the same. */
void
server_bdat(struct server *s, const struct command *c)
{
    struct slice rest = c->argument, size;
    uint64_t n;

    if (!s->traits->chunking) {
        server_end(s, "502 5.5.1 BDAT is not offered"); /* its octets may follow already */
        return;
    }
    if (!slice_cut(&rest, ' ', &size) || !slice_number(size, UINT64_MAX / 2, &n) ||
        (rest.len && !slice_is_nocase(slice_trim(rest), "LAST"))) {
        server_reset(s);
        server_reply_code(s, 501, "5.5.4", ERROR_USAGE, "BDAT: size [LAST] is wanted");
        s->state = SERVER_FINISHED; /* where the next command begins is not known */
        return;
    }
    s->chunk_last = rest.len > 0;
    s->chunk_left = n;
    s->by_chunks = true;
    s->state = SERVER_IN_CHUNK;
}

/* The content is over: ask for the verdict. */
static void
content_ended(struct server *s)
{
    struct error err;

    s->state = SERVER_WAITING;
    if (s->events->end(s->ctx, &err))
        return;
    s->state = SERVER_AT_COMMAND;
    server_reset(s);
    server_reply_error(s, &err);
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

void
server_take_data(struct server *s)
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
        server_end(s, "550 5.5.2 bare CR or LF, or mixed line endings");
    } else if (r == CONTENT_END && s->failed) {
        failure = s->failure;
        s->state = SERVER_AT_COMMAND;
        server_reset(s);
        server_reply_error(s, &failure);
    } else if (r == CONTENT_END) {
        content_ended(s);
    }
}

/* A chunk is over. Only whole lines make a message. */
static void
chunk_ended(struct server *s)
{
    s->state = SERVER_AT_COMMAND;
    if (s->failed || !s->content_begun) {
        struct error failure = s->failure;
        server_reset(s);
        if (failure.class == ERROR_NONE)
            error_set(&failure, ERROR_USAGE, "BDAT: no valid recipients");
        server_reply_error(s, &failure);
        /* the rest of a pipelined message is read and refused chunk by chunk */
        s->failed = !s->chunk_last;
    } else if (!s->chunk_last) {
        server_reply(s, "250 2.0.0 chunk taken");
    } else if (!content_is_complete(&s->content)) {
        server_reset(s);
        server_reply_code(s, 550, "5.5.2", ERROR_DATA, "message: its last line does not end");
    } else {
        content_ended(s);
    }
}

void
server_take_chunk(struct server *s)
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
