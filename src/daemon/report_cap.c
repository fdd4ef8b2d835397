/* SPDX-License-Identifier: ISC */
/* report_cap: a counter for each user and account; there are few of both. */
#include "daemon/report_cap.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    COUNTERS_MAX = 1000, /* beyond it nobody new is told of anything until an hour of somebody is over */
    LISTED_MAX = 8000,
};

struct counter {
    struct counter *next;
    int64_t begun; /* of the hour */
    unsigned sent;
    struct report_rest rest; /* its uid and account are the counter's */
};

struct report_cap {
    struct counter *first;
    size_t n;
};

struct report_cap *
report_cap_new(void)
{
    return mem_alloc(sizeof(struct report_cap));
}

void
report_rest_clear(struct report_rest *rest)
{
    free(rest->account);
    free(rest->to);
    buf_clear(&rest->listed);
    memset(rest, 0, sizeof *rest);
}

void
report_cap_free(struct report_cap *c)
{
    while (c && c->first) {
        struct counter *k = c->first;
        c->first = k->next;
        report_rest_clear(&k->rest);
        free(k);
    }
    free(c);
}

static struct counter *
find(const struct report_cap *c, int64_t uid, const char *account)
{
    for (struct counter *k = c->first; k; k = k->next)
        if (k->rest.uid == uid && strcmp(k->rest.account, account) == 0)
            return k;
    return NULL;
}

static bool
is_over(const struct counter *k, int64_t now)
{
    return now - k->begun >= REPORT_CAP_MS;
}

/* Those whose hour is over and who have nothing to be told */
static void
forget_old(struct report_cap *c, int64_t now)
{
    struct counter **at = &c->first;

    while (*at) {
        struct counter *k = *at;
        if (!is_over(k, now) || k->rest.count) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        report_rest_clear(&k->rest);
        free(k);
        c->n--;
    }
}

static struct counter *
add(struct report_cap *c, int64_t uid, const char *account, int64_t now)
{
    struct counter *k;

    forget_old(c, now);
    if (c->n >= COUNTERS_MAX)
        return NULL;
    k = mem_alloc(sizeof *k);
    k->begun = now;
    k->rest.uid = uid;
    k->rest.account = mem_dup(account);
    buf_init(&k->rest.listed, LISTED_MAX);
    k->next = c->first;
    c->first = k;
    c->n++;
    return k;
}

bool
report_cap_take(struct report_cap *c, int64_t uid, const char *account, int64_t now_ms)
{
    struct counter *k = find(c, uid, account);

    if (!k)
        k = add(c, uid, account, now_ms);
    if (!k)
        return false;
    if (is_over(k, now_ms)) {
        k->begun = now_ms;
        k->sent = 0;
    }
    return k->sent < REPORT_CAP && ++k->sent > 0;
}

void
report_cap_drop(struct report_cap *c, int64_t uid, const char *account, const char *to, const char *id,
    const char *recipient)
{
    struct counter *k = find(c, uid, account);

    if (!k)
        return;
    k->rest.count++;
    if (!k->rest.to)
        k->rest.to = mem_dup(to);
    /* what others sent is none of this one's business */
    if (strcmp(k->rest.to, to) == 0)
        buf_add_format(&k->rest.listed, "%s <%s>\n", id, recipient);
}

int64_t
report_cap_wait(const struct report_cap *c, int64_t now_ms)
{
    int64_t wait = -1;

    for (const struct counter *k = c->first; k; k = k->next) {
        int64_t left = is_over(k, now_ms) ? 0 : k->begun + REPORT_CAP_MS - now_ms;
        if (k->rest.count && (wait < 0 || left < wait))
            wait = left;
    }
    return wait;
}

bool
report_cap_rest(struct report_cap *c, int64_t now_ms, bool all, struct report_rest *rest)
{
    for (struct counter *k = c->first; k; k = k->next) {
        if (!k->rest.count || !(all || is_over(k, now_ms)))
            continue;
        *rest = k->rest;
        k->rest = (struct report_rest){ .uid = rest->uid, .account = mem_dup(rest->account) };
        buf_init(&k->rest.listed, LISTED_MAX);
        return true;
    }
    return false;
}
