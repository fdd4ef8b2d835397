/* SPDX-License-Identifier: ISC */
/* body: line-end filters; runs of plain bytes are passed on as they lie in the input. */
#include "mail/body.h"

#include <string.h>

void
body_init(struct body *b, unsigned flags, body_fn *fn, void *ctx)
{
    memset(b, 0, sizeof *b);
    b->flags = flags;
    b->fn = fn;
    b->ctx = ctx;
}

static void
emit(struct body *b, const char *p, size_t len)
{
    if (len == 0)
        return;
    b->octets += len;
    b->fn(b->ctx, slice_make(p, len));
}

static void
count_line(struct body *b)
{
    b->lines++;
    if (b->line_len > b->longest)
        b->longest = b->line_len;
    b->line_len = 0;
}

static void
end_line(struct body *b)
{
    emit(b, "\r\n", 2);
    count_line(b);
}

/* CRs that no LF came after: each was the end of a line. */
static void
settle_crs(struct body *b)
{
    if (b->crs > 0)
        b->has_bare_cr = true;
    for (; b->crs > 0; b->crs--)
        end_line(b);
}

static void
take_cr(struct body *b)
{
    if (b->dot) {
        b->ended_by_dot = true;
    } else if (b->crs < 2) {
        b->crs++;
    } else {
        b->has_bare_cr = true; /* the first of three; two more may still be the CR CR of a CR CR LF */
        end_line(b);
    }
}

static void
take_lf(struct body *b)
{
    b->crs = 0;
    if (b->dot)
        b->ended_by_dot = true;
    else
        end_line(b);
}

/* A plain byte while CRs or a dot wait, or a dot where it matters. True when the byte itself is dealt with. */
static bool
take_other(struct body *b, char c)
{
    settle_crs(b);
    if (b->dot) {
        b->dot = false;
        b->line_len = 1;
        emit(b, ".", 1);
        return c == '.';
    }
    b->dot = c == '.' && b->line_len == 0 && (b->flags & BODY_DOT);
    return b->dot;
}

static bool
take(struct body *b, char c)
{
    if (c != '\r' && c != '\n')
        return take_other(b, c);
    if (c == '\r')
        take_cr(b);
    else
        take_lf(b);
    return true;
}

static bool
is_plain(const struct body *b, char c)
{
    if (c == '\r' || c == '\n' || b->crs || b->dot)
        return false;
    return c != '.' || b->line_len > 0 || !(b->flags & BODY_DOT);
}

static void
count_byte(struct body *b, char c)
{
    b->line_len++;
    if ((unsigned char)c >= 0x80)
        b->has_8bit = true;
    else if (c == '\0')
        b->has_nul = true;
}

/* Behind the bytes from `i` on that are neither a line end nor to be noted, wherever in a line they stand: nearly all of a message */
static size_t
skip_common(struct slice s, size_t i)
{
    while (i < s.len && (signed char)s.p[i] > '\r')
        i++;
    return i;
}

void
body_push(struct body *b, struct slice s)
{
    size_t run = 0, i = 0; /* [run, i) is plain and not passed on yet */

    while (i < s.len && !b->ended_by_dot) {
        char c = s.p[i];
        if (is_plain(b, c)) {
            count_byte(b, c);
            size_t next = skip_common(s, i + 1); /* within a line no dot matters */
            b->line_len += next - i - 1;
            i = next;
        } else if (c == '\r' && !b->crs && !b->dot && i + 1 < s.len && s.p[i + 1] == '\n') {
            count_line(b);
            i += 2;
        } else {
            emit(b, s.p + run, i - run);
            run = i;
            if (take(b, c))
                run = ++i; /* else it is plain now */
        }
    }
    emit(b, s.p + run, i - run);
}

void
body_end(struct body *b)
{
    if (b->dot)
        b->ended_by_dot = true;
    settle_crs(b);
    if (b->line_len > 0)
        end_line(b);
}

/* ---------------------------------------------------------------- dot-stuffing */

void
body_stuff_init(struct body_stuff *b, body_fn *fn, void *ctx)
{
    b->fn = fn;
    b->ctx = ctx;
    b->in_line = false;
}

static void
pass(struct body_stuff *b, const char *p, size_t len)
{
    if (len)
        b->fn(b->ctx, slice_make(p, len));
}

void
body_stuff_push(struct body_stuff *b, struct slice s)
{
    size_t run = 0, i = 0;

    while (i < s.len) {
        if (!b->in_line && s.p[i] == '.') {
            pass(b, s.p + run, i + 1 - run);
            run = i; /* so the dot goes out again */
        }
        i += slice_find(slice_from(s, i), '\n');
        b->in_line = i == s.len;
        i += i < s.len;
    }
    pass(b, s.p + run, s.len - run);
}

void
body_stuff_end(struct body_stuff *b)
{
    if (b->in_line)
        pass(b, "\r\n.\r\n", 5);
    else
        pass(b, ".\r\n", 3);
    b->in_line = false;
}
