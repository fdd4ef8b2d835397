/* SPDX-License-Identifier: ISC */
/* base64: three bytes, four characters; pieces go out through a small buffer on the stack. */
#include "mail/base64.h"

#include <string.h>

#define LINE_CHARS 76
#define OUT_BYTES 4096

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* What goes out, collected */
struct out {
    body_fn *fn;
    void *ctx;
    size_t len;
    char data[OUT_BYTES];
};

static void
flush(struct out *o)
{
    if (o->len)
        o->fn(o->ctx, slice_make(o->data, o->len));
    o->len = 0;
}

static void
put(struct out *o, char c)
{
    if (o->len == sizeof o->data)
        flush(o);
    o->data[o->len++] = c;
}

/* `n` bytes, 1 to 3, as four characters */
static void
quantum(const unsigned char *p, size_t n, char four[4])
{
    unsigned v = (unsigned)p[0] << 16;

    if (n > 1)
        v |= (unsigned)p[1] << 8;
    if (n > 2)
        v |= p[2];
    four[0] = digits[v >> 18];
    four[1] = digits[v >> 12 & 63];
    four[2] = n > 1 ? digits[v >> 6 & 63] : '=';
    four[3] = n > 2 ? digits[v & 63] : '=';
}

void
base64_add(struct buf *out, struct slice in)
{
    const unsigned char *p = (const unsigned char *)in.p;
    char four[4];

    for (size_t i = 0; i < in.len; i += 3) {
        quantum(p + i, in.len - i < 3 ? in.len - i : 3, four);
        buf_add(out, four, 4);
    }
}

/* ---------------------------------------------------------------- encoder */

void
base64_encoder_init(struct base64_encoder *e, body_fn *fn, void *ctx)
{
    *e = (struct base64_encoder){ .fn = fn, .ctx = ctx };
}

static void
put_quantum(struct base64_encoder *e, struct out *o)
{
    char four[4];

    quantum(e->pending, e->npending, four);
    e->npending = 0;
    if (e->column == LINE_CHARS) {
        put(o, '\r');
        put(o, '\n');
        e->column = 0;
    }
    for (int i = 0; i < 4; i++)
        put(o, four[i]);
    e->column += 4;
}

void
base64_encoder_push(struct base64_encoder *e, struct slice s)
{
    struct out o = { .fn = e->fn, .ctx = e->ctx };

    for (size_t i = 0; i < s.len; i++) {
        e->pending[e->npending++] = (unsigned char)s.p[i];
        if (e->npending == 3)
            put_quantum(e, &o);
    }
    flush(&o);
}

void
base64_encoder_end(struct base64_encoder *e)
{
    struct out o = { .fn = e->fn, .ctx = e->ctx };

    if (e->npending)
        put_quantum(e, &o);
    flush(&o);
}

/* ---------------------------------------------------------------- decoder */

static int
value_of(char c)
{
    const char *p = c ? memchr(digits, c, 64) : NULL;

    return p ? (int)(p - digits) : -1;
}

void
base64_decoder_init(struct base64_decoder *d, body_fn *fn, void *ctx)
{
    *d = (struct base64_decoder){ .fn = fn, .ctx = ctx };
}

void
base64_decoder_push(struct base64_decoder *d, struct slice s)
{
    struct out o = { .fn = d->fn, .ctx = d->ctx };

    for (size_t i = 0; i < s.len; i++) {
        int v = value_of(s.p[i]);
        if (s.p[i] == '=')
            d->bits = d->nbits = 0;
        if (v < 0)
            continue;
        d->bits = (d->bits << 6 | (unsigned)v) & 0xffff;
        d->nbits += 6;
        if (d->nbits >= 8) {
            d->nbits -= 8;
            put(&o, (char)(d->bits >> d->nbits & 0xff));
        }
    }
    flush(&o);
}

/* ---------------------------------------------------------------- wrap */

void
base64_wrap_init(struct base64_wrap *w, body_fn *fn, void *ctx)
{
    *w = (struct base64_wrap){ .fn = fn, .ctx = ctx };
}

void
base64_wrap_push(struct base64_wrap *w, struct slice s)
{
    struct out o = { .fn = w->fn, .ctx = w->ctx };

    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] != '=' && value_of(s.p[i]) < 0)
            continue;
        if (w->column == LINE_CHARS) {
            put(&o, '\r');
            put(&o, '\n');
            w->column = 0;
        }
        put(&o, s.p[i]);
        w->column++;
    }
    flush(&o);
}
