/* SPDX-License-Identifier: ISC */
/* complete: what follows from the settings together: inheritance, defaults, contradictions. */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/value.h"

/* ---------------------------------------------------------------- inheritance */

/* An account that sets one of these inherits none of the others: they would contradict it. */
static const enum config_key families[][3] = {
    { CONFIG_MAILHUB, CONFIG_PROVIDER, CONFIG_PROVIDER },
    { CONFIG_USE_TLS, CONFIG_USE_STARTTLS, CONFIG_USE_STARTTLS },
    { CONFIG_TLS_CERT, CONFIG_TLS_KEY, CONFIG_TLS_KEY },
    { CONFIG_AUTH_PASS, CONFIG_AUTH_PASS_FILE, CONFIG_AUTH_PASS_COMMAND },
    { CONFIG_FROM_POLICY, CONFIG_FROM_LINE_OVERRIDE, CONFIG_FROM_LINE_OVERRIDE },
};

bool
config_has(const struct config *c, size_t account, enum config_key key)
{
    const struct config_account *a = &c->account[account];

    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        const enum config_key *k = families[f];
        if (k[0] == key || k[1] == key || k[2] == key)
            return a->value[k[0]].set || a->value[k[1]].set || a->value[k[2]].set;
    }
    return a->value[key].set;
}

static bool
is_direct(const struct config_account *a)
{
    const struct config_value *hub = &a->value[CONFIG_MAILHUB];

    return hub->set && hub->n == 1 && slice_is_nocase(slice_of(hub->item[0]), "direct");
}

/* What is for a smarthost, and for nobody else */
static bool
is_of_smarthost(size_t key)
{
    return (key >= CONFIG_AUTH_USER && key <= CONFIG_ALLOW_PLAINTEXT_AUTH) || key == CONFIG_TLS_FINGERPRINT ||
           key == CONFIG_USE_TLS || key == CONFIG_USE_STARTTLS;
}

static bool
is_secret_way(size_t key)
{
    return key == CONFIG_AUTH_PASS || key == CONFIG_AUTH_PASS_FILE || key == CONFIG_AUTH_PASS_COMMAND;
}

/* What an account would inherit, but must not */
static bool
is_own_matter(const struct config *c, size_t a, size_t key)
{
    const struct config_account *to = &c->account[a];
    const char *user = config_text(c, a, CONFIG_AUTH_USER);

    if (is_direct(to) && is_of_smarthost(key))
        return true;
    /* a password without a login: the provider's preset has it, and another smarthost has another */
    if (is_secret_way(key) && !c->account[0].value[CONFIG_AUTH_USER].set && config_has(c, a, CONFIG_MAILHUB))
        return true;
    if (!to->value[CONFIG_AUTH_USER].set)
        return false;
    if (is_secret_way(
            key)) /* AuthUser = "": no login here; and the password of one smarthost is not for another */
        return !user || config_has(c, a, CONFIG_MAILHUB);
    /* whose login it is is what it sends as */
    return key == CONFIG_FROM && user && value_is_address(slice_of(user));
}

/* Legal, but perhaps not what was meant */
static void
warn_inherited(struct config *c, size_t a, bool login, bool pins)
{
    if (login && config_text(c, a, CONFIG_AUTH_USER))
        buf_add_format(&c->warnings,
            "account %s: its own mailhub gets the login of the default account; AuthUser = \"\" means none\n",
            config_account_name(c, a));
    if (pins && config_value(c, a, CONFIG_TLS_FINGERPRINT)->n)
        buf_add_format(&c->warnings,
            "account %s: its own mailhub is held to the TLSFingerprint of the default account; "
            "TLSFingerprint = ( ) means none\n",
            config_account_name(c, a));
}

