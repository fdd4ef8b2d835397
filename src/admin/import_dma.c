/* SPDX-License-Identifier: ISC */
/* import_dma: dma.conf and auth.conf. A key without value counts as on by being there. */
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"

static const struct import_reason reasons[] = {
    { "DBOUNCEPROG", "what cannot be returned stays in the queue's folder failed" },
    { "FULLBOUNCE", "sendmail -R full asks for the whole message, message by message" },
    { "NULLCLIENT", "local recipients without an alias go to the smarthost anyway; `aliases = \"\"` switches "
                    "aliases off" },
    { "SECURE", "a login without TLS is AllowPlaintextAuth" },
    { "INSECURE", "without a smarthost there is no login" },
    { "AUTHPATH", "without a smarthost there is no login" },
    { "PORT", "without a smarthost it is 25" },
    { "SECURETRANSFER", "without a smarthost TLS is used where a host offers it" },
    { "STARTTLS", "without a smarthost TLS is used where a host offers it" },
    { "OPPORTUNISTIC_TLS", "without STARTTLS, or without a smarthost, it changes nothing" },
    { "VIRTPATH", "virtual users are from dma 0.1" },
    { "CHROOT", "the workers are confined by themselves" },
    { NULL, NULL },
};

static void
read_text(struct import *im, struct import_pairs *p)
{
    struct import_lines l;
    struct slice key, rest;

    import_lines_begin(&l, im->source[0]);
    while (import_lines_next_content(&l)) {
        rest = slice_sub(l.line, 0, slice_find(l.line, '#'));
        if (import_word(&rest, &key))
            import_pairs_add(p, key, rest, l.at);
    }
}

static enum import_tls
find_tls(struct import *im, struct import_pairs *p, struct import_at *at)
{
    struct import_pair *tls = import_pairs_find(p, "SECURETRANSFER"),
                       *start = import_pairs_find(p, "STARTTLS");
    struct import_pair *maybe = start ? import_pairs_find(p, "OPPORTUNISTIC_TLS") : NULL;

    *at = start && tls ? start->at : tls ? tls->at : (struct import_at){ "dma's default", 0 };
    if (!tls && start)
        import_leave(
            im, start->at, slice_of("STARTTLS"), "without SECURETRANSFER dma does not use it, either");
    if (!tls)
        return IMPORT_TLS_NONE;
    if (start && maybe && !import_get(im, 0, CONFIG_AUTH_USER))
        return IMPORT_TLS_OPPORTUNISTIC;
    if (start && maybe)
        import_tell(im, "OPPORTUNISTIC_TLS: with a login TLS is required now");
    return start ? IMPORT_TLS_STARTTLS : IMPORT_TLS_IMPLICIT;
}

/* ---------------------------------------------------------------- auth.conf */

/* user|smarthost:password, in newer trees also user|smarthost|password */
static bool
parse_auth(struct slice line, struct slice *user, struct slice *host, struct slice *pass)
{
    size_t end = 0;

    if (!slice_has(line, '|'))
        return false;
    *user = import_cut(&line, '|');
    while (end < line.len && line.p[end] != ':' && line.p[end] != '|')
        end++;
    *host = slice_trim(slice_sub(line, 0, end));
    *pass = slice_from(line, end + 1);
    return end < line.len;
}

static void
read_auth(struct import *im, const char *path, struct slice smarthost)
{
    const struct import_source *s = import_open(im, path);
    struct slice user, host, pass;
    struct import_lines l;
    bool found = false;

    if (!s) {
        import_leave(
            im, (struct import_at){ path, 0 }, slice_of(NULL), "AUTHPATH names it, and it is not there");
        return;
    }
    import_lines_begin(&l, s);
    while (import_lines_next_content(&l)) {
        if (!parse_auth(l.line, &user, &host, &pass))
            import_leave(im, l.at, slice_of(NULL), "no \"user|smarthost:password\"");
        else if (!slice_eq_nocase(host, smarthost) || found)
            import_leave(im, l.at, host, found ? "there is a login already" : "it is not the SMARTHOST");
        else
            import_set_login(im, 0, user, pass, l.at, l.at);
        found = found || import_get(im, 0, CONFIG_AUTH_USER);
    }
}

/* ---------------------------------------------------------------- names and senders */

