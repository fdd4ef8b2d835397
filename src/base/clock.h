/* SPDX-License-Identifier: ISC */
/* clock: time that does not jump, and deadlines over it. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_BOOTTIME (counts suspend, never jumps). */
int64_t clock_ms(void);
/* Microseconds of the same clock, for measuring. */
int64_t clock_us(void);
/* Wall clock, for stamps people read. */
struct timespec clock_wall(void);
/* A deadline is a point of clock_ms. CLOCK_NEVER never comes. */
#define CLOCK_NEVER INT64_MAX
int64_t clock_deadline(int64_t in_ms);
/* Milliseconds until then for poll(2): 0 when it is over, at most INT_MAX, -1 for CLOCK_NEVER. */
int clock_left(int64_t deadline);
/* The earlier one. */
int64_t clock_min(int64_t a, int64_t b);

#endif