static void
inherit(struct config *c, size_t a)
{
    struct config_account *to = &c->account[a];
    bool take[CONFIG_NAME], hub = config_has(c, a, CONFIG_MAILHUB);
    bool login = hub && !to->value[CONFIG_AUTH_USER].set && !config_has(c, a, CONFIG_AUTH_PASS);
    bool pins = hub && !to->value[CONFIG_TLS_FINGERPRINT].set;

    for (size_t i = 0; i < CONFIG_NAME; i++)
        take[i] =
            c->account[0].value[i].set && !config_has(c, a, (enum config_key)i) && !is_own_matter(c, a, i);
    for (size_t i = 0; i < CONFIG_NAME; i++)
        if (take[i])
            config_copy(c, 0, a, (enum config_key)i);
    warn_inherited(c, a, login, pins);
}

static void
set_default(struct config *c, size_t account, enum config_key key, const char *text, const char *origin)
{
    struct error err;

    if (!c->account[account].value[key].set && text)
        (void)config_set(
            c, account, key, slice_of(text), true, origin, &err); /* defaults are right, or left out */
}

/* ---------------------------------------------------------------- contradictions */

/* Where a value stands, in front of what is wrong with it */
static bool
fail_at(const struct config *c, size_t account, enum config_key key, struct error *err)
{
    const struct config_value *v = config_value(c, account, key);

    return v->set && v->origin ? error_context(err, "%s", v->origin) : false;
}

/* Only one way to a secret, and a login for it */
static bool
check_secret(struct config *c, size_t a, struct error *err)
{
    static const enum config_key ways[] = { CONFIG_AUTH_PASS, CONFIG_AUTH_PASS_FILE,
        CONFIG_AUTH_PASS_COMMAND };
    const char *method = config_text(c, a, CONFIG_AUTH_METHOD);
    bool external = slice_is_nocase(slice_of(method), "external");
    enum config_key way = CONFIG_KEYS;

    for (size_t i = 0; i < 3; i++) {
        if (!config_text(c, a, ways[i]))
            continue;
        if (way != CONFIG_KEYS) {
            error_set(err, ERROR_CONFIG, "%s: %s is set, too; only one way to the password is possible",
                config_info(ways[i])->name, config_info(way)->name);
            return fail_at(c, a, ways[i], err);
        }
        way = ways[i];
    }
    if (way == CONFIG_KEYS && config_text(c, a, CONFIG_AUTH_USER) && !external) {
        error_set(err, ERROR_CONFIG, "AuthUser: AuthPass, AuthPassFile or AuthPassCommand is missing");
        return fail_at(c, a, CONFIG_AUTH_USER, err);
    }
    if (way != CONFIG_KEYS && !config_text(c, a, CONFIG_AUTH_USER) && !external) {
        error_set(err, ERROR_CONFIG, "%s: AuthUser is missing", config_info(way)->name);
        return fail_at(c, a, way, err);
    }
    return true;
}

/* What would go to whoever takes the mail of a domain, or fit none of them */
static bool
check_direct(struct config *c, size_t a, struct error *err)
{
    static const struct {
        enum config_key key;
        const char *why;
    } senseless[] = {
        { CONFIG_AUTH_USER,
            "with mailhub = \"direct\" there is no login: no host of a recipient may see it" },
        { CONFIG_TLS_FINGERPRINT, "with mailhub = \"direct\" it would have to fit each recipient's host" },
    };
    const char *tls = config_text(c, a, CONFIG_USE_TLS);

    if (config_value(c, a, CONFIG_MAILHUB)->n > 1) {
        error_set(err, ERROR_CONFIG,
            "mailhub: \"direct\" stands alone; for another way out, name an account by fallback");
        return fail_at(c, a, CONFIG_MAILHUB, err);
    }
    for (size_t i = 0; i < sizeof senseless / sizeof senseless[0]; i++) {
        if (!config_value(c, a, senseless[i].key)->n)
            continue;
        error_set(err, ERROR_CONFIG, "%s: %s", config_info(senseless[i].key)->name, senseless[i].why);
        return fail_at(c, a, senseless[i].key, err);
    }
    if (tls && slice_is_nocase(slice_of(tls), "implicit")) {
        error_set(err, ERROR_CONFIG, "UseTLS: with mailhub = \"direct\" TLS is by STARTTLS only");
        return fail_at(c, a, CONFIG_USE_TLS, err);
    }
    if (!config_value(c, a, CONFIG_USE_STARTTLS)->set)
        set_default(c, a, CONFIG_USE_TLS, "opportunistic", "mailhub = \"direct\"");
    return true;
}

