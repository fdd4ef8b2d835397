/* SPDX-License-Identifier: ISC */
/* avoid: a short list of names. */
#include "worker/avoid.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
avoid_clear(struct avoid *a)
{
    while (a->n)
        free(a->relay[--a->n]);
}

void
avoid_set(struct avoid *a, struct slice relays)
{
    struct slice relay;

    avoid_clear(a);
    while (slice_cut(&relays, ' ', &relay))
        if (relay.len && a->n < AVOID_MAX)
            a->relay[a->n++] = slice_dup(relay);
}

void
avoid_add(struct avoid *a, const char *relay)
{
    if (!avoid_has(a, relay) && a->n < AVOID_MAX)
        a->relay[a->n++] = mem_dup(relay);
}

void
avoid_remove(struct avoid *a, const char *relay)
{
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->relay[i], relay) != 0)
            continue;
        free(a->relay[i]);
        a->relay[i] = a->relay[--a->n];
        return;
    }
}

bool
avoid_has(const struct avoid *a, const char *relay)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->relay[i], relay) == 0)
            return true;
    return false;
}
