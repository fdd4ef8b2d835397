/* SPDX-License-Identifier: ISC */
/*
 * import_ssmtp: ssmtp.conf and revaliases.
 *
 * ssmtp ends a value at a blank, at the next '=' and at any '#'; patched ones do so only at a blank. A password with '#' or '='
 * in it works only with those, so it is taken whole.
 */
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"

enum { GROUPS_MAX = 500 };

static const struct import_reason reasons[] = {
    { "UseOldAUTH", "servers that offer AUTH= only are from the last century" },
    { NULL, NULL },
};

/* ---------------------------------------------------------------- the text */

/* Without what stands behind a '#' that begins a word */
static struct slice
without_comment(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if (line.p[i] == '#' && (i == 0 || line.p[i - 1] == ' ' || line.p[i - 1] == '\t'))
            return slice_sub(line, 0, i);
    return line;
}

static void
read_line(struct import *im, struct import_pairs *p, struct slice line, struct import_at at)
{
    struct slice key, value, rest = without_comment(line);
    size_t sign = slice_find(rest, '=');

    if (sign == rest.len) {
        import_leave(im, at, slice_of(NULL), "no \"key=value\"; ssmtp ignores such a line, too");
        return;
    }
    key = slice_trim(slice_sub(rest, 0, sign));
    value = slice_trim(slice_from(rest, sign + 1));
    if (slice_is_nocase(key, "AddHeader")) {
        import_pairs_add(p, key, value, at);
        return;
    }
    rest = value;
    (void)import_word(&rest, &value);
    if (rest.len)
        import_leave(im, at, key, "only its first word is taken, as ssmtp does");
    if (slice_has(value, '#') || slice_has(value, '='))
        import_tell(im, "%s line %u: %.*s: # and = are taken as parts of it; Debian's ssmtp cut it there",
            at.path, at.line, SLICE_ARG(key));
    import_pairs_add(p, key, value, at);
}

/* ---------------------------------------------------------------- TLS */

/* UseTLS = NO clears UseSTARTTLS, UseSTARTTLS = YES sets UseTLS: the order counts */
static enum import_tls
find_tls(struct import_pairs *p, struct import_at *at)
{
    bool tls = false, starttls = false;

    for (size_t i = 0; i < p->n; i++) {
        struct slice key = slice_of(p->pair[i].key);
        bool yes = import_is_yes(slice_of(p->pair[i].value));
        if (slice_is_nocase(key, "UseTLS")) {
            tls = yes;
            starttls = starttls && yes;
        } else if (slice_is_nocase(key, "UseSTARTTLS")) {
            starttls = yes;
            tls = tls || yes;
        } else {
            continue;
        }
        p->pair[i].used = true;
        *at = p->pair[i].at;
    }
    return !tls ? IMPORT_TLS_NONE : starttls ? IMPORT_TLS_STARTTLS : IMPORT_TLS_IMPLICIT;
}

static void
set_paths(struct import *im, struct import_pairs *p)
{
    struct import_pair *cert = import_pairs_find(p, "TLSCert"), *key = import_pairs_find(p, "TLSKey");
    struct import_pair *ca = import_pairs_find(p, "TLS_CA_File"), *dir = import_pairs_find(p, "TLS_CA_Dir");
    struct import_pair *use = import_pairs_find(p, "UseTLSCert");

    if (ca)
        import_set_ca(im, 0, slice_of(ca->value), ca->at);
    if (dir && !slice_is(slice_of(dir->value), "/etc/ssl/certs") &&
        !slice_is(slice_of(dir->value), "/etc/ssl/certs/"))
        (void)import_set(im, 0, CONFIG_TLS_CA_DIR, slice_of(dir->value), dir->at);
    if (use && import_is_yes(slice_of(use->value)) && !cert) {
        (void)import_set(im, 0, CONFIG_TLS_CERT, slice_of("/etc/ssl/certs/ssmtp.pem"), use->at);
    } else if (cert && use && import_is_yes(slice_of(use->value))) {
        (void)import_set(im, 0, CONFIG_TLS_CERT, slice_of(cert->value), cert->at);
        if (key)
            (void)import_set(im, 0, CONFIG_TLS_KEY, slice_of(key->value), key->at);
    } else {
        import_leave_pair(im, cert, "without UseTLSCert=YES ssmtp does not send it, either");
    }
    if (!import_get(im, 0, CONFIG_TLS_KEY))
        import_leave_pair(im, key, "the certificate it belongs to is not sent");
}

