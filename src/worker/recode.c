/* SPDX-License-Identifier: ISC */
/*
 * recode: both passes run the same scanner (mail/mime), so both number the leaves alike, and nothing else has to be remembered.
 * What a part is called changes only with what becomes of it.
 */
#include "worker/recode.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/header.h"

#define PART_HEADER_MAX (1u << 20) /* a larger one passes as it is, with all of its part */

/* ---------------------------------------------------------------- looking */

/* Bytes, cut anywhere: is what they make UTF-8? */
static void
check_utf8(struct recode_look *l, struct slice s)
{
    while (s.len && !(l->bits & RECODE_NOT_UTF8)) {
        if (l->nrest == 0 && (unsigned char)s.p[0] < 128) {
            s = slice_from(s, 1);
            continue;
        }
        l->rest[l->nrest++] = (unsigned char)s.p[0];
        s = slice_from(s, 1);
        if (text_utf8_length(slice_make((const char *)l->rest, l->nrest)) == l->nrest)
            l->nrest = 0;
        else if (l->nrest == sizeof l->rest || (l->nrest > 1 && (l->rest[l->nrest - 1] & 0xc0) != 0x80))
            l->bits |= RECODE_NOT_UTF8;
    }
}

static void
look_at_leaf(struct recode_look *l, struct slice s)
{
    uint64_t eight = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        eight += c >> 7;
        if (c == '\n')
            l->leaf_line = 0;
        else if (c != '\r' && ++l->leaf_line > MIME_LINE_MAX)
            l->bits |= RECODE_LONG;
        if (c == '\0')
            l->bits |= RECODE_NUL;
    }
    if (eight || l->nrest)
        check_utf8(l, s);
    l->octets += s.len;
    l->eight += eight;
}

static void
end_leaf(struct recode_look *l, const struct mime_part *part)
{
    if ((l->bits & RECODE_NUL) && part->encoding == MIME_ENCODING_OTHER)
        l->plan->raw_nul = true;
    if (l->nrest)
        l->bits |= RECODE_NOT_UTF8;
    if (l->eight)
        l->bits |= RECODE_EIGHT;
    if (l->eight > l->octets / 3)
        l->bits |= RECODE_MOSTLY;
    buf_add_char(&l->plan->leaf, (char)l->bits);
}

static void
on_look(void *ctx, enum mime_event event, const struct mime_part *part, struct slice s)
{
    struct recode_look *l = ctx;

    if (event == MIME_BODY_BEGIN) {
        if (!l->began)
            l->plan->top = *part;
        l->began = true;
        l->leaf_line = l->octets = l->eight = l->bits = 0;
        l->nrest = 0;
    } else if (event == MIME_BODY && part->kind == MIME_LEAF) {
        look_at_leaf(l, s);
    } else if (event == MIME_BODY) {
        l->plan->raw_nul = l->plan->raw_nul || slice_has(s, '\0');
    } else if (event == MIME_END && part->kind == MIME_LEAF) {
        end_leaf(l, part);
    } else if (event == MIME_HEADER && !text_is_ascii(s)) {
        l->plan->foreign_header = true;
    }
}

void
recode_look_init(
    struct recode_look *l, struct recode_plan *plan, const struct slice *type, const struct slice *encoding)
{
    memset(l, 0, sizeof *l);
    memset(plan, 0, sizeof *plan);
    buf_init(&plan->leaf, MIME_LEAVES_MAX);
    l->plan = plan;
    mime_init_body(&l->mime, on_look, l, type, encoding);
}

void
recode_look_push(struct recode_look *l, struct slice s)
{
    struct recode_plan *p = l->plan;
    unsigned char all = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        all |= c;
        if (c == '\n')
            l->line = 0;
        else if (c != '\r' && ++l->line > MIME_LINE_MAX)
            p->long_line = true;
        if (c == '\0')
            p->has_nul = true;
    }
    p->eight_bit = p->eight_bit || all > 127;
    mime_push(&l->mime, s);
}

