/* SPDX-License-Identifier: ISC */
/*
 * A report made of hostile words, addresses and headers, cut at NULs: lines end in CRLF alone, before the copy of the message there
 * is no control character and no line that is too long, and the boundary stands where the parts meet and nowhere else.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "mail/dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice
next(struct slice *in)
{
    struct slice s = slice_sub(*in, 0, 0);

    (void)slice_cut(in, '\0', &s);
    return s;
}

static size_t
count(struct slice s, struct slice what)
{
    size_t n = 0;
    const char *at;

    while ((at = memmem(s.p, s.len, what.p, what.len))) {
        n++;
        s = slice_from(s, (size_t)(at - s.p) + what.len);
    }
    return n;
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

static void
check_text(struct slice s)
{
    size_t column = 0;

    for (size_t i = 0; i < s.len; i++) {
        ensure(!ascii_is_control(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n');
        column = s.p[i] == '\n' ? 0 : column + 1;
        ensure(column <= 999);
    }
}

static void
check(struct slice all)
{
    static const char name[] = "report-type=delivery-status;\r\n boundary=\"";
    const char *at = memmem(all.p, all.len, name, sizeof name - 1);
    struct slice boundary, rest, last;
    char *line;

    ensure(at);
    boundary = slice_from(all, (size_t)(at - all.p) + sizeof name - 1);
    boundary = slice_sub(boundary, 0, slice_find(boundary, '"'));
    ensure(boundary.len > 10 && boundary.len < 70);
    ensure(count(slice_from(all, (size_t)(boundary.p + boundary.len - all.p)), boundary) == 4);
    line = mem_format("\r\n--%.*s\r\nContent-Description: ", SLICE_ARG(boundary));
    ensure(count(all, slice_of(line)) == 3);
    check_wire(all);
    /* all but the third part */
    rest = all;
    for (size_t i = 0; i < 3; i++) {
        at = memmem(rest.p, rest.len, line, strlen(line));
        rest = slice_from(rest, (size_t)(at - rest.p) + strlen(line));
    }
    last = slice_sub(all, 0, (size_t)(rest.p - all.p));
    check_text(last);
    free(line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_make((const char *)data, size);
    struct dsn_recipient r[3];
    struct dsn d;
    struct buf out;
    uint8_t flags = size ? data[0] : 0;

    memset(r, 0, sizeof r);
    memset(&d, 0, sizeof d);
    in = slice_from(in, 1);
    for (size_t i = 0; i < 3; i++) {
        r[i].address = next(&in);
        r[i].orcpt = next(&in);
        r[i].words = next(&in);
        r[i].enhanced = next(&in);
        r[i].relay = next(&in);
        r[i].action = (enum dsn_action)((flags >> i) % 3);
        r[i].code = flags & 8 ? 550 : 0;
        r[i].is_expired = r[i].action == DSN_FAILED && (flags & 16);
        r[i].of_recipient = flags & 32;
        r[i].last_try = (int64_t)in.len;
    }
    d.hostname = next(&in);
    d.from = next(&in);
    d.to = next(&in);
    d.id = next(&in);
    d.original_id = next(&in);
    d.original_message_id = next(&in);
    d.envid = next(&in);
    d.full = flags & 64;
    d.retry_until = flags & 128;
    d.content = in;
    d.rcpt = r;
    d.n = 3;
    buf_init(&out, 100000 + 40 * size);
    dsn_write(&d, &out);
    ensure(!out.overflow);
    check(buf_slice(&out));
    buf_clear(&out);
    return 0;
}
