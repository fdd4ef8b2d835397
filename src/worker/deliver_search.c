/* SPDX-License-Identifier: ISC */
/* deliver_search: who is tried when, and who is left behind. What hosts there are is deliver_hubs' and deliver_mx's. */
#include "worker/deliver_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "smtp/race.h"
#include "smtp/resolve.h"

/* A lost packet is sent again after one second (RFC 6298, 2.1); a host that has not answered by then hardly will */
#define HEAD_START_MS 3000
/* Servers of MX hosts pause before they greet, five or six seconds at most places, and shall have mail all the same */
#define PATIENCE_MS 10000
#define SLOW_MS 5000

struct search *
deliver_search_new(struct worker *w, deliver_greeter *greet, struct status_fact *fact)
{
    struct search *s = mem_alloc(sizeof *s);

    s->w = w;
    s->greet = greet;
    s->fact = fact;
    s->race = race_new();
    s->way.source = config_text(w->c, 0, CONFIG_SOURCE_ADDRESS);
    return s;
}

void
deliver_search_free(struct search *s)
{
    race_free(s->race);
    while (s->n)
        free(s->target[--s->n].name);
    free(s->proxy_host);
    free(s->refusal);
    free(s);
}

void
deliver_search_add(struct search *s, const char *name, uint16_t port, enum config_tls tls)
{
    struct target *t = &s->target[s->n];

    if (s->n == DELIVER_TARGETS_MAX)
        return;
    t->name = mem_dup(name);
    (void)snprintf(t->relay, sizeof t->relay, strchr(name, ':') ? "[%.180s]:%u" : "%.180s:%u", name, port);
    t->port = port;
    t->tls = tls;
    t->tried = (s->w->only && strcmp(t->relay, s->w->only) != 0) || avoid_has(&s->w->turn.asked, t->relay);
    s->n++;
}

/* ---------------------------------------------------------------- trouble */

/* What comes next is known now: another one */
static void
tell_failed_for(struct search *s, bool is_again)
{
    if (s->is_untold && is_again)
        deliver_tell_of_address(s->w, s->w->relay, s->fact);
    else if (s->is_untold)
        deliver_tell_of_hub(s->w, s->w->relay, s->fact);
    s->is_untold = false;
}

static void
tell_failed(struct search *s)
{
    tell_failed_for(s, false);
}

static bool
is_frozen(const struct status_fact *fact)
{
    return status_judge(fact->stage, fact->cause, fact->code).outcome == STATUS_FROZEN;
}

void
deliver_search_failed(struct search *s, const char *relay, const struct status_fact *fact)
{
    tell_failed(s);
    if (!s->refusal && is_frozen(fact))
        s->refusal = mem_format("%s: %s", relay, fact->text);
    if (fact != s->fact)
        *s->fact = *fact;
    (void)snprintf(s->w->relay, sizeof s->w->relay, "%s", relay);
    s->is_untold = true;
    s->failed++;
}

static void
remember_failed(struct search *s, const struct target *t)
{
    if (!s->remembers)
        return;
    deliver_tell_health(s->w, t->relay, JOB_HUB_FAILS);
    avoid_add(&s->w->failed, t->relay);
}

static void
fail(struct search *s, const struct target *t, const struct status_fact *fact)
{
    deliver_search_failed(s, t->relay, fact);
    remember_failed(s, t);
}

static enum status_stage
stage_of(enum race_stage stage)
{
    return stage == RACE_CONNECT ? STATUS_CONNECT : stage == RACE_TLS ? STATUS_TLS : STATUS_GREETING;
}

/* It is connected and silent, or was no good: that address is left out from here on, if the host has others */
static void
leave_out(struct target *t, const struct connect_info *info)
{
    struct connect_peers *gone = &t->peers;

    t->again = info->has_others && gone->n < CONNECT_PEERS_MAX;
    for (size_t i = 0; i < gone->n; i++)
        t->again = t->again && strcmp(gone->peer[i], info->peer) != 0;
    if (t->again)
        memcpy(gone->peer[gone->n++], info->peer, sizeof gone->peer[0]);
}

