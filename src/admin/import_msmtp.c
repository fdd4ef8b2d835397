/* SPDX-License-Identifier: ISC */
/*
 * import_msmtp: msmtprc. Accounts inherit by copying what they inherit from; the one that "account default" names becomes our
 * default account, the others groups that are chosen by their "from". Commands are carried over, never run.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"

enum { ACCOUNTS_MAX = 200 };

struct account {
    char *name;
    struct import_at at;
    struct import_pairs p;
};

struct msmtp {
    struct import *im;
    struct account defaults;
    struct account account[ACCOUNTS_MAX];
    size_t n;
    char *chosen; /* what `account default : NAME` names */
};

static const struct import_reason reasons[] = {
    { "protocol", "SMTP is the only one here" },
    { "socket", "smarthosts are reached over TCP" },
    { "ntlmdomain", "NTLM is not offered" },
    { "tls_crl_file", "revocation lists are not looked at" },
    { "tls_priorities", "TLSMinVersion chooses the least version; ciphers are the library's" },
    { "tls_min_dh_prime_bits", "it is the library's matter" },
    { "tls_host_override", "the certificate has to name the smarthost; TLSFingerprint pins another" },
    { "tls_force_sslv3", "SSL 3 is gone" },
    { "from_full_name", "the name is what sendmail -F, NAME or the account's full name say" },
    { "set_date_header", "a Date is added where there is none" },
    { "set_msgid_header", "a Message-ID is added where there is none" },
    { "set_to_header", "a message without To and Cc gets undisclosed-recipients, any other stays" },
    { "undisclosed_recipients", "a message without To and Cc gets undisclosed-recipients, any other stays" },
    { "add_missing_from_header", "a From is added where there is none" },
    { "add_missing_date_header", "a Date is added where there is none" },
    { "remove_bcc_headers", "Bcc always goes" },
    { "keepbcc", "Bcc always goes" },
    { "dsn_notify", "it is said for each message: sendmail -N" },
    { "dsn_return", "it is said for each message: sendmail -R" },
    { "logfile_time_format", "times in the log are its own" },
    { "connect_timeout", "ConnectTimeout is 30s" },
    { "logfile", "there is one log for all accounts" },
    { "syslog", "there is one log for all accounts" },
    { "aliases", "they hold for all accounts" },
    { "proxy_host", "there is one for all accounts" },
    { "proxy_port", "there is one for all accounts" },
    { "source_ip", "there is one for all accounts" },
    { "timeout", "there is one for all accounts" },
    { "auto_from", "an address is made of the login and rewriteDomain by itself" },
    { "maildomain", "there is one for all accounts" },
    { "eval", "what a command prints cannot be taken over; write the setting" },
    { NULL, NULL },
};

/* ---------------------------------------------------------------- the text */

/* A name may be in quotes; an empty argument takes a setting back */
static struct slice
unquoted(struct slice text)
{
    text = slice_trim(text);
    if (text.len >= 2 && text.p[0] == '"' && text.p[text.len - 1] == '"')
        return slice_sub(text, 1, text.len - 2);
    return text;
}

static void
copy_pairs(struct import_pairs *to, const struct import_pairs *from)
{
    for (size_t i = 0; i < from->n; i++)
        import_pairs_add(to, slice_of(from->pair[i].key), slice_of(from->pair[i].value), from->pair[i].at);
}

static struct account *
find_account(struct msmtp *m, struct slice name)
{
    for (size_t i = 0; i < m->n; i++)
        if (slice_is(name, m->account[i].name))
            return &m->account[i];
    return NULL;
}

/* account NAME [: A, B] */
static struct account *
begin_account(struct msmtp *m, struct slice text, struct import_at at)
{
    struct slice rest = text, name, parent;
    struct account *a;

    name = import_cut(&rest, ':');
    name = slice_trim(name);
    if (slice_is(name, "default") && slice_trim(rest).len) {
        free(m->chosen);
        m->chosen = slice_dup(slice_trim(slice_sub(rest, 0, slice_find(rest, ','))));
    }
    if (m->n == ACCOUNTS_MAX || find_account(m, name)) {
        import_leave(m->im, at, slice_of("account"),
            m->n == ACCOUNTS_MAX ? "there are too many" : "there is one of this name already");
        return NULL;
    }
    a = &m->account[m->n++];
    *a = (struct account){ slice_dup(name), at, { 0 } };
    copy_pairs(&a->p, &m->defaults.p);
    while (slice_cut(&rest, ',', &parent)) {
        const struct account *other = find_account(m, slice_trim(parent));
        if (other && other != a)
            copy_pairs(&a->p, &other->p);
        else
            import_leave(m->im, at, slice_trim(parent), "there is no account of this name before it");
    }
    return a;
}

