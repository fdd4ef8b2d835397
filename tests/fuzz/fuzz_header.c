/* SPDX-License-Identifier: ISC */
/*
 * However the header is cut, the same comes out; what goes out has no line break but CRLF and a blank; and reading that again
 * gives the same fields.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* RFC 5322, 3.6.8 */
static bool
is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < 33 || s.p[i] > 126 || s.p[i] == ':')
            return false;
    return s.len > 0 && s.len <= HEADER_NAME_MAX;
}

static void
take(void *ctx, enum header_event event, struct slice s)
{
    struct buf *out = ctx;

    buf_add_slice(out, s);
    if (event == HEADER_FIELD) {
        (void)header_identify(s);
        ensure(is_name(slice_trim(s)));
        buf_add_char(out, ':');
    } else if (event == HEADER_FIELD_END) {
        buf_add_str(out, "\r\n");
    }
}

/* The fields in wire form into `out`, all that is behind them into `body`. */
static struct header
run(struct slice in, size_t step, struct buf *out, struct buf *body)
{
    struct header h;

    header_init(&h, take, out);
    while (in.len && h.state == HEADER_OPEN) {
        struct slice piece = slice_sub(in, 0, step);
        size_t n = header_push(&h, piece);
        ensure(n <= piece.len && (n == piece.len || h.state != HEADER_OPEN));
        in = slice_from(in, n);
    }
    header_end(&h);
    ensure(h.state != HEADER_OPEN);
    ensure(h.state != HEADER_EOF || in.len == 0);
    buf_add_slice(body, header_rest(&h));
    buf_add_slice(body, in);
    return h;
}

static void
check_wire(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\r')
            ensure(i + 1 < s.len && s.p[i + 1] == '\n');
        if (s.p[i] == '\n')
            ensure(i > 0 && s.p[i - 1] == '\r');
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make((const char *)data, size);
    struct buf out, body, out2, body2;
    struct header h, h2;

    buf_init(&out, 4 * size + 10000);
    buf_init(&body, 4 * size + 10000);
    buf_init(&out2, 4 * size + 10000);
    buf_init(&body2, 4 * size + 10000);
    h = run(in, size + 1, &out, &body);
    h2 = run(in, 1, &out2, &body2);
    ensure(h.state == h2.state && h.fields == h2.fields && h.has_nul == h2.has_nul);
    ensure(h.has_8bit == h2.has_8bit && h.has_mbox_line == h2.has_mbox_line);
    ensure(slice_eq(buf_slice(&out), buf_slice(&out2)) && slice_eq(buf_slice(&body), buf_slice(&body2)));
    check_wire(buf_slice(&out));
    buf_reset(&out2);
    buf_reset(&body2);
    h2 = run(buf_slice(&out), out.len + 1, &out2, &body2);
    ensure(h2.state == HEADER_EOF && h2.fields == h.fields && slice_eq(buf_slice(&out), buf_slice(&out2)));
    ensure(!out.overflow && !body.overflow);
    buf_clear(&out);
    buf_clear(&body);
    buf_clear(&out2);
    buf_clear(&body2);
    return 0;
}
