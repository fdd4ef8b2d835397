/* SPDX-License-Identifier: ISC */
/* deliver_open: from an account's mailhub to an open session: one of several smarthosts, or the hosts of a domain. */
#include "worker/deliver_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "ipc/job.h"
#include "smtp/dane.h"
#include "smtp/mx.h"
#include "smtp/probe.h"
#include "smtp/resolve.h"

#define MX_TRIED_MAX 5 /* hosts of a domain, in one attempt */
#define SMTP_PORT 25

/* Host as A-labels without the final dot */
static bool
to_ascii(const char *host, char out[256], struct status_fact *fact)
{
    char *ascii = NULL;
    int r;
    size_t n = strlen(host);

    if (n && host[n - 1] == '.')
        n--;
    if (text_is_ascii(slice_make(host, n))) {
        (void)snprintf(out, 256, "%.*s", (int)n, host);
        return true;
    }
    r = idn2_to_ascii_8z(host, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (r != IDN2_OK) {
        session_fact(fact, STATUS_RESOLVE, STATUS_NETWORK, "%s: %s", host, idn2_strerror(r));
        return false;
    }
    (void)snprintf(out, 256, "%s", ascii);
    idn2_free(ascii);
    return true;
}

static void
format_relay(char out[200], const char *name, uint16_t port)
{
    (void)snprintf(out, 200, strchr(name, ':') ? "[%.180s]:%u" : "%.180s:%u", name, port);
}

/* A connected socket, or -1 with *fact */
static int
reach(struct worker *w, const char *name, uint16_t port, struct status_fact *fact)
{
    struct connect_options o = { .port = port, .source = config_text(w->c, 0, CONFIG_SOURCE_ADDRESS) };
    const char *proxy = config_text(w->c, 0, CONFIG_PROXY);
    char *proxy_host = NULL;
    struct error err;
    int fd;

    format_relay(w->relay, name, port);
    if (!to_ascii(name, w->host, fact))
        return -1;
    if (proxy && !config_proxy_parse(proxy, &proxy_host, &o.proxy_port, &err)) {
        session_fact(fact, STATUS_CONNECT, STATUS_TROUBLE, "%s", err.text);
        return -1;
    }
    o.host = w->host;
    o.proxy_host = proxy_host;
    fd = w->options.steps ? probe_host(&o, clock_deadline(w->options.greeting_ms), &w->steps, &w->info, &err)
                          : connect_host(&o, clock_deadline(w->options.greeting_ms), &w->info, &err);
    free(proxy_host);
    if (fd < 0)
        session_fact(fact, STATUS_CONNECT, STATUS_NETWORK, "%s", err.text);
    w->options.host = w->host;
    w->options.port = port;
    w->options.tls_options.host = w->host;
    return fd;
}

static bool
greet(struct worker *w, int fd, enum session_tls tls, struct status_fact *fact)
{
    w->options.tls = tls;
    w->warm = session_open(&w->session, fd, &w->options, fact);
    return w->warm;
}

/* Better in clear than not at all, where that is the policy: a peer whose TLS is broken says STARTTLS all the same */
static bool
may_go_bare(const struct worker *w, const struct status_fact *fact)
{
    return w->options.tls == SESSION_TLS_OPPORTUNISTIC && !w->options.user && fact->stage == STATUS_TLS &&
           (fact->cause == STATUS_HANDSHAKE || fact->cause == STATUS_NETWORK);
}

/* A step of a test that is not the end of it */
static void
go_on(struct worker *w, const struct status_fact *fact)
{
    steps_flag(w->options.steps, "goes_on", true);
    steps_failed(w->options.steps, fact);
}

static bool
greet_again_bare(struct worker *w, const char *name, uint16_t port, struct status_fact *fact)
{
    char *text = mem_format("%s: %s; trying it without TLS", w->relay, fact->text);
    int fd;

    (void)job_send_text(w->sock, JOB_LOG, 1, text); /* nobody may be looking any more */
    free(text);
    go_on(w, fact);
    fd = reach(w, name, port, fact);
    return fd >= 0 && greet(w, fd, SESSION_TLS_NONE, fact);
}

static enum session_tls
tls_mode(enum config_tls tls)
{
    static const enum session_tls modes[] = { [CONFIG_TLS_NONE] = SESSION_TLS_NONE,
        [CONFIG_TLS_IMPLICIT] = SESSION_TLS_IMPLICIT,
        [CONFIG_TLS_STARTTLS] = SESSION_TLS_STARTTLS,
        [CONFIG_TLS_OPPORTUNISTIC] = SESSION_TLS_OPPORTUNISTIC };

    return modes[tls];
}

static bool
connect_to(struct worker *w, const char *name, uint16_t port, enum config_tls tls, struct status_fact *fact)
{
    int fd = reach(w, name, port, fact);

    if (fd < 0)
        return false;
    return greet(w, fd, tls_mode(tls), fact) ||
           (may_go_bare(w, fact) && greet_again_bare(w, name, port, fact));
}

/* ---------------------------------------------------------------- several smarthosts */

void
deliver_tell_of_hub(struct worker *w, const struct status_fact *fact)
{
    bool reply = fact->cause == STATUS_REPLY, named = strncmp(fact->text, w->relay, strlen(w->relay)) == 0;
    char *text = reply ? mem_format("%s: %s: %s; trying the next mailhub", w->relay,
                             status_stage_name(fact->stage), fact->text)
                       : mem_format("%s%s%s; trying the next mailhub", named ? "" : w->relay,
                             named ? "" : ": ", fact->text);

    (void)job_send_text(w->sock, JOB_LOG, 1, text); /* nobody may be looking any more */
    free(text);
    go_on(w, fact);
}

void
deliver_tell_health(struct worker *w, bool works)
{
    if (w->known > 1)
        (void)job_send_text(w->sock, JOB_HUB, works ? 0 : 1, w->relay);
}

/* One of those to choose from; `late`: it is the turn of those that failed of late. Trouble at one is logged, and the next is tried. */
static bool
try_hub(struct worker *w, const char *name, uint16_t port, enum config_tls tls, bool late,
    struct status_fact *fact)
{
    char relay[sizeof w->relay];
    bool avoided;

    format_relay(relay, name, port);
    avoided = avoid_has(&w->avoid, relay);
    if (!late)
        avoid_add(&w->passed, relay);
    if (avoided != late)
        return false;
    if (w->pending)
        deliver_tell_of_hub(w, fact);
    steps_begin(w->options.steps);
    w->pending = !connect_to(w, name, port, tls, fact);
    if (w->pending || late)
        deliver_tell_health(w, !w->pending);
    if (w->pending) {
        avoid_add(&w->failed, relay);
        return false;
    }
    avoid_remove(&w->avoid, relay);
    avoid_remove(&w->passed, relay);
    return true;
}

/* There is nothing to connect to */
static void
pass_over(struct worker *w, const struct status_fact *why, struct status_fact *fact)
{
    if (w->pending)
        deliver_tell_of_hub(w, fact);
    *fact = *why;
    w->relay[0] = '\0';
    w->pending = true;
}

/* srv:domain: implicit TLS where _submissions is offered, else STARTTLS by _submission (RFC 8314, 5.1) */
static bool
try_srv(struct worker *w, const struct config_hub *h, bool late, struct status_fact *fact)
{
    static const struct {
        const char *service;
        enum config_tls tls;
    } services[] = { { "_submissions._tcp", CONFIG_TLS_IMPLICIT },
        { "_submission._tcp", CONFIG_TLS_STARTTLS } };
    int64_t deadline = clock_deadline(w->options.greeting_ms);
    struct resolve_target *targets = mem_array(DELIVER_HUBS_MAX, sizeof *targets);
    struct status_fact none = { 0 };
    struct error err;
    char domain[256];
    bool ok = to_ascii(h->host, domain, fact);

    session_fact(
        &none, STATUS_RESOLVE, STATUS_NETWORK, "srv:%s: the domain names no submission server", h->host);
    for (size_t i = 0; ok && i < 2; i++) {
        size_t n = 0;
        char *name = mem_format("%s.%s", services[i].service, domain);
        if (!resolve_srv(name, deadline, targets, DELIVER_HUBS_MAX, &n, &err))
            session_fact(&none, STATUS_RESOLVE, STATUS_NETWORK, "%s", err.text);
        free(name);
        w->known += late ? 0 : n;
        for (size_t k = 0; k < n; k++) {
            enum config_tls tls =
                h->tls == CONFIG_TLS_NONE || h->tls == CONFIG_TLS_OPPORTUNISTIC ? h->tls : services[i].tls;
            if (try_hub(w, targets[k].host, targets[k].port, tls, late, fact)) {
                free(targets);
                return true;
            }
        }
        if (n)
            ok = false; /* what is offered is what there is */
    }
    free(targets);
    if (ok && !late)
        pass_over(w, &none, fact);
    return false;
}

static bool
try_all(struct worker *w, bool late, struct status_fact *fact)
{
    for (size_t i = 0; i < w->nhubs; i++) {
        const struct config_hub *h = &w->hub[i];
        if (h->kind == CONFIG_HUB_SRV ? try_srv(w, h, late, fact)
                                      : try_hub(w, h->host, h->port, h->tls, late, fact))
            return true;
    }
    return false;
}

/* ---------------------------------------------------------------- direct delivery */

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
        ok = greet(w, fd, SESSION_TLS_STARTTLS, fact);
        o->is_dane = false;
        o->host = w->host;
    } else {
        ok = greet(w, fd, tls_mode(tls), fact);
    }
    dane_clear(&d);
    return ok;
}