/* What the other addresses say is no more than what the first one has said, or one that is still under way will say */
static bool
is_no_news(const struct search *s, const struct race_result *r)
{
    return !r->was_begun || race_has(s->race, r->id);
}

static void
fail_to_connect(struct search *s, const struct race_result *r)
{
    struct status_fact fact;

    s->next = s->patient = 0;
    if (is_no_news(s, r))
        return;
    session_fact(&fact, stage_of(r->stage), STATUS_NETWORK, "%s", r->err.text);
    fact.silent = r->stage != RACE_CONNECT;
    if (fact.silent)
        leave_out(&s->target[r->id], &r->info);
    fail(s, &s->target[r->id], &fact);
    s->w->info = r->info;
    s->absent += r->info.is_absent;
}

/* ---------------------------------------------------------------- one after the other */

static bool
is_there(struct search *s, size_t i)
{
    while (i >= s->n && s->more && s->more(s))
        ;
    return i < s->n;
}

/* Another address of one that has been tried. Its name leads to several servers, as they say nothing better: each may be ill by itself */
static struct target *
choose_again(struct search *s)
{
    size_t id;
    const struct connect_info *silent = race_silent(s->race, &id);

    if (silent)
        leave_out(&s->target[id], silent);
    for (size_t i = 0; i < s->n; i++)
        if (s->target[i].again)
            return &s->target[i];
    return NULL;
}

/* Those that failed of late are the last, and behind them come other addresses of those that were tried */
static struct target *
choose(struct search *s)
{
    for (int late = 0; late < 2 && !s->is_closed; late++)
        for (size_t i = 0; is_there(s, i); i++)
            if (!s->target[i].tried && (late || !avoid_has(&s->w->avoid, s->target[i].relay)))
                return &s->target[i];
    return s->is_closed || s->w->options.steps ? NULL : choose_again(s);
}

/* Without asking for names */
static bool
may_have_more(const struct search *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (!s->target[i].tried)
            return true;
    return s->more && s->asked < s->w->nhubs;
}

/* The way to it in s->way; false: there is none, as the log will say */
static bool
prepare(struct search *s, struct target *t)
{
    const char *proxy = config_text(s->w->c, 0, CONFIG_PROXY);
    struct status_fact fact;
    struct error err;

    tell_failed_for(s, t->again);
    t->tried = true;
    t->again = false;
    s->way.without = &t->peers;
    t->begun_ms = clock_ms();
    t->first_ms = t->first_ms ? t->first_ms : t->begun_ms;
    steps_begin(s->w->options.steps);
    if (proxy && !s->proxy_host && !config_proxy_parse(proxy, &s->proxy_host, &s->way.proxy_port, &err)) {
        session_fact(&fact, STATUS_CONNECT, STATUS_TROUBLE, "%s", err.text);
        fail(s, t, &fact);
        return false;
    }
    if (!deliver_to_ascii(t->name, t->host, &fact)) {
        fail(s, t, &fact);
        return false;
    }
    s->way.proxy_host = s->proxy_host;
    s->way.host = t->host;
    s->way.port = t->port;
    return true;
}

/*
 * A connection says little of a server: the race goes on until it speaks, as that of RFC 8305's successor does until TLS stands, but
 * only where there is anybody to race with, a host or another address of this one.
 */
static struct race_goal
goal_of(const struct search *s, struct target *t)
{
    struct resolve_address literal;
    bool may_race = race_count(s->race) || may_have_more(s) || !resolve_literal(t->host, &literal);
    struct race_goal goal = { .word = !s->proxy_host && may_race };

    t->tls_options = s->w->options.tls_options;
    t->tls_options.host = t->host;
    if (t->tls == CONFIG_TLS_IMPLICIT && s->w->is_direct) /* what TLS is to be, depends on who is connected */
        goal.word = false;
    else if (t->tls == CONFIG_TLS_IMPLICIT)
        goal.tls = &t->tls_options;
    return goal;
}

