/* SPDX-License-Identifier: ISC */
/* core: beginning and end of what the parts share. */
#include "daemon/core.h"

#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/advice.h"
#include "daemon/attempt.h"
#include "daemon/dispatch.h"
#include "daemon/report.h"
#include "daemon/story.h"

enum { STORE_THREADS = 4 };

static struct schedule_limits
schedule_limits_of(const struct core *c)
{
    struct schedule_limits l = { config_number(&c->config, 0, CONFIG_RETRY_MIN),
        config_number(&c->config, 0, CONFIG_RETRY_MAX), config_number(&c->config, 0, CONFIG_QUEUE_LIFETIME) };

    return l;
}

/* What a preset says, so that the smarthost refuses none */
static size_t
connections_of(void *ctx, const char *account)
{
    const struct core *c = ctx;
    size_t a = config_account_find(&c->config, account);

    return a < c->config.n ? (size_t)config_number(&c->config, a, CONFIG_CONNECTIONS) : 0;
}

void
core_begin(struct core *c, int helper_sock, void (*control)(void *ctx, struct start_packet *p), void *ctx)
{
    c->pool_events = (struct pool_events){ attempt_packet, attempt_over, control, connections_of, c };
    c->loop = loop_new();
    c->work = work_new(c->loop, STORE_THREADS);
    c->pool = pool_new(c->loop, helper_sock, &c->pool_events, ctx);
}

void
core_schedule(struct core *c, const struct schedule_limits *limits)
{
    struct schedule_limits own = schedule_limits_of(c);
    uint64_t seed = (uint64_t)clock_us();

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
        seed ^= (uint64_t)getpid(); /* it is for jitter only */
    if (c->is_daemon) {
        c->rates = rates_new();
        c->runaways = runaways_new();
    }
    c->schedule = schedule_new(limits ? limits : &own, seed);
    schedule_doubt(c->schedule);
}

void
core_configure(struct core *c)
{
    advice_forget(c);
    pool_configure(c->pool, (size_t)config_number(&c->config, 0, CONFIG_WORKERS),
        config_number(&c->config, 0, CONFIG_IDLE_TIMEOUT));
    pool_backoff(c->pool, config_number(&c->config, 0, CONFIG_RETRY_MIN),
        config_number(&c->config, 0, CONFIG_RETRY_MAX));
    if (c->schedule && c->is_daemon) {
        struct schedule_limits limits = schedule_limits_of(c);
        schedule_set_limits(c->schedule, &limits);
    }
}

void
core_end(struct core *c)
{
    c->stopping = true;
    report_finish(c);
    work_free(c->work);
    dispatch_abandon(c);
    story_end(c);
    pool_free(c->pool);
    schedule_free(c->schedule);
    rates_free(c->rates);
    runaways_free(c->runaways);
    spool_close(c->spool);
    loop_free(c->loop);
    advice_forget(c);
    free(c->disk.why);
    config_end(&c->config);
}
