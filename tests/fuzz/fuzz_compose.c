/* SPDX-License-Identifier: ISC */
/*
 * A message on standard input, with any flags: out comes CRLF alone, never a bare CR or LF; no recipient that is no address and none
 * twice; the blank line ends the header; and however the input is cut, the same comes out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/address.h"
#include "sendmail/compose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    bool ok;
    struct error err;
    struct compose c;
    struct buf body;
};

static void
run(struct outcome *r, const struct options *o, struct slice in, size_t step)
{
    error_init(&r->err);
    buf_init(&r->body, 4 * in.len + 10000);
    r->ok = compose_init(&r->c, o, &r->err);
    while (r->ok && in.len && !r->c.ended) {
        struct slice piece = slice_sub(in, 0, step);
        in = slice_from(in, piece.len);
        r->ok = compose_push(&r->c, piece, &r->err);
        buf_add_slice(&r->body, buf_slice(&r->c.body));
        buf_reset(&r->c.body);
    }
    if (r->ok && !r->c.ended)
        r->ok = compose_end(&r->c, &r->err);
    buf_add_slice(&r->body, buf_slice(&r->c.body));
    ensure(!r->body.overflow);
}

static void
check_wire(struct slice s)
{
    ensure(s.len == 0 || s.p[s.len - 1] == '\n');
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\r')
            ensure(i + 1 < s.len && s.p[i + 1] == '\n');
        if (s.p[i] == '\n')
            ensure(i > 0 && s.p[i - 1] == '\r');
    }
}

static void
check_header(struct slice s)
{
    const char *blank = memmem(s.p, s.len, "\r\n\r\n", 4);

    check_wire(s);
    ensure(memchr(s.p, '\0', s.len) == NULL);
    ensure(blank && blank == s.p + s.len - 4); /* there is a Date at least */
}

static void
check_rcpts(const struct compose_rcpts *r)
{
    ensure(r->n > 0);
    for (size_t i = 0; i < r->n; i++) {
        struct address a;
        struct error err;
        ensure(address_parse_spec(slice_of(r->address[i]), &a, &err));
        for (size_t k = 0; k < i && k < 50; k++)
            ensure(strcmp(r->address[i], r->address[k]) != 0);
    }
}

/* Without the Date that was added: the second may have changed between two runs */
static struct slice
undated(struct slice header)
{
    static const char name[] = "Date: ";
    const char *at = memmem(header.p, header.len, name, sizeof name - 1);

    return at ? slice_make(header.p, (size_t)(at - header.p)) : header;
}

static void
clear(struct outcome *r)
{
    compose_clear(&r->c);
    buf_clear(&r->body);
}

static void
compare(const struct outcome *a, const struct outcome *b)
{
    ensure(a->ok == b->ok && a->err.class == b->err.class);
    if (!a->ok)
        return;
    ensure(a->c.rcpts.n == b->c.rcpts.n && a->c.utf8 == b->c.utf8 && a->c.eight_bit == b->c.eight_bit);
    for (size_t i = 0; i < a->c.rcpts.n; i++)
        ensure(strcmp(a->c.rcpts.address[i], b->c.rcpts.address[i]) == 0);
    ensure(slice_eq(buf_slice(&a->body), buf_slice(&b->body)));
    ensure(slice_eq(undated(buf_slice(&a->c.header)), undated(buf_slice(&b->c.header))));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char address[] = "a@x", *recipients[] = { address };
    struct outcome whole, cut;
    struct options o;

    if (size == 0)
        return 0;
    memset(&o, 0, sizeof o);
    o.keep_dots = data[0] & 1;
    o.from_header = data[0] & 2;
    o.recipients = recipients;
    o.nrecipients = o.from_header && data[0] & 4 ? 0 : 1;
    struct slice in = slice_make((const char *)data + 1, size - 1);
    run(&whole, &o, in, size);
    run(&cut, &o, in, 1 + (data[0] >> 3) % 7);
    compare(&whole, &cut);
    if (whole.ok) {
        check_header(buf_slice(&whole.c.header));
        check_wire(buf_slice(&whole.body));
        check_rcpts(&whole.c.rcpts);
    } else {
        ensure(whole.err.class == ERROR_USAGE || whole.err.class == ERROR_DATA ||
               whole.err.class == ERROR_REFUSED);
        ensure(whole.err.text[0]);
    }
    clear(&whole);
    clear(&cut);
    return 0;
}
