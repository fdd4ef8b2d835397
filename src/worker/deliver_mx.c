/* SPDX-License-Identifier: ISC */
/* deliver_mx: direct delivery: the hosts of a domain, and what TLS they are to have. */
#include "worker/deliver_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "smtp/dane.h"
#include "smtp/mx.h"

#define MX_TRIED_MAX 5 /* hosts of a domain, in one attempt */
#define SMTP_PORT 25

static void
nowhere(struct status_fact *fact, const char *enhanced, const char *text)
{
    session_fact(fact, STATUS_RESOLVE, STATUS_NOWHERE, "%s", text);
    (void)snprintf(fact->enhanced, sizeof fact->enhanced, "%s", enhanced);
}

/* Is it our own listener that has answered? It would give us the message again. */
static bool
is_own_listener(const struct worker *w)
{
    static const char *const any[] = { "0.0.0.0", "[::]", "*" };
    const struct config_value *listen = config_value(w->c, 0, CONFIG_LISTEN);
    char own[80];

    (void)snprintf(own, sizeof own, strchr(w->info.peer, ':') ? "[%s]:%u" : "%s:%u", w->info.peer, SMTP_PORT);
    for (size_t i = 0; w->info.is_here && i < listen->n; i++) {
        struct slice text = slice_of(listen->item[i]);
        struct slice host = slice_sub(text, 0, slice_find_last(text, ':'));
        if (slice_is_nocase(text, own))
            return true;
        for (size_t k = 0; k < sizeof any / sizeof any[0]; k++)
            if (slice_is(host, any[k]) && slice_is(slice_from(text, host.len), ":25"))
                return true;
    }
    return false;
}

/* TLS as the TLSA records of the host want it, where there are some (RFC 7672), else as UseTLS */
static bool
greet_mx(struct worker *w, int fd, const struct mx_list *list, enum config_tls tls, struct status_fact *fact)
{
    struct tls_options *o = &w->options.tls_options;
    enum dane_outcome outcome = DANE_NONE;
    struct dane d;
    struct error err;
    bool ok = false;

    memset(&d, 0, sizeof d);
    if (list->is_secure && tls != CONFIG_TLS_NONE && w->npins == 0)
        outcome = dane_find(w->host, w->info.canonical, w->info.is_secure, SMTP_PORT, NULL,
            clock_deadline(w->options.greeting_ms), &d, &err);
    if (outcome == DANE_UNKNOWN) {
        session_fact(fact, STATUS_RESOLVE, STATUS_NETWORK, "%s", err.text);
        file_close(&fd);
    } else if (outcome == DANE_FOUND) {
        o->is_dane = true;
        o->tlsa = d.record;
        o->ntlsa = d.n;
        o->host = d.base;
        o->next_hop = w->domain;
        ok = deliver_greet(w, fd, NULL, SESSION_TLS_STARTTLS, fact);
        o->is_dane = false;
        o->host = w->host;
    } else {
        ok = deliver_greet(w, fd, NULL, deliver_tls_mode(tls), fact);
    }
    dane_clear(&d);
    return ok;
}

/* Behind ourselves nobody else is asked. No TLS has begun: what it is to be depends on who has answered. */
static bool
greet_host(struct search *s, int fd, struct tls *begun, const struct target *t, struct status_fact *fact)
{
    struct worker *w = s->w;

    ensure(!begun);
    if (is_own_listener(w)) {
        s->is_closed = s->is_here = true;
        file_close(&fd);
        return false;
    }
    return greet_mx(w, fd, s->mx, t->tls, fact) || deliver_greet_bare(s, t, fact);
}

/* The hosts in their order, the next one after whatever trouble with the one before */
static bool
try_hosts(struct worker *w, const struct mx_list *list, struct status_fact *fact)
{
    struct search *s = deliver_search_new(w, greet_host, fact);
    size_t n = list->n < MX_TRIED_MAX ? list->n : MX_TRIED_MAX;
    char *text = NULL;
    bool ok;

    s->mx = list;
    w->known = n;
    for (size_t i = 0; i < n; i++)
        deliver_search_add(s, list->host[i].name, SMTP_PORT, w->hub[0].tls);
    ok = deliver_search(s);
    if (!ok && s->is_here && !s->failed) {
        text = mem_format("%s: its mail loops back to this machine (%s)", w->domain, w->info.peer);
        nowhere(fact, "5.4.6", text);
    } else if (!ok && list->n == s->absent) {
        text = list->is_implicit ? mem_format("%s: the domain has neither MX nor address", w->domain)
                                 : mem_format("%s: none of its MX hosts exists: %s", w->domain, fact->text);
        nowhere(fact, list->is_implicit ? "5.1.2" : "5.4.4", text);
    }
    free(text);
    deliver_search_free(s);
    return ok;
}

static void
tell_mx(struct steps *steps, const char *domain, const struct mx_list *list)
{
    struct buf text;

    if (!steps)
        return;
    buf_init(&text, 900);
    for (size_t i = 0; i < list->n; i++) {
        buf_add_format(&text, "%s%s", i ? ", " : "", list->host[i].name);
        steps_item(steps, "hosts");
        steps_item_text(steps, "name", slice_of(list->host[i].name));
    }
    steps_text(steps, "domain", slice_of(domain));
    steps_done(steps, "mx", 1, "%s: %s%s%s", domain, buf_str(&text), list->is_implicit ? " (no MX)" : "",
        list->is_secure ? " (DNSSEC)" : "");
    buf_clear(&text);
}

bool
deliver_open_direct(struct worker *w, struct status_fact *fact)
{
    static const char *const enhanced[] = {
        [MX_NO_DOMAIN] = "5.1.2", [MX_NULL] = "5.1.10", [MX_LOOP] = "5.4.6"
    };
    const struct config_value *own = config_value(w->c, 0, CONFIG_OWN_NAMES);
    struct mx_options o = { .own = own->item, .nown = own->n };
    struct mx_list *list = mem_alloc(sizeof *list);
    struct error err;
    enum mx_outcome outcome = mx_find(w->domain, &o, clock_deadline(w->options.greeting_ms), list, &err);
    bool ok = false;

    w->relay[0] = '\0';
    session_fact(fact, STATUS_RESOLVE, STATUS_NETWORK, "%s", outcome == MX_FOUND ? "" : err.text);
    if (outcome == MX_FOUND) {
        tell_mx(w->options.steps, w->domain, list);
        ok = try_hosts(w, list, fact);
    } else if (outcome != MX_UNKNOWN) {
        nowhere(fact, enhanced[outcome], err.text);
    }
    free(list);
    return ok;
}
