/* SPDX-License-Identifier: ISC */
/*
 * import_postfix: main.cf as far as a null client has it: relayhost, its login and TLS, who mail is from. Tables are read as the text
 * they are made from. What Postfix does besides is named as left, but for what only says how Postfix itself is installed.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"

enum { GROUPS_MAX = 100 };

static const struct import_reason reasons[] = {
    { "mydestination", "nothing is delivered locally; names of this machine go through aliases and root" },
    { "mynetworks", "" }, /* with Listen, below */
    { "inet_interfaces", "ESMTP over TCP is `Listen`, and off unless it is set" },
    { "inet_protocols", "IPv4 and IPv6 are tried side by side" },
    { "alias_database", "aliases are read as text" },
    { "local_transport", "nothing is delivered locally" },
    { "mailbox_command", "nothing is delivered locally" },
    { "mailbox_size_limit", "nothing is delivered locally" },
    { "home_mailbox", "nothing is delivered locally" },
    { "relay_domains", "nothing is received from outside" },
    { "transport_maps", "a group of accounts with `recipient` has a smarthost of its own" },
    { "sender_dependent_relayhost_maps", "a group of accounts with `sender` has a smarthost of its own" },
    { "smtp_header_checks", "headers are changed by FromPolicy, rewriteDomain and AddHeader only" },
    { "header_checks", "headers are changed by FromPolicy, rewriteDomain and AddHeader only" },
    { "smtp_sasl_mechanism_filter", "the strongest that is offered is chosen by itself" },
    { "smtp_tls_CApath", "the system's own CAs are the default; TLS_CA_Dir names others" },
    { "always_bcc", "copies for somebody else are not made" },
    { "recipient_canonical_maps", "recipients are changed by aliases, and only local ones" },
    { "virtual_alias_maps", "recipients are changed by aliases, and only local ones" },
    { "smtp_bind_address6", "SourceAddress is one address" },
    { "smtp_always_send_ehlo", "EHLO is always sent first" },
    { "header_size_limit", "a header may have 2 MB" },
    { NULL, NULL },
};

/* They say how Postfix is installed or receives, or are as here without saying */
static bool
is_of_no_interest(struct slice key)
{
    static const char *const prefixes[] = { "smtpd_", "biff", "append_dot_mydomain", "readme_directory",
        "compatibility_level", "recipient_delimiter", "smtp_tls_session_cache", "queue_directory",
        "command_directory", "daemon_directory", "data_directory", "mail_owner", "setgid_group",
        "html_directory", "manpage_directory", "sample_directory", "sendmail_path", "newaliases_path",
        "mailq_path", "debug", "unknown_local_recipient_reject_code", "meta_directory", "shlib_directory",
        "delay_warning_time", "smtp_tls_loglevel", "smtp_tls_note_starttls_offer",
        "smtp_sasl_security_options", "smtp_sasl_tls_security_options", "smtp_use_tls", "smtp_enforce_tls",
        "tls_", "smtputf8_", "disable_vrfy", "strict_", "lmtp_", "local_header_rewrite_clients",
        "smtp_sasl_auth_enable", "mail_spool_directory" };

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (slice_starts(key, prefixes[i]))
            return true;
    return false;
}

/* ---------------------------------------------------------------- the text */

/* A line that begins with a blank goes on; comments may stand between */
static void
read_text(struct import *im, struct import_pairs *p)
{
    struct import_lines l;
    struct import_at at = { NULL, 0 };
    struct slice whole, key, value;
    struct buf logical;

    buf_init(&logical, IMPORT_TEXT_MAX);
    import_lines_begin(&l, im->source[0]);
    for (bool more = true; more;) {
        more = import_lines_next(&l);
        struct slice line = more ? slice_trim(l.line) : slice_of(NULL);
        if (more && (line.len == 0 || line.p[0] == '#'))
            continue;
        if (more && (l.line.p[0] == ' ' || l.line.p[0] == '\t')) {
            buf_add_char(&logical, ' ');
            buf_add_slice(&logical, line);
            continue;
        }
        whole = buf_slice(&logical);
        if (slice_has(whole, '=')) {
            value = whole;
            key = import_cut(&value, '=');
            import_pairs_add(p, slice_trim(key), slice_trim(value), at);
        }
        buf_reset(&logical);
        buf_add_slice(&logical, line);
        at = l.at;
    }
    buf_wipe(&logical);
}

