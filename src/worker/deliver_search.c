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

/* A lost packet is sent again after one second (RFC 6298, 2.1); a host that has not answered by then hardly will */
#define HEAD_START_MS 3000

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
    t->tried = s->w->only && strcmp(t->relay, s->w->only) != 0;
    s->n++;
}

/* ---------------------------------------------------------------- trouble */

/* What comes next is known now: another one */
static void
tell_failed(struct search *s)
{
    if (s->is_untold)
        deliver_tell_of_hub(s->w, s->w->relay, s->fact);
    s->is_untold = false;
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
    deliver_tell_health(s->w, t->relay, false);
    avoid_add(&s->w->failed, t->relay);
}

static void
fail(struct search *s, const struct target *t, const struct status_fact *fact)
{
    deliver_search_failed(s, t->relay, fact);
    remember_failed(s, t);
}

static void
fail_to_connect(struct search *s, const struct race_result *r)
{
    struct status_fact fact;

    session_fact(&fact, STATUS_CONNECT, STATUS_NETWORK, "%s", r->err.text);
    fail(s, &s->target[r->id], &fact);
    s->w->info = r->info;
    s->absent += r->info.is_absent;
    s->next = 0;
}

/* ---------------------------------------------------------------- one after the other */

static bool
is_there(struct search *s, size_t i)
{
    while (i >= s->n && s->more && s->more(s))
        ;
    return i < s->n;
}

/* Those that failed of late are the last */
static struct target *
choose(struct search *s)
{
    for (int late = 0; late < 2 && !s->is_closed; late++)
        for (size_t i = 0; is_there(s, i); i++)
            if (!s->target[i].tried && (late || !avoid_has(&s->w->avoid, s->target[i].relay)))
                return &s->target[i];
    return NULL;
}

/* The way to it in s->way; false: there is none, as the log will say */
static bool
prepare(struct search *s, struct target *t)
{
    const char *proxy = config_text(s->w->c, 0, CONFIG_PROXY);
    struct status_fact fact;
    struct error err;

    tell_failed(s);
    t->tried = true;
    t->begun_ms = clock_ms();
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

static void
begin(struct search *s, struct target *t)
{
    struct race_result r;

    if (!prepare(s, t))
        return;
    s->next = s->proxy_host ? CLOCK_NEVER : clock_deadline(HEAD_START_MS); /* a proxy is one host for all */
    if (!race_add(s->race, (size_t)(t - s->target), &s->way, clock_deadline(s->w->options.greeting_ms), &r))
        fail_to_connect(s, &r);
}

/* The next connection that stands. Each host has a head start before the one behind it: order is preference. */
static bool
reach_next(struct search *s, struct race_result *up)
{
    for (;;) {
        size_t n = race_count(s->race);
        bool due = n == 0 || (n < RACE_MAX && clock_left(s->next) == 0);
        struct target *t = due ? choose(s) : NULL;
        if (t) {
            begin(s, t);
            continue;
        }
        if (n == 0)
            return false;
        enum race_event event = race_wait(s->race, due || n == RACE_MAX ? CLOCK_NEVER : s->next, up);
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
        *up = (struct race_result){ .id = (size_t)(t - s->target), .fd = -1 };
        up->fd = deliver_connect(s->w, &s->way, &up->info, &up->err);
        if (up->fd >= 0)
            return true;
        fail_to_connect(s, up);
    }
    return false;
}

/* ---------------------------------------------------------------- the end of it */

/* Those that have not answered in all that time */
static void
leave_behind(struct search *s)
{
    while (race_count(s->race)) {
        const struct target *t = &s->target[race_give_up(s->race)];
        struct status_fact fact;
        session_fact(&fact, STATUS_CONNECT, STATUS_NETWORK, "%s: no connection for %d s", t->relay,
            (int)((clock_ms() - t->begun_ms) / 1000));
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

static void
remember_session(struct search *s, const struct target *t)
{
    struct worker *w = s->w;

    if (!s->remembers)
        return;
    if (w->only || avoid_has(&w->avoid, t->relay))
        deliver_tell_health(w, t->relay, true);
    avoid_remove(&w->avoid, t->relay);
    for (const struct target *before = s->target; before < t; before++)
        avoid_add(&w->passed, before->relay);
}

bool
deliver_search(struct search *s)
{
    struct race_result up;

    while (s->w->options.steps ? reach_in_turn(s, &up) : reach_next(s, &up)) {
        struct target *t = &s->target[up.id];
        struct status_fact fact;
        tell_failed(s);
        deliver_aim(s->w, t);
        s->w->info = up.info;
        if (s->greet(s, up.fd, t, &fact)) {
            leave_behind(s);
            remember_session(s, t);
            return true;
        }
        if (!s->is_closed)
            fail(s, t, &fact);
    }
    if (s->failed && !s->w->is_direct)
        add_refusal(s);
    return false;
}
