/* config: the table of settings and the checks on each value. Opens nothing, asks nobody. */
#include "config/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "mail/address.h"

#define FLAT_MAX (8u << 20)

static const struct config_info infos[CONFIG_KEYS] = {
    [CONFIG_MAILHUB] = { "mailhub", CONFIG_LIST, NULL, false },
    [CONFIG_PROVIDER] = { "provider", CONFIG_TEXT, NULL, false },
    [CONFIG_USE_TLS] = { "UseTLS", CONFIG_TEXT, "true", false },
    [CONFIG_USE_STARTTLS] = { "UseSTARTTLS", CONFIG_BOOL, NULL, false },
    [CONFIG_TLS_CA_FILE] = { "TLS_CA_File", CONFIG_TEXT, NULL, false },
    [CONFIG_TLS_CA_DIR] = { "TLS_CA_Dir", CONFIG_TEXT, NULL, false },
    [CONFIG_TLS_VERIFY] = { "TLSVerify", CONFIG_BOOL, "true", false },
    [CONFIG_TLS_FINGERPRINT] = { "TLSFingerprint", CONFIG_LIST, NULL, false },
    [CONFIG_TLS_MIN_VERSION] = { "TLSMinVersion", CONFIG_TEXT, "1.2", false },
    [CONFIG_TLS_CERT] = { "TLSCert", CONFIG_TEXT, NULL, false },
    [CONFIG_TLS_KEY] = { "TLSKey", CONFIG_TEXT, NULL, false },
    [CONFIG_AUTH_USER] = { "AuthUser", CONFIG_TEXT, NULL, false },
    [CONFIG_AUTH_PASS] = { "AuthPass", CONFIG_TEXT, NULL, true },
    [CONFIG_AUTH_PASS_FILE] = { "AuthPassFile", CONFIG_TEXT, NULL, false },
    [CONFIG_AUTH_PASS_COMMAND] = { "AuthPassCommand", CONFIG_TEXT, NULL, false },
    [CONFIG_AUTH_METHOD] = { "AuthMethod", CONFIG_TEXT, "auto", false },
    [CONFIG_ALLOW_PLAINTEXT_AUTH] = { "AllowPlaintextAuth", CONFIG_BOOL, "false", false },
    [CONFIG_HOSTNAME] = { "hostname", CONFIG_TEXT, NULL, false },
    [CONFIG_FROM] = { "From", CONFIG_TEXT, NULL, false },
    [CONFIG_FROM_POLICY] = { "FromPolicy", CONFIG_TEXT, "auto", false },
    [CONFIG_FROM_ALLOWED] = { "FromAllowed", CONFIG_LIST, NULL, false },
    [CONFIG_FROM_LINE_OVERRIDE] = { "FromLineOverride", CONFIG_BOOL, NULL, false },
    [CONFIG_REWRITE_DOMAIN] = { "rewriteDomain", CONFIG_TEXT, NULL, false },
    [CONFIG_ROOT] = { "root", CONFIG_TEXT, NULL, false },
    [CONFIG_MIN_USER_ID] = { "MinUserId", CONFIG_NUMBER, "1000", false },
    [CONFIG_ALIASES] = { "aliases", CONFIG_TEXT, "/etc/aliases", false },
    [CONFIG_ADD_HEADER] = { "AddHeader", CONFIG_LIST, NULL, false },
    [CONFIG_DELIVERY] = { "Delivery", CONFIG_TEXT, "interactive", false },
    [CONFIG_INTERACTIVE_TIMEOUT] = { "InteractiveTimeout", CONFIG_TIME, "10s", false },
    [CONFIG_CONNECT_TIMEOUT] = { "ConnectTimeout", CONFIG_TIME, "30s", false },
    [CONFIG_TIMEOUT] = { "Timeout", CONFIG_TIME, "5m", false },
    [CONFIG_QUEUE_RUN] = { "QueueRun", CONFIG_TIME, "30m", false },
    [CONFIG_QUEUE_DIR] = { "QueueDir", CONFIG_TEXT, path_queue, false },
    [CONFIG_SOCKET] = { "Socket", CONFIG_TEXT, path_socket, false },
    [CONFIG_USER] = { "User", CONFIG_TEXT, "smtprelay", false },
    [CONFIG_QUEUE_LIFETIME] = { "QueueLifetime", CONFIG_TIME, "5d", false },
    [CONFIG_WARN_AFTER] = { "WarnAfter", CONFIG_TIME, "4h", false },
    [CONFIG_RETRY_MIN] = { "RetryMin", CONFIG_TIME, "30s", false },
    [CONFIG_RETRY_MAX] = { "RetryMax", CONFIG_TIME, "1h", false },
    [CONFIG_LISTEN] = { "Listen", CONFIG_LIST, NULL, false },
    [CONFIG_LISTEN_NETWORKS] = { "ListenNetworks", CONFIG_LIST, NULL, false },
    [CONFIG_ALLOW_USERS] = { "AllowUsers", CONFIG_LIST, NULL, false },
    [CONFIG_DENY_USERS] = { "DenyUsers", CONFIG_LIST, NULL, false },
    [CONFIG_MAX_MESSAGE_SIZE] = { "MaxMessageSize", CONFIG_SIZE, "50M", false },
    [CONFIG_MAX_RECIPIENTS] = { "MaxRecipients", CONFIG_NUMBER, "10000", false },
    [CONFIG_WORKERS] = { "Workers", CONFIG_NUMBER, "4", false },
    [CONFIG_IDLE_TIMEOUT] = { "IdleTimeout", CONFIG_TIME, "30s", false },
    [CONFIG_RATE_LIMIT] = { "RateLimit", CONFIG_RATE, NULL, false },
    [CONFIG_MIN_FREE] = { "MinFree", CONFIG_SIZE, "64M", false },
    [CONFIG_MAX_QUEUE_SIZE] = { "MaxQueueSize", CONFIG_SIZE, NULL, false },
    [CONFIG_SOURCE_ADDRESS] = { "SourceAddress", CONFIG_TEXT, NULL, false },
    [CONFIG_PROXY] = { "Proxy", CONFIG_TEXT, NULL, false },
    [CONFIG_METRICS_FILE] = { "MetricsFile", CONFIG_TEXT, NULL, false },
    [CONFIG_TROUBLE_COMMAND] = { "TroubleCommand", CONFIG_TEXT, NULL, false },
    [CONFIG_LOG_FILE] = { "LogFile", CONFIG_TEXT, NULL, false },
    [CONFIG_LOG_LEVEL] = { "LogLevel", CONFIG_TEXT, "info", false },
    [CONFIG_NAME] = { "name", CONFIG_TEXT, NULL, false },
    [CONFIG_SENDER] = { "sender", CONFIG_LIST, NULL, false },
    [CONFIG_FOR_USER] = { "user", CONFIG_LIST, NULL, false },
    [CONFIG_RECIPIENT] = { "recipient", CONFIG_LIST, NULL, false },
    [CONFIG_FALLBACK] = { "fallback", CONFIG_TEXT, NULL, false },
    [CONFIG_CA_PEM] = { "ca-pem", CONFIG_TEXT, NULL, true },
    [CONFIG_CERT_PEM] = { "cert-pem", CONFIG_TEXT, NULL, true },
    [CONFIG_KEY_PEM] = { "key-pem", CONFIG_TEXT, NULL, true },
    [CONFIG_OWN_NAMES] = { "own-names", CONFIG_LIST, NULL, true },
};