/* ---------------------------------------------------------------- settings */

/* Mailhub's own port or RemotePort: to ssmtp they are one setting, of which the last line counts */
static struct slice
port_that_counts(struct import *im, const struct import_pair *remote, struct slice own, struct import_at hub)
{
    struct slice other = slice_of(remote ? remote->value : NULL);

    if (!other.len || slice_eq(own, other))
        return own;
    if (remote->at.line > hub.line) {
        import_leave(
            im, hub, slice_of("the port of Mailhub"), "RemotePort comes later and counts, as with ssmtp");
        return other;
    }
    import_leave(
        im, remote->at, slice_of("RemotePort"), "the port of Mailhub comes later and counts, as with ssmtp");
    return own;
}

/* As the file comes with some packages */
static bool
is_template(const char *text)
{
    return strstr(text, "_HOSTNAME_") != NULL;
}

static uint16_t
set_hub(struct import *im, struct import_pairs *p)
{
    struct import_pair *hub = import_pairs_find(p, "Mailhub"), *remote = import_pairs_find(p, "RemotePort");
    struct import_at at = hub ? hub->at : (struct import_at){ "ssmtp's default", 0 };
    struct slice host = slice_of("mailhub"), port = slice_of(remote ? remote->value : NULL);
    uint16_t number = 25;

    if (hub && hub->value[0]) {
        struct slice own;
        import_split_hub(slice_of(hub->value), &host, &own);
        if (own.len && remote && remote->value[0] && !slice_is(own, remote->value))
            import_leave_pair(im, remote, "the port behind the smarthost counts");
        if (own.len)
            port = port_that_counts(im, remote, own, hub->at);
    }
    if (port.len) {
        number = import_port(port);
        if (number == 0)
            import_leave(im, at, port, "it is no port");
    }
    number = number ? number : 25;
    (void)import_add_hub(im, 0, host, number, at); /* noted if it will not do */
    return number;
}

static void
set_names(struct import *im, struct import_pairs *p)
{
    struct import_pair *host = import_pairs_find(p, "Hostname"),
                       *domain = import_pairs_find(p, "RewriteDomain");

    if (host && is_template(host->value)) {
        import_leave(im, host->at, slice_of("Hostname"),
            "nobody has filled in this template; the machine's own name is used");
        host = NULL;
    }
    if (host && host->value[0])
        (void)import_set(im, 0, CONFIG_HOSTNAME, slice_of(host->value), host->at);
    if (domain && domain->value[0])
        import_set_domain(im, slice_of(domain->value), domain->at);
    else if (host && strchr(host->value, '.') && import_get(im, 0, CONFIG_HOSTNAME))
        import_set_domain(im, slice_of(host->value), host->at); /* ssmtp does not look into /etc/mailname */
}

/* "root=postmaster" means postmaster at the own domain */
static void
set_root(struct import *im, struct import_pairs *p)
{
    struct import_pair *root = import_pairs_find(p, "Root");
    const char *domain = import_get(im, 0, CONFIG_REWRITE_DOMAIN);
    char *address;

    if (!root)
        return;
    if (!root->value[0] || strchr(root->value, '@')) {
        (void)import_set(im, 0, CONFIG_ROOT, slice_of(root->value), root->at);
        return;
    }
    if (!domain) {
        import_leave(
            im, root->at, slice_of("Root"), "it has no domain, and none is set; root wants an address");
        return;
    }
    address = mem_format("%s@%s", root->value, domain);
    (void)import_set(im, 0, CONFIG_ROOT, slice_of(address), root->at);
    mem_free_secret(address);
}

static void
set_from(struct import *im, struct import_pairs *p)
{
    struct import_pair *over = import_pairs_find(p, "FromLineOverride");

    if (!over)
        return;
    if (import_is_yes(slice_of(over->value)))
        (void)import_set(im, 0, CONFIG_FROM_LINE_OVERRIDE, slice_of("true"), over->at);
    else
        import_leave(im, over->at, slice_of("FromLineOverride"),
            "FromPolicy auto replaces addresses the account may not use; \"force\" replaces all");
}

