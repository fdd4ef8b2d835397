/* SPDX-License-Identifier: ISC */
/* breaker: words and holds; who is a runaway is runaway's. */
#include "daemon/breaker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "daemon/control.h"
#include "daemon/notice.h"
#include "daemon/runaway.h"
#include "daemon/trouble.h"

enum { UNIT_SHOWN = 40 };

static int64_t
limit_of(const struct core *c)
{
    return config_number(&c->config, 0, CONFIG_RUNAWAY_LIMIT);
}

/* "uid 33 (www-data), unit php-fpm.service" */
static char *
name(const struct runaway *w, const char *login)
{
    char unit[UNIT_SHOWN];

    (void)text_escape(unit, sizeof unit, slice_of(w->unit));
    return mem_format("uid %lld%s%.30s%s%s%s", (long long)w->uid, *login ? " (" : "", login,
        *login ? ")" : "", *unit ? ", unit " : "", unit);
}

static void
tell(struct core *c, const struct runaway *w, const char *who, bool is_new)
{
    struct trouble_news n = { .kind = is_new ? TROUBLE_RUNAWAY : TROUBLE_CALM,
        .account = who,
        .uid = w->uid,
        .count = w->count,
        .duration_s = w->minutes * 60,
        .limit = limit_of(c) };

    trouble_tell(c, &n, is_new ? notice_send : NULL);
}

bool
breaker_holds(struct delivery *d)
{
    struct core *c = d->core;
    struct record *r = &d->sub->record;
    enum runaway_state state;
    struct runaway w;
    char *who;

    if (!c->runaways || !c->spool || r->uid < 0)
        return false;
    state = runaways_count(
        c->runaways, r->uid, r->unit, delivery_is_of_system(c, r->uid), limit_of(c), clock_ms(), &w);
    if (state == RUNAWAY_NONE)
        return false;
    who = name(&w, r->login ? r->login : "");
    free(r->hold_reason);
    r->hold_reason = mem_format(
        CONTROL_RUNAWAY "%s handed in %zu messages in %lld min", who, w.count, (long long)w.minutes);
    r->is_held = true;
    delivery_because(d, r->hold_reason);
    if (state == RUNAWAY_NEW)
        tell(c, &w, who, true);
    free(who);
    return true;
}

void
breaker_forgive(struct core *c, int64_t uid)
{
    if (c->runaways)
        runaways_forgive(c->runaways, uid);
}

void
breaker_look(struct core *c)
{
    struct runaway w;

    while (c->runaways && runaways_calm(c->runaways, limit_of(c), clock_ms(), &w)) {
        char *who = name(&w, "");
        tell(c, &w, who, false);
        free(who);
    }
}
