/* SPDX-License-Identifier: ISC */
/*
 * import_postfix: main.cf as far as a null client has it: relayhost, its login and TLS, who mail is from. Tables are read as the text
 * they are made from. What Postfix does besides is named as left, but for what only says how Postfix itself is installed.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/import_postfix.h"
#include "base/mem.h"

static const struct import_reason reasons[] = {
    { "mydestination", "nothing is delivered locally; names of this machine go through aliases and root" },
    { "mynetworks", "who may send by TCP is `ListenNetworks`, with `Listen`, which is off unless it is set" },
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
    { "smtp_header_checks", "headers are changed by FromPolicy, rewriteDomain and AddHeader only; a rule "
                            "that replaces From: is From and FromPolicy = \"force\" here" },
    { "header_checks", "headers are changed by FromPolicy, rewriteDomain and AddHeader only; a rule that "
                       "replaces From: is From and FromPolicy = \"force\" here" },
    { "smtp_sasl_mechanism_filter", "the strongest that is offered is chosen by itself" },
    { "smtp_tls_CApath", "the system's own CAs are the default; TLS_CA_Dir names others" },
    { "always_bcc", "copies for somebody else are not made" },
    { "recipient_canonical_maps", "recipients are changed by aliases, and only local ones" },
    { "virtual_alias_maps", "recipients are changed by aliases, and only local ones" },
    { "smtp_bind_address6", "SourceAddress is one address" },
    { "smtp_always_send_ehlo", "EHLO is always sent first" },
    { "header_size_limit", "a header may have 2 MB" },
    /* they say how Postfix is installed or receives, or are as here without saying */
    { "smtpd_*", "" },
    { "biff*", "" },
    { "append_dot_mydomain*", "" },
    { "readme_directory*", "" },
    { "compatibility_level*", "" },
    { "recipient_delimiter*", "" },
    { "smtp_tls_session_cache*", "" },
    { "queue_directory*", "" },
    { "command_directory*", "" },
    { "daemon_directory*", "" },
    { "data_directory*", "" },
    { "mail_owner*", "" },
    { "setgid_group*", "" },
    { "html_directory*", "" },
    { "manpage_directory*", "" },
    { "sample_directory*", "" },
    { "sendmail_path*", "" },
    { "newaliases_path*", "" },
    { "mailq_path*", "" },
    { "debug*", "" },
    { "unknown_local_recipient_reject_code*", "" },
    { "meta_directory*", "" },
    { "shlib_directory*", "" },
    { "smtp_tls_loglevel*", "" },
    { "smtp_tls_note_starttls_offer*", "" },
    { "smtp_sasl_security_options*", "" },
    { "smtp_sasl_tls_security_options*", "" },
    { "smtp_use_tls*", "" },
    { "smtp_enforce_tls*", "" },
    { "tls_*", "" },
    { "smtputf8_*", "" },
    { "disable_vrfy*", "" },
    { "strict_*", "" },
    { "lmtp_*", "" },
    { "local_header_rewrite_clients*", "" },
    { "smtp_sasl_auth_enable*", "" },
    { "mail_spool_directory*", "" },
    { NULL, NULL },
};

/* ---------------------------------------------------------------- TLS */

static enum import_tls
level_tls(struct import *im, struct import_pairs *p, struct import_at *at)
{
    char *level = import_main_cf_value(p, "smtp_tls_security_level", at);
    char *use = level ? NULL : import_main_cf_value(p, "smtp_use_tls", at);
    char *enforce = level ? NULL : import_main_cf_value(p, "smtp_enforce_tls", at);
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
    char *wrapper = import_main_cf_value(p, "smtp_tls_wrappermode", &wrapper_at);
    char *ca = import_main_cf_value(p, "smtp_tls_CAfile", &wrapper_at);
    enum import_tls tls = level_tls(im, p, &at);

    if (ca)
        import_set_ca(im, 0, slice_of(ca), wrapper_at);
    free(ca);
    if (wrapper && import_is_yes(slice_of(wrapper)) && tls == IMPORT_TLS_NONE)
        import_leave_pair(im, import_pairs_find(p, "smtp_tls_wrappermode"),
            "without smtp_tls_security_level Postfix does not use TLS, either");
    if (wrapper && import_is_yes(slice_of(wrapper)) && tls != IMPORT_TLS_NONE) {
        at = import_pairs_find(p, "smtp_tls_wrappermode")->at;
        tls = IMPORT_TLS_IMPLICIT;
    }
    free(wrapper);
    import_set_tls(im, 0, tls, port, at);
    char *cert = import_main_cf_value(p, "smtp_tls_cert_file", &at);
    if (cert)
        (void)import_set(im, 0, CONFIG_TLS_CERT, slice_of(cert), at);
    char *key = import_main_cf_value(p, "smtp_tls_key_file", &at);
    if (key && cert)
        (void)import_set(im, 0, CONFIG_TLS_KEY, slice_of(key), at);
    else if (key)
        import_leave(im, at, slice_of("smtp_tls_key_file"), "without smtp_tls_cert_file it is not used");
    free(cert);
    free(key);
}

/* ---------------------------------------------------------------- smarthost */