/* *is_own: it is this machine, and no other host is to be asked */
static bool
connect_mx(
    struct worker *w, const struct mx_list *list, const char *name, bool *is_own, struct status_fact *fact)
{
    enum config_tls tls = w->hub[0].tls;
    int fd = reach(w, name, SMTP_PORT, fact);

    if (fd < 0)
        return false;
    *is_own = is_own_listener(w);
    if (*is_own) {
        file_close(&fd);
        return false;
    }
    return greet_mx(w, fd, list, tls, fact) ||
           (may_go_bare(w, fact) && greet_again_bare(w, name, SMTP_PORT, fact));
}

/* The hosts in their order, the next one after whatever trouble with the one before */
static bool
try_hosts(struct worker *w, const struct mx_list *list, struct status_fact *fact)
{
    size_t n = list->n < MX_TRIED_MAX ? list->n : MX_TRIED_MAX;
    bool absent = list->n == n, own = false;
    char *text;

    for (size_t i = 0; i < n; i++) {
        struct status_fact before = *fact;
        if (connect_mx(w, list, list->host[i].name, &own, fact))
            return true;
        absent = absent && w->info.is_absent;
        if (own) {
            *fact = before;
            if (i > 0)
                return false;
            text = mem_format("%s: its mail loops back to this machine (%s)", w->domain, w->info.peer);
            nowhere(fact, "5.4.6", text);
            free(text);
            return false;
        }
        if (i + 1 < n)
            deliver_tell_of_hub(w, fact);
    }
    if (absent) {
        text = list->is_implicit ? mem_format("%s: the domain has neither MX nor address", w->domain)
                                 : mem_format("%s: none of its MX hosts exists: %s", w->domain, fact->text);
        nowhere(fact, list->is_implicit ? "5.1.2" : "5.4.4", text);
        free(text);
    }
    return false;
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

static bool
connect_direct(struct worker *w, struct status_fact *fact)
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

/* In their order, but those that failed of late come last: nobody waits for them while there are others */
bool
deliver_open(struct worker *w, struct status_fact *fact)
{
    bool ok;

    if (w->is_direct)
        return connect_direct(w, fact);
    w->known = w->nhubs;
    for (size_t i = 0; i < w->nhubs; i++)
        w->known -= w->hub[i].kind == CONFIG_HUB_SRV; /* its targets are counted when they are known */
    w->pending = false;
    avoid_clear(&w->passed);
    avoid_clear(&w->failed);
    w->relay[0] = '\0';
    ok = try_all(w, false, fact) || (w->avoid.n && try_all(w, true, fact));
    for (size_t i = 0; i < w->failed.n; i++)
        avoid_add(&w->avoid, w->failed.relay[i]);
    if (ok)
        (void)job_send_certificate(w->sock, w->relay, w->session.expires_s); /* nobody may be looking */
    return ok;
}

bool
deliver_has_others(const struct worker *w)
{
    return w->known > w->avoid.n;
}

bool
deliver_is_second_best(const struct worker *w)
{
    for (size_t i = 0; i < w->passed.n; i++)
        if (!avoid_has(&w->avoid, w->passed.relay[i]))
            return true;
    return false;
}
