/* SPDX-License-Identifier: ISC */
/*
 * spool_order: what lies in the queue, by id, which begins with the time it was made: oldest first, for lists. It holds so many ids at a
 * time and walks over the folder again for the next ones, so that it needs no more room for a million messages than for some.
 */
#ifndef QUEUE_SPOOL_ORDER_H
#define QUEUE_SPOOL_ORDER_H

#include "queue/spool.h"

enum { SPOOL_ORDER_WINDOW = 65536 };

/* It takes the walk of the spool (spool_rewind). `from` is spool_rewind or spool_rewind_failed; `window`: ids held, at least 1. */
struct spool_order *spool_order_new(struct spool *s, void (*from)(struct spool *s), size_t window);
void spool_order_free(struct spool_order *o);
/* The next id; false at the end. What comes or goes meanwhile may be there or not. */
bool spool_order_next(struct spool_order *o, char id[SPOOL_ID_MAX + 1]);

#endif