static bool
set_hub(struct import *im, struct import_pairs *p)
{
    struct import_at at;
    char *relay = import_main_cf_value(p, "relayhost", &at);
    struct slice host, port;
    uint16_t number = 25;
    bool ok;

    if (!relay) {
        char *level = import_main_cf_value(p, "smtp_tls_security_level", &at);
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
        import_postfix_login(im, p, slice_of(relay), host);
        set_tls(im, p, number);
    }
    free(relay);
    return ok;
}

/* ---------------------------------------------------------------- who mail is from */

/* A name, or a file with it */
static void
set_origin(struct import *im, struct import_pairs *p)
{
    struct import_at at = { NULL, 0 };
    char *origin = import_main_cf_value(p, "myorigin", &at), *masquerade;
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
    masquerade = import_main_cf_value(p, "masquerade_domains", &at);
    if (masquerade && strpbrk(masquerade, " ,\t"))
        import_leave(
            im, at, slice_of("masquerade_domains"), "rewriteDomain is one domain; the first is taken");
    if (masquerade)
        (void)import_set(im, 0, CONFIG_REWRITE_DOMAIN,
            slice_sub(slice_of(masquerade), 0, strcspn(masquerade, " ,\t")), at);
    free(masquerade);
}

static void
set_names(struct import *im, struct import_pairs *p)
{
    struct import_at at = { NULL, 0 };
    char *helo = import_main_cf_value(p, "smtp_helo_name", &at);
    char *name = helo ? helo : import_main_cf_value(p, "myhostname", &at);

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
    char *maps = import_main_cf_value(p, "alias_maps", &at);
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

/* A number alone is one of `unit` */
static void
set_time(struct import *im, struct import_pairs *p, const char *name, char unit, enum config_key key)
{
    struct import_at at;
    char *value = import_main_cf_value(p, name, &at), *text;

    if (!value)
        return;
    text = value[strspn(value, "0123456789")] ? mem_dup(value) : mem_format("%s%c", value, unit);
    (void)import_set(im, 0, key, slice_of(text), at);
    free(text);
    free(value);
}

static void
set_limits(struct import *im, struct import_pairs *p)
{
    struct import_at at;
    char *size = import_main_cf_value(p, "message_size_limit", &at), *bind;

    if (size && strcmp(size, "0") != 0)
        (void)import_set(im, 0, CONFIG_MAX_MESSAGE_SIZE, slice_of(size), at);
    set_time(im, p, "maximal_queue_lifetime", 'd', CONFIG_QUEUE_LIFETIME);
    set_time(im, p, "delay_warning_time", 'h', CONFIG_WARN_AFTER);
    bind = import_main_cf_value(p, "smtp_bind_address", &at);
    if (bind)
        (void)import_set(im, 0, CONFIG_SOURCE_ADDRESS, slice_of(bind), at);
    free(size);
    free(bind);
}

/* ---------------------------------------------------------------- all of it */

/* Nothing, or what is so here without saying: not worth a line to whoever reads what is missing */
static bool
is_as_here(struct import_pairs *p, const struct import_pair *pair)
{
    static const struct {
        const char *key, *value;
    } same[] = { { "mailbox_size_limit", "0" }, { "inet_protocols", "all" }, { "default_transport", "smtp" },
        { "relay_transport", "relay" }, { "relay_transport", "smtp" }, { "mydestination", "localhost" },
        { "smtp_tls_CApath", "/etc/ssl/certs" }, { "smtp_tls_CApath", "/etc/pki/tls/certs" },
        { "smtp_always_send_ehlo", "yes" } };

    if (!*pair->value)
        return true;
    if (strcmp(pair->key, "alias_database") == 0)
        return slice_is(import_pairs_value(p, "alias_maps"), pair->value);
    if (strcmp(pair->key, "local_transport") == 0)
        return strncmp(pair->value, "error:", 6) ==
               0; /* nothing is delivered locally: that is said with it */
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (strcmp(pair->key, same[i].key) == 0 && strcmp(pair->value, same[i].value) == 0)
            return true;
    return false;
}

static void
forget_same(struct import_pairs *p)
{
    for (size_t i = 0; i < p->n; i++)
        p->pair[i].used = p->pair[i].used || is_as_here(p, &p->pair[i]);
}

bool
import_postfix(struct import *im, struct error *err)
{
    struct import_pairs p = { 0 };
    struct import_at at;

    import_main_cf_read(im, &p);
    if (set_hub(im, &p)) {
        set_names(im, &p);
        import_postfix_senders(im, &p);
        set_aliases(im, &p);
        set_limits(im, &p);
        char *listens = import_main_cf_value(&p, "inet_interfaces", &at);
        if (listens && (strcmp(listens, "loopback-only") == 0 || strcmp(listens, "localhost") == 0))
            import_tell(im, "Postfix took mail at 127.0.0.1:25; for programs that need that: Listen = ( "
                            "\"127.0.0.1:25\" )");
        free(listens);
    }
    forget_same(&p);
    import_pairs_leave(im, &p, reasons);
    import_pairs_clear(&p);
    return import_finish(im, err);
}
