/* SPDX-License-Identifier: ISC */
/* value: types with their units, and one check for each setting that allows less than its type. */
#include "config/value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"

#define TIME_MAX_MS (3650 * (int64_t)86400000)
#define HOUR_MS ((int64_t)3600000)

/* ---------------------------------------------------------------- types */

static const struct unit {
    const char *suffix;
    int64_t factor;
} time_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
    { "w", 604800000 }, { NULL, 0 } },
  size_units[] = { { "K", 1024 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { "T", (int64_t)1 << 40 }, { "", 1 },
      { NULL, 0 } },
  rate_units[] = { { "/s", 1000 }, { "/m", 60000 }, { "/min", 60000 }, { "/h", HOUR_MS }, { "/d", 86400000 },
      { NULL, 0 } };

/* "25M": a number and the unit behind it. NULL: something else */
static const struct unit *
split_unit(struct slice text, const struct unit *units, int64_t *number)
{
    size_t n = 0;
    uint64_t v;

    while (n < text.len && ascii_is_digit(text.p[n]))
        n++;
    if (!slice_number(slice_sub(text, 0, n), INT64_MAX / 2, &v))
        return NULL;
    *number = (int64_t)v;
    for (; units->suffix; units++)
        if (slice_is_nocase(slice_from(text, n), units->suffix))
            return units;
    return NULL;
}

static bool
parse_with_unit(struct slice text, const struct unit *units, int64_t *out)
{
    int64_t n;
    const struct unit *unit = split_unit(text, units, &n);

    return unit && !__builtin_mul_overflow(n, unit->factor, out);
}

bool
value_parse_rate(struct slice text, struct config_rate *out)
{
    const struct unit *unit;

    *out = (struct config_rate){ 0, HOUR_MS };
    if (slice_is(text, "0")) /* none is none in any unit */
        return true;
    unit = split_unit(text, rate_units, &out->n);
    if (unit)
        out->period_ms = unit->factor;
    return unit;
}

/* As an hour's, upwards */
static bool
parse_rate(struct slice text, int64_t *out)
{
    struct config_rate r;

    if (!value_parse_rate(text, &r) || __builtin_mul_overflow(r.n, HOUR_MS, out))
        return false;
    *out = *out / r.period_ms + (*out % r.period_ms > 0);
    return true;
}

bool
value_parse_bool(struct slice text, int64_t *out)
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

static const char *const wanted[] = {
    [CONFIG_TEXT] = "a text in quotes",
    [CONFIG_LIST] = "a text in quotes or a list of them",
    [CONFIG_BOOL] = "true or false",
    [CONFIG_TIME] = "a time like \"90s\", \"15m\", \"4h\", \"5d\"",
    [CONFIG_SIZE] = "a size like \"25M\"",
    [CONFIG_NUMBER] = "a number",
    [CONFIG_RATE] = "a rate like \"100/h\"",
};

const char *
value_wanted(enum config_type type)
{
    return wanted[type];
}

static bool
parse_typed(enum config_type type, struct slice text, int64_t *out)
{
    uint64_t v;

    switch (type) {
    case CONFIG_BOOL:
        return value_parse_bool(text, out);
    case CONFIG_TIME:
        return parse_with_unit(text, time_units, out) && *out <= TIME_MAX_MS;
    case CONFIG_SIZE:
        return parse_with_unit(text, size_units, out);
    case CONFIG_RATE:
        return parse_rate(text, out);
    case CONFIG_NUMBER:
        if (!slice_number(text, INT32_MAX, &v))
            return false;
        *out = (int64_t)v;
        return true;
    default:
        return true;
    }
}

/* ---------------------------------------------------------------- hosts and addresses */

static bool
is_ip(struct slice text, int family)
{
    char copy[INET6_ADDRSTRLEN + 1], packed[16];

    if (text.len == 0 || text.len >= sizeof copy || slice_has(text, '\0'))
        return false;
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, packed) == 1;
}

static bool
is_domain(struct slice text)
{
    struct slice label;

    if (text.len > 0 && text.p[text.len - 1] == '.')
        text.len--;
    if (text.len == 0 || text.len > 255 || text.p[text.len - 1] == '.' || !text_is_utf8(text))
        return false;
    while (slice_cut(&text, '.', &label)) {
        if (label.len == 0 || label.len > 63 * 4) /* U-labels are longer than what they become */
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!isalnum((unsigned char)label.p[i]) && label.p[i] != '-' && label.p[i] != '_' &&
                (unsigned char)label.p[i] < 128)
                return false;
    }
    return true;
}