void
recode_look_end(struct recode_look *l)
{
    mime_end(&l->mime);
}

void
recode_plan_clear(struct recode_plan *plan)
{
    buf_clear(&plan->leaf);
}

/* ---------------------------------------------------------------- deciding */

bool
recode_is_needed(const struct recode_plan *plan, const struct recode_peer *peer)
{
    return plan->has_nul || (plan->long_line && !peer->binary) || (plan->eight_bit && !peer->eight_bit) ||
           (plan->foreign_header && !peer->utf8);
}

static unsigned
bits_of(const struct recode_plan *plan, const struct mime_part *part)
{
    return part->kind == MIME_LEAF && part->leaf < plan->leaf.len ? (unsigned char)plan->leaf.data[part->leaf]
                                                                  : 0;
}

/* The encoding a leaf gets; MIME_ENCODING_NONE: it stays as it is */
static enum mime_encoding
leaf_encoding(const struct recode_plan *plan, const struct mime_part *part, const struct recode_peer *peer)
{
    unsigned bits = bits_of(plan, part);
    bool too_long = (bits & RECODE_LONG) && !peer->binary,
         foreign = (bits & RECODE_EIGHT) && !peer->eight_bit;

    /* a NUL goes raw to nobody: what stands behind the peer rarely keeps it */
    if (!(bits & RECODE_NUL) && !too_long && !foreign)
        return MIME_ENCODING_NONE;
    if (part->encoding == MIME_ENCODING_OTHER)
        return MIME_ENCODING_NONE; /* nobody knows what it would mean */
    if (part->encoding == MIME_QP || part->encoding == MIME_BASE64)
        return part->encoding;
    return part->is_text && !(bits & (RECODE_NUL | RECODE_MOSTLY)) ? MIME_QP : MIME_BASE64;
}

const char *
recode_encoding(const struct recode_plan *plan, const struct mime_part *part, const struct recode_peer *peer)
{
    enum mime_encoding e;

    if (part->kind == MIME_LEAF) {
        e = leaf_encoding(plan, part, peer);
        if (e == MIME_ENCODING_NONE || e == part->encoding)
            return NULL;
        return e == MIME_QP ? "quoted-printable" : "base64";
    }
    if (part->kind == MIME_OPAQUE)
        return NULL;
    /* of what is composed it tells what is within (RFC 2045, 6.4) */
    if (part->encoding == MIME_BINARY && !peer->binary)
        return peer->eight_bit ? "8bit" : "7bit";
    return part->encoding == MIME_8BIT && !peer->eight_bit ? "7bit" : NULL;
}

void
recode_add_fields(
    struct buf *out, const struct recode_plan *plan, const struct mime_part *part, const char *encoding)
{
    unsigned bits = bits_of(plan, part);

    if (part->kind != MIME_LEAF)
        return;
    if (part->is_message && !part->has_version)
        buf_add_str(out, "MIME-Version: 1.0\r\n");
    if (!part->has_type)
        buf_add_format(out, "Content-Type: text/plain; charset=%s\r\n",
            !(bits & RECODE_EIGHT)   ? "us-ascii"
            : bits & RECODE_NOT_UTF8 ? "unknown-8bit"
                                     : "utf-8");
    if (!part->has_encoding)
        buf_add_format(out, "Content-Transfer-Encoding: %s\r\n", encoding);
}

/* ---------------------------------------------------------------- writing */

static void
put(void *ctx, struct slice s)
{
    struct recode *r = ctx;

    if (s.len == 0)
        return;
    r->last = s.p[s.len - 1];
    r->soft = false;
    r->fn(r->ctx, s);
}

/* ---------------------------------------------------------------- headers of parts */

struct fields {
    struct buf *out;
    enum mime_keep keep;
    const char *encoding; /* what Content-Transfer-Encoding becomes; NULL: it stays */
    bool changed, replaced;
    struct buf name, value;
};