/* The name of a parameter at the start of `text`, which is behind a '$': NAME, {NAME}, (NAME); the length of all, 0 = none */
static size_t
parameter_name(struct slice text, struct slice *name)
{
    char close = text.len && text.p[0] == '{' ? '}' : text.len && text.p[0] == '(' ? ')' : '\0';
    size_t n = 0;

    if (close) {
        n = slice_find(text, close);
        *name = slice_sub(text, 1, n - 1);
        return n < text.len ? n + 1 : 0;
    }
    while (n < text.len && (ascii_is_alpha(text.p[n]) || ascii_is_digit(text.p[n]) || text.p[n] == '_'))
        n++;
    *name = slice_sub(text, 0, n);
    return n;
}

/* With $name replaced, a few deep; what is not set is empty. Fresh memory. */
static char *
expand(struct import_pairs *p, struct slice text, unsigned depth)
{
    struct buf b;

    buf_init(&b, 4000);
    for (size_t i = 0; i < text.len; i++) {
        struct slice name;
        size_t n = text.p[i] == '$' ? parameter_name(slice_from(text, i + 1), &name) : 0;
        if (n == 0) {
            buf_add_char(&b, text.p[i]);
            continue;
        }
        char *copy = slice_dup(name);
        char *value = depth < 5 ? expand(p, import_pairs_value(p, copy), depth + 1) : mem_dup("");
        buf_add_str(&b, !*value && strcmp(copy, "config_directory") == 0 ? "/etc/postfix" : value);
        free(value);
        free(copy);
        i += n;
    }
    return buf_steal(&b);
}

static char *
value_of(struct import_pairs *p, const char *key, struct import_at *at)
{
    const struct import_pair *pair = import_pairs_find(p, key);
    char *value = pair ? expand(p, slice_of(pair->value), 0) : NULL;

    if (pair)
        *at = pair->at;
    if (value && *value)
        return value;
    free(value);
    return NULL;
}

/* ---------------------------------------------------------------- tables */

typedef bool take_entry(
    struct import *im, void *ctx, struct slice key, struct slice value, struct import_at at);

static void
read_table(struct import *im, const struct import_source *s, take_entry *take, void *ctx)
{
    struct import_lines l;
    struct slice key, rest;

    import_lines_begin(&l, s);
    while (import_lines_next_content(&l)) {
        rest = l.line;
        if (import_word(&rest, &key) && !take(im, ctx, key, rest, l.at))
            return;
    }
}

/* hash:/path and its like are made from the text at that path; static:VALUE is its own only entry */
static void
read_map(struct import *im, struct slice map, struct import_at at, take_entry *take, void *ctx)
{
    static const char *const texts[] = { "hash", "btree", "lmdb", "cdb", "dbm", "texthash", "sdbm" };
    struct slice rest = map, type, path;
    const struct import_source *s = NULL;
    char *copy;

    type = import_cut(&rest, ':');
    path = slice_starts(map, "/") ? map : rest;
    if (slice_is(type, "static")) {
        (void)take(im, ctx, slice_of("*"), rest, at);
        return;
    }
    bool text = slice_starts(map, "/") || slice_is(type, "regexp") || slice_is(type, "pcre");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        text = text || slice_is(type, texts[i]);
    if (!text || path.len == 0) {
        import_leave(im, at, map, "tables of this type are not read");
        return;
    }
    copy = slice_dup(path);
    s = import_open(im, copy);
    if (s)
        read_table(im, s, take, ctx);
    else
        import_leave(im, at, map, "the text it is made from is not there, or may not be read");
    free(copy);
}

/* A list of them, by commas or blanks */
static void
read_maps(struct import *im, struct import_pairs *p, const char *key, take_entry *take, void *ctx)
{
    struct import_at at;
    char *value = value_of(p, key, &at);
    struct slice rest, word;

    for (char *c = value; c && *c; c++)
        if (*c == ',')
            *c = ' ';
    rest = slice_of(value);
    while (import_word(&rest, &word))
        read_map(im, word, at, take, ctx);
    free(value);
}

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

static void
set_login(struct import *im, struct import_pairs *p, struct slice relayhost, struct slice host)
{
    struct import_at at = { NULL, 0 };
    char *on = value_of(p, "smtp_sasl_auth_enable", &at),
         *by = value_of(p, "smtp_sender_dependent_authentication", &at);
    struct login login = { relayhost, host, false, by && import_is_yes(slice_of(by)) };

    read_maps(im, p, "sender_dependent_relayhost_maps", take_relay, NULL);

    if (on && import_is_yes(slice_of(on)))
        read_maps(im, p, "smtp_sasl_password_maps", take_login, &login);
    else if (import_pairs_find(p, "smtp_sasl_password_maps"))
        import_leave(im, import_pairs_find(p, "smtp_sasl_password_maps")->at,
            slice_of("smtp_sasl_password_maps"), "smtp_sasl_auth_enable is not set");
    free(on);
    free(by);
}

