/* SPDX-License-Identifier: ISC */
/* addrset: open addressing; the strings are somebody else's. */
#include "mail/addrset.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/slice.h"

void
addrset_clear(struct addrset *s)
{
    free(s->slot);
    *s = (struct addrset){ 0 };
}

static bool
is_same(const char *a, const char *b)
{
    struct slice x = slice_of(a), y = slice_of(b);
    size_t i = slice_find_last(x, '@'), j = slice_find_last(y, '@');

    return i == j && slice_eq(slice_sub(x, 0, i), slice_sub(y, 0, j)) &&
           slice_eq_nocase(slice_from(x, i), slice_from(y, j));
}

/* FNV-1a, all without case: rarely are there two that differ in nothing else */
static size_t
hash(const char *address)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (; *address; address++)
        h = (h ^ (unsigned char)ascii_lower(*address)) * 0x100000001b3U;
    return (size_t)(h ^ (h >> 32));
}

/* Where it is, or where it would be */
static size_t
find(const struct addrset *s, const char *address)
{
    size_t i = hash(address) & (s->room - 1);

    while (s->slot[i] && !is_same(s->slot[i], address))
        i = (i + 1) & (s->room - 1);
    return i;
}

bool
addrset_has(const struct addrset *s, const char *address)
{
    return s->room && s->slot[find(s, address)];
}

static void
grow(struct addrset *s)
{
    struct addrset old = *s;

    s->room = old.room ? 2 * old.room : 16;
    s->slot = mem_array(s->room, sizeof *s->slot);
    for (size_t i = 0; i < old.room; i++)
        if (old.slot[i])
            s->slot[find(s, old.slot[i])] = old.slot[i];
    free(old.slot);
}

bool
addrset_add(struct addrset *s, const char *address)
{
    size_t i;

    if (2 * s->n >= s->room)
        grow(s);
    i = find(s, address);
    if (s->slot[i])
        return false;
    s->slot[i] = address;
    s->n++;
    return true;
}
