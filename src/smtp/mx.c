/* SPDX-License-Identifier: ISC */
/* mx: records into a list; who is on it is asked of nobody twice. */
#include "smtp/mx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "smtp/resolve.h"

static int
by_preference(const void *a, const void *b)
{
    const struct mx_host *x = a, *y = b;

    if (x->preference != y->preference)
        return x->preference < y->preference ? -1 : 1;
    return x->chance < y->chance ? -1 : x->chance > y->chance;
}

static bool
is_own(const struct mx_options *o, const char *name)
{
    for (size_t i = 0; i < o->nown; i++)
        if (strcasecmp(o->own[i], name) == 0)
            return true;
    return false;
}

struct reading {
    const struct mx_options *o;
    struct mx_list *list;
};

/* Of more than there is room for the least preferred ones are left out; NULL: it is one of them */
static struct mx_host *
room_for(struct mx_list *l, const struct mx_host *h)
{
    struct mx_host *worst = l->host;

    if (l->n < MX_MAX)
        return &l->host[l->n++];
    for (size_t i = 1; i < l->n; i++)
        if (by_preference(&l->host[i], worst) > 0)
            worst = &l->host[i];
    return by_preference(h, worst) < 0 ? worst : NULL;
}

static void
take_mx(void *ctx, int type, struct answer_data r)
{
    const struct reading *g = ctx;
    struct mx_host h, *room;

    (void)type;
    g->list->has_records = true;
    if (!answer_get16(&r, &h.preference) || !answer_get_name(&r, h.name))
        return; /* a host whose name cannot be one */
    if (!h.name[0]) {
        g->list->is_null = true;
        return;
    }
    h.chance = is_own(g->o, h.name) ? 0 : 1 + resolve_random(UINT32_MAX); /* of equals we are left out last */
    room = room_for(g->list, &h);
    if (room)
        *room = h;
}

/* Behind ourselves nobody is asked, or two machines would send it to and fro (RFC 5321, 5.1) */
static void
drop_own(struct mx_list *l, const struct mx_options *o)
{
    size_t at = 0;

    while (at < l->n && !is_own(o, l->host[at].name))
        at++;
    l->has_own = at < l->n;
    while (l->has_own && at > 0 && l->host[at - 1].preference == l->host[at].preference)
        at--;
    l->n = at;
}

static void
use_domain(struct mx_list *l, const char *domain)
{
    (void)snprintf(l->host[0].name, sizeof l->host[0].name, "%s", domain);
    l->host[0].preference = 0;
    l->n = 1;
    l->is_implicit = true;
}

enum mx_outcome
mx_read(struct slice message, const char *domain, const struct mx_options *o, struct mx_list *list,
    struct error *err)
{
    enum answer_outcome outcome = answer_judge(message);
    struct reading g = { o, list };

    memset(list, 0, sizeof *list);
    if (outcome == ANSWER_ABSENT) {
        error_set(err, ERROR_NOUSER, "%s: there is no such domain", domain);
        return MX_NO_DOMAIN;
    }
    if (outcome != ANSWER_FOUND || !answer_walk(message, domain, ANSWER_MX, take_mx, &g)) {
        list->n = 0;
        error_set(err, ERROR_TEMP, "%s: the name service does not answer", domain);
        return MX_UNKNOWN;
    }
    if (list->n == 0 && list->is_null) {
        error_set(err, ERROR_NOUSER, "%s: the domain takes no mail (null MX)", domain);
        return MX_NULL;
    }
    if (list->n == 0 && list->has_records) { /* RFC 5321, 5.1: then its address does not count */
        error_set(err, ERROR_TEMP, "%s: its MX records name no host", domain);
        return MX_UNKNOWN;
    }
    if (list->n == 0)
        use_domain(list, domain);
    qsort(list->host, list->n, sizeof *list->host, by_preference);
    drop_own(list, o);
    if (list->n)
        return MX_FOUND;
    error_set(err, ERROR_NOUSER, "%s: its mail loops back to this machine, which is its %s", domain,
        list->is_implicit ? "host" : "best MX");
    return MX_LOOP;
}

/* RFC 5321, 4.1.3: "[192.0.2.1]", "[IPv6:2001:db8::1]" */
static enum mx_outcome
read_literal(const char *domain, struct mx_list *list, struct error *err)
{
    struct slice text = slice_sub(slice_of(domain), 1, strlen(domain) - 2);
    struct resolve_address a;
    char copy[64];

    memset(list, 0, sizeof *list);
    if (slice_starts_nocase(text, "IPv6:"))
        text = slice_from(text, 5);
    (void)snprintf(copy, sizeof copy, "%.*s", SLICE_ARG(text));
    if (text.len < sizeof copy && resolve_literal(copy, &a)) {
        use_domain(list, copy);
        return MX_FOUND;
    }
    error_set(err, ERROR_NOUSER, "%s: this is no address of a host", domain);
    return MX_NO_DOMAIN;
}

enum mx_outcome
mx_find(
    const char *domain, const struct mx_options *o, int64_t deadline, struct mx_list *list, struct error *err)
{
    enum answer_outcome asked;
    enum mx_outcome outcome = MX_UNKNOWN;
    struct buf answer;
    bool secure = false;
    size_t n = strlen(domain);

    if (n > 2 && domain[0] == '[' && domain[n - 1] == ']')
        return read_literal(domain, list, err);
    memset(list, 0, sizeof *list);
    buf_init(&answer, RESOLVE_ANSWER_MAX);
    asked = resolve_ask(domain, ANSWER_MX, o->servers, deadline, &answer, &secure, err);
    if (asked != ANSWER_UNKNOWN)
        outcome = mx_read(buf_slice(&answer), domain, o, list, err);
    buf_clear(&answer);
    list->is_secure = secure && outcome == MX_FOUND;
    if (outcome == MX_NO_DOMAIN && resolve_is_in_hosts(domain)) {
        use_domain(list, domain);
        outcome = MX_FOUND;
    }
    return outcome;
}