static bool
check_hubs(struct config *c, size_t a, struct error *err)
{
    const struct config_value *hubs = config_value(c, a, CONFIG_MAILHUB);
    struct config_hub h;

    if (hubs->n == 0)
        return error_set(err, ERROR_CONFIG,
            "mailhub: not set; name the smarthost: mailhub = \"smtp.example.com:587\"; or provider = "
            "\"gmail\";");
    for (size_t i = 0; i < hubs->n; i++) {
        if (!config_hub_parse(c, a, hubs->item[i], &h, err))
            return fail_at(c, a, CONFIG_MAILHUB, err);
        free(h.host);
        if (h.kind == CONFIG_HUB_DIRECT && !check_direct(c, a, err))
            return false;
    }
    return true;
}

static bool
check_account(struct config *c, size_t a, struct error *err)
{
    const char *user = config_text(c, a, CONFIG_AUTH_USER);
    const struct config_value *line_override = config_value(c, a, CONFIG_FROM_LINE_OVERRIDE);

    if (!check_hubs(c, a, err) || !check_secret(c, a, err))
        return false;
    if (!config_text(c, a, CONFIG_TLS_KEY))
        set_default(c, a, CONFIG_TLS_KEY, config_text(c, a, CONFIG_TLS_CERT), "TLSCert");
    if (config_text(c, a, CONFIG_TLS_KEY) && !config_text(c, a, CONFIG_TLS_CERT)) {
        error_set(err, ERROR_CONFIG, "TLSKey: TLSCert is missing");
        return fail_at(c, a, CONFIG_TLS_KEY, err);
    }
    if (user && value_is_address(slice_of(user)))
        set_default(c, a, CONFIG_FROM, user, "AuthUser");
    set_default(c, a, CONFIG_ROOT, config_text(c, a, CONFIG_FROM), "From");
    if (line_override->set)
        set_default(
            c, a, CONFIG_FROM_POLICY, line_override->number ? "qualify" : "force", "FromLineOverride");
    return true;
}

/* It would show at the first message; a login only where no password is sent in clear */
static void
warn_login(struct config *c, size_t a)
{
    struct slice tls = slice_of(config_text(c, a, CONFIG_USE_TLS));

    if (config_text(c, a, CONFIG_AUTH_USER) && !config_flag(c, a, CONFIG_ALLOW_PLAINTEXT_AUTH) &&
        slice_is_nocase(tls, "false") && !config_flag(c, a, CONFIG_USE_STARTTLS))
        buf_add_format(&c->warnings,
            "account %s: AuthUser with UseTLS = false: without TLS no login is tried and no mail goes; "
            "AllowPlaintextAuth = true sends the password in clear\n",
            config_account_name(c, a));
}

/* There is no word in clear that could lead to TLS or go on without it */
static void
warn_opportunistic(struct config *c, size_t a)
{
    const struct config_value *hubs = config_value(c, a, CONFIG_MAILHUB);
    struct config_hub h;
    struct error wrong; /* said already */

    if (!slice_is_nocase(slice_of(config_text(c, a, CONFIG_USE_TLS)), "opportunistic"))
        return;
    for (size_t i = 0; i < hubs->n; i++) {
        if (!config_hub_parse(c, a, hubs->item[i], &h, &wrong))
            continue;
        if (h.port == 465)
            buf_add_format(&c->warnings,
                "account %s: mailhub %s with UseTLS = \"opportunistic\": port 465 is TLS from its first "
                "byte, so it is used "
                "as with UseTLS = true, and the certificate has to be right\n",
                config_account_name(c, a), hubs->item[i]);
        free(h.host);
    }
}

