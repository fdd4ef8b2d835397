/* SPDX-License-Identifier: ISC */
/* control_snapshot: what the loop owns is copied in one go, so that a thread may make the answer of it. */
#include "daemon/control_snapshot.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/explanations.h"
#include "config/road.h"
#include "daemon/attempt.h"
#include "daemon/control.h"
#include "daemon/control_rate.h"
#include "daemon/delivery.h"
#include "daemon/hubs.h"

/* Who waits for the rate, in the order in which they will go */
static void
add_rate(const struct core *c, struct control_request *q, const char *name)
{
    const struct schedule_entry *line[CONTROL_TURNS_MAX];
    struct config_rate limit = attempt_rate(c, name);
    int64_t now = clock_ms(), wait = rates_wait(c->rates, name, limit, false, now),
            every = rates_every_ms(c->rates, name, limit, now);
    char shown[32];
    size_t n = wait > 0 ? schedule_line(c->schedule, name, now, line, CONTROL_TURNS_MAX) : 0;

    rates_format(c->rates, name, limit, now, shown);
    control_rate_begin(
        q, rates_limit(c->rates, name, limit, now), shown, rates_why(c->rates, name, limit, now));
    for (size_t i = 0; i < n; i++)
        control_rate_turn(q, schedule_id(line[i]), (wait + (int64_t)i * every + 999) / 1000);
    control_rate_end(q);
}

static void
add_account(struct control_request *q, const struct core *c, const char *name, int64_t now)
{
    static const enum control_state states[] = {
        [SCHEDULE_UP] = CONTROL_UP, [SCHEDULE_DOWN] = CONTROL_DOWN, [SCHEDULE_FROZEN] = CONTROL_FROZEN
    };
    const char *why = NULL;
    enum schedule_state state = schedule_account_last(c->schedule, name, &why);

    control_add_account(q, name, states[state], why, schedule_account_since(c->schedule, name, now) / 1000,
        schedule_account_next(c->schedule, name, now) / 1000);
}

/* A command prints a new one for each worker */
static void
add_expiry(struct control_request *q, const struct core *c, size_t account)
{
    struct control_account *a = &q->snapshot.account[q->snapshot.naccounts - 1];
    const struct hubs_login *l = hubs_login_of(pool_hubs(c->pool), a->name);

    if (!l)
        return;
    a->token_s = l->token_s;
    a->token_told_s = l->token_told_s;
    a->token_is_renewed =
        l->token_is_short || config_text(&c->config, account, CONFIG_AUTH_PASS_COMMAND) != NULL;
    a->client_s = l->client_s;
}

/* Of the domains of direct delivery only those that mail waits for: whom it has gone to is nobody's matter here */
static void
take_accounts(struct control_request *q, const struct core *c, int64_t now)
{
    const char *name;

    for (size_t i = 0; i < c->config.n; i++) {
        name = config_account_name(&c->config, i);
        add_account(q, c, name, now);
        add_rate(c, q, name);
        add_expiry(q, c, i);
    }
    for (size_t i = 0; (name = schedule_account_name(c->schedule, i)) != NULL; i++)
        if (name[road_account_len(name)] && schedule_account_waiting(c->schedule, i) &&
            schedule_account_last(c->schedule, name, NULL) != SCHEDULE_UP)
            add_account(q, c, name, now);
}

static void
take_hubs(struct control_request *q, const struct core *c, int64_t now)
{
    const struct hubs *h = pool_hubs(c->pool);

    for (size_t i = 0; i < h->n; i++) {
        const struct hub *hub = &h->hub[i];
        int64_t alone_ms = hub->step_ms && hub->next > now ? hub->next - now : 0;
        if (alone_ms || hub->expires_s)
            control_add_hub(q, hub->account, hub->relay, hub->expires_s, (alone_ms + 999) / 1000);
    }
}

void
control_take_snapshot(
    struct control_request *q, struct core *c, bool is_operator, const struct control_desk_view *d)
{
    int64_t now = clock_ms();

    q->queue_dir = mem_dup(config_text(&c->config, 0, CONFIG_QUEUE_DIR));
    q->snapshot.is_daemon = true;
    q->snapshot.pid = getppid();
    q->snapshot.uptime_s = (now - d->begun_ms) / 1000;
    q->snapshot.workers = pool_workers(c->pool);
    q->snapshot.workers_busy = pool_busy(c->pool);
    q->snapshot.workers_max = (size_t)config_number(&c->config, 0, CONFIG_WORKERS);
    q->snapshot.sessions = d->sessions;
    q->snapshot.next_run_s = d->next_run_ms > now ? (d->next_run_ms - now) / 1000 : 0;
    q->snapshot.retry_min_s = config_number(&c->config, 0, CONFIG_RETRY_MIN) / 1000;
    q->snapshot.retry_max_s = config_number(&c->config, 0, CONFIG_RETRY_MAX) / 1000;
    q->snapshot.warn_after_s = config_number(&c->config, 0, CONFIG_WARN_AFTER) / 1000;
    q->snapshot.unprotected = mem_dup(c->unprotected);
    q->snapshot.loaded_s = c->disk.loaded_s;
    q->snapshot.broken_s = c->disk.broken_s;
    if (c->disk.broken_s && is_operator) /* it may quote what others cannot read */
        q->snapshot.broken = mem_dup(c->disk.why);
    q->snapshot.min_free = config_size(&c->config, CONFIG_MIN_FREE);
    q->snapshot.max_size = config_size(&c->config, CONFIG_MAX_QUEUE_SIZE);
    if (control_explains(q))
        q->explain = explanations_of(&c->config); /* its own: a thread has it */
    take_accounts(q, c, now);
    take_hubs(q, c, now);
    for (const struct delivery *e = c->deliveries; e; e = e->next)
        if (e->entry)
            control_add_active(q, schedule_id(e->entry));
}