static void
field_ended(struct fields *f)
{
    struct slice name = buf_slice(&f->name), value = buf_slice(&f->value);

    if (f->encoding && header_identify(name) == HEADER_CONTENT_TRANSFER_ENCODING) {
        if (!f->replaced)
            buf_add_format(f->out, "Content-Transfer-Encoding: %s\r\n", f->encoding);
        f->replaced = f->changed = true;
        return;
    }
    f->changed = f->changed || mime_field_needs(name, value, f->keep);
    mime_field_add(f->out, name, value, f->keep);
}

static void
on_field(void *ctx, enum header_event event, struct slice s)
{
    struct fields *f = ctx;

    if (event == HEADER_FIELD) {
        buf_reset(&f->name);
        buf_reset(&f->value);
        buf_add_slice(&f->name, s);
    } else if (event == HEADER_VALUE) {
        buf_add_slice(&f->value, s);
    } else {
        field_ended(f);
    }
}

/* The fields of the kept header, each as it has to be. False: it is no header to mail/header, and stays as it is. */
static bool
rewrite_fields(struct recode *r, struct fields *f)
{
    struct header *h = mem_alloc(sizeof *h);
    size_t used;
    bool ok;

    buf_init(&f->name, PART_HEADER_MAX);
    buf_init(&f->value, PART_HEADER_MAX);
    header_init(h, on_field, f);
    used = header_push(h, buf_slice(&r->header));
    header_end(h);
    ok = used == r->header.len && h->state != HEADER_NO_FIELD && !f->out->overflow;
    buf_clear(&f->name);
    buf_clear(&f->value);
    free(h);
    return ok;
}

static void
write_header(struct recode *r, const struct mime_part *part)
{
    struct buf out;
    struct fields f = { .out = &out, .encoding = recode_encoding(r->plan, part, &r->peer) };

    /* a message within is somebody else's: its raw bytes go only where they must */
    f.keep = r->peer.utf8 || (part->is_message && r->peer.eight_bit) ? MIME_KEEP_8BIT : MIME_KEEP_NONE;
    if (part->kind == MIME_OPAQUE)
        r->is_raw = true;
    buf_init(&out, 8 * PART_HEADER_MAX);
    if (!r->is_raw && !rewrite_fields(r, &f))
        r->is_raw = true;
    if (!r->is_raw && f.encoding && part->kind == MIME_LEAF) {
        recode_add_fields(&out, r->plan, part, f.encoding);
        f.changed = true;
    }
    if (f.changed && !r->is_raw) {
        buf_add_str(&out, "\r\n");
        put(r, buf_slice(&out));
    } else {
        put(r, buf_slice(&r->header));
    }
    buf_clear(&out);
}

static void
keep_header(struct recode *r, struct slice s)
{
    if (!r->is_raw && r->header.len + s.len > PART_HEADER_MAX) {
        put(r, buf_slice(&r->header));
        buf_reset(&r->header);
        r->is_raw = true;
    }
    if (r->is_raw)
        put(r, s);
    else
        buf_add_slice(&r->header, s);
}

/* ---------------------------------------------------------------- bodies */

static void
encode_qp(void *ctx, struct slice s)
{
    struct recode *r = ctx;

    qp_encoder_push(&r->qp, s);
}

static void
begin_body(struct recode *r, const struct mime_part *part)
{
    enum mime_encoding e = r->is_raw ? MIME_ENCODING_NONE : leaf_encoding(r->plan, part, &r->peer);

    r->mode = RECODE_PASS;
    if (e == MIME_QP) {
        r->mode = part->encoding == MIME_QP ? RECODE_QP_AGAIN : RECODE_QP;
        qp_encoder_init(&r->qp, put, r);
        qp_decoder_init(&r->unqp, encode_qp, r);
    } else if (e == MIME_BASE64) {
        r->mode = part->encoding == MIME_BASE64 ? RECODE_WRAP : RECODE_BASE64;
        base64_encoder_init(&r->base64, put, r);
        base64_wrap_init(&r->wrap, put, r);
    }
}