/* Settings that take one word of a few; "auto|..." */
static const struct {
    enum config_key key;
    const char *words;
} choices[] = {
    { CONFIG_USE_TLS, "true|false|implicit|starttls|opportunistic" },
    { CONFIG_TLS_MIN_VERSION, "1.0|1.1|1.2|1.3" },
    { CONFIG_AUTH_METHOD, "auto|scram-sha-256-plus|scram-sha-256|scram-sha-1|plain|login|cram-md5|external|"
                          "xoauth2|oauthbearer" },
    { CONFIG_FROM_POLICY, "auto|keep|qualify|force" },
    { CONFIG_DELIVERY, "interactive|background|queue" },
    { CONFIG_LOG_LEVEL, "error|warning|info|debug" },
};

const struct config_info *
config_info(enum config_key key)
{
    ensure(key < CONFIG_KEYS);
    return &infos[key];
}

static bool
is_offered(enum config_key key, bool in_account)
{
    if (key >= CONFIG_CA_PEM)
        return false;
    if (key >= CONFIG_NAME)
        return in_account;
    return !in_account || key <= CONFIG_LAST_OF_ACCOUNT;
}

enum config_key
config_find(const char *name, bool in_account, const char **nearest)
{
    size_t best = 4; /* farther is no likeness */

    if (nearest)
        *nearest = NULL;
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (!is_offered((enum config_key)i, in_account))
            continue;
        if (slice_is_nocase(slice_of(name), infos[i].name))
            return (enum config_key)i;
        size_t d = text_distance(name, infos[i].name);
        if (nearest && d < best) {
            best = d;
            *nearest = infos[i].name;
        }
    }
    return CONFIG_KEYS;
}