static void
begin(struct search *s, struct target *t)
{
    struct worker *w = s->w;
    struct race_result r;

    if (!prepare(s, t))
        return;
    struct race_goal goal = goal_of(s, t);
    bool is_late = w->is_direct || avoid_has(&w->late, t->relay);
    s->next = s->proxy_host ? CLOCK_NEVER : clock_deadline(HEAD_START_MS); /* a proxy is one host for all */
    s->patient = is_late && !s->proxy_host ? clock_deadline(PATIENCE_MS) : s->next;
    if (!race_add(
            s->race, (size_t)(t - s->target), &s->way, &goal, clock_deadline(w->options.greeting_ms), &r))
        fail_to_connect(s, &r);
}

/* When the next one has its chance. Each host has a head start before the one behind it: order is preference. */
static int64_t
find_due(const struct search *s)
{
    if (race_count(s->race) == 0)
        return 0;
    if (race_count(s->race) == RACE_MAX)
        return CLOCK_NEVER;
    return race_is_silent(s->race) ? s->patient : s->next;
}

static enum race_event
await(struct search *s, int64_t until, struct race_result *up)
{
    struct worker *w = s->w;
    enum race_event event = race_wait(s->race, clock_min(until, s->slow), up);

    if (event == RACE_WAITING && clock_left(s->slow) == 0) {
        w->options.slow(w->options.hook_ctx);
        s->slow = CLOCK_NEVER;
    }
    return event;
}

/* The next one to begin a session with */
static bool
reach_next(struct search *s, struct race_result *up)
{
    s->slow = clock_deadline(SLOW_MS);
    for (;;) {
        int64_t due = find_due(s);
        bool is_due = clock_left(due) == 0;
        struct target *t = is_due ? choose(s) : NULL;
        if (t) {
            begin(s, t);
            continue;
        }
        if (race_count(s->race) == 0)
            return false;
        if (is_due && race_take(s->race, up)) /* nobody to race with: it has all the time it wants */
            return true;
        enum race_event event = await(s, is_due ? CLOCK_NEVER : due, up);
        if (event == RACE_UP)
            return true;
        if (event == RACE_FAILED)
            fail_to_connect(s, up);
    }
}

/* Who looks on is to see each by itself */
static bool
reach_in_turn(struct search *s, struct race_result *up)
{
    struct target *t;

    while ((t = choose(s))) {
        if (!prepare(s, t))
            continue;
        *up = (struct race_result){ .id = (size_t)(t - s->target), .fd = -1, .was_begun = true };
        up->fd = deliver_connect(s->w, &s->way, &up->info, &up->err);
        if (up->fd >= 0)
            return true;
        fail_to_connect(s, up);
    }
    return false;
}

/* ---------------------------------------------------------------- the end of it */

/* Those that had not answered by then; who had begun just before has done nothing wrong, nor has a host by another address of its own */
static void
leave_behind(struct search *s, int64_t then, const struct target *best)
{
    static const char *const missing[] = { [RACE_CONNECT] = "no connection",
        [RACE_TLS] = "no answer to the TLS handshake",
        [RACE_GREET] = "no greeting" };

    while (race_count(s->race)) {
        enum race_stage stage;
        const struct target *t = &s->target[race_give_up(s->race, &stage)];
        int64_t ms = then - (t == best ? t->first_ms : t->begun_ms);
        struct status_fact fact;
        if (ms < HEAD_START_MS)
            continue;
        session_fact(&fact, stage_of(stage), STATUS_NETWORK, "%s: %s for %d s", t->relay, missing[stage],
            (int)(ms / 1000));
        if (t == best) {
            deliver_tell_of_address(s->w, t->relay, &fact);
            continue;
        }
        deliver_tell_of_hub(s->w, t->relay, &fact);
        remember_failed(s, t);
    }
}

/*
 * None is to be had. The last one's word counts, for it may be back in a minute; but a login that another one refused does not
 * mend itself, and whoever reads only the last line would wait for the wrong host.
 */
static void
add_refusal(struct search *s)
{
    size_t n = strlen(s->fact->text);

    if (s->failed > 1 && s->refusal && !is_frozen(s->fact))
        (void)snprintf(s->fact->text + n, sizeof s->fact->text - n, "; before that %.400s", s->refusal);
}