static void
read_text(struct msmtp *m)
{
    struct import_pairs lost = { 0 };
    struct import_pairs *to = NULL;
    struct import_lines l;
    struct slice word, rest;

    import_lines_begin(&l, m->im->source[0]);
    while (import_lines_next_content(&l)) {
        rest = l.line;
        (void)import_word(&rest, &word);
        rest = unquoted(rest);
        if (slice_is(word, "account")) {
            struct account *a = begin_account(m, rest, l.at);
            to = a ? &a->p : &lost;
        } else if (slice_is(word, "defaults")) {
            to = &m->defaults.p;
        } else {
            if (!to) { /* as msmtp has it: what stands before any account is the account default */
                struct account *a = begin_account(m, slice_of("default"), l.at);
                to = a ? &a->p : &lost;
            }
            import_pairs_add(to, word, rest, l.at);
        }
    }
    import_pairs_leave(m->im, &lost, reasons);
    import_pairs_clear(&lost);
}

/* ---------------------------------------------------------------- one account */

/* on unless it says off; without an argument it is on */
static bool
is_on(struct import_pairs *p, const char *key, bool standard)
{
    const struct import_pair *pair = import_pairs_find(p, key);

    return pair ? !pair->value[0] || import_is_yes(slice_of(pair->value)) : standard;
}

static enum import_tls
find_tls(struct import_pairs *p, struct import_at *at)
{
    const struct import_pair *tls = import_pairs_find(p, "tls");
    bool starttls = is_on(p, "tls_starttls", true) && !is_on(p, "tls_nostarttls", false);

    *at = tls ? tls->at : (struct import_at){ "msmtp's default", 0 };
    if (!is_on(p, "tls", false))
        return IMPORT_TLS_NONE;
    return starttls ? IMPORT_TLS_STARTTLS : IMPORT_TLS_IMPLICIT;
}

static void
set_hub(struct import *im, size_t g, struct import_pairs *p)
{
    struct import_pair *host = import_pairs_find(p, "host"), *port = import_pairs_find(p, "port");
    struct import_at at;
    enum import_tls tls = find_tls(p, &at);
    uint16_t number = port && port->value[0] ? import_port(slice_of(port->value)) : 0;

    if (!host || !host->value[0]) {
        import_leave_pair(im, port, "without a host it has no meaning");
        return;
    }
    if (port && port->value[0] && number == 0)
        import_leave(im, port->at, slice_of("port"), "it is no port");
    if (number == 0)
        number = tls == IMPORT_TLS_IMPLICIT ? 465 : 25;
    if (import_add_hub(im, g, slice_of(host->value), number, host->at))
        import_set_tls(im, g, tls, number, at);
}

static void
set_fingerprint(struct import *im, size_t g, struct import_pairs *p)
{
    const struct import_pair *pin = import_pairs_find(p, "tls_fingerprint");
    unsigned char bytes[32];

    if (!pin || !pin->value[0])
        return;
    if (config_pin_parse(pin->value, bytes))
        (void)import_set(im, g, CONFIG_TLS_FINGERPRINT, slice_of(pin->value), pin->at);
    else
        import_leave(im, pin->at, slice_of("tls_fingerprint"),
            "only SHA-256 is strong enough; `smtprelay test` shows the one to write");
}

static void
set_path(struct import *im, size_t g, enum config_key key, const struct import_pair *pair)
{
    char *path = pair && pair->value[0] ? import_path(im, slice_of(pair->value)) : NULL;

    if (path)
        (void)import_set(im, g, key, slice_of(path), pair->at);
    else if (pair && pair->value[0])
        import_leave(im, pair->at, slice_of(pair->key), "it is no absolute path");
    free(path);
}

