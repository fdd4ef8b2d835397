/* SPDX-License-Identifier: ISC */
/* config: the table of settings, and their values in memory. Opens nothing, asks nobody. */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/value.h"

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
    [CONFIG_ALIASES] = { "aliases", CONFIG_LIST, "/etc/aliases", false },
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
    [CONFIG_RUNAWAY_LIMIT] = { "RunawayLimit", CONFIG_RATE, "10000/h", false },
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
    [CONFIG_OWN_NAMES] = { "own-names", CONFIG_LIST, NULL, false },
    [CONFIG_FOREIGN] = { "foreign", CONFIG_BOOL, NULL, false },
    [CONFIG_OWN_SENDER] = { "OwnSender", CONFIG_BOOL, NULL, false },
    [CONFIG_NO_NULL_SENDER] = { "NoNullSender", CONFIG_BOOL, NULL, false },
    [CONFIG_CONNECTIONS] = { "Connections", CONFIG_NUMBER, NULL, false },
    [CONFIG_PRESET_NAMES] = { "names", CONFIG_LIST, NULL, false },
    [CONFIG_PRESET_DOMAINS] = { "domains", CONFIG_LIST, NULL, false },
    [CONFIG_PRESET_REGION] = { "region", CONFIG_TEXT, NULL, false },
    [CONFIG_PRESET_SECRET] = { "secret", CONFIG_TEXT, NULL, false },
    [CONFIG_PRESET_SOURCE] = { "source", CONFIG_TEXT, NULL, false },
};

const struct config_info *
config_info(enum config_key key)
{
    ensure(key < CONFIG_KEYS);
    return &infos[key];
}

const char *
config_wanted(enum config_key key)
{
    if (config_is_users(key))
        return "a login, a uid or a list of them";
    return value_wanted(config_info(key)->type);
}

bool
config_is_users(enum config_key key)
{
    return key == CONFIG_FOR_USER || key == CONFIG_ALLOW_USERS || key == CONFIG_DENY_USERS;
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

/* What is no secret, no file and no command, and differs from one provider to the next */
static bool
is_of_preset(enum config_key key)
{
    return key == CONFIG_MAILHUB || key == CONFIG_USE_TLS || key == CONFIG_TLS_MIN_VERSION ||
           key == CONFIG_AUTH_USER || key == CONFIG_AUTH_METHOD || key == CONFIG_RATE_LIMIT ||
           key >= CONFIG_OWN_SENDER;
}

enum scope { SCOPE_FILE, SCOPE_ACCOUNT, SCOPE_PRESET };

static enum config_key
find(const char *name, enum scope scope, const char **nearest)
{
    size_t best = 4; /* farther is no likeness */

    if (nearest)
        *nearest = NULL;
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        enum config_key key = (enum config_key)i;
        if (scope == SCOPE_PRESET ? !is_of_preset(key) : !is_offered(key, scope == SCOPE_ACCOUNT))
            continue;
        if (slice_is_nocase(slice_of(name), infos[i].name))
            return key;
        size_t d = text_distance(name, infos[i].name);
        if (nearest && d < best) {
            best = d;
            *nearest = infos[i].name;
        }
    }
    return CONFIG_KEYS;
}

enum config_key
config_find(const char *name, bool in_account, const char **nearest)
{
    return find(name, in_account ? SCOPE_ACCOUNT : SCOPE_FILE, nearest);
}

enum config_key
config_find_preset(const char *name, const char **nearest)
{
    return find(name, SCOPE_PRESET, nearest);
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
    if (c->handed_over > 0)
        file_close(&c->handed_over);
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

bool
config_set(struct config *c, size_t account, enum config_key key, struct slice text, bool first,
    const char *origin, struct error *err)
{
    struct config_value *v = &c->account[account].value[key];
    int64_t number;

    if (!value_check(key, text, &number, err))
        return false;
    if (first)
        value_clear(v);
    v->set = true;
    v->number = number;
    value_add(v, text);
    free(v->origin);
    v->origin = mem_dup(origin);
    return true;
}

void
config_set_empty(struct config *c, size_t account, enum config_key key, const char *origin)
{
    struct config_value *v = &c->account[account].value[key];

    value_clear(v);
    v->set = true;
    v->origin = mem_dup(origin);
}

void
config_unset(struct config *c, size_t account, enum config_key key)
{
    value_clear(&c->account[account].value[key]);
}

void
config_copy(struct config *c, size_t from, size_t to, enum config_key key)
{
    const struct config_value *v = &c->account[from].value[key];
    struct config_value *w = &c->account[to].value[key];

    value_clear(w);
    for (size_t k = 0; k < v->n; k++)
        value_add(w, slice_of(v->item[k]));
    w->set = v->set;
    w->number = v->number;
    w->origin = mem_dup(v->origin);
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

struct config_rate
config_rate(const struct config *c, size_t account, enum config_key key)
{
    const struct config_value *v = config_value(c, account, key);
    struct config_rate r = { 0, 1 };

    ensure(infos[key].type == CONFIG_RATE);
    if (v->n)
        (void)value_parse_rate(slice_of(v->item[0]), &r); /* it was checked when it was set */
    return r;
}

uint64_t
config_size(const struct config *c, enum config_key key)
{
    int64_t n = config_number(c, 0, key);

    return n > 0 ? (uint64_t)n : 0;
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

/* Only what the file itself says counts: an environment leads nobody's mail elsewhere */
const char *
config_own_socket(const struct config *c)
{
    const char *origin = config_value(c, 0, CONFIG_SOCKET)->origin;

    if (!c->own_file || !origin || strcmp(origin, "default") == 0 ||
        strncmp(origin, "environment SMTPRELAY_", 22) == 0)
        return NULL;
    return config_text(c, 0, CONFIG_SOCKET);
}
