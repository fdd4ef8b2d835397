/* SPDX-License-Identifier: ISC */
/* complete: reads the record in pieces and passes them on; what becomes of them is worker/head's and worker/recode's. */
#include "worker/complete.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#define PIECE 65536

static bool
read_content(
    const struct complete *c, uint64_t offset, char *piece, size_t size, size_t *got, struct error *err)
{
    uint64_t left = c->record->content_size - offset;

    *got = left < size ? (size_t)left : size;
    if (*got && !file_pread(c->fd, piece, *got, (off_t)(c->record->content_offset + offset)))
        return error_sys(err, ERROR_IO, errno, "cannot read the message");
    return true;
}

/* The body in pieces; `fn` returns false to stop */
static bool
read_body(const struct complete *c, bool (*fn)(void *ctx, struct slice s), void *ctx, struct error *err)
{
    char *piece = mem_alloc(PIECE);
    size_t got;
    bool ok = true;

    for (uint64_t at = c->body_offset; ok && at < c->record->content_size; at += got) {
        ok = read_content(c, at, piece, PIECE, &got, err);
        if (ok && !fn(ctx, slice_make(piece, got)))
            break;
    }
    free(piece);
    return ok;
}

/* ---------------------------------------------------------------- reading */

static bool
read_header(struct complete *c, struct error *err)
{
    struct head *h = c->head;
    char piece[16384];
    uint64_t at = 0;
    size_t got, used = 0;

    while (h->header.state == HEADER_OPEN) {
        if (!read_content(c, at, piece, sizeof piece, &got, err))
            return false;
        if (got == 0)
            break;
        used = head_push(h, slice_make(piece, got));
        at += used;
        if (used == 0 && h->header.state == HEADER_OPEN)
            break;
    }
    if (!head_end(h, err))
        return false;
    /* a line that is no field begins the body */
    c->body_offset = h->header.state == HEADER_NO_FIELD ? at - header_rest(&h->header).len : at;
    return true;
}

/* An address in the header that needs SMTPUTF8 changes how all of the header is written */
static bool
make_head(struct complete *c, const struct head_settings *settings, struct error *err)
{
    head_init(c->head, settings, c->record, c->needs_utf8);
    if (!read_header(c, err))
        return false;
    if (!c->head->needs_utf8 || c->needs_utf8)
        return true;
    c->needs_utf8 = true;
    head_clear(c->head);
    head_init(c->head, settings, c->record, true);
    return read_header(c, err);
}

struct mime_values {
    struct slice type, encoding;
    const struct slice *type_or_null, *encoding_or_null;
};

static void
take_values(const struct head *h, struct mime_values *v)
{
    v->type = buf_slice(&h->type);
    v->encoding = buf_slice(&h->encoding);
    v->type_or_null = h->has_type ? &v->type : NULL;
    v->encoding_or_null = h->has_encoding ? &v->encoding : NULL;
}

static bool
look(void *ctx, struct slice s)
{
    recode_look_push(ctx, s);
    return true;
}

static bool
look_at_body(struct complete *c, struct error *err)
{
    struct recode_look *l = mem_alloc(sizeof *l);
    struct mime_values v;
    bool ok;

    take_values(c->head, &v);
    recode_look_init(l, &c->plan, v.type_or_null, v.encoding_or_null);
    ok = read_body(c, look, l, err);
    recode_look_end(l);
    c->plan.top.has_version = c->head->has_version;
    free(l);
    return ok;
}

bool
complete_init(struct complete *c, int fd, const struct record *record, const struct head_settings *settings,
    struct error *err)
{
    memset(c, 0, sizeof *c);
    c->record = record;
    c->fd = fd;
    c->needs_utf8 = record->smtputf8;
    c->head = mem_alloc(sizeof *c->head);
    buf_init(&c->header, HEAD_MAX);
    if (make_head(c, settings, err) && look_at_body(c, err))
        return true;
    complete_clear(c);
    return false;
}

void
complete_clear(struct complete *c)
{
    if (c->head)
        head_clear(c->head);
    free(c->head);
    c->head = NULL;
    recode_plan_clear(&c->plan);
    buf_clear(&c->header);
}

/* ---------------------------------------------------------------- adapting */

/* The header says what the body will be */
static void
write_header(struct complete *c)
{
    const struct mime_part *top = &c->plan.top;
    const char *encoding = c->recodes ? recode_encoding(&c->plan, top, &c->peer) : NULL;
    const char *lacks = encoding;
    struct buf fields;

    buf_init(&fields, 1000);
    /* 8-bit text that does not say so */
    if (!encoding && top->kind == MIME_LEAF && c->plan.eight_bit && !top->has_encoding)
        lacks = "8bit";
    if (lacks)
        recode_add_fields(&fields, &c->plan, top, lacks);
    buf_reset(&c->header);
    head_write(c->head, encoding, buf_slice(&fields), &c->header);
    buf_clear(&fields);
}

static void
count(void *ctx, struct slice s)
{
    *(uint64_t *)ctx += s.len;
}

struct writing {
    struct recode recode;
    bool (*sink)(void *ctx, struct slice bytes);
    void *ctx;
    bool stopped;
};

static bool
recode(void *ctx, struct slice s)
{
    struct writing *w = ctx;

    recode_push(&w->recode, s);
    return !w->stopped;
}

static bool
recode_body(struct complete *c, struct writing *w, body_fn *fn, void *ctx, struct error *err)
{
    struct mime_values v;
    bool ok;

    take_values(c->head, &v);
    recode_init(&w->recode, &c->plan, &c->peer, v.type_or_null, v.encoding_or_null, fn, ctx);
    ok = read_body(c, recode, w, err);
    recode_end(&w->recode);
    return ok;
}

bool
complete_adapt(struct complete *c, const struct complete_peer *peer, struct error *err)
{
    struct writing *w;
    uint64_t body = c->record->content_size - c->body_offset;
    bool ok = true;

    c->binary = peer->binary && (c->plan.raw_nul || c->plan.long_line);
    c->peer = (struct recode_peer){
        .eight_bit = peer->eight_bit || c->binary, .binary = c->binary, .utf8 = c->needs_utf8
    };
    c->recodes = recode_is_needed(&c->plan, &c->peer);
    write_header(c);
    if (c->header.overflow)
        return error_set(err, ERROR_REFUSED, "message: its header is larger than %u bytes", HEAD_MAX);
    c->eight_bit = c->plan.eight_bit || !text_is_ascii(buf_slice(&c->header));
    if (c->recodes) {
        body = 0;
        w = mem_alloc(sizeof *w);
        ok = recode_body(c, w, count, &body, err);
        free(w);
    }
    c->size = c->header.len + body;
    return ok;
}

/* ---------------------------------------------------------------- writing */

static void
write_piece(void *ctx, struct slice s)
{
    struct writing *w = ctx;

    w->stopped = w->stopped || !w->sink(w->ctx, s);
}

bool
complete_write(struct complete *c, bool (*sink)(void *ctx, struct slice bytes), void *ctx, struct error *err)
{
    struct writing *w;
    bool ok;

    if (!sink(ctx, buf_slice(&c->header)))
        return true;
    if (!c->recodes)
        return read_body(c, sink, ctx, err);
    w = mem_alloc(sizeof *w);
    w->sink = sink;
    w->ctx = ctx;
    ok = recode_body(c, w, write_piece, w, err);
    free(w);
    return ok;
}