static void
set_mailname(struct import *im, struct import_pairs *p)
{
    struct import_pair *name = import_pairs_find(p, "MAILNAME");
    struct slice text = slice_of(name ? name->value : NULL);
    struct import_at at = name ? name->at : (struct import_at){ NULL, 0 };

    if (slice_starts(text, "/")) {
        const struct import_source *s = import_open(im, name->value);
        text = import_first_line(s);
        at = (struct import_at){ name->value, 1 };
    }
    if (text.len == 0)
        return;
    (void)import_set(im, 0, CONFIG_HOSTNAME, text, at);
    import_set_domain(im, text, at);
}

/* user@host forces the envelope, host its domain, user@ the user */
static void
set_masquerade(struct import *im, struct import_pairs *p)
{
    struct import_pair *m = import_pairs_find(p, "MASQUERADE");
    const char *host = import_get(im, 0, CONFIG_HOSTNAME);
    struct slice text = slice_of(m ? m->value : NULL);
    char *address;

    if (text.len == 0)
        return;
    if (!slice_has(text, '@')) {
        import_set_domain(im, text, m->at);
        return;
    }
    if (text.p[text.len - 1] == '@' && !host) {
        import_leave(
            im, m->at, slice_of("MASQUERADE"), "its domain is this machine's name; set From to the address");
        return;
    }
    address = mem_format("%.*s%s", SLICE_ARG(text), text.p[text.len - 1] == '@' ? host : "");
    if (import_set(im, 0, CONFIG_FROM, slice_of(address), m->at))
        import_tell(im, "MASQUERADE forced every envelope and no header; From replaces both where the "
                        "account may not use what is "
                        "there, FromPolicy = \"force\" always");
    free(address);
}

static void
set_files(struct import *im, struct import_pairs *p)
{
    struct import_pair *pin = import_pairs_find(p, "FINGERPRINT"), *cert = import_pairs_find(p, "CERTFILE");
    struct import_pair *aliases = import_pairs_find(p, "ALIASES"), *defer = import_pairs_find(p, "DEFER");
    struct import_pair *spool = import_pairs_find(p, "SPOOLDIR");

    if (pin && pin->value[0])
        (void)import_set(im, 0, CONFIG_TLS_FINGERPRINT, slice_of(pin->value), pin->at);
    if (cert && cert->value[0])
        (void)import_set(im, 0, CONFIG_TLS_CERT, slice_of(cert->value), cert->at);
    if (aliases && aliases->value[0])
        (void)import_set(im, 0, CONFIG_ALIASES, slice_of(aliases->value), aliases->at);
    if (defer)
        (void)import_set(im, 0, CONFIG_DELIVERY, slice_of("queue"), defer->at);
    im->verified = import_pairs_find(p, "VERIFYCERT") || (pin && pin->value[0]);
    im->spool = mem_dup(spool && spool->value[0] == '/' ? spool->value : "/var/spool/dma");
}

/* ---------------------------------------------------------------- all of it */

static void
set_hub(struct import *im, struct import_pairs *p)
{
    struct import_pair *hub = import_pairs_find(p, "SMARTHOST"), *port, *auth;
    uint16_t number;
    struct import_at at;

    if (!hub || !hub->value[0]) {
        (void)import_set(im, 0, CONFIG_MAILHUB, slice_of("direct"), (struct import_at){ "no SMARTHOST", 0 });
        return;
    }
    port = import_pairs_find(p, "PORT");
    auth = import_pairs_find(p, "AUTHPATH");
    number = port && port->value[0] ? import_port(slice_of(port->value)) : 25;
    if (number == 0) {
        import_leave(im, port->at, slice_of("PORT"), "it is no port");
        number = 25;
    }
    if (!import_add_hub(im, 0, slice_of(hub->value), number, hub->at))
        return;
    if (auth && auth->value[0])
        read_auth(im, auth->value, slice_of(hub->value));
    enum import_tls tls = find_tls(im, p, &at);
    import_set_tls(im, 0, tls, number, at);
    if (import_pairs_find(p, "INSECURE") && tls != IMPORT_TLS_NONE)
        import_tell(im, "INSECURE: with TLS it is not needed");
}

bool
import_dma(struct import *im, struct error *err)
{
    struct import_pairs p = { 0 };

    read_text(im, &p);
    set_hub(im, &p);
    set_mailname(im, &p);
    set_masquerade(im, &p);
    set_files(im, &p);
    import_pairs_leave(im, &p, reasons);
    import_pairs_clear(&p);
    return import_finish(im, err);
}
