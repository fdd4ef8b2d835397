/* SPDX-License-Identifier: ISC */
/* slice: a borrowed run of bytes, not terminated; may hold any byte. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const char *p;
    size_t len;
};

/* of a C string; NULL gives the empty slice */
struct slice slice_of(const char *s);
struct slice slice_make(const char *p, size_t len);
bool slice_eq(struct slice a, struct slice b);
bool slice_is(struct slice a, const char *s);
/* ASCII letters without case */
bool slice_eq_nocase(struct slice a, struct slice b);
bool slice_is_nocase(struct slice a, const char *s);
bool slice_starts(struct slice a, const char *prefix);
bool slice_starts_nocase(struct slice a, const char *prefix);
bool slice_ends_nocase(struct slice a, const char *suffix);
/* [from, from + len), both cut to what is there */
struct slice slice_sub(struct slice a, size_t from, size_t len);
struct slice slice_from(struct slice a, size_t from);
/* without blanks, tabs, CR and LF at both ends */
struct slice slice_trim(struct slice a);
/* index of the first `c`, or a.len */
size_t slice_find(struct slice a, char c);
size_t slice_find_last(struct slice a, char c);
bool slice_has(struct slice a, char c);
/* Cut `*rest` at the first `sep`: what stands before it; *rest is what follows. False when *rest was empty. */
bool slice_cut(struct slice *rest, char sep, struct slice *part);
/* Decimal digits only, at least one, value <= max. */
bool slice_number(struct slice a, uint64_t max, uint64_t *value);
/* A fresh C string; bytes after a NUL are in it, too. */
char *slice_dup(struct slice a);
/* For printf("%.*s"). */
#define SLICE_ARG(s) ((int)((s).len > 4096 ? 4096 : (s).len)), ((s).p ? (s).p : "")

/* ASCII only, no locale */
static inline char
ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}
static inline bool
ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
/* 0 to 15; -1: none */
static inline int
ascii_hex_value(char c)
{
    if (ascii_is_digit(c))
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
static inline bool
ascii_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool
ascii_is_control(char c)
{
    return (unsigned char)c < 32 || c == 127;
}

#endif