/* ---------------------------------------------------------------- memory */

void
config_begin(struct config *c)
{
    memset(c, 0, sizeof *c);
    buf_init(&c->warnings, 65536);
    (void)config_add_account(c);
}

static void
value_clear(struct config_value *v)
{
    for (size_t i = 0; i < v->n; i++)
        mem_free_secret(v->item[i]); /* it may be one */
    free(v->item);
    free(v->origin);
    memset(v, 0, sizeof *v);
}

void
config_end(struct config *c)
{
    for (size_t a = 0; a < c->n; a++)
        for (size_t i = 0; i < CONFIG_KEYS; i++)
            value_clear(&c->account[a].value[i]);
    free(c->account);
    free(c->path);
    buf_clear(&c->warnings);
    memset(c, 0, sizeof *c);
}

size_t
config_add_account(struct config *c)
{
    c->account = mem_resize(c->account, c->n + 1, sizeof *c->account);
    memset(&c->account[c->n], 0, sizeof c->account[c->n]);
    return c->n++;
}

static void
value_add(struct config_value *v, struct slice text)
{
    v->item = mem_resize(v->item, v->n + 1, sizeof(char *));
    v->item[v->n++] = slice_dup(text);
}

/* ---------------------------------------------------------------- values from text */

static const struct unit {
    const char *suffix;
    int64_t factor;
} time_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    { "w", 604800000 }, { NULL, 0 } },
  size_units[] = { { "K", 1024 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { "T", (int64_t)1 << 40 }, { "", 1 },
      { NULL, 0 } },
  rate_units[] = { { "/s", 3600 }, { "/m", 60 }, { "/min", 60 }, { "/h", 1 }, { "/d", 0 }, { NULL, 0 } };

static bool
parse_with_unit(struct slice text, const struct unit *units, int64_t *out)
{
    size_t n = 0;
    uint64_t v;

    while (n < text.len && ascii_is_digit(text.p[n]))
        n++;
    if (!slice_number(slice_sub(text, 0, n), INT32_MAX, &v))
        return false;
    for (; units->suffix; units++) {
        if (!slice_is_nocase(slice_from(text, n), units->suffix))
            continue;
        *out = units->factor ? (int64_t)v * units->factor : ((int64_t)v + 23) / 24;
        return true;
    }
    return false;
}

static bool
parse_bool(struct slice text, int64_t *out)
{
    static const char *const yes[] = { "true", "yes", "on", "1" }, *const no[] = { "false", "no", "off",
        "0" };

    for (size_t i = 0; i < 4; i++) {
        if (slice_is_nocase(text, yes[i]) || slice_is_nocase(text, no[i])) {
            *out = slice_is_nocase(text, yes[i]);
            return true;
        }
    }
    return false;
}

static bool
is_one_of(struct slice text, const char *words)
{
    struct slice rest = slice_of(words), word;

    while (slice_cut(&rest, '|', &word))
        if (slice_eq_nocase(word, text))
            return true;
    return false;
}

static bool
check_hostname(struct slice text)
{
    if (text.len == 0 || text.len > 255)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!isalnum((unsigned char)text.p[i]) && !memchr("-._[]:", text.p[i], 6) &&
            (unsigned char)text.p[i] < 128)
            return false;
    return true;
}

