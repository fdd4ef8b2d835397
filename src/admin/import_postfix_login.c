/* SPDX-License-Identifier: ISC */
/* import_postfix_login: logins, and which sender's mail goes where and under which address: all that Postfix has in tables. */
#include <stdlib.h>
#include <string.h>

#include "admin/import_postfix.h"
#include "base/mem.h"

enum { GROUPS_MAX = 100 };

/* ---------------------------------------------------------------- login */

struct login {
    struct slice relayhost, host;
    bool done;
    bool by_sender; /* smtp_sender_dependent_authentication */
};

/* The group that mail of this sender goes by; one is made where there is none. 0: no more of them */
static size_t
group_of_sender(struct import *im, struct slice sender, struct import_at at)
{
    size_t g;

    for (g = 1; g < im->groups; g++)
        if (slice_is_nocase(sender, import_get(im, g, CONFIG_SENDER)))
            return g;
    if (im->groups > GROUPS_MAX)
        return 0;
    g = import_add_group(im, sender, at);
    (void)import_add(im, g, CONFIG_SENDER, sender, at);
    if (!slice_starts(sender, "@"))
        (void)import_add(im, g, CONFIG_FROM, sender, at);
    return g;
}

/* sender [host]:port */
static bool
take_relay(struct import *im, void *ctx, struct slice key, struct slice value, struct import_at at)
{
    struct slice host, port;
    uint16_t number = 25;
    size_t g;

    (void)ctx;
    import_split_hub(value, &host, &port);
    if (port.len)
        number = import_port(port);
    g = slice_has(key, '@') && number && host.len ? group_of_sender(im, key, at) : 0;
    if (!g)
        import_leave(im, at, key, "no \"sender [host]:port\" that is possible here");
    else if (import_add_hub(im, g, host, number, at))
        import_set_tls(im, g, number == 465 ? IMPORT_TLS_IMPLICIT : IMPORT_TLS_STARTTLS, number, at);
    return true;
}

/* A login of a sender's own, or that of the smarthost its mail goes to */
static bool
take_group_login(
    struct import *im, const struct login *login, struct slice key, struct slice value, struct import_at at)
{
    struct slice rest = value, user = import_cut(&rest, ':'), host, port;
    bool taken = false;

    if (login->by_sender && slice_has(key, '@')) {
        size_t g = group_of_sender(im, key, at);
        if (g)
            import_set_login(im, g, user, rest, at, at);
        return g != 0;
    }
    import_split_hub(key, &host, &port);
    for (size_t g = 1; g < im->groups; g++) {
        struct slice hub = slice_of(import_get(im, g, CONFIG_MAILHUB)), its;
        its = slice_sub(hub, 0, slice_find_last(hub, ':'));
        if (!its.len || !slice_eq_nocase(its, host) || import_get(im, g, CONFIG_AUTH_USER))
            continue;
        import_set_login(im, g, user, rest, at, at);
        taken = true;
    }
    return taken;
}

/* [host]:port USER:PASSWORD, or host only */
static bool
take_login(struct import *im, void *ctx, struct slice key, struct slice value, struct import_at at)
{
    struct login *login = ctx;
    struct slice user;
    bool taken = take_group_login(im, login, key, value, at);

    if (taken && !slice_eq_nocase(key, login->relayhost) && !slice_eq_nocase(key, login->host))
        return true;
    if (!slice_eq_nocase(key, login->relayhost) && !slice_eq_nocase(key, login->host) &&
        !slice_is(key, "*")) {
        import_leave(im, at, key,
            slice_has(key, '@') ? "smtp_sender_dependent_authentication is not set"
                                : "it is not the relayhost");
        return true;
    }
    if (login->done) {
        import_leave(im, at, key, "there is a login already");
        return true;
    }
    user = import_cut(&value, ':');
    import_set_login(im, 0, user, value, at, at);
    login->done = true;
    return true;
}

void
import_postfix_login(struct import *im, struct import_pairs *p, struct slice relayhost, struct slice host)
{
    struct import_at at = { NULL, 0 };
    char *on = import_main_cf_value(p, "smtp_sasl_auth_enable", &at),
         *by = import_main_cf_value(p, "smtp_sender_dependent_authentication", &at);
    struct login login = { relayhost, host, false, by && import_is_yes(slice_of(by)) };

    import_main_cf_maps(im, p, "sender_dependent_relayhost_maps", take_relay, NULL);

    if (on && import_is_yes(slice_of(on)))
        import_main_cf_maps(im, p, "smtp_sasl_password_maps", take_login, &login);
    else if (import_pairs_find(p, "smtp_sasl_password_maps"))
        import_leave(im, import_pairs_find(p, "smtp_sasl_password_maps")->at,
            slice_of("smtp_sasl_password_maps"), "smtp_sasl_auth_enable is not set");
    free(on);
    free(by);
}

/* ---------------------------------------------------------------- who mail is from */

/* A pattern that fits all addresses */
static bool
is_any(struct slice pattern)
{
    static const char *const all[] = { "/./", "/.*/", "/.+/", "/^.*/", "/^.+/", "/^.*$/", "/^.+$/", "/(.*)/",
        "/^(.*)$/" };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (slice_is(pattern, all[i]))
            return true;
    return false;
}

/* root@web1 or @web1: a group that sends as the address on the right */
static bool
take_sender(struct import *im, void *ctx, struct slice key, struct slice value, struct import_at at)
{
    size_t g;

    (void)ctx;
    if (is_any(key) && !slice_has(value, '$') && import_set(im, 0, CONFIG_FROM, value, at)) {
        (void)import_set(im, 0, CONFIG_FROM_POLICY, slice_of("force"), at);
        return false; /* what stands behind it never counts */
    }
    if (slice_starts(key, "/") || im->groups > GROUPS_MAX) {
        import_leave(
            im, at, key, im->groups > GROUPS_MAX ? "there are too many" : "patterns are not possible here");
        return true;
    }
    if (slice_has(key, '@') && slice_starts(value, "@")) {
        import_leave(im, at, key, "one domain for another is rewriteDomain, for the names of this machine");
        return true;
    }
    g = import_add_group(im, key, at);
    if (import_add(im, g, slice_has(key, '@') ? CONFIG_SENDER : CONFIG_FOR_USER, key, at) &&
        import_add(im, g, CONFIG_FROM, value, at)) {
        (void)import_add(im, g, CONFIG_FROM_POLICY, slice_of("force"), at);
        return true;
    }
    for (size_t k = 0; k < CONFIG_KEYS; k++)
        import_unset(im, g, (enum config_key)k);
    im->groups--;
    return true;
}

void
import_postfix_senders(struct import *im, struct import_pairs *p)
{
    import_main_cf_maps(im, p, "smtp_generic_maps", take_sender, NULL);
    import_main_cf_maps(im, p, "sender_canonical_maps", take_sender, NULL);
    import_main_cf_maps(im, p, "canonical_maps", take_sender, NULL);
}
