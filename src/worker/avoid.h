/* SPDX-License-Identifier: ISC */
/* avoid: smarthosts that failed of late, "host:port", which come after those that did not. */
#ifndef WORKER_AVOID_H
#define WORKER_AVOID_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { AVOID_MAX = 64 };

/* Zeroed is an empty one. */
struct avoid {
    char *relay[AVOID_MAX];
    size_t n;
};

void avoid_clear(struct avoid *a);
/* In place of what was in it: blanks between them. */
void avoid_set(struct avoid *a, struct slice relays);
void avoid_add(struct avoid *a, const char *relay);
void avoid_remove(struct avoid *a, const char *relay);
bool avoid_has(const struct avoid *a, const char *relay);

#endif
