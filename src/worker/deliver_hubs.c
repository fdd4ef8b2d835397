/* SPDX-License-Identifier: ISC */
/* deliver_hubs: the smarthosts of an account, as configured or as SRV says, and what is remembered of them. */
#include "worker/deliver.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/job.h"
#include "mail/token.h"
#include "smtp/resolve.h"
#include "worker/deliver_state.h"

static bool
greet_hub(struct search *s, int fd, struct tls *begun, const struct target *t, struct status_fact *fact)
{
    return deliver_greet(s->w, fd, begun, deliver_tls_mode(t->tls), fact) || deliver_greet_bare(s, t, fact);
}

struct srv {
    struct resolve_target *target; /* DELIVER_HUBS_MAX */
    size_t n;
    enum config_tls tls;
    bool unknown; /* no name server said that there are none */
};

/* Implicit TLS where _submissions is offered, else STARTTLS by _submission (RFC 8314, 5.1). False with *why: there are none */
static bool
ask_srv(const char *host, int64_t deadline, struct srv *srv, struct status_fact *why)
{
    static const struct {
        const char *service;
        enum config_tls tls;
    } services[] = { { "_submissions._tcp", CONFIG_TLS_IMPLICIT },
        { "_submission._tcp", CONFIG_TLS_STARTTLS } };
    struct error err;
    char domain[256];

    session_fact(why, STATUS_RESOLVE, STATUS_NETWORK, "srv:%s: the domain names no submission server", host);
    if (!deliver_to_ascii(host, domain, why))
        return false;
    for (size_t i = 0; srv->n == 0 && i < 2; i++) {
        char *name = mem_format("%s.%s", services[i].service, domain);
        srv->tls = services[i].tls;
        if (!resolve_srv(name, deadline, srv->target, DELIVER_HUBS_MAX, &srv->n, &err)) {
            session_fact(why, STATUS_RESOLVE, STATUS_NETWORK, "%s", err.text);
            srv->unknown = true;
        }
        free(name);
    }
    return srv->n > 0;
}

/* srv:domain. What is offered is what there is. */
static void
add_srv(struct search *s, const struct config_hub *h)
{
    bool asks_tls = h->tls != CONFIG_TLS_NONE && h->tls != CONFIG_TLS_OPPORTUNISTIC;
    struct worker *w = s->w;
    struct srv srv = { .target = mem_array(DELIVER_HUBS_MAX, sizeof *srv.target) };
    struct status_fact none;

    if (!ask_srv(h->host, clock_deadline(w->options.greeting_ms), &srv, &none))
        deliver_search_failed(s, "", &none);
    for (size_t k = 0; k < srv.n; k++)
        deliver_search_add(s, srv.target[k].host, srv.target[k].port, asks_tls ? srv.tls : h->tls);
    w->known += srv.n; /* known as one so far */
    w->known--;
    free(srv.target);
}

void
deliver_find(const char *domain, int64_t deadline, struct buf *out)
{
    struct srv srv = { .target = mem_array(DELIVER_HUBS_MAX, sizeof *srv.target) };
    struct status_fact why;

    if (!ask_srv(domain, deadline, &srv, &why))
        buf_add_format(out, srv.unknown ? "unknown %s\n" : "none\n", why.text);
    for (size_t k = 0; k < srv.n; k++)
        buf_add_format(out, "found %s port %u\n", srv.target[k].host, srv.target[k].port);
    free(srv.target);
}

/* Names are asked for when it is their turn */
static bool
add_more(struct search *s)
{
    const struct worker *w = s->w;
    const struct config_hub *h = &w->hub[s->asked];

    if (s->asked == w->nhubs)
        return false;
    s->asked++;
    if (h->kind == CONFIG_HUB_SRV)
        add_srv(s, h);
    else
        deliver_search_add(s, h->host, h->port, h->tls);
    return true;
}

/* In their order, but those that failed of late come last: nobody waits for them while there are others */
static bool
open_hub(struct worker *w, struct status_fact *fact)
{
    struct search *s = deliver_search_new(w, greet_hub, fact);
    bool ok;

    s->more = add_more;
    s->remembers = true;
    w->known = w->nhubs;
    w->relay[0] = '\0';
    avoid_clear(&w->passed);
    avoid_clear(&w->failed);
    ok = deliver_search(s);
    if (w->only && !s->failed && !ok)
        deliver_tell_health(
            w, w->only, JOB_HUB_WORKS); /* it is not one of ours any more: nothing to remember */
    for (size_t i = 0; i < w->failed.n; i++)
        avoid_add(&w->avoid, w->failed.relay[i]);
    deliver_search_free(s);
    return ok;
}

/* What the account shows of itself, and until when that is good; a failed login says it, too */
static void
tell_expiry(struct worker *w)
{
    const struct slice own = w->options.tls_options.cert_pem;
    struct token_times t;

    if (w->told)
        return;
    w->told = true;
    if (w->options.secret) {
        (void)token_read(slice_of(w->options.secret), &t); /* else all is zero, and that is told */
        (void)job_send_expiry(w->sock, JOB_TOKEN, token_is_short(&t) ? "short" : "", t.expires_s);
    }
    if (own.len)
        (void)job_send_expiry(w->sock, JOB_CLIENT, "", tls_client_expiry(own)); /* as below */
}

bool
deliver_open(struct worker *w, struct status_fact *fact)
{
    bool ok;

    tell_expiry(w);
    if (w->is_direct)
        return deliver_open_direct(w, fact);
    ok = open_hub(w, fact);
    if (ok)
        (void)job_send_expiry(
            w->sock, JOB_CERTIFICATE, w->relay, w->session.expires_s); /* nobody may be looking */
    return ok;
}

bool
deliver_has_others(const struct worker *w)
{
    const struct avoid *asked = &w->turn.asked;
    size_t gone = w->avoid.n;

    for (size_t i = 0; i < asked->n; i++)
        gone += !avoid_has(&w->avoid, asked->relay[i]);
    return w->known > gone;
}

bool
deliver_is_second_best(const struct worker *w)
{
    for (size_t i = 0; i < w->passed.n; i++)
        if (!avoid_has(&w->avoid, w->passed.relay[i]))
            return true;
    return false;
}