/* ---------------------------------------------------------------- TLS */

static enum import_tls
level_tls(struct import *im, struct import_pairs *p, struct import_at *at)
{
    char *level = value_of(p, "smtp_tls_security_level", at);
    char *use = level ? NULL : value_of(p, "smtp_use_tls", at);
    char *enforce = level ? NULL : value_of(p, "smtp_enforce_tls", at);
    struct slice word = slice_of(level);
    enum import_tls tls = IMPORT_TLS_STARTTLS;

    if (enforce && import_is_yes(slice_of(enforce)))
        word = slice_of("encrypt");
    else if (use && import_is_yes(slice_of(use)))
        word = slice_of("may");
    if (word.len == 0 || slice_is(word, "none"))
        tls = IMPORT_TLS_NONE;
    else if ((slice_is(word, "may") || slice_is(word, "dane")) && !import_get(im, 0, CONFIG_AUTH_USER))
        tls = IMPORT_TLS_OPPORTUNISTIC;
    else if (slice_is(word, "may") || slice_is(word, "dane"))
        import_tell(
            im, "smtp_tls_security_level = %s: with a login TLS is required now", level ? level : "may");
    im->verified = slice_is(word, "verify") || slice_is(word, "secure") || slice_starts(word, "dane-only");
    free(level);
    free(use);
    free(enforce);
    return tls;
}

static void
set_tls(struct import *im, struct import_pairs *p, uint16_t port)
{
    struct import_at at = { "Postfix's default", 0 }, wrapper_at;
    char *wrapper = value_of(p, "smtp_tls_wrappermode", &wrapper_at);
    char *ca = value_of(p, "smtp_tls_CAfile", &wrapper_at);
    enum import_tls tls = level_tls(im, p, &at);

    if (ca)
        import_set_ca(im, 0, slice_of(ca), wrapper_at);
    free(ca);
    if (wrapper && import_is_yes(slice_of(wrapper)) && tls != IMPORT_TLS_NONE) {
        at = import_pairs_find(p, "smtp_tls_wrappermode")->at;
        tls = IMPORT_TLS_IMPLICIT;
    }
    free(wrapper);
    import_set_tls(im, 0, tls, port, at);
    char *cert = value_of(p, "smtp_tls_cert_file", &at);
    if (cert)
        (void)import_set(im, 0, CONFIG_TLS_CERT, slice_of(cert), at);
    char *key = value_of(p, "smtp_tls_key_file", &at);
    if (key && cert)
        (void)import_set(im, 0, CONFIG_TLS_KEY, slice_of(key), at);
    free(cert);
    free(key);
}

/* ---------------------------------------------------------------- smarthost */

