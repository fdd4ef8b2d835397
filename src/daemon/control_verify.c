/* SPDX-License-Identifier: ISC */
/* control_verify: the way of an address, in one line or step by step; the same functions decide it as for mail. */
#include "daemon/control.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "config/expand.h"
#include "config/route.h"
#include "mail/addrlist.h"

/* Whose mail it would be, and what has been found for one address */
struct verify {
    const struct config *c;
    struct buf *out;
    char *sender;
    char *own; /* the caller's address */
    int64_t uid;
    bool steps;
    char **found;
    size_t n;
    size_t listed;      /* addresses of this argument */
    struct error first; /* what was wrong with the first that is refused */
};

static const char *
qualifier(const struct config *c, size_t account)
{
    const char *domain = config_text(c, account, CONFIG_REWRITE_DOMAIN);

    return domain ? domain : config_text(c, account, CONFIG_HOSTNAME);
}

static char *
default_sender(const struct config *c, int64_t uid)
{
    struct passwd *pw = uid >= 0 ? getpwuid((uid_t)uid) : NULL;

    return pw ? mem_format("%s@%s", pw->pw_name, qualifier(c, 0))
              : mem_format("uid%lld@%s", (long long)uid, qualifier(c, 0));
}

/* As intake has it: "<>" is the null sender, and what has no domain gets one */
static char *
sender_of(const struct control_request *q, const struct config *c, int64_t uid)
{
    if (q->verb != CONTROL_TRACE || strcmp(q->text, "-") == 0)
        return default_sender(c, uid);
    if (strcmp(q->text, "<>") == 0)
        return mem_dup("");
    return strchr(q->text, '@') ? mem_dup(q->text) : mem_format("%s@%s", q->text, qualifier(c, 0));
}

static void
on_found(void *ctx, const char *address)
{
    struct verify *v = ctx;

    v->found = mem_resize(v->found, v->n + 1, sizeof *v->found);
    v->found[v->n++] = mem_dup(address);
}

static void
on_step(void *ctx, unsigned depth, const char *text)
{
    struct verify *v = ctx;

    buf_add_format(v->out, " %*s%s\n", 2 + 2 * (int)depth, "", text);
}

static void
add_address(const struct verify *v, size_t account, const char *address)
{
    text_add_escaped(v->out, slice_of(address));
    if (!strchr(address, '@'))
        buf_add_format(v->out, "@%s", qualifier(v->c, account));
}

static size_t
account_of(const struct verify *v, size_t i)
{
    return route_account(v->c, v->sender, v->uid, v->found[i]);
}

static void
add_hubs(const struct verify *v, size_t account)
{
    const struct config_value *hubs = config_value(v->c, account, CONFIG_MAILHUB);
    const char *provider = config_text(v->c, account, CONFIG_PROVIDER);

    for (size_t i = 0; i < hubs->n; i++)
        buf_add_format(v->out, "%s%s", i ? ", else " : "", hubs->item[i]);
    if (hubs->n == 0)
        buf_add_str(v->out, provider ? provider : "?");
}

/* ---------------------------------------------------------------- in one line */

static void
add_line(struct verify *v)
{
    for (size_t i = 0; i < v->n; i++) {
        size_t account = account_of(v, i);
        const struct config_value *hubs = config_value(v->c, account, CONFIG_MAILHUB);
        buf_add_char(v->out, ' ');
        add_address(v, account, v->found[i]);
        if (i + 1 < v->n && account_of(v, i + 1) == account)
            continue;
        buf_add_format(v->out, " by %s%s", hubs->n ? hubs->item[0] : "?", i + 1 < v->n ? "," : "\n");
    }
}

/* ---------------------------------------------------------------- step by step */

static void
add_fallbacks(struct verify *v, size_t account)
{
    const char *next = config_text(v->c, account, CONFIG_FALLBACK);

    for (; next; next = config_text(v->c, account, CONFIG_FALLBACK)) {
        account = config_account_find(v->c, next);
        buf_add_str(v->out, "     else by account ");
        text_add_escaped(v->out, slice_of(next));
        buf_add_str(v->out, ": ");
        if (route_may_use(v->c, account, v->uid))
            add_hubs(v, account);
        else
            buf_add_format(v->out, "not for uid %lld, so the mail waits", (long long)v->uid);
        buf_add_char(v->out, '\n');
        if (!route_may_use(v->c, account, v->uid))
            return;
    }
}

/* An address, or one at "@domain" */
static bool
is_at(struct slice address, const char *pattern)
{
    if (*pattern == '@')
        return slice_is_nocase(slice_from(address, slice_find_last(address, '@')), pattern);
    return slice_is_nocase(address, pattern);
}

/* May the account use it, as the worker sees it (worker/rewrite)? */
static bool
is_allowed(const struct config *c, size_t account, struct slice sender, const char *from)
{
    const struct config_value *allowed = config_value(c, account, CONFIG_FROM_ALLOWED);

    if (is_at(sender, from) ||
        (!config_flag(c, account, CONFIG_OWN_SENDER) && is_at(sender, strrchr(from, '@'))))
        return true;
    for (size_t i = 0; i < allowed->n; i++)
        if (is_at(sender, allowed->item[i]))
            return true;
    return false;
}

