/* SPDX-License-Identifier: ISC */
/* intake: names and stamps; which account carries what is config/route's. */
#include "daemon/intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/expand.h"
#include "config/road.h"
#include "config/route.h"
#include "mail/address.h"
#include "mail/stamp.h"

/* Base 32 of the microseconds, and 20 random bits */
char *
intake_make_id(void)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct timespec now = clock_wall();
    uint64_t v = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    uint32_t random;
    char text[12];

    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint32_t)getpid(); /* early at boot: one process a number */
    for (size_t i = 11; i-- > 0; v /= 32)
        text[i] = digits[v % 32];
    text[11] = '\0';
    return mem_format("%s%05X", text, (unsigned)(random & 0xfffff));
}

int64_t
intake_zone_minutes(int64_t when)
{
    time_t t = (time_t)when;
    struct tm tm;

    return localtime_r(&t, &tm) ? tm.tm_gmtoff / 60 : 0;
}

static const char *
qualifier(const struct config *c)
{
    const char *domain = config_text(c, 0, CONFIG_REWRITE_DOMAIN);

    return domain ? domain : config_text(c, 0, CONFIG_HOSTNAME);
}

/* Of somebody over TCP whose uid nobody knows: there is no login */
static char *
own_address(const struct config *c, const char *sender)
{
    return *sender ? mem_dup(sender) : mem_format("postmaster@%s", qualifier(c));
}

static char *
login_address(const struct config *c, const struct peer *p)
{
    struct address a;
    struct error ignored;
    char *local = *p->login ? mem_dup(p->login) : mem_format("uid%lld", (long long)p->uid);
    char *all = mem_format("%s@%s", local, qualifier(c));

    free(local);
    if (!address_parse(slice_of(all), 0, &a, &ignored)) {
        free(all); /* a login name no address can be made of */
        all = mem_format("uid%lld@%s", (long long)p->uid, qualifier(c));
    }
    return all;
}

/* The reverse-path: the caller's login, or what -f said, qualified and rewritten like any address */
static char *
reverse_path(const struct config *c, const struct peer *p, const struct server_transaction *t)
{
    const char *domain = config_text(c, 0, CONFIG_REWRITE_DOMAIN);
    const struct config_value *own = config_value(c, 0, CONFIG_OWN_NAMES);
    const char *sender = t->envelope.sender, *at = strrchr(sender, '@');

    if (t->own_sender)
        return login_address(c, p);
    if (!*sender)
        return mem_dup("");
    if (!at)
        return mem_format("%s@%s", sender, qualifier(c));
    for (size_t i = 0; domain && i < own->n; i++)
        if (slice_is_nocase(slice_of(at + 1), own->item[i]))
            return mem_format("%.*s@%s", (int)(at - sender), sender, domain);
    return mem_dup(sender);
}

/* ---------------------------------------------------------------- recipients */

struct found {
    const struct config *config;
    const struct peer *peer;
    struct submission *sub;
    const char *sender; /* as accounts see it */
    size_t named;
};

static void
on_found(void *ctx, const char *address)
{
    struct found *f = ctx;
    size_t a = route_account(f->config, f->sender, f->peer->uid, address);

    char *road = road_name(f->config, a, address);

    submission_add(f->sub, f->named, address, road, 0, NULL);
    free(road);
}

/* By the settings of the account that carries mail for it as it is written */
static bool
expand(struct found *f, const char *address, struct error *err)
{
    size_t n = f->sub->record.envelope.n, account;
    struct expand_hooks hooks = { .found = on_found, .ctx = f, .max = JOB_RECIPIENTS_MAX - n };

    if (n >= JOB_RECIPIENTS_MAX) /* aliases make more of them than MaxRecipients says */
        return error_set(err, ERROR_REFUSED, "the message has too many recipients");
    account = route_account(f->config, f->sender, f->peer->uid, address);
    return expand_recipient(f->config, account, address, &hooks, err);
}

bool
intake_recipient(const struct config *c, const struct peer *p, struct submission *s,
    const struct server_transaction *t, const char *address, struct error *err)
{
    char *path = reverse_path(c, p, t);
    bool by_from = t->own_sender && t->from_address && *t->from_address;
    struct found f = { c, p, s, by_from ? t->from_address : path, submission_name(s, address) };
    /* a refused one leaves a name without members, which counts for nothing */
    bool ok = expand(&f, address, err);

    free(path);
    return ok;
}