static bool
check_address(struct slice text)
{
    struct address a;
    struct error err;

    return address_parse(text, 0, &a, &err) && a.has_domain;
}

/* What a setting's own meaning forbids; NULL = nothing */
static const char *
check_meaning(enum config_key key, struct slice text)
{
    unsigned char pin[32];
    char *copy, *host;
    uint16_t port;
    struct error err;
    bool ok = true;

    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_control(text.p[i]) && key < CONFIG_CA_PEM)
            return "control characters are not allowed";
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++)
        if (choices[i].key == key && !is_one_of(text, choices[i].words))
            return choices[i].words;
    copy = slice_dup(text);
    switch (key) {
    case CONFIG_TLS_FINGERPRINT:
        ok = config_pin_parse(copy, pin);
        free(copy);
        return ok ? NULL : "a SHA-256 fingerprint has 64 hexadecimal digits";
    case CONFIG_PROXY:
        ok = config_proxy_parse(copy, &host, &port, &err);
        if (ok)
            free(host);
        free(copy);
        return ok ? NULL : "socks5://host:port is wanted";
    case CONFIG_HOSTNAME:
    case CONFIG_REWRITE_DOMAIN:
        free(copy);
        return check_hostname(text) ? NULL : "a host name is wanted";
    case CONFIG_FROM:
    case CONFIG_ROOT:
        free(copy);
        return check_address(text) ? NULL : "an address with a domain is wanted";
    case CONFIG_ADD_HEADER:
        ok = slice_find(text, ':') > 0 && slice_has(text, ':');
        free(copy);
        return ok ? NULL : "a header line \"Name: value\" is wanted";
    default:
        free(copy);
        return NULL;
    }
}

static const char *const wanted[] = {
    [CONFIG_TEXT] = "a text",
    [CONFIG_LIST] = "a text or a list",
    [CONFIG_BOOL] = "true or false",
    [CONFIG_TIME] = "a time like \"90s\", \"15m\", \"4h\", \"5d\"",
    [CONFIG_SIZE] = "a size like \"25M\"",
    [CONFIG_NUMBER] = "a number",
    [CONFIG_RATE] = "a rate like \"100/h\"",
};

static bool
parse_typed(enum config_type type, struct slice text, int64_t *out)
{
    uint64_t v;

    switch (type) {
    case CONFIG_BOOL:
        return parse_bool(text, out);
    case CONFIG_TIME:
        return parse_with_unit(text, time_units, out);
    case CONFIG_SIZE:
        return parse_with_unit(text, size_units, out);
    case CONFIG_RATE:
        return parse_with_unit(text, rate_units, out);
    case CONFIG_NUMBER:
        if (!slice_number(text, INT32_MAX, &v))
            return false;
        *out = (int64_t)v;
        return true;
    default:
        return true;
    }
}

bool
config_set(struct config *c, size_t account, enum config_key key, struct slice text, bool first,
    const char *origin, struct error *err)
{
    struct config_value *v = &c->account[account].value[key];
    const struct config_info *info = &infos[key];
    const char *why;
    int64_t number = 0;

    if (!parse_typed(info->type, text, &number)) {
        if (info->secret)
            return error_set(err, ERROR_CONFIG, "%s: %s is wanted", info->name, wanted[info->type]);
        return error_set(
            err, ERROR_CONFIG, "%s: \"%.*s\" is not %s", info->name, SLICE_ARG(text), wanted[info->type]);
    }
    why = check_meaning(key, text);
    if (why)
        return error_set(err, ERROR_CONFIG, "%s: \"%.*s\" will not do: %s", info->name,
            SLICE_ARG(info->secret ? slice_of("***") : text), why);
    if (key == CONFIG_WORKERS && (number < 1 || number > 64))
        return error_set(err, ERROR_CONFIG, "Workers: 1 to 64 is wanted");
    if (key == CONFIG_MAX_RECIPIENTS && (number < 1 || number > 100000))
        return error_set(err, ERROR_CONFIG, "MaxRecipients: 1 to 100000 is wanted");
    if (first)
        value_clear(v);
    v->set = true;
    v->number = number;
    value_add(v, text);
    free(v->origin);
    v->origin = mem_dup(origin);
    return true;
}