/* A domain, or an address literal in brackets */
static bool
is_host(struct slice text)
{
    if (text.len < 3 || text.p[0] != '[')
        return is_domain(text);
    if (text.p[text.len - 1] != ']')
        return false;
    text = slice_sub(text, 1, text.len - 2);
    if (slice_starts_nocase(text, "IPv6:"))
        return is_ip(slice_from(text, 5), AF_INET6);
    return is_ip(text, AF_INET) || is_ip(text, AF_INET6);
}

bool
value_is_address(struct slice text)
{
    struct address a;
    struct error err;

    return address_parse(text, 0, &a, &err) && a.has_domain;
}

/* "host:port", "[v6]:port", "host", a bare v6; *port stays when none is given */
static bool
split_host(struct slice text, char **host, uint16_t *port)
{
    struct slice name = text, rest = slice_of(NULL);
    bool v6 = is_ip(text, AF_INET6);
    uint64_t v;

    if (text.len && text.p[0] == '[') {
        size_t end = slice_find(text, ']');
        if (end == text.len)
            return false;
        name = slice_sub(text, 1, end - 1);
        rest = slice_from(text, end + 1);
        v6 = true;
    } else if (!v6) {
        name = slice_sub(text, 0, slice_find(text, ':'));
        rest = slice_from(text, name.len);
    }
    if (rest.len && (rest.p[0] != ':' || !slice_number(slice_from(rest, 1), 65535, &v) || v == 0))
        return false;
    /* a zone stands behind '%': [fe80::1%eth0] */
    if (v6 ? !is_ip(slice_sub(name, 0, slice_find(name, '%')), AF_INET6) && !is_ip(name, AF_INET)
           : !is_domain(name))
        return false;
    if (rest.len)
        *port = (uint16_t)v;
    *host = slice_dup(name);
    return true;
}

