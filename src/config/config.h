/* SPDX-License-Identifier: ISC */
/*
 * config: the settings of smtprelay.conf(5) as one table, their values, and the flat form in which they are handed on.
 *
 * Knows no file format (config/file does) and opens nothing. The flat form is "name=value" lines, percent-encoded, one for each
 * item of a list; it goes to the daemon without secrets, and to a worker with those of its one account.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"

/* in the order of smtprelay.conf(5) and of the table in config.c */
enum config_key {
    CONFIG_MAILHUB,
    CONFIG_PROVIDER,
    CONFIG_USE_TLS,
    CONFIG_USE_STARTTLS,
    CONFIG_TLS_CA_FILE,
    CONFIG_TLS_CA_DIR,
    CONFIG_TLS_VERIFY,
    CONFIG_TLS_FINGERPRINT,
    CONFIG_TLS_MIN_VERSION,
    CONFIG_TLS_CERT,
    CONFIG_TLS_KEY,
    CONFIG_AUTH_USER,
    CONFIG_AUTH_PASS,
    CONFIG_AUTH_PASS_FILE,
    CONFIG_AUTH_PASS_COMMAND,
    CONFIG_AUTH_METHOD,
    CONFIG_ALLOW_PLAINTEXT_AUTH,
    CONFIG_HOSTNAME,
    CONFIG_FROM,
    CONFIG_FROM_POLICY,
    CONFIG_FROM_ALLOWED,
    CONFIG_FROM_LINE_OVERRIDE,
    CONFIG_REWRITE_DOMAIN,
    CONFIG_ROOT,
    CONFIG_MIN_USER_ID,
    CONFIG_ALIASES,
    CONFIG_ADD_HEADER,
    CONFIG_LAST_OF_ACCOUNT = CONFIG_ADD_HEADER, /* an account may set all up to here */
    CONFIG_DELIVERY,
    CONFIG_INTERACTIVE_TIMEOUT,
    CONFIG_CONNECT_TIMEOUT,
    CONFIG_TIMEOUT,
    CONFIG_QUEUE_RUN,
    CONFIG_QUEUE_DIR,
    CONFIG_SOCKET,
    CONFIG_USER,
    CONFIG_QUEUE_LIFETIME,
    CONFIG_WARN_AFTER,
    CONFIG_RETRY_MIN,
    CONFIG_RETRY_MAX,
    CONFIG_LISTEN,
    CONFIG_LISTEN_NETWORKS,
    CONFIG_ALLOW_USERS,
    CONFIG_DENY_USERS,
    CONFIG_MAX_MESSAGE_SIZE,
    CONFIG_MAX_RECIPIENTS,
    CONFIG_WORKERS,
    CONFIG_IDLE_TIMEOUT,
    CONFIG_RATE_LIMIT,
    CONFIG_RUNAWAY_LIMIT,
    CONFIG_MIN_FREE,
    CONFIG_MAX_QUEUE_SIZE,
    CONFIG_SOURCE_ADDRESS,
    CONFIG_PROXY,
    CONFIG_METRICS_FILE,
    CONFIG_TROUBLE_COMMAND,
    CONFIG_LOG_FILE,
    CONFIG_LOG_LEVEL,
    /* only in an account group */
    CONFIG_NAME,
    CONFIG_SENDER,
    CONFIG_FOR_USER,
    CONFIG_RECIPIENT,
    CONFIG_FALLBACK,
    /* only in the flat form: what the helper read for a worker */
    CONFIG_CA_PEM,
    CONFIG_CERT_PEM,
    CONFIG_KEY_PEM,
    CONFIG_OWN_NAMES,
    CONFIG_FOREIGN, /* it may have been injected, see struct config */
    /* what a preset says besides settings, see config/provider */
    CONFIG_OWN_SENDER,     /* the login may send as `From` alone, not as its whole domain */
    CONFIG_NO_NULL_SENDER, /* `From` goes in its place */
    CONFIG_CONNECTIONS,    /* at a time; for the daemon */
    /* only in the table of presets */
    CONFIG_PRESET_NAMES,
    CONFIG_PRESET_DOMAINS,
    CONFIG_PRESET_REGION,
    CONFIG_PRESET_SECRET,
    CONFIG_PRESET_SOURCE,
    CONFIG_KEYS
};

enum config_type {
    CONFIG_TEXT,
    CONFIG_LIST,
    CONFIG_BOOL,
    CONFIG_TIME,
    CONFIG_SIZE,
    CONFIG_NUMBER,
    CONFIG_RATE
};

struct config_info {
    const char *name;
    enum config_type type;
    const char *standard; /* the default, NULL = none */
    bool secret;
};

/* One setting's value. Lists have n items, everything else one; times are milliseconds, sizes bytes, rates per hour. */
struct config_value {
    bool set; /* false: the default stands */
    char **item;
    size_t n;
    int64_t number; /* BOOL (0, 1), TIME, SIZE, NUMBER, RATE */
    char *origin;   /* "FILE line N", "environment SMTPRELAY_X", "default" */
};

struct config_account {
    struct config_value value[CONFIG_KEYS];
};