static void
push_body(struct recode *r, struct slice s)
{
    switch (r->mode) {
    case RECODE_PASS:
        put(r, s);
        break;
    case RECODE_QP:
        qp_encoder_push(&r->qp, s);
        break;
    case RECODE_QP_AGAIN:
        qp_decoder_push(&r->unqp, s);
        break;
    case RECODE_BASE64:
        base64_encoder_push(&r->base64, s);
        break;
    case RECODE_WRAP:
        base64_wrap_push(&r->wrap, s);
        break;
    }
}

static void
end_body(struct recode *r)
{
    if (r->mode == RECODE_QP_AGAIN)
        qp_decoder_end(&r->unqp);
    if (r->mode == RECODE_QP_AGAIN || r->mode == RECODE_QP) {
        qp_encoder_end(&r->qp);
        r->soft = r->mode == RECODE_QP_AGAIN;
    } else if (r->mode == RECODE_BASE64) {
        base64_encoder_end(&r->base64);
    }
    r->mode = RECODE_PASS;
}

/*
 * Preamble and epilogue, which no reader shows: what cannot be carried becomes '?', long lines are cut. A blank behind the cut, so
 * that no delimiter comes into being.
 */
static void
push_between(struct recode *r, struct slice s)
{
    struct buf out;

    buf_init(&out, 4 * s.len + 16);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '\0' || ((unsigned char)c > 127 && !r->peer.eight_bit))
            c = '?';
        if (c == '\n') {
            r->column = 0;
        } else if (c != '\r' && ++r->column > MIME_LINE_MAX) {
            buf_add_str(&out, "\r\n ");
            r->column = 2;
        }
        buf_add_char(&out, c);
    }
    put(r, buf_slice(&out));
    buf_clear(&out);
}

/* The blanks behind a boundary may be as many as they like */
static void
push_delimiter(struct recode *r, struct slice s)
{
    struct slice text = slice_trim(s);

    r->column = 0;
    if (s.len <= MIME_LINE_MAX) {
        put(r, s);
        return;
    }
    put(r, slice_sub(s, 0, (size_t)(text.p - s.p)));
    put(r, text);
    put(r, slice_of("\r\n"));
}

static void
on_part(void *ctx, enum mime_event event, const struct mime_part *part, struct slice s)
{
    struct recode *r = ctx;

    switch (event) {
    case MIME_BEGIN:
        buf_reset(&r->header);
        r->is_raw = false;
        break;
    case MIME_HEADER:
        keep_header(r, s);
        break;
    case MIME_BODY_BEGIN:
        if (!r->in_top && !r->is_raw)
            write_header(r, part);
        r->in_top = false;
        begin_body(r, part);
        break;
    case MIME_BODY:
        push_body(r, s);
        break;
    case MIME_END:
        end_body(r);
        break;
    case MIME_BETWEEN:
        push_between(r, s);
        break;
    case MIME_DELIMITER:
        push_delimiter(r, s);
        break;
    }
}

void
recode_init(struct recode *r, const struct recode_plan *plan, const struct recode_peer *peer,
    const struct slice *type, const struct slice *encoding, body_fn *fn, void *ctx)
{
    memset(r, 0, sizeof *r);
    r->fn = fn;
    r->ctx = ctx;
    r->plan = plan;
    r->peer = *peer;
    r->in_top = true;
    r->last = '\n';
    buf_init(&r->header, PART_HEADER_MAX);
    mime_init_body(&r->mime, on_part, r, type, encoding);
}

void
recode_push(struct recode *r, struct slice s)
{
    mime_push(&r->mime, s);
}

void
recode_end(struct recode *r)
{
    mime_end(&r->mime);
    if (r->last != '\n')
        put(r, slice_of(r->soft ? "=\r\n" : "\r\n"));
    buf_clear(&r->header);
}