static bool
is_covered(const struct config *c, size_t a, struct slice pattern)
{
    const struct config_value *allowed = config_value(c, a, CONFIG_FROM_ALLOWED);
    struct slice from = slice_of(config_text(c, a, CONFIG_FROM));
    struct slice domain = slice_from(pattern, slice_find_last(pattern, '@'));

    if (slice_eq_nocase(pattern, from) ||
        slice_eq_nocase(domain, slice_from(from, slice_find_last(from, '@'))))
        return true;
    for (size_t i = 0; i < allowed->n; i++)
        if (slice_is_nocase(pattern, allowed->item[i]) || slice_is_nocase(domain, allowed->item[i]))
            return true;
    return false;
}

/* An account chosen for senders that it then replaces */
static void
warn_senders(struct config *c, size_t a)
{
    const struct config_value *senders = config_value(c, a, CONFIG_SENDER);
    const char *from = config_text(c, a, CONFIG_FROM);

    for (size_t i = 0; from && i < senders->n; i++)
        if (slice_is_nocase(slice_of(config_text(c, a, CONFIG_FROM_POLICY)), "auto") &&
            !is_covered(c, a, slice_of(senders->item[i])))
            buf_add_format(&c->warnings,
                "account %s: mail of %s goes out as %s; FromAllowed = ( \"%s\" ) lets it keep its sender\n",
                config_account_name(c, a), senders->item[i], from, senders->item[i]);
}

static bool
check_retry(const struct config *c, struct error *err)
{
    if (config_number(c, 0, CONFIG_RETRY_MIN) <= config_number(c, 0, CONFIG_RETRY_MAX))
        return true;
    error_set(err, ERROR_CONFIG, "RetryMin: it is longer than RetryMax");
    return fail_at(c, 0, CONFIG_RETRY_MIN, err);
}

/* Jobs and records know an account by its name */
static bool
check_names(const struct config *c, struct error *err)
{
    for (size_t a = 1; a < c->n; a++) {
        if (config_account_find(c, config_account_name(c, a)) == a)
            continue;
        error_set(err, ERROR_CONFIG, "name: two accounts are named %s", config_account_name(c, a));
        return fail_at(c, a, CONFIG_NAME, err);
    }
    return true;
}

static bool
check_fallbacks(const struct config *c, struct error *err)
{
    for (size_t a = 1; a < c->n; a++) {
        size_t at = a, steps = 0;
        const char *next;
        while ((next = config_text(c, at, CONFIG_FALLBACK)) != NULL && steps++ <= c->n) {
            at = config_account_find(c, next);
            if (at == c->n) {
                error_set(err, ERROR_CONFIG, "fallback: there is no account named %s", next);
                return fail_at(c, a, CONFIG_FALLBACK, err);
            }
        }
        if (next) {
            error_set(err, ERROR_CONFIG, "fallback: it leads in a circle");
            return fail_at(c, a, CONFIG_FALLBACK, err);
        }
    }
    return true;
}

/* ---------------------------------------------------------------- all of it */

static void
set_defaults(struct config *c, size_t a, const char *machine, const char *mailname)
{
    set_default(c, a, CONFIG_HOSTNAME, machine, "the machine's name");
    set_default(c, a, CONFIG_HOSTNAME, "[127.0.0.1]", "the machine has no usable name");
    set_default(c, a, CONFIG_REWRITE_DOMAIN, mailname, "/etc/mailname");
    for (size_t i = 0; i < CONFIG_NAME; i++)
        set_default(c, a, (enum config_key)i, config_info((enum config_key)i)->standard, "default");
}

void
config_inherit(struct config *c)
{
    if (c->inherited)
        return;
    c->inherited = true;
    for (size_t a = 0; a < c->n; a++) {
        char name[32];
        (void)snprintf(name, sizeof name, a ? "account%zu" : "default", a);
        set_default(c, a, CONFIG_NAME, name, "default");
    }
    for (size_t a = 1; a < c->n; a++)
        inherit(c, a);
}