bool
config_pin_parse(const char *text, unsigned char pin[32])
{
    size_t n = 0;

    for (; *text; text++) {
        int d;
        if (*text == ':')
            continue;
        if (ascii_is_digit(*text))
            d = *text - '0';
        else if (ascii_lower(*text) >= 'a' && ascii_lower(*text) <= 'f')
            d = ascii_lower(*text) - 'a' + 10;
        else
            return false;
        if (n >= 64)
            return false;
        pin[n / 2] = (unsigned char)(n % 2 ? pin[n / 2] | d : d << 4);
        n++;
    }
    return n == 64;
}

/* "host:port", "[v6]:port", "host"; *port stays when none is given */
static bool
split_host(struct slice text, char **host, uint16_t *port)
{
    struct slice name = text, rest = slice_of(NULL);
    uint64_t v;

    if (text.len && text.p[0] == '[') {
        size_t end = slice_find(text, ']');
        if (end == text.len)
            return false;
        name = slice_sub(text, 1, end - 1);
        rest = slice_from(text, end + 1);
    } else if (slice_find(text, ':') == slice_find_last(text, ':')) {
        name = slice_sub(text, 0, slice_find(text, ':'));
        rest = slice_from(text, name.len);
    }
    if (rest.len && (rest.p[0] != ':' || !slice_number(slice_from(rest, 1), 65535, &v) || v == 0))
        return false;
    if (rest.len)
        *port = (uint16_t)v;
    if (!check_hostname(name))
        return false;
    *host = slice_dup(name);
    return true;
}

bool
config_proxy_parse(const char *text, char **host, uint16_t *port, struct error *err)
{
    *port = 1080;
    if (!slice_starts_nocase(slice_of(text), "socks5://") || !split_host(slice_of(text + 9), host, port))
        return error_set(err, ERROR_CONFIG, "Proxy: \"%s\" is not socks5://host:port", text);
    return true;
}

bool
config_hub_parse(
    const struct config *c, size_t account, const char *text, struct config_hub *h, struct error *err)
{
    const char *tls = config_text(c, account, CONFIG_USE_TLS);
    const struct config_value *starttls = config_value(c, account, CONFIG_USE_STARTTLS);
    bool login = config_text(c, account, CONFIG_AUTH_USER) != NULL;
    struct slice word = slice_of(tls ? tls : "true");
    int64_t flag = 1;
    bool plain_true = parse_bool(word, &flag);

    memset(h, 0, sizeof *h);
    if (slice_is_nocase(slice_of(text), "direct")) {
        h->kind = CONFIG_HUB_DIRECT;
    } else if (slice_starts_nocase(slice_of(text), "srv:")) {
        h->kind = CONFIG_HUB_SRV;
        if (!check_hostname(slice_of(text + 4)))
            return error_set(err, ERROR_CONFIG, "mailhub: \"%s\": a domain is wanted behind srv:", text);
        h->host = mem_dup(text + 4);
    } else if (!split_host(slice_of(text), &h->host, &h->port)) {
        return error_set(err, ERROR_CONFIG, "mailhub: \"%s\" is not host, host:port or [address]:port", text);
    }
    if (plain_true && !flag)
        h->tls = CONFIG_TLS_NONE;
    else if (slice_is_nocase(word, "implicit"))
        h->tls = CONFIG_TLS_IMPLICIT;
    else if (slice_is_nocase(word, "opportunistic"))
        h->tls = CONFIG_TLS_OPPORTUNISTIC;
    else if (slice_is_nocase(word, "starttls") || (starttls->set && starttls->number) || h->port != 465)
        h->tls = CONFIG_TLS_STARTTLS;
    else
        h->tls = CONFIG_TLS_IMPLICIT;
    if (starttls->set && starttls->number && h->tls == CONFIG_TLS_NONE)
        h->tls = CONFIG_TLS_STARTTLS; /* as in ssmtp: it means TLS, too */
    if (h->port == 0)
        h->port = h->tls == CONFIG_TLS_IMPLICIT ? 465 : login ? 587 : 25;
    return true;
}

