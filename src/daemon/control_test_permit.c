/* SPDX-License-Identifier: ISC */
/* control_test_permit: who may test what, by which account, and how often. */
#include "daemon/control_test_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/expand.h"
#include "config/road.h"
#include "config/route.h"
#include "daemon/attempt.h"
#include "daemon/delivery.h"
#include "daemon/intake.h"

enum { REMEMBERED = 64, RECIPIENTS_MAX = 20 };

struct past {
    int64_t uid, at_ms;
    char *account;
};

struct control_tests {
    struct past last[REMEMBERED];
    size_t next;
};

/* ---------------------------------------------------------------- who asked lately */

struct control_tests *
control_tests_new(void)
{
    return mem_alloc(sizeof(struct control_tests));
}

void
control_tests_free(struct control_tests *all)
{
    for (size_t i = 0; all && i < REMEMBERED; i++)
        free(all->last[i].account);
    free(all);
}

/*
 * Ms until this user may test this account. Who does so again and again waits twice as long each time: an account has one turn in `span`
 * for all, and others are to have it, too.
 */
static int64_t
wait_of(const struct control_tests *all, int64_t uid, const char *account, int64_t span_ms, int64_t max_ms)
{
    int64_t now = clock_ms(), next = 0, last = 0, own_ms = span_ms;

    for (size_t i = 0; i < REMEMBERED; i++) {
        const struct past *p = &all->last[i];
        if (p->account && strcmp(p->account, account) == 0 && p->at_ms + span_ms > next)
            next = p->at_ms + span_ms;
        if (!p->account || p->uid != uid || p->at_ms + max_ms <= now)
            continue;
        if (last && own_ms < max_ms)
            own_ms *= 2;
        last = p->at_ms > last ? p->at_ms : last;
    }
    if (own_ms > max_ms && max_ms >= span_ms)
        own_ms = max_ms;
    if (last && last + own_ms > next)
        next = last + own_ms;
    return next > now ? next - now : 0;
}

static void
remember(struct control_tests *all, int64_t uid, const char *account)
{
    struct past *p = &all->last[all->next++ % REMEMBERED];

    free(p->account);
    *p = (struct past){ uid, clock_ms(), mem_dup(account) };
}

/* ---------------------------------------------------------------- what may be tested */

struct addresses {
    const struct config *c;
    char *a[RECIPIENTS_MAX];
    size_t n;
};

static void
on_found(void *ctx, const char *address)
{
    struct addresses *l = ctx;
    const char *domain = config_text(l->c, 0, CONFIG_REWRITE_DOMAIN);

    if (l->n < RECIPIENTS_MAX)
        l->a[l->n++] = strchr(address, '@') ? mem_dup(address)
                                            : mem_format("%s@%s", address,
                                                  domain ? domain : config_text(l->c, 0, CONFIG_HOSTNAME));
}

static void
addresses_clear(struct addresses *l)
{
    while (l->n)
        free(l->a[--l->n]);
}

static bool
has_address(const struct addresses *l, const char *address)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcasecmp(l->a[i], address) == 0)
            return true;
    return false;
}

/* Does all of it go to where this user's own mail goes? */
static bool
is_own(const struct control_test *t, const char *address)
{
    const struct config *c = &t->core->config;
    struct addresses own = { .c = c }, asked = { .c = c };
    struct error ignored;
    struct expand_hooks of_own = { .found = on_found, .ctx = &own, .max = RECIPIENTS_MAX },
                        of_asked = { .found = on_found, .ctx = &asked, .max = RECIPIENTS_MAX };
    bool ok = *t->peer.login && expand_recipient(c, 0, t->peer.login, &of_own, &ignored) &&
              expand_recipient(c, 0, address, &of_asked, &ignored) && asked.n > 0;

    for (size_t i = 0; ok && i < asked.n; i++)
        ok = has_address(&own, asked.a[i]);
    addresses_clear(&own);
    addresses_clear(&asked);
    return ok;
}

static const char *
address_of(const struct control_test *t)
{
    bool by_own_file =
        !t->all && t->peer.uid != 0; /* who has a configuration of his own gets no root's mail */

    if (t->q->naddress)
        return t->q->address[0];
    return (t->q->peer.is_operator && !by_own_file) || !*t->peer.login ? "root" : t->peer.login;
}

