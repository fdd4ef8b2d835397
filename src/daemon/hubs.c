/* SPDX-License-Identifier: ISC */
/* hubs: one back-off for each smarthost that failed; what works is remembered for its certificate, and for being late. */
#include "daemon/hubs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MIN_MS 30000
#define MAX_MS 600000
#define RELAY_MAX 199

void
hubs_init(struct hubs *h)
{
    *h = (struct hubs){ .min_ms = MIN_MS, .max_ms = MAX_MS };
}

static void
forget(struct hubs *h, struct hub *hub)
{
    free(hub->account);
    free(hub->relay);
    *hub = h->hub[--h->n];
}

static void
forget_logins(struct hubs *h)
{
    while (h->nlogins)
        free(h->login[--h->nlogins].account);
    free(h->login);
    h->login = NULL;
}

void
hubs_clear(struct hubs *h)
{
    while (h->n)
        forget(h, &h->hub[0]);
    free(h->hub);
    forget_logins(h);
    hubs_init(h);
}

void
hubs_configure(struct hubs *h, int64_t min_ms, int64_t max_ms)
{
    h->min_ms = min_ms;
    h->max_ms = max_ms < MAX_MS ? max_ms : MAX_MS;
    if (h->max_ms < h->min_ms)
        h->max_ms = h->min_ms;
}

static struct hub *
find(const struct hubs *h, const char *account, struct slice relay)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->hub[i].account, account) == 0 && slice_is(relay, h->hub[i].relay))
            return &h->hub[i];
    return NULL;
}

static size_t
count(const struct hubs *h, const char *account)
{
    size_t n = 0;

    for (size_t i = 0; i < h->n; i++)
        n += strcmp(h->hub[i].account, account) == 0;
    return n;
}

/* It goes to other workers of the account, between blanks */
static bool
is_relay(struct slice relay)
{
    for (size_t i = 0; i < relay.len; i++)
        if (ascii_is_control(relay.p[i]) || relay.p[i] == ' ')
            return false;
    return relay.len > 0 && relay.len <= RELAY_MAX;
}

static struct hub *
find_oldest(const struct hubs *h, const char *account)
{
    struct hub *oldest = NULL;

    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->hub[i].account, account) == 0 && (!oldest || h->hub[i].age < oldest->age))
            oldest = &h->hub[i];
    return oldest;
}

/* NULL: it is none */
static struct hub *
find_or_add(struct hubs *h, const char *account, struct slice relay)
{
    struct hub *hub = find(h, account, relay);

    if (!hub && is_relay(relay)) {
        if (count(h, account) == HUBS_OF_ACCOUNT)
            forget(h, find_oldest(h, account));
        h->hub = mem_resize(h->hub, h->n + 1, sizeof *h->hub);
        hub = &h->hub[h->n++];
        *hub = (struct hub){ .account = mem_dup(account), .relay = slice_dup(relay) };
    }
    if (hub)
        hub->age = ++h->age;
    return hub;
}

static void
forget_if_empty(struct hubs *h, struct hub *hub)
{
    if (!hub->step_ms && !hub->expires_s && !hub->is_late)
        forget(h, hub);
}

/* Jobs that had begun before the first failure was known fail, too, and are no further step */
static void
fail(struct hubs *h, struct hub *hub, int64_t now)
{
    if (hub->step_ms && now < hub->next - hub->step_ms / 2)
        return;
    hub->step_ms = hub->step_ms ? 2 * hub->step_ms : h->min_ms;
    if (hub->step_ms > h->max_ms)
        hub->step_ms = h->max_ms;
    hub->next = now + hub->step_ms;
}

void
hubs_report(struct hubs *h, const char *account, struct slice relay, enum job_health health, int64_t now)
{
    struct hub *hub = health == JOB_HUB_WORKS ? find(h, account, relay) : find_or_add(h, account, relay);

    if (!hub)
        return;
    if (health == JOB_HUB_FAILS) {
        fail(h, hub, now);
        return;
    }
    hub->next = hub->step_ms = 0;
    hub->is_late = health == JOB_HUB_LATE;
    forget_if_empty(h, hub);
}

void
hubs_certificate(struct hubs *h, const char *account, struct slice relay, int64_t expires_s)
{
    struct hub *hub = expires_s ? find_or_add(h, account, relay) : find(h, account, relay);

    if (!hub)
        return;
    hub->expires_s = expires_s;
    forget_if_empty(h, hub);
}

const struct hubs_login *
hubs_login_of(const struct hubs *h, const char *account)
{
    for (size_t i = 0; i < h->nlogins; i++)
        if (strcmp(h->login[i].account, account) == 0)
            return &h->login[i];
    return NULL;
}

static struct hubs_login *
login_for(struct hubs *h, const char *account)
{
    for (size_t i = 0; i < h->nlogins; i++)
        if (strcmp(h->login[i].account, account) == 0)
            return &h->login[i];
    h->login = mem_resize(h->login, h->nlogins + 1, sizeof *h->login);
    h->login[h->nlogins] = (struct hubs_login){ .account = mem_dup(account) };
    return &h->login[h->nlogins++];
}

void
hubs_token(struct hubs *h, const char *account, int64_t expires_s, bool is_short, int64_t now_s)
{
    struct hubs_login *l;

    if (!expires_s && !hubs_login_of(h, account))
        return;
    l = login_for(h, account);
    l->token_s = expires_s;
    l->token_told_s = now_s;
    l->token_is_short = is_short;
}

void
hubs_client(struct hubs *h, const char *account, int64_t expires_s)
{
    login_for(h, account)->client_s = expires_s;
}

void
hubs_forget_the_good(struct hubs *h)
{
    forget_logins(h);
    for (size_t i = h->n; i-- > 0;) { /* the last takes the place of one that goes */
        h->hub[i].expires_s = 0;
        h->hub[i].is_late = false;
        forget_if_empty(h, &h->hub[i]);
    }
}

static void
list(const struct hub *hub, const char *account, struct buf *out)
{
    if (strcmp(hub->account, account) == 0)
        buf_add_format(out, "%s%s", out->len ? " " : "", hub->relay);
}

void
hubs_avoid(const struct hubs *h, const char *account, struct buf *out)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->hub[i].step_ms)
            list(&h->hub[i], account, out);
}

void
hubs_late(const struct hubs *h, const char *account, struct buf *out)
{
    for (size_t i = 0; i < h->n; i++)
        if (h->hub[i].is_late)
            list(&h->hub[i], account, out);
}

bool
hubs_has_failed(const struct hubs *h, const char *account, struct slice relay)
{
    const struct hub *hub = find(h, account, relay);

    return hub && hub->step_ms;
}

const char *
hubs_due(struct hubs *h, const char *account, int64_t now)
{
    for (size_t i = 0; i < h->n; i++) {
        struct hub *hub = &h->hub[i];
        if (!hub->step_ms || now < hub->next || strcmp(hub->account, account) != 0)
            continue;
        hub->next = now + hub->step_ms;
        return hub->relay;
    }
    return NULL;
}