static void
set_tls_files(struct import *im, size_t g, struct import_pairs *p)
{
    const struct import_pair *ca = import_pairs_find(p, "tls_trust_file");
    bool checked = is_on(p, "tls_certcheck", true) && !is_on(p, "tls_nocertcheck", false);

    if (ca && ca->value[0])
        import_set_ca(im, g, slice_of(ca->value), ca->at);
    set_fingerprint(im, g, p);
    if (import_get(im, g, CONFIG_USE_TLS) && !checked)
        im->verified = false;
    set_path(im, g, CONFIG_TLS_CERT, import_pairs_find(p, "tls_cert_file"));
    if (import_get(im, g, CONFIG_TLS_CERT))
        set_path(im, g, CONFIG_TLS_KEY, import_pairs_find(p, "tls_key_file"));
    else if (import_pairs_value(p, "tls_key_file").len)
        import_leave_pair(im, import_pairs_find(p, "tls_key_file"), "without tls_cert_file it is not used");
}

/* auth names a method, or is on or off */
static bool
wants_login(struct import *im, size_t g, struct import_pairs *p)
{
    const struct import_pair *auth = import_pairs_find(p, "auth");
    struct slice method = slice_of(auth ? auth->value : NULL);

    if (!auth || slice_is(method, "off"))
        return false;
    if (slice_is_nocase(method, "external") || slice_is_nocase(method, "xoauth2") ||
        slice_is_nocase(method, "oauthbearer"))
        (void)import_set(im, g, CONFIG_AUTH_METHOD, method, auth->at);
    else if (slice_is_nocase(method, "ntlm") || slice_is_nocase(method, "gssapi") ||
             slice_is_nocase(method, "digest-md5"))
        import_leave(im, auth->at, slice_of("auth"),
            "this method is not there; the strongest that is offered is used");
    else if (method.len && !slice_is_nocase(method, "on") && !slice_is_nocase(method, "plain") &&
             !slice_is_nocase(method, "login"))
        import_leave(im, auth->at, slice_of("auth"), "the strongest that is offered is chosen by itself");
    return true;
}

/* machine HOST login USER password PASS, in ~/.netrc */
static struct slice
find_netrc(struct import *im, struct slice host, struct slice user, struct import_at *at)
{
    char *path = import_path(im, slice_of("~/.netrc"));
    const struct import_source *s = path ? import_open(im, path) : NULL;
    struct slice rest, word, value, machine = slice_of(NULL), login = slice_of(NULL);

    free(path);
    if (!s)
        s = import_open(im, "/etc/netrc");
    rest = slice_make(s ? s->text : NULL, s ? s->len : 0);
    while (import_word(&rest, &word) && import_word(&rest, &value)) {
        if (slice_is(word, "machine")) {
            machine = value;
            login = slice_of(NULL);
        } else if (slice_is(word, "login")) {
            login = value;
        } else if (slice_is(word, "password") && slice_eq_nocase(machine, host) && slice_eq(login, user)) {
            *at = (struct import_at){ s->path, 0 };
            return value;
        }
    }
    return slice_of(NULL);
}

static void
set_login(struct import *im, size_t g, struct import_pairs *p)
{
    struct import_pair *user = import_pairs_find(p, "user"), *pass = import_pairs_find(p, "password");
    struct import_pair *command = import_pairs_find(p, "passwordeval");
    struct slice secret = slice_of(pass ? pass->value : NULL);
    struct import_at at = pass ? pass->at : (struct import_at){ NULL, 0 };

    if (!wants_login(im, g, p) || !user || !user->value[0]) {
        import_leave_pair(im, user, "there is no auth, so there is no login");
        import_leave_pair(im, pass, "there is no login that needs it");
        import_leave_pair(im, command, "there is no login that needs it");
        return;
    }
    if (secret.len)
        import_leave_pair(im, command, "there is a password");
    if (secret.len == 0 && command && command->value[0] &&
        import_set_command(im, g, slice_of(command->value), command->at)) {
        if (!import_set(im, g, CONFIG_AUTH_USER, slice_of(user->value), user->at))
            import_unset(im, g, CONFIG_AUTH_PASS_COMMAND);
        import_tell(im,
            "passwordeval: for all users of this machine it runs as who starts the daemon, with HOME, "
            "PATH, USER and LANG alone; in a user's own configuration as that user");
        return;
    }
    if (secret.len == 0)
        secret = find_netrc(im, import_pairs_value(p, "host"), slice_of(user->value), &at);
    import_set_login(im, g, slice_of(user->value), secret, user->at, at);
    if (secret.len == 0)
        import_leave(
            im, user->at, slice_of("user"), "msmtp takes the password from a keyring, or asks for it");
}

