/* SPDX-License-Identifier: ISC */
/* dane: one or two questions; records that are of no use are left out, that there were some is not forgotten. */
#include "smtp/dane.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/resolve.h"

struct reading {
    struct dane *d;
    bool any;
};

/* Usages 0 and 1 name a public CA, which nobody has agreed on for SMTP (RFC 7672, 3.1.3) */
static void
take_tlsa(void *ctx, int type, struct answer_data r)
{
    struct reading *reading = ctx;
    struct dane *d = reading->d;
    unsigned usage, selector, matching;

    (void)type;
    reading->any = true;
    if (d->n == DANE_RECORDS_MAX || !answer_get8(&r, &usage) || !answer_get8(&r, &selector) ||
        !answer_get8(&r, &matching) || (usage != 2 && usage != 3))
        return;
    d->record[d->n++] = (struct tls_tlsa){ .usage = (uint8_t)usage,
        .selector = (uint8_t)selector,
        .matching = (uint8_t)matching,
        .data = r.p + r.at,
        .len = r.len - r.at };
}

/* The records at "_PORT._tcp.HOST" */
static enum dane_outcome
find_at(
    const char *host, uint16_t port, const char *servers, int64_t deadline, struct dane *d, struct error *err)
{
    struct reading reading = { .d = d };
    enum answer_outcome o;
    bool secure = false;
    char name[ANSWER_NAME_SIZE + 16];

    (void)snprintf(name, sizeof name, "_%u._tcp.%s", port, host);
    (void)snprintf(d->base, sizeof d->base, "%s", host);
    buf_clear(&d->answer);
    d->n = 0;
    o = resolve_ask(name, ANSWER_TLSA, servers, deadline, &d->answer, &secure, err);
    if (o == ANSWER_FOUND && secure &&
        !answer_walk(buf_slice(&d->answer), name, ANSWER_TLSA, take_tlsa, &reading)) {
        error_set(err, ERROR_TEMP, "%s: the name service does not answer", name);
        return DANE_UNKNOWN;
    }
    if (o == ANSWER_UNKNOWN)
        return DANE_UNKNOWN;
    return reading.any ? DANE_FOUND : DANE_NONE;
}

/* Its addresses are proved by nobody, but that it is a CNAME may be */
static bool
is_secure_alias(const char *host, const char *servers, int64_t deadline)
{
    struct error ignored; /* then the host is one without TLSA records, as its addresses are without proof */
    struct buf answer;
    bool secure = false;
    enum answer_outcome o;

    buf_init(&answer, RESOLVE_ANSWER_MAX);
    o = resolve_ask(host, ANSWER_CNAME, servers, deadline, &answer, &secure, &ignored);
    buf_clear(&answer);
    return o == ANSWER_FOUND && secure;
}

enum dane_outcome
dane_find(const char *host, const char *canonical, bool is_secure, uint16_t port, const char *servers,
    int64_t deadline, struct dane *d, struct error *err)
{
    bool is_alias = canonical[0] && strcasecmp(host, canonical) != 0;
    enum dane_outcome o;

    memset(d, 0, sizeof *d);
    buf_init(&d->answer, RESOLVE_ANSWER_MAX);
    if (!is_secure && !(is_alias && is_secure_alias(host, servers, deadline)))
        return DANE_NONE;
    if (is_secure && is_alias) {
        o = find_at(canonical, port, servers, deadline, d, err);
        if (o != DANE_NONE)
            return o;
    }
    return find_at(host, port, servers, deadline, d, err);
}

void
dane_clear(struct dane *d)
{
    buf_clear(&d->answer);
}
