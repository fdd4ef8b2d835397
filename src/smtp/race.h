/* SPDX-License-Identifier: ISC */
/*
 * race: TCP connections to several hosts at a time, each by the fastest of its addresses (RFC 8305) or through a proxy. Who begins
 * when, and what a failure means, is the caller's.
 */
#ifndef SMTP_RACE_H
#define SMTP_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "smtp/connect.h"

enum { RACE_MAX = 8 }; /* hosts at a time */

struct race_result {
    size_t id; /* the caller's name of the host */
    int fd;    /* UP: as connect_host() gives it; else -1 */
    struct connect_info info;
    struct error err; /* FAILED: as connect_host() says it */
};

enum race_event {
    RACE_UP,     /* it is connected */
    RACE_FAILED, /* it is not to be had, or its deadline has come */
    RACE_WAITING /* none of both so far */
};

struct race;
struct race *race_new(void);
/* Those under way are given up. */
void race_free(struct race *r);
/* One more host (there is room), tried until `deadline`; what `o` points to must live as long. False: it failed at once, as *out says. */
bool race_add(
    struct race *r, size_t id, const struct connect_options *o, int64_t deadline, struct race_result *out);
/* Wait for the next event, until `until` at the latest. Whoever is up or has failed is out of the race. */
enum race_event race_wait(struct race *r, int64_t until, struct race_result *out);
/* How many are under way. */
size_t race_count(const struct race *r);
/* Give up one of them (there is one), the one that began first: its name. */
size_t race_give_up(struct race *r);

#endif
