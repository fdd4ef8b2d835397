/* SPDX-License-Identifier: ISC */
/* deliver_open: a session with one host; which one is deliver_search's. */
#include "worker/deliver_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idn2.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "ipc/job.h"
#include "smtp/probe.h"

/* Host as A-labels without the final dot */
bool
deliver_to_ascii(const char *host, char out[256], struct status_fact *fact)
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

/* ---------------------------------------------------------------- what is told of it */

/* A step of a test that is not the end of it */
static void
go_on(struct worker *w, const struct status_fact *fact)
{
    steps_flag(w->options.steps, "goes_on", true);
    steps_failed(w->options.steps, fact);
}

static void
tell_of_hub(struct worker *w, const char *relay, const struct status_fact *fact, const char *then)
{
    bool reply = fact->cause == STATUS_REPLY, named = strncmp(fact->text, relay, strlen(relay)) == 0;
    char *text = reply ? mem_format("%s: %s: %s; %s", relay, status_stage_name(fact->stage), fact->text, then)
                       : mem_format("%s%s%s; %s", named ? "" : relay, named ? "" : ": ", fact->text, then);

    (void)job_send_text(w->sock, JOB_LOG, 1, text); /* nobody may be looking any more */
    free(text);
    go_on(w, fact);
}

void
deliver_tell_of_hub(struct worker *w, const char *relay, const struct status_fact *fact)
{
    tell_of_hub(w, relay, fact, "trying the next mailhub");
}

void
deliver_tell_of_address(struct worker *w, const char *relay, const struct status_fact *fact)
{
    tell_of_hub(w, relay, fact, "trying another address");
}

void
deliver_tell_last_hub(struct worker *w, const char *relay, const struct status_fact *fact)
{
    tell_of_hub(w, relay, fact, "no other mailhub is left");
}

void
deliver_tell_health(struct worker *w, const char *relay, enum job_health health)
{
    if ((w->known > 1 && !w->is_direct) || w->only)
        (void)job_send_text(w->sock, JOB_HUB, (int)health, relay); /* see above */
}

/* ---------------------------------------------------------------- greeting, TLS, login */

void
deliver_aim(struct worker *w, const struct target *t)
{
    memcpy(w->relay, t->relay, sizeof w->relay);
    memcpy(w->host, t->host, sizeof w->host);
    w->options.host = w->host;
    w->options.port = t->port;
    w->options.tls_options.host = w->host;
}

bool
deliver_greet(struct worker *w, int fd, struct tls *begun, enum session_tls tls, struct status_fact *fact)
{
    w->options.tls = tls;
    w->warm = session_open_begun(&w->session, fd, begun, &w->options, fact);
    return w->warm;
}

/* Better in clear than not at all, where that is the policy: a peer whose TLS is broken says STARTTLS all the same */
static bool
may_go_bare(const struct worker *w, const struct status_fact *fact)
{
    return w->options.tls == SESSION_TLS_OPPORTUNISTIC && !w->options.user && fact->stage == STATUS_TLS &&
           (fact->cause == STATUS_HANDSHAKE || fact->cause == STATUS_NETWORK);
}

bool
deliver_greet_bare(struct search *s, const struct target *t, struct status_fact *fact)
{
    struct worker *w = s->w;
    struct connect_options o = s->way;
    struct error err;
    char *text;
    int fd;

    if (!may_go_bare(w, fact))
        return false;
    text = mem_format("%s: %s; trying it without TLS", w->relay, fact->text);
    (void)job_send_text(w->sock, JOB_LOG, 1, text); /* nobody may be looking any more */
    free(text);
    go_on(w, fact);
    o.host = t->host;
    o.port = t->port;
    fd = deliver_connect(w, &o, &w->info, &err);
    if (fd < 0)
        session_fact(fact, STATUS_CONNECT, STATUS_NETWORK, "%s", err.text);
    return fd >= 0 && deliver_greet(w, fd, NULL, SESSION_TLS_NONE, fact);
}

enum session_tls
deliver_tls_mode(enum config_tls tls)
{
    static const enum session_tls modes[] = { [CONFIG_TLS_NONE] = SESSION_TLS_NONE,
        [CONFIG_TLS_IMPLICIT] = SESSION_TLS_IMPLICIT,
        [CONFIG_TLS_STARTTLS] = SESSION_TLS_STARTTLS,
        [CONFIG_TLS_OPPORTUNISTIC] = SESSION_TLS_OPPORTUNISTIC };

    return modes[tls];
}

int
deliver_connect(
    struct worker *w, const struct connect_options *o, struct connect_info *info, struct error *err)
{
    int64_t deadline = clock_deadline(w->options.greeting_ms);

    return w->options.steps ? probe_host(o, deadline, &w->steps, info, err)
                            : connect_host(o, deadline, info, err);
}

void
deliver_hang_up(struct worker *w)
{
    if (w->warm)
        session_close(&w->session);
    w->warm = false;
}