static bool
set_hub(struct import *im, struct import_pairs *p)
{
    struct import_at at;
    char *relay = value_of(p, "relayhost", &at);
    struct slice host, port;
    uint16_t number = 25;
    bool ok;

    if (!relay) {
        char *level = value_of(p, "smtp_tls_security_level", &at);
        if (level && strcmp(level, "may") != 0 && strcmp(level, "none") != 0)
            import_leave(im, at, slice_of("smtp_tls_security_level"),
                "TLS is used where a host offers it, and has to be right where DANE says so");
        free(level);
        (void)import_set(im, 0, CONFIG_MAILHUB, slice_of("direct"), (struct import_at){ "no relayhost", 0 });
        import_set_tls(im, 0, IMPORT_TLS_OPPORTUNISTIC, 25, (struct import_at){ "no relayhost", 0 });
        return true;
    }
    import_split_hub(slice_of(relay), &host, &port);
    if (port.len)
        number = import_port(port);
    ok = number && import_add_hub(im, 0, host, number, at);
    if (!number)
        import_leave(im, at, port, "it is no port");
    if (ok && *relay != '[')
        import_tell(
            im, "relayhost %s: Postfix looks for its MX, here it is the name of the host itself", relay);
    if (ok) {
        set_login(im, p, slice_of(relay), host);
        set_tls(im, p, number);
    }
    free(relay);
    return ok;
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

/* A name, or a file with it */
static void
set_origin(struct import *im, struct import_pairs *p)
{
    struct import_at at = { NULL, 0 };
    char *origin = value_of(p, "myorigin", &at), *masquerade;
    const struct import_source *s;

    if (origin && *origin == '/') {
        s = import_open(im, origin);
        struct slice first = import_first_line(s);
        if (s && first.len)
            import_set_domain(im, first, (struct import_at){ s->path, 1 });
    } else if (origin) {
        import_set_domain(im, slice_of(origin), at);
    }
    free(origin);
    masquerade = value_of(p, "masquerade_domains", &at);
    if (masquerade)
        (void)import_set(im, 0, CONFIG_REWRITE_DOMAIN,
            slice_sub(slice_of(masquerade), 0, strcspn(masquerade, " ,\t")), at);
    free(masquerade);
}

static void
set_names(struct import *im, struct import_pairs *p)
{
    struct import_at at = { NULL, 0 };
    char *helo = value_of(p, "smtp_helo_name", &at);
    char *name = helo ? helo : value_of(p, "myhostname", &at);

    if (name)
        (void)import_set(im, 0, CONFIG_HOSTNAME, slice_of(name), at);
    free(name);
    (void)import_pairs_find(p, "myhostname");
    (void)import_pairs_find(p, "mydomain");
    set_origin(im, p);
}

/* "hash:/etc/aliases, hash:/etc/more"; the usual one alone needs no setting */
static void
set_aliases(struct import *im, struct import_pairs *p)
{
    struct import_at at;
    char *maps = value_of(p, "alias_maps", &at);
    struct slice rest, word, path;

    for (char *c = maps; c && *c; c++)
        if (*c == ',')
            *c = ' ';
    rest = slice_of(maps);
    while (import_word(&rest, &word)) {
        path = word;
        if (!slice_starts(word, "/"))
            (void)import_cut(&path, ':');
        if (slice_starts(path, "/"))
            (void)import_add(im, 0, CONFIG_ALIASES, path, at);
        else
            import_leave(im, at, word, "only files of aliases can be taken over");
    }
    if (maps && import_get(im, 0, CONFIG_ALIASES) &&
        strcmp(import_get(im, 0, CONFIG_ALIASES), "/etc/aliases") == 0 && !strpbrk(maps, " "))
        import_unset(im, 0, CONFIG_ALIASES);
    free(maps);
}

static void
set_limits(struct import *im, struct import_pairs *p)
{
    struct import_at at;
    char *size = value_of(p, "message_size_limit", &at), *life, *bind;

    if (size && strcmp(size, "0") != 0)
        (void)import_set(im, 0, CONFIG_MAX_MESSAGE_SIZE, slice_of(size), at);
    life = value_of(p, "maximal_queue_lifetime", &at);
    if (life && strspn(life, "0123456789") == strlen(life)) {
        char *days = mem_format("%sd", life);
        (void)import_set(im, 0, CONFIG_QUEUE_LIFETIME, slice_of(days), at);
        free(days);
    } else if (life) {
        (void)import_set(im, 0, CONFIG_QUEUE_LIFETIME, slice_of(life), at);
    }
    bind = value_of(p, "smtp_bind_address", &at);
    if (bind)
        (void)import_set(im, 0, CONFIG_SOURCE_ADDRESS, slice_of(bind), at);
    free(size);
    free(life);
    free(bind);
}

/* ---------------------------------------------------------------- all of it */

static void
forget_uninteresting(struct import_pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        p->pair[i].used = p->pair[i].used || is_of_no_interest(slice_of(p->pair[i].key));
}

bool
import_postfix(struct import *im, struct error *err)
{
    struct import_pairs p = { 0 };
    struct import_at at;

    read_text(im, &p);
    if (set_hub(im, &p)) {
        set_names(im, &p);
        read_maps(im, &p, "smtp_generic_maps", take_sender, NULL);
        read_maps(im, &p, "sender_canonical_maps", take_sender, NULL);
        read_maps(im, &p, "canonical_maps", take_sender, NULL);
        set_aliases(im, &p);
        set_limits(im, &p);
        char *listens = value_of(&p, "inet_interfaces", &at);
        if (listens && (strcmp(listens, "loopback-only") == 0 || strcmp(listens, "localhost") == 0))
            import_tell(im, "Postfix took mail at 127.0.0.1:25; for programs that need that: Listen = ( "
                            "\"127.0.0.1:25\" )");
        free(listens);
    }
    forget_uninteresting(&p);
    import_pairs_leave(im, &p, reasons);
    import_pairs_clear(&p);
    return import_finish(im, err);
}
