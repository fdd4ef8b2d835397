/* SPDX-License-Identifier: ISC */
/* resolve: the addresses of a host as they come, and single questions; our own walk through the answers. */
#include "smtp/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/slice.h"
#include "smtp/answer.h"
#include "smtp/asking.h"
#include "smtp/resolve_state.h"

#define RESOLUTION_DELAY_MS 50 /* RFC 8305, 3 */

/* ---------------------------------------------------------------- answers */

static void
take_address(void *ctx, int type, struct answer_data r)
{
    struct resolve_addresses *out = ctx;
    struct resolve_address a;
    struct sockaddr_in *four = (struct sockaddr_in *)&a.addr;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a.addr;

    memset(&a, 0, sizeof a);
    if (type == ANSWER_A && r.len - r.at == 4) {
        four->sin_family = AF_INET;
        memcpy(&four->sin_addr, r.p + r.at, 4);
        a.len = sizeof *four;
        resolve_add(out, &a);
    } else if (type == ANSWER_AAAA && r.len - r.at == 16) {
        six->sin6_family = AF_INET6;
        memcpy(&six->sin6_addr, r.p + r.at, 16);
        a.len = sizeof *six;
        resolve_add(out, &a);
    }
}

/* ---------------------------------------------------------------- a host */

enum { SIX, FOUR };

struct resolve {
    char *host;
    bool trusts_ad;
    struct query q[2]; /* SIX, FOUR */
    struct asking asking;
    struct resolve_addresses found[2]; /* what /etc/hosts has stands in the first, in its order */
    size_t given[2];
    int turn;        /* whose address is next */
    bool taken[2];   /* the answer was looked at */
    int64_t patient; /* until then an IPv4 address waits for the answer about IPv6 */
    bool malformed, unknown, absent;
};

/* What has been answered since the last look */
static void
take_answers(struct resolve *r)
{
    for (int i = 0; i < 2; i++) {
        enum answer_outcome o;
        if (!r->q[i].done || r->taken[i])
            continue;
        r->taken[i] = true;
        o = answer_judge(asking_message(&r->q[i]));
        if (o == ANSWER_FOUND &&
            !answer_walk(asking_message(&r->q[i]), r->host, r->q[i].type, take_address, &r->found[i]))
            r->malformed = true;
        for (size_t k = 0; k < r->found[i].n; k++)
            r->found[i].a[k].is_secure = r->trusts_ad && answer_is_secure(asking_message(&r->q[i]));
        r->unknown = r->unknown || o == ANSWER_UNKNOWN;
        r->absent = r->absent || o == ANSWER_ABSENT;
        if (i == FOUR)
            r->patient = clock_deadline(RESOLUTION_DELAY_MS);
    }
}

struct resolve *
resolve_new(const char *host, const char *servers, struct error *err)
{
    struct resolve *r = mem_alloc(sizeof *r);
    struct resolve_address a;

    r->host = mem_dup(host);
    r->q[SIX].type = ANSWER_AAAA;
    r->q[FOUR].type = ANSWER_A;
    if (resolve_literal(host, &a))
        resolve_add(&r->found[SIX], &a);
    else
        resolve_from_hosts(host, &r->found[SIX]);
    if (r->found[SIX].n)
        return r;
    r->trusts_ad = resolve_trusts_ad(servers);
    r->asking = (struct asking){ .q = r->q, .n = 2 };
    if (asking_begin(&r->asking, host, servers, err)) {
        take_answers(r);
        return r;
    }
    resolve_free(r);
    return NULL;
}

void
resolve_free(struct resolve *r)
{
    if (!r)
        return;
    asking_end(&r->asking);
    free(r->host);
    free(r);
}

bool
resolve_is_over(const struct resolve *r)
{
    return asking_is_over(&r->asking);
}

/* RFC 8305, 3: an IPv6 address is tried at once, an IPv4 address a moment later, so that IPv6 is the first if both are there */
static bool
is_patient(const struct resolve *r)
{
    return !resolve_is_over(r) && r->found[SIX].n == 0 && !r->taken[SIX] && clock_left(r->patient) != 0;
}

bool
resolve_next(struct resolve *r, struct resolve_address *out)
{
    int family = r->turn;

    if (r->given[family] == r->found[family].n)
        family = 1 - family;
    if (r->given[family] == r->found[family].n || (family == FOUR && is_patient(r)))
        return false;
    *out = r->found[family].a[r->given[family]++];
    r->turn = 1 - family;
    return true;
}

size_t
resolve_poll(const struct resolve *r, struct pollfd p[RESOLVE_SOCKETS], int64_t *until)
{
    if (r->found[FOUR].n && is_patient(r))
        *until = clock_min(*until, r->patient);
    return asking_poll(&r->asking, p, until);
}

void
resolve_step(struct resolve *r, const struct pollfd *p, size_t n)
{
    asking_step(&r->asking, p, n);
    take_answers(r);
}

bool
resolve_has_failed(const struct resolve *r, struct error *err)
{
    if (r->found[SIX].n || r->found[FOUR].n)
        return false;
    if (!resolve_is_over(r) || r->unknown || r->malformed)
        return !error_set(err, ERROR_TEMP, "%s: the name service does not answer", r->host);
    return !error_set(
        err, ERROR_TEMP, "%s: %s", r->host, r->absent ? "there is no such host" : "the host has no address");
}

bool
resolve_is_absent(const struct resolve *r)
{
    return resolve_is_over(r) && !r->found[SIX].n && !r->found[FOUR].n && !r->unknown && !r->malformed;
}

void
resolve_canonical(const struct resolve *r, char out[ANSWER_NAME_SIZE])
{
    (void)snprintf(out, ANSWER_NAME_SIZE, "%s", r->host);
    for (int i = 0; i < 2; i++)
        if (r->taken[i] && r->found[i].n &&
            answer_canonical(asking_message(&r->q[i]), r->host, r->q[i].type, out))
            return;
}

/* ---------------------------------------------------------------- one question */

uint32_t
resolve_random(uint32_t n)
{
    uint32_t v = 0;

    if (getentropy(&v, sizeof v) != 0)
        v = (uint32_t)clock_us();
    return n ? v % n : 0;
}

enum answer_outcome
resolve_ask(const char *name, int type, const char *servers, int64_t deadline, struct buf *answer,
    bool *secure, struct error *err)
{
    struct query q = { .type = type };
    struct asking a = { .q = &q, .n = 1 };
    enum answer_outcome o = ANSWER_UNKNOWN;

    if (!asking_begin(&a, name, servers, err)) {
        asking_end(&a);
        return o;
    }
    while (!asking_is_over(&a) && clock_left(deadline) != 0) {
        struct pollfd p[RESOLVE_SOCKETS];
        int64_t until = deadline;
        size_t count = asking_poll(&a, p, &until);
        if (poll(p, (nfds_t)count, clock_left(until)) < 0)
            count = 0;
        asking_step(&a, p, count);
    }
    buf_add_slice(answer, asking_message(&q));
    o = answer->overflow ? ANSWER_UNKNOWN : answer_judge(asking_message(&q));
    if (secure)
        *secure = answer_is_secure(asking_message(&q)) && resolve_trusts_ad(servers);
    asking_end(&a);
    if (o == ANSWER_UNKNOWN)
        error_set(err, ERROR_TEMP, "%s: the name service does not answer", name);
    return o;
}
