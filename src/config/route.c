/* SPDX-License-Identifier: ISC */
/* route: the keys of accounts, and lists of users. */
#include "config/route.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"

/* An address, or "@domain"; NULL: none of them */
static const char *
address_match(const struct config_value *v, const char *address)
{
    struct slice a = slice_of(address);

    for (size_t i = 0; i < v->n; i++) {
        struct slice pattern = slice_of(v->item[i]);
        if (pattern.len && pattern.p[0] == '@'
                ? slice_eq_nocase(slice_from(a, slice_find_last(a, '@')), pattern)
                : slice_eq_nocase(a, pattern))
            return v->item[i];
    }
    return NULL;
}

static bool
address_matches(const struct config_value *v, const char *address)
{
    return address_match(v, address) != NULL;
}

static bool
user_matches(const struct config_value *v, int64_t uid)
{
    uint64_t n;

    for (size_t i = 0; i < v->n; i++) {
        struct passwd *pw = getpwnam(v->item[i]);
        if ((pw && (int64_t)pw->pw_uid == uid) ||
            (slice_number(slice_of(v->item[i]), UINT32_MAX, &n) && (int64_t)n == uid))
            return true;
    }
    return false;
}

size_t
route_account(const struct config *c, const char *sender, int64_t uid, const char *recipient)
{
    for (size_t a = 1; a < c->n; a++) {
        const struct config_value *s = config_value(c, a, CONFIG_SENDER),
                                  *u = config_value(c, a, CONFIG_FOR_USER),
                                  *r = config_value(c, a, CONFIG_RECIPIENT);
        if (!s->set && !u->set && !r->set)
            continue; /* serves only as a fallback */
        if ((!s->set || address_matches(s, sender)) && (!u->set || user_matches(u, uid)) &&
            (!r->set || address_matches(r, recipient)))
            return a;
    }
    return 0;
}

static void
add_match(struct buf *out, const char *key, const char *item, const char *value)
{
    buf_add_format(out, "%s%s ", out->len ? ", " : "", key);
    text_add_escaped(out, slice_of(item));
    if (value) {
        buf_add_str(out, " for ");
        text_add_escaped(out, slice_of(value));
    }
}

void
route_why(const struct config *c, size_t account, const char *sender, int64_t uid, const char *recipient,
    struct buf *out)
{
    const struct config_value *s = config_value(c, account, CONFIG_SENDER),
                              *r = config_value(c, account, CONFIG_RECIPIENT);
    const char *of_sender = address_match(s, sender), *of_recipient = address_match(r, recipient);
    char number[24];

    (void)snprintf(number, sizeof number, "%lld", (long long)uid);
    if (of_sender)
        add_match(out, "sender", of_sender, sender);
    if (config_value(c, account, CONFIG_FOR_USER)->set)
        add_match(out, "user, uid", number, NULL);
    if (of_recipient)
        add_match(out, "recipient", of_recipient, recipient);
    if (account == 0)
        buf_add_str(out, c->n > 1 ? "no account's keys match" : "the only one");
}

bool
route_may_use(const struct config *c, size_t account, int64_t uid)
{
    const struct config_value *u = config_value(c, account, CONFIG_FOR_USER);

    return !u->set || user_matches(u, uid);
}

static bool
names_user(const struct config_value *v, int64_t uid, const char *login)
{
    for (size_t i = 0; i < v->n; i++)
        if ((*login && strcmp(v->item[i], login) == 0))
            return true;
    return user_matches(v, uid);
}

bool
route_is_allowed(const struct config *c, int64_t uid, const char *login)
{
    const struct config_value *allow = config_value(c, 0, CONFIG_ALLOW_USERS),
                              *deny = config_value(c, 0, CONFIG_DENY_USERS);

    if (uid < 0 && (allow->n > 0 || deny->n > 0))
        return false; /* nobody can say who that is */
    if (names_user(deny, uid, login))
        return false;
    return allow->n == 0 || names_user(allow, uid, login);
}