/* Address patterns: "*@domain", and %U for the login */
static void
set_from(struct import *im, size_t g, struct import_pairs *p)
{
    struct import_pair *from = import_pairs_find(p, "from"),
                       *header = import_pairs_find(p, "set_from_header");
    struct import_pair *domain = import_pairs_find(p, "maildomain");
    bool forced = !is_on(p, "allow_from_override", true);
    struct slice text = slice_of(from ? from->value : NULL);

    if (domain && domain->value[0])
        import_set_domain(im, slice_of(domain->value), domain->at);
    if (slice_starts(text, "%U@") && !slice_has(slice_from(text, 3), '%')) {
        import_set_domain(im, slice_from(text, 3), from->at);
        text = slice_of(NULL);
    } else if (slice_has(text, '%') || slice_has(text, '*') || slice_has(text, '?')) {
        if (!(g && slice_starts(text, "*@")))
            import_leave(im, from->at, slice_of("from"), "patterns are not possible here");
        text = slice_of(NULL);
    }
    if (text.len)
        (void)import_set(im, g, CONFIG_FROM, text, from->at);
    if (header && !import_is_yes(slice_of(header->value)) && !slice_is(slice_of(header->value), "auto"))
        (void)import_set(im, g, CONFIG_FROM_POLICY, slice_of("qualify"), header->at);
    else if (text.len && ((header && import_is_yes(slice_of(header->value))) || forced))
        (void)import_set(im, g, CONFIG_FROM_POLICY, slice_of("force"), header ? header->at : from->at);
}

static void
set_account(struct import *im, size_t g, struct import_pairs *p)
{
    struct import_pair *domain = import_pairs_find(p, "domain");

    set_hub(im, g, p);
    set_tls_files(im, g, p);
    set_login(im, g, p);
    set_from(im, g, p);
    if (domain && strchr(domain->value, '%'))
        import_leave(im, domain->at, slice_of("domain"), "the machine's own name is the default");
    else if (domain && domain->value[0])
        (void)import_set(im, g, CONFIG_HOSTNAME, slice_of(domain->value), domain->at);
}

/* ---------------------------------------------------------------- what is not an account's here */

static void
set_proxy(struct import *im, struct import_pairs *p)
{
    struct import_pair *host = import_pairs_find(p, "proxy_host"), *port = import_pairs_find(p, "proxy_port");
    char *proxy;

    if (!host || !host->value[0]) {
        import_leave_pair(im, port, "without a proxy_host it has no meaning");
        return;
    }
    proxy = mem_format("socks5://%s:%s", host->value, port && port->value[0] ? port->value : "1080");
    (void)import_set(im, 0, CONFIG_PROXY, slice_of(proxy), host->at);
    free(proxy);
}

/* A single user's configuration, not the system's */
static bool
is_own_file(const struct import *im)
{
    return im->home && slice_starts(slice_of(im->source[0]->path), im->home);
}

static void
set_log(struct import *im, struct import_pairs *p)
{
    struct import_pair *file = import_pairs_find(p, "logfile"), *log = import_pairs_find(p, "syslog");

    if (file && slice_is(slice_of(file->value), "-"))
        (void)import_set(im, 0, CONFIG_LOG_FILE, slice_of("-"), file->at);
    else if (file && file->value[0] && !is_own_file(im))
        import_leave(im, file->at, slice_of("logfile"),
            "the log goes to syslog; LogFile has to be one that the daemon's user may write");
    else
        set_path(im, 0, CONFIG_LOG_FILE, file);
    if (log && !slice_is(slice_of(log->value), "off") && !slice_is(slice_of(log->value), "LOG_MAIL") && !file)
        import_leave(im, log->at, slice_of("syslog"), "the facility is mail");
}