bool
config_complete(struct config *c, const char *machine, const char *mailname, struct error *err)
{
    config_inherit(c);
    for (size_t a = 0; a < c->n; a++) {
        if (!check_account(c, a, err))
            return a == 0 ? false : error_context(err, "account %s", config_account_name(c, a));
        set_defaults(c, a, machine, mailname);
        warn_login(c, a);
        warn_opportunistic(c, a);
        warn_senders(c, a);
    }
    return check_retry(c, err) && check_names(c, err) && check_fallbacks(c, err);
}

static void
add_own_name(struct config *c, size_t a, const char *name)
{
    const struct config_value *own = config_value(c, a, CONFIG_OWN_NAMES);
    struct error err;

    if (!name || !*name)
        return;
    for (size_t i = 0; i < own->n; i++)
        if (slice_is_nocase(slice_of(name), own->item[i]))
            return;
    (void)config_set(
        c, a, CONFIG_OWN_NAMES, slice_of(name), false, "machine", &err); /* what is no name is left out */
}

/* Programs put user@web1 together where the machine is web1.example.org */
static void
add_first_label(struct config *c, size_t a, const char *name)
{
    size_t len = name ? strcspn(name, ".") : 0;
    char *label;

    if (len == 0 || !name[len] || strspn(name, "0123456789.") == strlen(name))
        return;
    label = mem_dupn(name, len);
    add_own_name(c, a, label);
    free(label);
}

void
config_add_own_names(struct config *c, const char *const names[], size_t n)
{
    for (size_t a = 0; a < c->n; a++) {
        add_own_name(c, a, config_text(c, a, CONFIG_HOSTNAME));
        add_own_name(c, a, "localhost");
        add_own_name(c, a, "localhost.localdomain");
        for (size_t i = 0; i < n; i++)
            add_own_name(c, a, names[i]);
        for (size_t i = 0; i < n; i++)
            add_first_label(c, a, names[i]);
    }
}

/* ---------------------------------------------------------------- mailhub */

static enum config_tls
hub_tls(const struct config *c, size_t account, uint16_t port)
{
    struct slice word = slice_of(config_text(c, account, CONFIG_USE_TLS));
    const struct config_value *starttls = config_value(c, account, CONFIG_USE_STARTTLS);
    int64_t flag = 1;

    if (slice_is_nocase(word, "implicit"))
        return CONFIG_TLS_IMPLICIT;
    if (slice_is_nocase(word, "starttls"))
        return CONFIG_TLS_STARTTLS;
    if (slice_is_nocase(word, "opportunistic")) /* port 465 says nothing in clear (RFC 8314, 7.3) */
        return port == 465 ? CONFIG_TLS_IMPLICIT : CONFIG_TLS_OPPORTUNISTIC;
    (void)value_parse_bool(word, &flag); /* not set: true */
    if (starttls->set && starttls->number)
        return CONFIG_TLS_STARTTLS; /* as in ssmtp: it means TLS, too */
    if (!flag)
        return CONFIG_TLS_NONE;
    if (starttls->set)
        return CONFIG_TLS_IMPLICIT; /* as in ssmtp: TLS, but not that way */
    return port == 465 ? CONFIG_TLS_IMPLICIT : CONFIG_TLS_STARTTLS;
}

bool
config_hub_parse(
    const struct config *c, size_t account, const char *text, struct config_hub *h, struct error *err)
{
    bool login = config_text(c, account, CONFIG_AUTH_USER) != NULL;

    if (!value_split_hub(slice_of(text), h))
        return error_set(err, ERROR_CONFIG, "mailhub: \"%s\" is not host, host:port or [address]:port", text);
    h->tls = hub_tls(c, account, h->port);
    if (h->port == 0)
        h->port = h->tls == CONFIG_TLS_IMPLICIT ? 465 : login ? 587 : 25;
    return true;
}
