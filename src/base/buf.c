/* SPDX-License-Identifier: ISC */
/* buf: growing memory with a hard maximum; knows nothing about what is in it. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
buf_init(struct buf *b, size_t max)
{
    memset(b, 0, sizeof *b);
    b->max = max;
}

void
buf_clear(struct buf *b)
{
    size_t max = b->max;

    free(b->data);
    buf_init(b, max);
}

void
buf_wipe(struct buf *b)
{
    mem_wipe(b->data, b->cap);
    buf_clear(b);
}

void
buf_reset(struct buf *b)
{
    b->len = 0;
    b->overflow = false;
}

/*
 * Memory for `need` bytes and a NUL. Growth copies into fresh memory and wipes the old: a buffer may hold a secret, and
 * realloc would leave a copy behind.
 */
static void
grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : 128;
    char *fresh;

    if (need < b->cap)
        return;
    while (cap <= need)
        cap = cap > SIZE_MAX / 2 ? need + 1 : cap * 2;
    if (cap > b->max && need <= b->max && b->max < SIZE_MAX)
        cap = b->max + 1;
    fresh = mem_resize(NULL, cap, 1); /* nobody reads what was not added */
    if (b->len)
        memcpy(fresh, b->data, b->len);
    mem_wipe(b->data, b->len);
    free(b->data);
    b->data = fresh;
    b->cap = cap;
}

char *
buf_reserve(struct buf *b, size_t len)
{
    if (b->len > b->max || len > b->max - b->len) {
        b->overflow = true;
        return NULL;
    }
    grow(b, b->len + len);
    return b->data + b->len;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
    char *to;

    if (len == 0 || b->overflow)
        return;
    to = buf_reserve(b, len);
    if (!to)
        return;
    memcpy(to, data, len);
    b->len += len;
}

void
buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void
buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void
buf_add_slice(struct buf *b, struct slice s)
{
    buf_add(b, s.p, s.len);
}

void
buf_add_vformat(struct buf *b, const char *format, va_list ap)
{
    va_list again;
    int n;
    char *to;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0 || b->overflow) {
        b->overflow = true;
        return;
    }
    to = buf_reserve(b, (size_t)n);
    if (!to)
        return;
    (void)vsnprintf(to, (size_t)n + 1, format, ap); /* n was measured just now */
    b->len += (size_t)n;
}

void
buf_add_format(struct buf *b, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    buf_add_vformat(b, format, ap);
    va_end(ap);
}

void
buf_consume(struct buf *b, size_t n)
{
    ensure(n <= b->len);
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

void
buf_truncate(struct buf *b, size_t len)
{
    ensure(len <= b->len);
    b->len = len;
}

struct slice
buf_slice(const struct buf *b)
{
    return slice_make(b->data, b->len);
}

const char *
buf_str(struct buf *b)
{
    grow(b, b->len);
    b->data[b->len] = '\0';
    return b->data;
}

char *
buf_steal(struct buf *b)
{
    char *s;

    (void)buf_str(b);
    s = b->data;
    b->data = NULL;
    buf_clear(b);
    return s;
}