/* ---------------------------------------------------------------- completion */

static void
inherit(struct config *c)
{
    for (size_t a = 1; a < c->n; a++) {
        for (size_t i = 0; i < CONFIG_NAME; i++) {
            const struct config_value *from = &c->account[0].value[i];
            struct config_value *to = &c->account[a].value[i];
            if (to->set || !from->set)
                continue;
            for (size_t k = 0; k < from->n; k++)
                value_add(to, slice_of(from->item[k]));
            to->set = true;
            to->number = from->number;
            to->origin = mem_dup(from->origin);
        }
    }
}

static void
set_default(struct config *c, size_t account, enum config_key key, const char *text, const char *origin)
{
    struct error err;

    if (!c->account[account].value[key].set && text)
        (void)config_set(
            c, account, key, slice_of(text), true, origin, &err); /* defaults are right, or left out */
}

/* A secret of the account's own replaces any inherited one */
static bool
check_secret(struct config *c, size_t a, struct error *err)
{
    static const enum config_key ways[] = { CONFIG_AUTH_PASS, CONFIG_AUTH_PASS_FILE,
        CONFIG_AUTH_PASS_COMMAND };
    const char *method = config_text(c, a, CONFIG_AUTH_METHOD);
    bool external = slice_is_nocase(slice_of(method), "external");
    size_t n = 0;

    for (size_t i = 0; i < 3; i++)
        n += c->account[a].value[ways[i]].set;
    if (n > 1)
        return error_set(
            err, ERROR_CONFIG, "AuthPass, AuthPassFile, AuthPassCommand: only one of them may be set");
    if (n == 0 && config_text(c, a, CONFIG_AUTH_USER) && !external)
        return error_set(err, ERROR_CONFIG, "AuthUser: AuthPass, AuthPassFile or AuthPassCommand is missing");
    if (n == 1 && !config_text(c, a, CONFIG_AUTH_USER) && !external)
        return error_set(err, ERROR_CONFIG, "%s: AuthUser is missing",
            infos[c->account[a].value[CONFIG_AUTH_PASS].set        ? CONFIG_AUTH_PASS
                  : c->account[a].value[CONFIG_AUTH_PASS_FILE].set ? CONFIG_AUTH_PASS_FILE
                                                                   : CONFIG_AUTH_PASS_COMMAND]
                .name);
    return true;
}

static bool
check_account(struct config *c, size_t a, struct error *err)
{
    const struct config_value *hubs = config_value(c, a, CONFIG_MAILHUB);
    const char *user = config_text(c, a, CONFIG_AUTH_USER);
    struct config_hub h;

    if (config_text(c, a, CONFIG_PROVIDER))
        return error_set(
            err, ERROR_CONFIG, "provider: not built yet; set mailhub, AuthUser and From instead");
    if (hubs->n == 0)
        return error_set(
            err, ERROR_CONFIG, "mailhub: not set; name the smarthost: mailhub = \"smtp.example.com:587\";");
    for (size_t i = 0; i < hubs->n; i++) {
        if (!config_hub_parse(c, a, hubs->item[i], &h, err))
            return false;
        free(h.host);
        if (h.kind == CONFIG_HUB_DIRECT)
            return error_set(err, ERROR_CONFIG, "mailhub: \"direct\" is not built yet; name a smarthost");
    }
    if (!check_secret(c, a, err))
        return false;
    if (config_text(c, a, CONFIG_TLS_CERT) && !config_text(c, a, CONFIG_TLS_KEY))
        set_default(c, a, CONFIG_TLS_KEY, config_text(c, a, CONFIG_TLS_CERT), "TLSCert");
    if (user && check_address(slice_of(user)))
        set_default(c, a, CONFIG_FROM, user, "AuthUser");
    set_default(c, a, CONFIG_ROOT, config_text(c, a, CONFIG_FROM), "From");
    const struct config_value *override = config_value(c, a, CONFIG_FROM_LINE_OVERRIDE);
    if (override->set && !c->account[a].value[CONFIG_FROM_POLICY].set)
        set_default(c, a, CONFIG_FROM_POLICY, override->number ? "qualify" : "force", "FromLineOverride");
    return true;
}