static void
set_rest(struct import *im, struct import_pairs *p)
{
    struct import_pair *method = import_pairs_find(p, "AuthMethod"), *id = import_pairs_find(p, "MinUserId");

    for (size_t i = 0; i < p->n; i++) {
        if (!slice_is_nocase(slice_of(p->pair[i].key), "AddHeader"))
            continue;
        p->pair[i].used = true;
        (void)import_add(im, 0, CONFIG_ADD_HEADER, slice_of(p->pair[i].value), p->pair[i].at);
    }
    if (id)
        (void)import_set(im, 0, CONFIG_MIN_USER_ID, slice_of(id->value), id->at);
    if (method)
        import_leave(
            im, method->at, slice_of("AuthMethod"), "the strongest that is offered is chosen by itself");
    if (import_is_yes(import_pairs_value(p, "Debug")))
        (void)import_set(im, 0, CONFIG_LOG_LEVEL, slice_of("debug"), import_pairs_find(p, "Debug")->at);
}

/* ---------------------------------------------------------------- revaliases */

/* user:address[:mailhub[:port]] */
static void
read_revalias(struct import *im, struct slice line, struct import_at at)
{
    struct slice user, address = slice_of(NULL), hub = slice_of(NULL), port;
    uint16_t number = 25;
    size_t group;

    user = import_cut(&line, ':');
    address = import_cut(&line, ':');
    hub = import_cut(&line, ':');
    port = slice_trim(line);
    user = slice_trim(user);
    address = slice_trim(address);
    hub = slice_trim(hub);
    if (user.len == 0 || address.len == 0) {
        import_leave(im, at, slice_of(NULL), "no \"user:address\"");
        return;
    }
    if (im->groups > GROUPS_MAX) {
        import_leave(im, at, user, "there are too many");
        return;
    }
    group = import_add_group(im, user, at);
    (void)import_add(im, group, CONFIG_FOR_USER, user, at);
    (void)import_add(im, group, CONFIG_FROM, address, at);
    if (hub.len == 0)
        return;
    if (port.len)
        number = import_port(port);
    if (number == 0 || !import_add_hub(im, group, hub, number, at)) {
        import_leave(im, at, hub, "it is no smarthost");
        return;
    }
    if (strcmp(import_get(im, 0, CONFIG_MAILHUB), import_get(im, group, CONFIG_MAILHUB)) == 0)
        import_unset(im, group, CONFIG_MAILHUB); /* the same, so login and TLS are, too */
}

/* ssmtp gives the one login to whichever smarthost; here that has to be said */
static void
complete_group(
    struct import *im, size_t group, struct import_pairs *p, enum import_tls tls, struct import_at at)
{
    const char *hub = import_get(im, group, CONFIG_MAILHUB);
    struct slice host, port;

    if (!hub)
        return;
    import_split_hub(slice_of(hub), &host, &port);
    import_set_tls(im, group, tls, import_port(port), at);
    import_set_login_pairs(im, group, p, "AuthUser", "AuthPass");
}

static void
read_revaliases(struct import *im, struct import_pairs *p, enum import_tls tls, struct import_at at)
{
    const struct import_source *s = import_beside(im, "revaliases");
    struct import_lines l;

    if (!s || !import_get(im, 0, CONFIG_MAILHUB))
        return;
    import_lines_begin(&l, s);
    while (import_lines_next_content(&l))
        read_revalias(im, l.line, l.at);
    for (size_t g = 1; g < im->groups; g++)
        complete_group(im, g, p, tls, at);
}

/* ---------------------------------------------------------------- all of it */

bool
import_ssmtp(struct import *im, struct error *err)
{
    struct import_pairs p = { 0 };
    struct import_at tls_at = { "ssmtp's default", 0 };
    struct import_lines l;
    enum import_tls tls;
    uint16_t port;

    import_lines_begin(&l, im->source[0]);
    while (import_lines_next_content(&l))
        read_line(im, &p, l.line, l.at);
    port = set_hub(im, &p);
    tls = find_tls(&p, &tls_at);
    import_set_tls(im, 0, tls, port, tls_at);
    set_paths(im, &p);
    import_set_login_pairs(im, 0, &p, "AuthUser", "AuthPass");
    set_names(im, &p);
    set_root(im, &p);
    set_from(im, &p);
    set_rest(im, &p);
    read_revaliases(im, &p, tls, tls_at);
    import_pairs_leave(im, &p, reasons);
    import_pairs_clear(&p);
    im->verified = import_get(im, 0, CONFIG_TLS_CA_FILE) || import_get(im, 0, CONFIG_TLS_CA_DIR);
    return import_finish(im, err);
}
