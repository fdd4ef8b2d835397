/* SPDX-License-Identifier: ISC */
/* clock: the only place that asks the system for the time. */
#include "base/clock.h"

#include <limits.h>

#include "base/mem.h"

int64_t
clock_us(void)
{
    struct timespec t;

    ensure(clock_gettime(CLOCK_BOOTTIME, &t) == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
clock_ms(void)
{
    return clock_us() / 1000;
}

struct timespec
clock_wall(void)
{
    struct timespec t;

    ensure(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return t;
}

int64_t
clock_deadline(int64_t in_ms)
{
    int64_t now = clock_ms();

    return in_ms > CLOCK_NEVER - now ? CLOCK_NEVER : now + in_ms;
}

int
clock_left(int64_t deadline)
{
    int64_t left;

    if (deadline == CLOCK_NEVER)
        return -1;
    left = deadline - clock_ms();
    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

int64_t
clock_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