/* How long the host of the session took to its first word */
static int64_t
find_ms(const struct search *s, const struct target *t)
{
    return s->w->session.stream.heard_ms - t->begun_ms;
}

/* One that is late is worth waiting for while its connection serves many; it is told when that is news */
static void
tell_works(struct search *s, const struct target *t)
{
    struct worker *w = s->w;
    bool is_late = find_ms(s, t) > HEAD_START_MS, was_late = avoid_has(&w->late, t->relay);

    bool has_failed = avoid_has(&w->avoid, t->relay) || avoid_has(&w->failed, t->relay);

    if (w->only || has_failed || is_late != was_late)
        deliver_tell_health(w, t->relay, is_late ? JOB_HUB_LATE : JOB_HUB_WORKS);
    if (is_late)
        avoid_add(&w->late, t->relay);
    else
        avoid_remove(&w->late, t->relay);
}

static void
remember_session(struct search *s, const struct target *t)
{
    struct worker *w = s->w;

    if (!s->remembers)
        return;
    tell_works(s, t);
    avoid_remove(&w->avoid, t->relay);
    avoid_remove(&w->failed, t->relay); /* by another of its addresses */
    for (const struct target *before = s->target; before < t; before++)
        avoid_add(&w->passed, before->relay);
}

/* A probe: mail would not wait so long for it, and would only find that out again and again */
static bool
is_too_late(const struct search *s, const struct target *t, struct status_fact *fact)
{
    if (!s->w->only || s->proxy_host || find_ms(s, t) <= PATIENCE_MS)
        return false;
    session_fact(fact, STATUS_GREETING, STATUS_NETWORK, "%s: no greeting for %d s", t->relay,
        (int)(find_ms(s, t) / 1000));
    return true;
}

/* Is there another one that is not known to fail? Without asking for names. */
static bool
has_rival(const struct search *s)
{
    const struct avoid *avoid = &s->w->avoid;
    size_t known = 0;

    if (race_count(s->race))
        return true;
    for (size_t i = 0; i < s->n; i++) {
        bool is_avoided = avoid_has(avoid, s->target[i].relay);
        if (!s->target[i].tried && !is_avoided)
            return true;
        known += is_avoided;
    }
    return s->more && s->w->nhubs - s->asked + known > avoid->n;
}

/*
 * Nobody waits until Timeout for a dialog, up to the login, that another one could have: ConnectTimeout is enough for an answer then.
 * A race up to here would log in at several to use one.
 */
static bool
greet(struct search *s, struct race_result *up, const struct target *t, struct status_fact *fact)
{
    struct session_options *o = &s->w->options;
    int64_t timeout = o->timeout_ms;
    bool ok;

    if (has_rival(s))
        o->timeout_ms = clock_min(timeout, o->greeting_ms);
    ok = s->greet(s, up->fd, up->tls, t, fact);
    o->timeout_ms = timeout;
    return ok;
}

/* On what the race has brought up */
static bool
try_session(struct search *s, struct race_result *up, const struct target *t, struct status_fact *fact)
{
    struct worker *w = s->w;

    tell_failed(s);
    deliver_aim(w, t);
    w->info = up->info;
    if (!greet(s, up, t, fact))
        return false;
    if (!is_too_late(s, t, fact))
        return true;
    session_close(&w->session);
    w->warm = false;
    return false;
}

bool
deliver_search(struct search *s)
{
    struct race_result up;

    while (s->w->options.steps ? reach_in_turn(s, &up) : reach_next(s, &up)) {
        struct target *t = &s->target[up.id];
        int64_t now = clock_ms();
        struct status_fact fact;
        if (try_session(s, &up, t, &fact)) {
            leave_behind(s, now, t);
            remember_session(s, t);
            return true;
        }
        if (s->is_closed)
            continue;
        fail(s, t, &fact);
        if (!is_frozen(&fact)) /* which a login is behind all addresses */
            leave_out(t, &up.info);
    }
    if (s->failed && !s->w->is_direct)
        add_refusal(s);
    return false;
}
