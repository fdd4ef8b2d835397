/* SPDX-License-Identifier: ISC */
/* delivery: beginning, end and what is said of it; what becomes of it is dispatch's and settle's. */
#include "daemon/delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/road.h"
#include "config/route.h"
#include "daemon/feed.h"
#include "daemon/metrics.h"
#include "daemon/story.h"

enum { WORDS_MAX = 1000 };

struct delivery *
delivery_new(struct core *c, struct submission *s)
{
    struct delivery *d = mem_alloc(sizeof *d);

    d->core = c;
    d->sub = s;
    d->fd = -1;
    d->next = c->deliveries;
    c->deliveries = d;
    return d;
}

void
delivery_free(struct delivery *d)
{
    struct core *c = d->core;
    struct delivery **at = &c->deliveries;

    while (*at != d)
        at = &(*at)->next;
    *at = d->next;
    loop_cancel(d->timer);
    if (d->job)
        pool_forget(d->job);
    submission_clear(d->sub);
    free(d->sub);
    file_close(&d->fd);
    free(d->account);
    free(d->unqueued);
    free(d->reason);
    free(d->attempt.reply);
    free(d->attempt.trouble);
    free(d->hold);
    free(d);
    feed_pump(c);
    if (!c->deliveries && c->rest)
        c->rest(c->rest_ctx);
}

/* A quoted local part may hold what ends a field: whoever reads the log takes no word of it for another one */
static void
escape_address(struct buf *out, const char *address)
{
    buf_init(out, 4000);
    for (; *address; address++) {
        if (*address == '>' || *address == ' ')
            buf_add_format(out, "\\x%02X", (unsigned)*address);
        else
            buf_add_char(out, *address);
    }
}

void
delivery_add_words(struct buf *b, const char *key, const char *words)
{
    buf_add_str(b, key);
    for (size_t i = 0; words[i] && i < WORDS_MAX; i++)
        buf_add_char(b, words[i] == '"' ? '\'' : words[i]);
    buf_add_char(b, '"');
}

struct slice
delivery_used_value(struct slice used, const char *key)
{
    struct slice name, value;

    while (slice_cut(&used, '=', &name)) {
        bool quoted = used.len && used.p[0] == '"';
        if (quoted)
            used = slice_from(used, 1);
        if (!slice_cut(&used, quoted ? '"' : ' ', &value))
            break;
        if (slice_is(slice_trim(name), key))
            return value;
    }
    return slice_of("");
}

void
delivery_add_used(struct buf *b, struct slice used)
{
    static const char *const keys[] = { "relay", "tls", "auth", "delays" };

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct slice value = delivery_used_value(used, keys[i]);
        bool quoted = slice_has(value, ' ') || (strcmp(keys[i], "tls") == 0 && !slice_is(value, "none"));
        if (value.len == 0 || slice_has(value, '"') || !text_is_shown(value))
            continue;
        buf_add_format(
            b, quoted ? "%s%s=\"%.*s\"" : "%s%s=%.*s", b->len ? " " : "", keys[i], SLICE_ARG(value));
    }
}

void
delivery_log(const struct delivery *d, const char *status, const char *why)
{
    const struct record *r = &d->sub->record;
    struct buf b, from, to;

    buf_init(&b, 4000);
    buf_add_format(&b, "id=%s uid=%lld", r->id, (long long)r->uid);
    if (r->client && *r->client)
        buf_add_format(&b, " client=%s", r->client);
    escape_address(&from, r->envelope.sender ? r->envelope.sender : "");
    escape_address(&to, r->envelope.n ? r->envelope.rcpt[0].address : "");
    buf_add_format(&b, " from=<%s> to=<%s>", buf_str(&from), buf_str(&to));
    buf_clear(&from);
    buf_clear(&to);
    if (r->envelope.n > 1)
        buf_add_format(&b, " nrcpt=%zu", r->envelope.n);
    buf_add_format(&b, " size=%llu", (unsigned long long)d->sub->size);
    if (d->sub->begun_ms)
        buf_add_format(&b, " delay=%.3f", (double)(clock_ms() - d->sub->begun_ms) / 1000);
    if (d->sub->used.len)
        buf_add_format(&b, " %s", buf_str(&d->sub->used));
    buf_add_format(&b, " status=%s", status);
    if (why && *why)
        delivery_add_words(&b, " why=\"", why);
    log_line(strcmp(status, "failed") == 0 || strcmp(status, "refused") == 0 || strcmp(status, "expired") == 0
                 ? LOG_LEVEL_ERROR
                 : LOG_LEVEL_INFO,
        "%s", buf_str(&b));
    buf_clear(&b);
    story_status(d, status, why);
    metrics_status(d, status);
}

void
delivery_attempt_begin(struct delivery *d)
{
    free(d->attempt.reply);
    free(d->attempt.trouble);
    d->attempt = (struct delivery_attempt){ .begun_ms = clock_ms() };
}

bool
delivery_is_outdated(const struct delivery *d)
{
    return d->attempt.begun_ms < d->core->settings_ms;
}

void
delivery_hold(struct core *c, const struct schedule_entry *e, const char *reason)
{
    for (struct delivery *d = c->deliveries; d; d = d->next) {
        if (d->entry != e)
            continue;
        free(d->hold);
        d->hold = mem_dup(reason);
    }
}

const char *
delivery_trouble(const struct delivery *d)
{
    for (size_t i = 0; i < d->sub->record.envelope.n; i++)
        if (!d->sub->member[i].delivered && d->sub->member[i].text)
            return d->sub->member[i].text;
    return d->reason;
}

void
delivery_because(struct delivery *d, const char *reason)
{
    free(d->reason);
    d->reason = mem_dup(reason);
}

static size_t
find_account(const struct core *c, const struct record *r)
{
    const char *name = r->account ? r->account : "";
    size_t a = road_account(&c->config, name);

    if (a >= c->config.n)
        a = route_account(&c->config, r->envelope.sender ? r->envelope.sender : "", r->uid,
            r->envelope.n ? r->envelope.rcpt[0].address : "");
    return a;
}

char *
delivery_road(const struct core *c, const struct record *r)
{
    return road_of(&c->config, find_account(c, r), &r->envelope);
}

void
delivery_find_roads(const struct core *c, struct submission *s)
{
    size_t a = find_account(c, &s->record);

    for (size_t i = 0; i < s->record.envelope.n; i++) {
        free(s->member[i].account);
        s->member[i].account = road_name(&c->config, a, s->record.envelope.rcpt[i].address);
    }
}

const char *
delivery_account(const struct core *c, const char *road)
{
    size_t a = road_account(&c->config, road);

    return a < c->config.n ? config_account_name(&c->config, a) : road;
}

bool
delivery_is_of_system(const struct core *c, int64_t uid)
{
    return uid >= 0 && uid < config_number(&c->config, 0, CONFIG_MIN_USER_ID);
}

int64_t
delivery_age_ms(const struct record *r)
{
    int64_t age = ((int64_t)clock_wall().tv_sec - r->time) * 1000;

    return age > 0 ? age : 0;
}
