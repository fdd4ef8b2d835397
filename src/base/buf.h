/* SPDX-License-Identifier: ISC */
/*
 * buf: owned bytes with a hard maximum.
 *
 * Adding beyond the maximum adds nothing and sets `overflow`, which stays set until buf_reset(): a writer may add piece by
 * piece and test once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct buf {
    char *data; /* NULL while nothing was added */
    size_t len;
    size_t cap;
    size_t max;
    bool overflow;
};

/* An empty buffer that never holds more than `max` bytes. Nothing is allocated yet. */
void buf_init(struct buf *b, size_t max);
/* Free the memory; the buffer may be used again as after buf_init with the same max. */
void buf_clear(struct buf *b);
/* As buf_clear, but overwrites what was in it. For secrets; growing wipes the old memory anyway. */
void buf_wipe(struct buf *b);
/* Empty it but keep the memory; overflow is forgotten. */
void buf_reset(struct buf *b);
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_char(struct buf *b, char c);
void buf_add_str(struct buf *b, const char *s);
void buf_add_slice(struct buf *b, struct slice s);
void buf_add_format(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_add_vformat(struct buf *b, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
/* Room for `len` more bytes at data + len (the caller then adds to b->len); NULL when that would be beyond max. */
char *buf_reserve(struct buf *b, size_t len);
/* Drop the first `n` bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);
/* Cut to `len` bytes (len <= b->len). */
void buf_truncate(struct buf *b, size_t len);
/* All of it; valid until the next change. */
struct slice buf_slice(const struct buf *b);
/* As a C string (a NUL is put behind; not counted in len). Never NULL. Valid until the next change. */
const char *buf_str(struct buf *b);
/* Hand the memory over as a C string; the buffer is empty afterwards. */
char *buf_steal(struct buf *b);

#endif
