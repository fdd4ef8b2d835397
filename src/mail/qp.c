/* SPDX-License-Identifier: ISC */
/* qp: two state machines over bytes; neither keeps more than the end of a line. */
#include "mail/qp.h"

#include <string.h>

#define LINE_CHARS 76

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* ---------------------------------------------------------------- encoder */

void
qp_encoder_init(struct qp_encoder *e, body_fn *fn, void *ctx)
{
    memset(e, 0, offsetof(struct qp_encoder, out));
    e->fn = fn;
    e->ctx = ctx;
}

static void
encoder_flush(struct qp_encoder *e)
{
    if (e->len)
        e->fn(e->ctx, slice_make(e->out, e->len));
    e->len = 0;
}

static void
encoder_put(struct qp_encoder *e, const char *p, size_t n)
{
    if (e->len + n > sizeof e->out)
        encoder_flush(e);
    memcpy(e->out + e->len, p, n);
    e->len += n;
}

/* Room for `n` characters, with one for the '=' of another soft break behind them */
static void
make_room(struct qp_encoder *e, size_t n)
{
    if (e->column + n < LINE_CHARS)
        return;
    encoder_put(e, "=\r\n", 3);
    e->column = 0;
    e->cut = true;
}

static void
put_hex(struct qp_encoder *e, char c)
{
    static const char hex[] = "0123456789ABCDEF";
    char three[3] = { '=', hex[(unsigned char)c >> 4], hex[(unsigned char)c & 15] };

    make_room(e, 3);
    encoder_put(e, three, 3);
    e->column += 3;
}

static void
put_char(struct qp_encoder *e, char c)
{
    make_room(e, 1);
    if (c == '=' || (c != '\t' && ascii_is_control(c)) || (unsigned char)c > 126 ||
        (c == '-' && e->column == 0 && e->cut)) {
        put_hex(e, c);
        return;
    }
    encoder_put(e, &c, 1);
    e->column++;
}

static void
settle_blank(struct qp_encoder *e, bool before_break)
{
    if (e->blank && before_break)
        put_hex(e, e->blank);
    else if (e->blank)
        put_char(e, e->blank);
    e->blank = '\0';
}

static void
end_line(struct qp_encoder *e)
{
    settle_blank(e, true);
    encoder_put(e, "\r\n", 2);
    e->column = 0;
    e->cut = false;
}

static void
encode_byte(struct qp_encoder *e, char c)
{
    if (e->pending_cr) {
        e->pending_cr = false;
        if (c == '\n') {
            end_line(e);
            return;
        }
        settle_blank(e, false);
        put_hex(e, '\r');
    }
    if (c == '\r') {
        e->pending_cr = true;
        return;
    }
    settle_blank(e, false);
    if (is_blank(c))
        e->blank = c;
    else
        put_char(e, c);
}

void
qp_encoder_push(struct qp_encoder *e, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        encode_byte(e, s.p[i]);
    encoder_flush(e);
}

void
qp_encoder_end(struct qp_encoder *e)
{
    if (e->pending_cr) {
        settle_blank(e, false);
        put_hex(e, '\r');
    }
    e->pending_cr = false;
    settle_blank(e, true);
    encoder_flush(e);
}

/* ---------------------------------------------------------------- decoder */

void
qp_decoder_init(struct qp_decoder *d, body_fn *fn, void *ctx)
{
    memset(d, 0, offsetof(struct qp_decoder, blanks));
    d->fn = fn;
    d->ctx = ctx;
    d->len = 0;
}

static void
decoder_flush(struct qp_decoder *d)
{
    if (d->len)
        d->fn(d->ctx, slice_make(d->out, d->len));
    d->len = 0;
}

static void
decoder_put(struct qp_decoder *d, char c)
{
    if (d->len == sizeof d->out)
        decoder_flush(d);
    d->out[d->len++] = c;
}

static void
put_blanks(struct qp_decoder *d)
{
    for (size_t i = 0; i < d->nblanks; i++)
        decoder_put(d, d->blanks[i]);
    d->nblanks = 0;
}

/* What was begun and is now known to stand for itself */
static void
put_as_it_is(struct qp_decoder *d)
{
    if (d->state == QP_EQUALS || d->state == QP_HEX || d->state == QP_SOFT)
        decoder_put(d, '=');
    if (d->state == QP_HEX)
        decoder_put(d, d->hex);
    put_blanks(d);
    d->state = QP_TEXT;
}

static void
keep_blank(struct qp_decoder *d, char c)
{
    if (d->nblanks == sizeof d->blanks)
        put_as_it_is(d); /* longer than a line may be */
    d->blanks[d->nblanks++] = c;
    if (d->state == QP_EQUALS)
        d->state = QP_SOFT;
    else if (d->state == QP_TEXT)
        d->state = QP_BLANK;
}

static void
decode_break(struct qp_decoder *d)
{
    bool soft = d->state == QP_EQUALS || d->state == QP_SOFT;

    if (d->state == QP_HEX)
        put_as_it_is(d);
    d->nblanks = 0;
    d->state = QP_TEXT;
    if (!soft) {
        decoder_put(d, '\r');
        decoder_put(d, '\n');
    }
}

static void
decode_plain(struct qp_decoder *d, char c)
{
    if (d->state == QP_HEX && ascii_hex_value(c) >= 0) {
        decoder_put(d, (char)(ascii_hex_value(d->hex) << 4 | ascii_hex_value(c)));
        d->state = QP_TEXT;
    } else if (d->state == QP_EQUALS && ascii_hex_value(c) >= 0) {
        d->hex = c;
        d->state = QP_HEX;
    } else if (is_blank(c) && d->state != QP_HEX) {
        keep_blank(d, c);
    } else {
        put_as_it_is(d);
        if (is_blank(c))
            keep_blank(d, c);
        else if (c == '=')
            d->state = QP_EQUALS;
        else
            decoder_put(d, c);
    }
}

static void
decode_byte(struct qp_decoder *d, char c)
{
    if (d->pending_cr) {
        d->pending_cr = false;
        if (c == '\n') {
            decode_break(d);
            return;
        }
        put_as_it_is(d);
        decoder_put(d, '\r');
    }
    if (c == '\r')
        d->pending_cr = true;
    else
        decode_plain(d, c);
}

void
qp_decoder_push(struct qp_decoder *d, struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        decode_byte(d, s.p[i]);
    decoder_flush(d);
}

void
qp_decoder_end(struct qp_decoder *d)
{
    if (d->pending_cr) {
        put_as_it_is(d);
        decoder_put(d, '\r');
    } else if (d->state == QP_HEX) {
        put_as_it_is(d);
    } /* a last '=' and last blanks go */
    d->pending_cr = false;
    d->state = QP_TEXT;
    d->nblanks = 0;
    decoder_flush(d);
}
