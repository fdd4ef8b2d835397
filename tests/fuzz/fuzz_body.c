/* SPDX-License-Identifier: ISC */
/*
 * The first byte is the flags. No bare CR or LF goes out; doing it twice is doing it once; cutting the input changes nothing;
 * stuffed text has one end and gives the text back.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take(void *ctx, struct slice s)
{
    ensure(s.len > 0);
    buf_add_slice(ctx, s);
}

static struct body
run(struct slice in, unsigned flags, size_t step, struct buf *out)
{
    struct body b;

    buf_reset(out);
    body_init(&b, flags, take, out);
    for (; in.len; in = slice_from(in, step))
        body_push(&b, slice_sub(in, 0, step));
    body_end(&b);
    return b;
}

static void
stuff(struct slice in, size_t step, struct buf *out)
{
    struct body_stuff b;

    buf_reset(out);
    body_stuff_init(&b, take, out);
    for (; in.len; in = slice_from(in, step))
        body_stuff_push(&b, slice_sub(in, 0, step));
    body_stuff_end(&b);
}

static void
check_lines(const struct body *b, struct slice s)
{
    uint64_t lines = 0, longest = 0, len = 0;

    for (size_t i = 0; i < s.len; i++, len++) {
        if (s.p[i] == '\r')
            ensure(i + 1 < s.len && s.p[i + 1] == '\n');
        if (s.p[i] != '\n')
            continue;
        ensure(i > 0 && s.p[i - 1] == '\r');
        lines++;
        longest = len - 1 > longest ? len - 1 : longest;
        len = UINT64_MAX; /* 0 after the step */
    }
    ensure(s.len == 0 || s.p[s.len - 1] == '\n');
    ensure(b->octets == s.len && b->lines == lines && b->longest == longest);
    ensure(b->has_nul == slice_has(s, '\0'));
}

/* As a server reads it: up to CRLF.CRLF, one leading dot of each line goes. */
static void
check_stuffed(struct slice text, struct slice wire)
{
    size_t t = 0, w = 0;

    while (wire.len - w > 3) {
        ensure(wire.p[w] != '.' || wire.p[w + 1] == '.');
        w += wire.p[w] == '.';
        do
            ensure(t < text.len && w < wire.len && text.p[t++] == wire.p[w++]);
        while (wire.p[w - 1] != '\n');
    }
    ensure(t == text.len && slice_is(slice_from(wire, w), ".\r\n"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out, other;
    struct slice in;
    struct body b, c;

    if (size < 1)
        return 0;
    in = slice_make((const char *)data + 1, size - 1);
    buf_init(&out, 4 * size + 100);
    buf_init(&other, 4 * size + 100);
    b = run(in, data[0] & 1U, size, &out);
    c = run(in, data[0] & 1U, 1, &other);
    ensure(slice_eq(buf_slice(&out), buf_slice(&other)));
    ensure(b.ended_by_dot == c.ended_by_dot && b.has_bare_cr == c.has_bare_cr && b.has_8bit == c.has_8bit);
    ensure(b.octets == c.octets && b.lines == c.lines && b.longest == c.longest && b.has_nul == c.has_nul);
    check_lines(&b, buf_slice(&out));
    (void)run(buf_slice(&out), 0, out.len, &other);
    ensure(slice_eq(buf_slice(&out), buf_slice(&other)));
    stuff(buf_slice(&out), out.len, &other);
    check_stuffed(buf_slice(&out), buf_slice(&other));
    struct buf bytewise;
    buf_init(&bytewise, 4 * size + 100);
    stuff(buf_slice(&out), 1, &bytewise);
    ensure(slice_eq(buf_slice(&other), buf_slice(&bytewise)));
    buf_clear(&bytewise);
    buf_clear(&out);
    buf_clear(&other);
    return 0;
}