/* ---------------------------------------------------------------- the record's head */

static void
stamp(const struct config *c, const struct peer *p, const char *helo, struct record *r)
{
    struct buf b;
    struct stamp_received received = { .by = slice_of(config_text(c, 0, CONFIG_HOSTNAME)),
        .software = slice_of("smtprelay"),
        .id = slice_of(r->id),
        .login = slice_of(r->login),
        .has_uid = r->uid >= 0,
        .uid = (uint64_t)(r->uid >= 0 ? r->uid : 0),
        .when = r->time,
        .zone_minutes = (int)r->zone_min };

    if (p->address) {
        received.helo = slice_of(helo);
        received.peer = slice_of(p->address);
        received.with = slice_of("ESMTP");
    }
    buf_init(&b, 4096);
    stamp_date(&b, r->time, (int)r->zone_min);
    r->date = buf_steal(&b);
    stamp_message_id(&b, slice_of(r->id), r->time, received.by);
    r->message_id = buf_steal(&b);
    stamp_received(&b, &received);
    r->received = buf_steal(&b);
}

static void
set(char **field, const char *text)
{
    free(*field);
    *field = mem_dup(text ? text : "");
}

/* NOTIFY and ORCPT belong to the named recipient; names that were refused are not in t, the order is the same */
static void
set_notify(struct submission *s, const struct server_transaction *t)
{
    struct envelope *e = &s->record.envelope;
    size_t k = 0;

    for (size_t i = 0; i < e->n; i++) {
        const char *name = s->named[s->member[i].recipient];
        while (k < t->envelope.n && strcmp(t->envelope.rcpt[k].address, name) != 0)
            k++;
        if (k == t->envelope.n)
            return;
        e->rcpt[i].notify = t->envelope.rcpt[k].notify;
        free(e->rcpt[i].orcpt);
        e->rcpt[i].orcpt = mem_dup(t->envelope.rcpt[k].orcpt);
    }
}

/* X-MODE, else Delivery, whose first letter is the mode; who asked for the dialog wants to see it */
static char
delivery_mode(const struct config *c, const struct server_transaction *t)
{
    const char *delivery = config_text(c, 0, CONFIG_DELIVERY);

    if (t->mode && strchr("ibq", t->mode))
        return t->mode;
    return delivery && !t->verbose ? ascii_lower(delivery[0]) : 'i';
}

bool
intake_begin(const struct config *c, const struct peer *p, const char *origin, struct submission *s,
    const struct server_transaction *t, struct error *err)
{
    struct record *r = &s->record;
    struct timespec now = clock_wall();
    char *path = reverse_path(c, p, t);

    s->mode = delivery_mode(c, t);
    s->verbose = t->verbose;
    s->begun_ms = clock_ms();
    free(r->id);
    r->id = intake_make_id();
    r->time = now.tv_sec;
    r->zone_min = intake_zone_minutes(now.tv_sec);
    r->uid = p->uid;
    r->pid = p->pid;
    set(&r->mode, s->mode == 'q' ? "queue" : s->mode == 'b' ? "background" : "interactive");
    set(&r->origin, origin);
    set(&r->login, p->login);
    set(&r->client, p->address);
    set(&r->program, p->program);
    set(&r->unit, p->unit);
    set(&r->cwd, t->cwd);
    set(&r->full_name, t->full_name ? t->full_name : p->full_name);
    set(&r->from_address, t->from_address);
    set(&r->account, r->envelope.n ? s->member[0].account : "default");
    free(r->login_address);
    r->login_address = p->uid < 0 ? own_address(c, path) : login_address(c, p);
    envelope_set_sender(&r->envelope, path);
    free(path);
    r->envelope.ret = t->envelope.ret;
    r->envelope.envid = mem_dup(t->envelope.envid);
    r->smtputf8 = t->smtputf8;
    r->eight_bit = t->eight_bit;
    set_notify(s, t);
    stamp(c, p, t->helo ? t->helo : "", r);
    return submission_begin(s, err);
}