bool
config_complete(struct config *c, const char *machine, const char *mailname, struct error *err)
{
    inherit(c);
    for (size_t a = 0; a < c->n; a++) {
        char name[32];
        (void)snprintf(name, sizeof name, a ? "account%zu" : "default", a);
        set_default(c, a, CONFIG_NAME, name, "default");
        if (!check_account(c, a, err))
            return a == 0 ? false : error_context(err, "account %s", config_account_name(c, a));
        set_default(c, a, CONFIG_HOSTNAME, machine, "the machine's name");
        set_default(c, a, CONFIG_REWRITE_DOMAIN, mailname, "/etc/mailname");
        for (size_t i = 0; i < CONFIG_NAME; i++)
            set_default(c, a, (enum config_key)i, infos[i].standard, "default");
    }
    for (size_t a = 1; a < c->n; a++) {
        const char *f = config_text(c, a, CONFIG_FALLBACK);
        if (f && config_account_find(c, f) == c->n)
            return error_set(err, ERROR_CONFIG, "fallback: there is no account named %s", f);
    }
    return true;
}

/* ---------------------------------------------------------------- reading values */

const struct config_value *
config_value(const struct config *c, size_t account, enum config_key key)
{
    ensure(account < c->n && key < CONFIG_KEYS);
    return &c->account[account].value[key];
}

const char *
config_text(const struct config *c, size_t account, enum config_key key)
{
    const struct config_value *v = config_value(c, account, key);

    return v->set && v->n && *v->item[0] ? v->item[0] : NULL;
}

int64_t
config_number(const struct config *c, size_t account, enum config_key key)
{
    return config_value(c, account, key)->number;
}

bool
config_flag(const struct config *c, size_t account, enum config_key key)
{
    return config_value(c, account, key)->number != 0;
}

const char *
config_account_name(const struct config *c, size_t account)
{
    const char *name = config_text(c, account, CONFIG_NAME);

    return name ? name : "default";
}

size_t
config_account_find(const struct config *c, const char *name)
{
    for (size_t a = 0; a < c->n; a++)
        if (strcmp(config_account_name(c, a), name) == 0)
            return a;
    return c->n;
}

/* ---------------------------------------------------------------- flat form */

void
config_encode(const struct config *c, size_t account, bool secrets, struct buf *out)
{
    buf_add_str(out, "account=\n");
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        const struct config_value *v = &c->account[account].value[i];
        if (!v->set || (infos[i].secret && !secrets && i != CONFIG_OWN_NAMES))
            continue;
        for (size_t k = 0; k < v->n; k++) {
            buf_add_format(out, "%s=", infos[i].name);
            text_percent_encode(out, slice_of(v->item[k]));
            buf_add_char(out, '\n');
        }
    }
}

void
config_encode_all(const struct config *c, struct buf *out)
{
    for (size_t a = 0; a < c->n; a++)
        config_encode(c, a, false, out);
}

bool
config_decode(struct config *c, struct slice flat, struct error *err)
{
    struct slice line, name;
    struct buf value;
    bool ok = true;

    memset(c, 0, sizeof *c);
    buf_init(&c->warnings, 65536);
    buf_init(&value, FLAT_MAX);
    while (ok && slice_cut(&flat, '\n', &line)) {
        size_t key = 0;
        (void)slice_cut(&line, '=', &name);
        if (slice_is(name, "account")) {
            (void)config_add_account(c);
            continue;
        }
        while (key < CONFIG_KEYS && !slice_is(name, infos[key].name))
            key++;
        buf_reset(&value);
        ok = key < CONFIG_KEYS && c->n > 0 && text_percent_decode(&value, line) &&
             config_set(c, c->n - 1, (enum config_key)key, buf_slice(&value), infos[key].type != CONFIG_LIST,
                 "handed over", err);
    }
    buf_wipe(&value);
    if (ok && c->n > 0)
        return true;
    config_end(c);
    return error_set(err, ERROR_INTERNAL, "settings: cannot be read as they were handed over");
}