static const char *
goes_as(const struct verify *v, size_t account)
{
    struct slice policy = slice_of(config_text(v->c, account, CONFIG_FROM_POLICY));
    const char *from = config_text(v->c, account, CONFIG_FROM);
    bool forces = slice_is_nocase(policy, "force");
    bool replaces = forces || (slice_is_nocase(policy, "auto") && from &&
                                  !is_allowed(v->c, account, slice_of(v->sender), from));

    if (forces && !from)
        from = v->own;
    return from && *v->sender && replaces ? from : v->sender;
}

static void
add_account(struct verify *v, size_t account, const char *address)
{
    const char *sender = goes_as(v, account);
    struct buf why;

    buf_init(&why, 3000);
    route_why(v->c, account, v->sender, v->uid, address, &why);
    buf_add_str(v->out, "     by account ");
    text_add_escaped(v->out, slice_of(config_account_name(v->c, account)));
    buf_add_format(v->out, " (%s): ", buf_str(&why));
    add_hubs(v, account);
    buf_add_char(v->out, '\n');
    buf_clear(&why);
    add_fallbacks(v, account);
    buf_add_str(v->out, "     from <");
    text_add_escaped(v->out, slice_of(v->sender));
    buf_add_str(v->out, ">, which goes out as <");
    text_add_escaped(v->out, slice_of(sender));
    buf_add_format(v->out, "> (FromPolicy %s)\n", config_text(v->c, account, CONFIG_FROM_POLICY));
}

/* Those that go the same way stand together */
static void
add_ways(struct verify *v)
{
    for (size_t i = 0; i < v->n; i++) {
        size_t account = account_of(v, i);
        buf_add_str(v->out, "   > ");
        add_address(v, account, v->found[i]);
        buf_add_char(v->out, '\n');
        if (i + 1 == v->n || account_of(v, i + 1) != account)
            add_account(v, account, v->found[i]);
    }
}

/* ---------------------------------------------------------------- all */

static void
add_refusal(struct verify *v, const struct error *err)
{
    buf_add_format(v->out, "%s refused: %s\n", v->steps ? "   >" : "", err->text);
    if (v->first.class == ERROR_NONE)
        v->first = *err;
}

static void
add_name(struct verify *v, struct slice name)
{
    buf_add_char(v->out, ' ');
    text_add_escaped(v->out, name);
    buf_add_str(v->out, v->steps ? ":\n" : ":");
}

static void
verify_address(struct verify *v, const char *address)
{
    size_t account = route_account(v->c, v->sender, v->uid, address);
    struct expand_hooks hooks = { .found = on_found, .step = v->steps ? on_step : NULL, .ctx = v };
    struct error err;

    add_name(v, slice_of(address));
    if (!expand_recipient(v->c, account, address, &hooks, &err))
        add_refusal(v, &err);
    else if (v->steps)
        add_ways(v);
    else
        add_line(v);
    for (size_t i = 0; i < v->n; i++)
        free(v->found[i]);
    free(v->found);
    v->found = NULL;
    v->n = 0;
}

struct listing {
    struct verify *v;
    struct slice text;
};

static void
on_listed(void *ctx, const struct addrlist_item *item)
{
    struct listing *l = ctx;
    struct buf b;

    if (l->v->out->overflow)
        return;
    l->v->listed++;
    if (item->error) {
        add_name(
            l->v, slice_trim(slice_sub(l->text, item->entry.start, item->entry.end - item->entry.start)));
        add_refusal(l->v, item->error);
        return;
    }
    buf_init(&b, 1000);
    address_format(&b, &item->address);
    verify_address(l->v, buf_str(&b));
    buf_clear(&b);
}

/* An argument is a list with names and comments, as it is where a message is sent */
static void
verify_argument(struct verify *v, const char *text)
{
    struct listing l = { v, slice_of(text) };
    struct addrlist *list = mem_alloc(sizeof *list);
    struct error err;

    v->listed = 0;
    addrlist_init(list, ADDRLIST_ARGUMENT | ADDRLIST_BLANKS, on_listed, &l);
    addrlist_push(list, l.text);
    addrlist_end(list);
    free(list);
    if (v->listed)
        return;
    error_set(&err, ERROR_DATA, "there is no address in it");
    add_name(v, l.text);
    add_refusal(v, &err);
}

void
control_verify(const struct control_request *q, const struct config *c, struct buf *answer)
{
    bool steps = q->verb == CONTROL_TRACE;
    struct verify v = { .c = c, .out = answer, .steps = steps };

    v.uid = steps && q->filter.uid >= 0 ? q->filter.uid : q->peer.uid;
    v.sender = sender_of(q, c, v.uid);
    v.own = default_sender(c, v.uid);
    error_init(&v.first);
    for (size_t i = 0; i < q->naddress && !answer->overflow; i++)
        verify_argument(&v, q->address[i]);
    if (answer->overflow) {
        buf_reset(answer);
        error_set(&v.first, ERROR_REFUSED, "that leads to more addresses than can be shown");
    }
    control_end(answer,
        v.first.class == ERROR_NONE      ? ERROR_NONE
        : v.first.class == ERROR_REFUSED ? ERROR_REFUSED
                                         : ERROR_NOUSER,
        v.first.text);
    free(v.sender);
    free(v.own);
}
