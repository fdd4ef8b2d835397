/* SPDX-License-Identifier: ISC */
/*
 * race: several hosts at a time, each by the fastest of its addresses (RFC 8305) or through a proxy, up to the connection or to the
 * first word of the server. Who begins when, and what a failure means, is the caller's.
 */
#ifndef SMTP_RACE_H
#define SMTP_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "smtp/connect.h"
#include "smtp/tls.h"

enum { RACE_MAX = 8 }; /* hosts at a time */

/* What makes a host one that is up */
struct race_goal {
    bool word; /* not the connection, but that the server speaks (or hangs up); not through a proxy */
    const struct tls_options *tls; /* `word`: it speaks through TLS (RFC 8314); NULL: in clear */
};

/* What one that is no longer in the race, or given up, has not done */
enum race_stage { RACE_CONNECT, RACE_TLS, RACE_GREET };

struct race_result {
    size_t id;       /* the caller's name of the host */
    int fd;          /* UP: as connect_host() gives it; else -1 */
    struct tls *tls; /* UP: begun, for tls_finish(); NULL: it has not */
    struct connect_info info;
    enum race_stage stage; /* FAILED */
    bool was_begun;        /* FAILED: an address was tried, or there is none; not so where all are left out */
    struct error err;      /* FAILED: at CONNECT as connect_host() says it, else "... in time" */
};

enum race_event {
    RACE_UP,     /* it has done what it was to do */
    RACE_FAILED, /* it is not to be had, or its deadline has come */
    RACE_WAITING /* none of both so far */
};

struct race;
struct race *race_new(void);
/* Those under way are given up. */
void race_free(struct race *r);
/*
 * One more host (there is room), tried until `deadline`; what `o` and `goal` point to must live as long, and goal->tls until the
 * handshake is over. False: it failed at once, as *out says.
 */
bool race_add(struct race *r, size_t id, const struct connect_options *o, const struct race_goal *goal,
    int64_t deadline, struct race_result *out);
/* Wait for the next event, until `until` at the latest. Whoever is up or has failed is out of the race. */
enum race_event race_wait(struct race *r, int64_t until, struct race_result *out);
/* How many are under way. */
size_t race_count(const struct race *r);
/* The one that began last is connected, and nothing is wanting but that it speaks. */
bool race_is_silent(const struct race *r);
/* ... and who that is; NULL: it is not so. Lives until the next call. */
const struct connect_info *race_silent(const struct race *r, size_t *id);
/* Is one of this name under way? */
bool race_has(const struct race *r, size_t id);
/* The only one, if it is that far: as it is, out of the race as one that is up. */
bool race_take(struct race *r, struct race_result *out);
/* Give up one of them (there is one), the one that began first: its name, and what it has not done. */
size_t race_give_up(struct race *r, enum race_stage *stage);

#endif