bool
value_split_hub(struct slice text, struct config_hub *h)
{
    memset(h, 0, sizeof *h);
    if (slice_is_nocase(text, "direct")) {
        h->kind = CONFIG_HUB_DIRECT;
        return true;
    }
    if (!slice_starts_nocase(text, "srv:"))
        return split_host(text, &h->host, &h->port);
    h->kind = CONFIG_HUB_SRV;
    if (!is_domain(slice_from(text, 4)))
        return false;
    h->host = slice_dup(slice_from(text, 4));
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
config_pin_parse(const char *text, unsigned char pin[32])
{
    size_t n = 0;

    for (; *text; text++) {
        int d = ascii_hex_value(*text);
        if (*text == ':')
            continue;
        if (d < 0 || n >= 64)
            return false;
        pin[n / 2] = (unsigned char)(n % 2 ? pin[n / 2] | d : d << 4);
        n++;
    }
    return n == 64;
}

/* ---------------------------------------------------------------- one check for each setting */

static bool
is_pin(struct slice text)
{
    unsigned char pin[32];
    char *copy = slice_dup(text);
    bool ok = config_pin_parse(copy, pin);

    free(copy);
    return ok;
}

static bool
is_proxy(struct slice text)
{
    char *copy = slice_dup(text), *host = NULL;
    uint16_t port;
    struct error err;
    bool ok = config_proxy_parse(copy, &host, &port, &err);

    free(host);
    free(copy);
    return ok;
}

static bool
is_hub(struct slice text)
{
    struct config_hub h;
    bool ok = value_split_hub(text, &h);

    if (ok)
        free(h.host);
    return ok;
}

static bool
is_host_or_none(struct slice text)
{
    return text.len == 0 || is_host(text);
}

static bool
is_address_or_none(struct slice text)
{
    return text.len == 0 || value_is_address(text);
}

static bool
is_pattern(struct slice text)
{
    if (text.len && text.p[0] == '@')
        return is_host(slice_from(text, 1));
    return value_is_address(text);
}

/* A field of RFC 5322 2.2 */
static bool
is_field(struct slice text)
{
    size_t colon = slice_find(text, ':');

    for (size_t i = 0; i < colon; i++)
        if ((unsigned char)text.p[i] < 33 || (unsigned char)text.p[i] > 126)
            return false;
    return colon > 0 && colon < text.len;
}

static bool
is_path(struct slice text)
{
    return text.len == 0 || (text.p[0] == '/' && text.len < 4000);
}

static bool
is_folder(struct slice text)
{
    return text.len > 0 && is_path(text);
}

static bool
is_path_or_name(struct slice text)
{
    return is_path(text) || !slice_has(text, '/');
}

static bool
is_path_or_dash(struct slice text)
{
    return is_path(text) || slice_is(text, "-");
}

/* It has to fit into an address, with ".ctl" behind it */
static bool
is_socket(struct slice text)
{
    return text.len > 0 && text.p[0] == '/' && text.len + 4 < sizeof((struct sockaddr_un *)0)->sun_path;
}

static bool
is_any_ip(struct slice text)
{
    return is_ip(text, AF_INET) || is_ip(text, AF_INET6);
}

static bool
is_network(struct slice text)
{
    struct slice ip = slice_sub(text, 0, slice_find(text, '/'));
    uint64_t bits;

    if (!is_any_ip(ip))
        return false;
    return ip.len == text.len ||
           slice_number(slice_from(text, ip.len + 1), is_ip(ip, AF_INET) ? 32 : 128, &bits);
}

/* ADDRESS:PORT or [ADDRESS]:PORT */
static bool
is_listener(struct slice text)
{
    size_t colon = slice_find_last(text, ':');
    bool in_brackets = text.len > 1 && text.p[0] == '[' && colon > 1 && text.p[colon - 1] == ']';
    struct slice ip = in_brackets ? slice_sub(text, 1, colon - 2) : slice_sub(text, 0, colon);
    uint64_t port;

    return colon < text.len && slice_number(slice_from(text, colon + 1), 65535, &port) && port > 0 &&
           is_ip(ip, in_brackets ? AF_INET6 : AF_INET);
}

static bool
is_not_empty(struct slice text)
{
    return text.len > 0;
}

/* With "/domain" behind it, it is the name of a road (config/road) */
static bool
is_account_name(struct slice text)
{
    return text.len > 0 && !slice_has(text, '/');
}

#define SCRAM "scram-sha-256-plus|scram-sha-256|scram-sha-1"
static const char a_path[] = "an absolute path is wanted";

/* What a value may be: one of `words` ("a|b"), or what `is` says */
static const struct rule {
    enum config_key key;
    const char *words;
    bool (*is)(struct slice text);
    const char *why;
} rules[] = {
    { CONFIG_MAILHUB, NULL, is_hub, "host, host:port, [address]:port or srv:domain is wanted" },
    { CONFIG_USE_TLS, "true|false|implicit|starttls|opportunistic|yes|no|on|off|1|0", NULL,
        "true, false, \"implicit\", \"starttls\" or \"opportunistic\" is wanted" },
    { CONFIG_TLS_CA_FILE, NULL, is_path, a_path },
    { CONFIG_TLS_CA_DIR, NULL, is_path, a_path },
    { CONFIG_TLS_FINGERPRINT, NULL, is_pin, "a SHA-256 fingerprint has 64 hexadecimal digits" },
    { CONFIG_TLS_MIN_VERSION, "1.0|1.1|1.2|1.3", NULL, "\"1.0\", \"1.1\", \"1.2\" or \"1.3\" is wanted" },
    { CONFIG_TLS_CERT, NULL, is_path, a_path },
    { CONFIG_TLS_KEY, NULL, is_path, a_path },
    { CONFIG_AUTH_PASS_FILE, NULL, is_path_or_name,
        "an absolute path or the name of a credential is wanted" },
    { CONFIG_AUTH_METHOD, "auto|" SCRAM "|plain|login|cram-md5|external|xoauth2|oauthbearer", NULL,
        "\"auto\", \"scram-sha-256-plus\", \"scram-sha-256\", \"scram-sha-1\", \"plain\", \"login\", "
        "\"cram-md5\", \"external\", \"xoauth2\" or \"oauthbearer\" is wanted" },
    { CONFIG_HOSTNAME, NULL, is_host, "a host name or an address in brackets is wanted" },
    { CONFIG_FROM, NULL, value_is_address, "an address with a domain is wanted" },
    { CONFIG_FROM_POLICY, "auto|keep|qualify|force", NULL,
        "\"auto\", \"keep\", \"qualify\" or \"force\" is wanted" },
    { CONFIG_FROM_ALLOWED, NULL, is_pattern, "an address or \"@domain\" is wanted" },
    { CONFIG_REWRITE_DOMAIN, NULL, is_host_or_none, "a domain is wanted" },
    { CONFIG_ROOT, NULL, is_address_or_none, "an address with a domain is wanted" },
    { CONFIG_ALIASES, NULL, is_path, a_path },
    { CONFIG_ADD_HEADER, NULL, is_field, "a header line \"Name: value\" is wanted" },
    { CONFIG_DELIVERY, "interactive|background|queue", NULL,
        "\"interactive\", \"background\" or \"queue\" is wanted" },
    { CONFIG_QUEUE_DIR, NULL, is_folder, a_path },
    { CONFIG_SOCKET, NULL, is_socket, "an absolute path of at most 103 bytes is wanted" },
    { CONFIG_USER, NULL, is_not_empty, "the name of a user is wanted" },
    { CONFIG_LISTEN, NULL, is_listener, "\"ADDRESS:PORT\" or \"[ADDRESS]:PORT\" is wanted" },
    { CONFIG_LISTEN_NETWORKS, NULL, is_network, "a network like \"192.0.2.0/24\" is wanted" },
    { CONFIG_SOURCE_ADDRESS, NULL, is_any_ip, "an IP address is wanted" },
    { CONFIG_PROXY, NULL, is_proxy, "socks5://host:port is wanted" },
    { CONFIG_METRICS_FILE, NULL, is_path, a_path },
    { CONFIG_LOG_FILE, NULL, is_path_or_dash, "an absolute path or \"-\" is wanted" },
    { CONFIG_LOG_LEVEL, "error|warning|info|debug", NULL,
        "\"error\", \"warning\", \"info\" or \"debug\" is wanted" },
    { CONFIG_NAME, NULL, is_account_name, "a name without / is wanted" },
    { CONFIG_SENDER, NULL, is_pattern, "an address or \"@domain\" is wanted" },
    { CONFIG_RECIPIENT, NULL, is_pattern, "an address or \"@domain\" is wanted" },
};

static const struct range {
    enum config_key key;
    int64_t min, max;
    const char *why;
} ranges[] = {
    { CONFIG_CONNECT_TIMEOUT, 1, TIME_MAX_MS, "more than nothing is wanted" },
    { CONFIG_TIMEOUT, 1, TIME_MAX_MS, "more than nothing is wanted" },
    { CONFIG_QUEUE_RUN, 1, TIME_MAX_MS, "more than nothing is wanted" },
    { CONFIG_QUEUE_LIFETIME, 1, TIME_MAX_MS, "more than nothing is wanted" },
    { CONFIG_RETRY_MIN, 1, TIME_MAX_MS, "more than nothing is wanted" },
    { CONFIG_RETRY_MAX, 1, TIME_MAX_MS, "more than nothing is wanted" },
    { CONFIG_RATE_LIMIT, 1, INT32_MAX, "one message at least and two billion an hour at most are wanted" },
    { CONFIG_RUNAWAY_LIMIT, 0, INT32_MAX, "less is wanted" },
    { CONFIG_MAX_MESSAGE_SIZE, 1, INT64_MAX, "more than nothing is wanted" },
    { CONFIG_CONNECTIONS, 1, 64, "1 to 64 is wanted" },
    { CONFIG_WORKERS, 1, 64, "1 to 64 is wanted" },
    { CONFIG_MAX_RECIPIENTS, 1, 100000, "1 to 100000 is wanted" },
};

static bool
is_one_of(struct slice text, const char *words)
{
    struct slice rest = slice_of(words), word;

    while (slice_cut(&rest, '|', &word))
        if (slice_eq_nocase(word, text))
            return true;
    return false;
}

/* What a setting's own meaning forbids; NULL = nothing */
static const char *
check_meaning(enum config_key key, struct slice text, int64_t number)
{
    for (size_t i = 0; i < text.len; i++)
        if (ascii_is_control(text.p[i]) && key != CONFIG_CA_PEM && key != CONFIG_CERT_PEM &&
            key != CONFIG_KEY_PEM)
            return "control characters are not allowed";
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].key == key && !(rules[i].is ? rules[i].is(text) : is_one_of(text, rules[i].words)))
            return rules[i].why;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (ranges[i].key == key && (number < ranges[i].min || number > ranges[i].max))
            return ranges[i].why;
    return NULL;
}

bool
value_check(enum config_key key, struct slice text, int64_t *number, struct error *err)
{
    const struct config_info *info = config_info(key);
    const char *why;
    char shown[200];

    text_escape(shown, sizeof shown, info->secret ? slice_of("***") : text);
    *number = 0;
    if (!parse_typed(info->type, text, number))
        return error_set(
            err, ERROR_CONFIG, "%s: \"%s\" will not do: %s is wanted", info->name, shown, wanted[info->type]);
    why = check_meaning(key, text, *number);
    if (why)
        return error_set(err, ERROR_CONFIG, "%s: \"%s\" will not do: %s", info->name, shown, why);
    return true;
}