bool
control_test_may_ask(const struct control_test *t, struct error *err)
{
    const struct config *c = &t->core->config;

    if (!route_is_allowed(c, t->peer.uid, t->peer.login))
        return error_set(err, ERROR_ADMIN, "%s may not hand in mail (AllowUsers, DenyUsers)",
            *t->peer.login ? t->peer.login : "this user");
    if (t->q->peer.is_operator || !t->q->naddress || is_own(t, t->q->address[0]))
        return true;
    return error_set(err, ERROR_ADMIN,
        "%s: a test message goes to your own address only (%s); operators may send it to anyone",
        t->q->address[0], *t->peer.login ? t->peer.login : "you have no login name");
}

/* False with err, which names those there are */
static bool
no_account(const struct config *c, const char *name, struct error *err)
{
    struct buf names;

    buf_init(&names, ERROR_TEXT_MAX / 2);
    for (size_t i = 0; i < c->n; i++)
        buf_add_format(&names, "%s%s", i ? ", " : "", config_account_name(c, i));
    error_set(err, ERROR_USAGE, "%s: there is no account of that name; there %s %s", name,
        c->n == 1 ? "is" : "are", buf_str(&names));
    buf_clear(&names);
    return false;
}

bool
control_test_find_way(struct control_test *t, const struct server_transaction *st, struct error *err)
{
    const struct config *c = &t->core->config;
    struct submission *s = &t->sub;
    size_t a = t->q->text ? config_account_find(c, t->q->text) : 0;

    if (a >= c->n)
        return no_account(c, t->q->text, err);
    if (!intake_recipient(c, &t->peer, s, st, address_of(t), err))
        return false;
    if (s->record.envelope.n == 0)
        return error_set(err, ERROR_NOUSER, "%s: has no recipients", address_of(t));
    for (size_t i = 0; t->q->text && i < s->record.envelope.n; i++) {
        free(s->member[i].account);
        s->member[i].account = road_name(c, a, s->record.envelope.rcpt[i].address);
    }
    free(t->account);
    t->account = mem_dup(s->member[0].account);
    a = road_account(c, t->account);
    if (!t->q->peer.is_operator && !route_may_use(c, a, t->peer.uid))
        return error_set(err, ERROR_ADMIN, "account %s: is not for %s", t->account, t->peer.login);
    return true;
}

static void
format_span(int64_t ms, char out[32])
{
    int64_t s = (ms + 999) / 1000;

    (void)snprintf(out, 32, s < 120 ? "%lld s" : "%lld min", (long long)(s < 120 ? s : (s + 59) / 60));
}

/* A test message is a message: RateLimit counts it, and only operators go beyond */
static bool
has_turn(const struct control_test *t, struct error *err)
{
    struct core *c = t->core;
    const char *account = delivery_account(c, t->account);
    int64_t wait = c->rates && t->q->naddress
                       ? rates_wait(c->rates, account, attempt_rate(c, account), false, clock_ms())
                       : 0;
    char text[32];

    if (wait <= 0)
        return true;
    format_span(wait, text);
    return error_set(err, ERROR_TEMP,
        "account %s: mail waits for its rate (RateLimit); a test message may go in %s, a test without an "
        "address at once",
        t->account, text);
}

bool
control_test_is_patient(struct control_test *t, struct error *err)
{
    struct core *core = t->core;
    int64_t span = config_number(&core->config, 0, CONFIG_RETRY_MIN),
            most = config_number(&core->config, 0, CONFIG_RETRY_MAX), wait;
    const char *why = NULL;
    enum schedule_state state = SCHEDULE_UP;
    char text[32];

    if (!t->all || t->q->peer.is_operator)
        return true;
    if (core->schedule)
        state = schedule_account_state(core->schedule, t->account, clock_ms(), &why);
    if (state != SCHEDULE_UP) {
        format_span(schedule_account_next(core->schedule, t->account, clock_ms()), text);
        return error_set(err, state == SCHEDULE_FROZEN ? ERROR_ADMIN : ERROR_TEMP,
            "account %s %s: %s; it is tried again in %s", t->account,
            state == SCHEDULE_FROZEN ? "is frozen" : "does not work", why ? why : "it is being tried now",
            text);
    }
    wait = wait_of(t->all, t->peer.uid, t->account, span, most);
    if (wait > 0) {
        format_span(wait, text);
        return error_set(
            err, ERROR_TEMP, "account %s was tested a moment ago; again in %s (RetryMin)", t->account, text);
    }
    if (!has_turn(t, err))
        return false;
    remember(t->all, t->peer.uid, t->account);
    return true;
}