static void
set_global(struct import *im, struct import_pairs *p)
{
    struct import_pair *ip = import_pairs_find(p, "source_ip"), *time = import_pairs_find(p, "timeout");

    set_proxy(im, p);
    set_log(im, p);
    set_path(im, 0, CONFIG_ALIASES, import_pairs_find(p, "aliases"));
    if (ip && ip->value[0])
        (void)import_set(im, 0, CONFIG_SOURCE_ADDRESS, slice_of(ip->value), ip->at);
    if (time && !slice_is(slice_of(time->value), "off") && time->value[0])
        import_set_seconds(im, CONFIG_TIMEOUT, slice_of(time->value), "timeout", time->at);
}

/* ---------------------------------------------------------------- all of it */

/* The one for which nobody has to ask: the one named default, else the only or first one */
static struct account *
choose(struct msmtp *m)
{
    struct account *a = find_account(m, slice_of("default"));

    if (!a && m->n > 1)
        import_tell(m->im, "no account is the default; the first one, %s, is now", m->account[0].name);
    return a ? a : m->n ? &m->account[0] : NULL;
}

/* A line that several accounts have by inheritance was carried if the default account used it */
static void
mark_shared(struct account *a, const struct account *standard, bool all)
{
    for (size_t i = 0; i < a->p.n; i++)
        for (size_t k = 0; k < standard->p.n && !a->p.pair[i].used; k++)
            a->p.pair[i].used =
                all || (standard->p.pair[k].used && standard->p.pair[k].at.line == a->p.pair[i].at.line);
}

/* Groups are chosen by their sender */
static void
set_group(struct msmtp *m, struct account *a, const struct account *standard)
{
    const struct import_pair *from = import_pairs_find(&a->p, "from");
    struct slice text = slice_of(from ? from->value : NULL);
    size_t g;

    if (a == standard)
        return;
    if (m->chosen && slice_is(slice_of(m->chosen), a->name)) { /* the default account is it */
        mark_shared(a, standard, true);
        return;
    }
    g = import_add_group(m->im, slice_of(a->name), a->at);
    if (slice_starts(text, "*@"))
        text = slice_from(text, 1);
    else if (slice_starts(text, "%U@"))
        text = slice_from(text, 2); /* each user's own address there */
    if (text.len == 0 || slice_has(text, '*') || slice_has(text, '%') ||
        !import_add(m->im, g, CONFIG_SENDER, text, from->at))
        import_leave(m->im, a->at, slice_of(a->name),
            "accounts are chosen by sender, and it has no from; give it sender, user or recipient, or it is "
            "never used");
    set_account(m->im, g, &a->p);
    mark_shared(a, standard, false);
}

/* What the settings outside say holds for groups that do not say otherwise, which is not what msmtp does */
static void
shut_inheritance(struct import *im)
{
    static const struct {
        enum config_key key;
        const char *none;
    } own[] = { { CONFIG_AUTH_USER, "" }, { CONFIG_FROM_POLICY, "auto" }, { CONFIG_TLS_CA_FILE, "" },
        { CONFIG_TLS_CERT, "" }, { CONFIG_TLS_FINGERPRINT, "" } };

    for (size_t g = 1; g < im->groups; g++)
        for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
            if (import_get(im, 0, own[i].key) && !import_get(im, g, own[i].key))
                (void)import_set(im, g, own[i].key, slice_of(own[i].none),
                    (struct import_at){ "not set for this account", 0 });
}

static void
set_all(struct msmtp *m)
{
    struct account *standard = choose(m);

    m->im->verified = true;
    if (!standard)
        return;
    set_account(m->im, 0, &standard->p);
    set_global(m->im, &standard->p);
    for (size_t i = 0; i < m->n && import_get(m->im, 0, CONFIG_MAILHUB); i++)
        set_group(m, &m->account[i], standard);
    shut_inheritance(m->im);
}

static void
msmtp_clear(struct msmtp *m)
{
    for (size_t i = 0; i < m->n; i++) {
        import_pairs_leave(m->im, &m->account[i].p, reasons);
        import_pairs_clear(&m->account[i].p);
        free(m->account[i].name);
    }
    import_pairs_clear(&m->defaults.p);
    free(m->chosen);
    free(m);
}

bool
import_msmtp(struct import *im, struct error *err)
{
    struct msmtp *m = mem_alloc(sizeof *m);

    m->im = im;
    read_text(m);
    set_all(m);
    msmtp_clear(m);
    return import_finish(im, err);
}