struct config {
    struct config_account *account; /* [0] is the default account, "default" */
    size_t n;
    char *path;          /* the file, NULL = none was read */
    bool inherited;      /* config_inherit() was here */
    bool own_file;       /* the caller's own file, or one given by -C */
    bool own_commands;   /* the caller's own file: what it runs gets the caller's environment */
    bool foreign;        /* given to sendmail -C and not all root's: it may have been injected */
    uid_t uid;           /* who calls */
    bool by_caller;      /* for one call of sendmail, not for the daemon */
    struct buf warnings; /* lines for the administrator */
    int handed_over;     /* of a daemon: the descriptor they came by, for config/explanations; 0: none */
};

enum { CONFIG_ACCOUNTS_MAX = 1000 };

const struct config_info *config_info(enum config_key key);
/* What a value of this setting has to be, in words. */
const char *config_wanted(enum config_key key);
/* A list of logins and uids. */
bool config_is_users(enum config_key key);
/* Without case; CONFIG_KEYS when there is none. `nearest` (may be NULL) gets the most alike name. */
enum config_key config_find(const char *name, bool in_account, const char **nearest);

/* The same for an entry of the table of presets: those of its own, and the settings that it may have. */
enum config_key config_find_preset(const char *name, const char **nearest);

void config_begin(struct config *c);
void config_end(struct config *c);
/* Another account, all unset; returns its index. */
size_t config_add_account(struct config *c);
/*
 * Give a setting one more item (lists) or its value. `text` is checked by type and by what the setting allows; false with err
 * (ERROR_CONFIG, the text names the setting but no file). Lists: `first` empties it before.
 */
bool config_set(struct config *c, size_t account, enum config_key key, struct slice text, bool first,
    const char *origin, struct error *err);
/* Give it no value, which hides default and inheritance. */
void config_set_empty(struct config *c, size_t account, enum config_key key, const char *origin);
/* As if it had never been set. */
void config_unset(struct config *c, size_t account, enum config_key key);
void config_copy(struct config *c, size_t from, size_t to, enum config_key key);
/* Give accounts their names, and the settings of the default account that they do not have themselves. Once is enough. */
void config_inherit(struct config *c);
/* Is it set, or another one that would contradict it (UseTLS and UseSTARTTLS, ways to the password)? */
bool config_has(const struct config *c, size_t account, enum config_key key);
/*
 * After all was set: defaults, inheritance by accounts, names of accounts, and the checks over several settings. `machine` is
 * what hostname becomes when it is not set. False with err (ERROR_CONFIG).
 */
bool config_complete(struct config *c, const char *machine, const char *mailname, struct error *err);
/*
 * The names under which this machine is local, besides hostname and localhost, and the first labels of these; NULL and duplicates are
 * left out.
 */
void config_add_own_names(struct config *c, const char *const names[], size_t n);

/* Values. Text is NULL when there is none, or an empty one. */
const char *config_text(const struct config *c, size_t account, enum config_key key);
/* Where a daemon may serve that was chosen by -C or the caller's own file: `Socket`, if that file itself sets it; else NULL. */
const char *config_own_socket(const struct config *c);
int64_t config_number(const struct config *c, size_t account, enum config_key key);
/* So many in so long; n 0: no limit. */
struct config_rate {
    int64_t n, period_ms;
};
/* A setting of CONFIG_RATE in its own words: "5/m" is not 300 an hour all at once. */
struct config_rate config_rate(const struct config *c, size_t account, enum config_key key);
/* A size that holds for all accounts, such as MinFree; 0 where there is none. */
uint64_t config_size(const struct config *c, enum config_key key);
bool config_flag(const struct config *c, size_t account, enum config_key key);
const struct config_value *config_value(const struct config *c, size_t account, enum config_key key);
const char *config_account_name(const struct config *c, size_t account);
/* By name; c->n when there is none. */
size_t config_account_find(const struct config *c, const char *name);

/* TLS as UseTLS, UseSTARTTLS and the port say it. */
enum config_tls { CONFIG_TLS_NONE, CONFIG_TLS_IMPLICIT, CONFIG_TLS_STARTTLS, CONFIG_TLS_OPPORTUNISTIC };
/* One entry of mailhub. */
enum config_hub_kind { CONFIG_HUB_HOST, CONFIG_HUB_SRV, CONFIG_HUB_DIRECT };
struct config_hub {
    enum config_hub_kind kind;
    char *host;
    uint16_t port; /* as given, or what UseTLS says */
    enum config_tls tls;
};
/* Parse "host", "host:port", "[v6]:port", "srv:domain", "direct". h->host is fresh memory. */
bool config_hub_parse(
    const struct config *c, size_t account, const char *text, struct config_hub *h, struct error *err);
/* "socks5://host:port" */
bool config_proxy_parse(const char *text, char **host, uint16_t *port, struct error *err);
/* 64 hex digits, colons allowed, either case. */
bool config_pin_parse(const char *text, unsigned char pin[32]);

/* Flat form of all accounts without secrets, or of one account with them (account < c->n). */
void config_encode(const struct config *c, size_t account, bool secrets, struct buf *out);
void config_encode_all(const struct config *c, struct buf *out);
/* Lines that begin with CONFIG_FLAT_EXPLANATIONS are passed over: they are config/explanations's. */
#define CONFIG_FLAT_EXPLANATIONS "explanations"
bool config_decode(struct config *c, struct slice flat, struct error *err);

#endif
