/* SPDX-License-Identifier: ISC */
/* import_exim: Debian's update-exim4.conf.conf, passwd.client and email-addresses; nobody else's Exim has a null client's settings. */
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"

enum { GROUPS_MAX = 100 };

static const struct import_reason reasons[] = {
    { "dc_other_hostnames",
        "nothing is delivered locally; names of this machine go through aliases and root" },
    { "dc_relay_domains", "nothing is received from outside" },
    { "dc_minimaldns", "" },
    { "dc_relay_nets",
        "who may send by TCP is `ListenNetworks`, with `Listen`, which is off unless it is set" },
    { "CFILEMODE", "" },
    { "dc_use_split_config", "" },
    { "dc_readhost", "without dc_hide_mailname nothing is sent under that name" },
    { "dc_hide_mailname", "without dc_readhost there is no other name to send under" },
    { "dc_mailname_in_oh", "" },
    { "dc_localdelivery", "nothing is delivered locally" },
    { "dc_smarthost", "only the types smarthost and satellite use it" },
    { "dc_postmaster", "nothing is delivered locally" },
    { NULL, NULL },
};

/* key='value', as a shell has it */
static void
read_text(struct import *im, struct import_pairs *p)
{
    struct import_lines l;
    struct slice key, rest;
    struct buf b;

    buf_init(&b, IMPORT_TEXT_MAX);
    import_lines_begin(&l, im->source[0]);
    while (import_lines_next_content(&l)) {
        rest = l.line;
        key = import_cut(&rest, '=');
        buf_reset(&b);
        if (key.len == l.line.len)
            import_leave(im, l.at, key, "no \"key='value'\"");
        else if (import_quoted_word(&rest, &b) && b.len)
            import_pairs_add(p, slice_trim(key), buf_slice(&b), l.at);
        else if (rest.len)
            import_leave(im, l.at, slice_trim(key), "a quote is not closed"); /* an empty one says nothing */
    }
    buf_clear(&b);
}

/* The next line of a file with "key: rest" */
static bool
next_pair(struct import_lines *l, struct slice *key, struct slice *rest)
{
    if (!import_lines_next_content(l))
        return false;
    *rest = l->line;
    *key = slice_trim(import_cut(rest, ':'));
    *rest = slice_trim(*rest);
    return true;
}

/* ---------------------------------------------------------------- passwd.client */

/* "*.example.com" and "*", as Exim's wildcard lookup */
static bool
fits(struct slice pattern, struct slice host)
{
    char *end;
    bool ok;

    if (!slice_starts(pattern, "*"))
        return slice_eq_nocase(pattern, host);
    end = slice_dup(slice_from(pattern, 1));
    ok = slice_ends_nocase(host, end);
    free(end);
    return ok;
}

/* host:user:password; '^' is written twice there */
static void
take_login(struct import *im, struct slice line, struct import_at at)
{
    struct slice user = slice_of(NULL);
    struct buf pass;

    user = import_cut(&line, ':');
    buf_init(&pass, IMPORT_TEXT_MAX);
    for (size_t i = 0; i < line.len; i++) {
        buf_add_char(&pass, line.p[i]);
        if (line.p[i] == '^' && i + 1 < line.len && line.p[i + 1] == '^')
            i++;
    }
    import_set_login(im, 0, slice_trim(user), buf_slice(&pass), at, at);
    buf_wipe(&pass);
}

static void
read_passwords(struct import *im, struct slice host)
{
    const struct import_source *s = import_beside(im, "passwd.client");
    struct slice rest, pattern;
    struct import_lines l;

    if (!s)
        return;
    import_lines_begin(&l, s);
    while (next_pair(&l, &pattern, &rest)) {
        if (!fits(pattern, host))
            import_leave(im, l.at, pattern, "it is not the smarthost");
        else if (import_get(im, 0, CONFIG_AUTH_USER))
            import_leave(im, l.at, pattern, "there is a login already");
        else
            take_login(im, rest, l.at);
    }
}

/* ---------------------------------------------------------------- smarthost */

/* "host::port" or "[v6]:port", "host" */
static bool
add_hub(struct import *im, struct slice text, struct import_at at, uint16_t *port, struct slice *host)
{
    size_t colons = 0;
    struct slice number;

    while (colons + 1 < text.len && !(text.p[colons] == ':' && text.p[colons + 1] == ':'))
        colons++;
    if (colons + 1 < text.len && !slice_starts(text, "[")) {
        *host = slice_sub(text, 0, colons);
        number = slice_from(text, colons + 2);
    } else {
        import_split_hub(text, host, &number);
        if (slice_starts(number, ":"))
            number = slice_from(number, 1);
    }
    *port = number.len ? import_port(number) : 25;
    if (*port)
        return import_add_hub(im, 0, *host, *port, at);
    import_leave(im, at, text, "it has no port that can be used");
    return false;
}

static void
set_hubs(struct import *im, const struct import_pair *pair)
{
    struct slice rest = slice_of(pair->value), one, host, first = slice_of(NULL);
    uint16_t port, first_port = 0;

    while (slice_cut(&rest, ';', &one)) {
        one = slice_trim(one);
        if (one.len == 0 || !add_hub(im, one, pair->at, &port, &host))
            continue;
        if (!first_port) {
            first_port = port;
            first = host;
        }
    }
    if (!first_port)
        return;
    read_passwords(im, first);
    if (import_get(im, 0, CONFIG_AUTH_USER)) {
        import_set_tls(
            im, 0, first_port == 465 ? IMPORT_TLS_IMPLICIT : IMPORT_TLS_STARTTLS, first_port, pair->at);
        import_tell(im, "Exim looks for the MX of a smarthost's name, and gives its login only over TLS but "
                        "does not check the certificate");
    } else {
        import_set_tls(
            im, 0, first_port == 465 ? IMPORT_TLS_IMPLICIT : IMPORT_TLS_OPPORTUNISTIC, first_port, pair->at);
    }
}

/* ---------------------------------------------------------------- names */

/* login: address */
static void
read_addresses(struct import *im)
{
    const struct import_source *s = import_open(im, "/etc/email-addresses");
    struct slice user, rest;
    struct import_lines l;

    if (!s)
        return;
    import_lines_begin(&l, s);
    while (next_pair(&l, &user, &rest)) {
        if (user.len == 0 || rest.len == 0 || slice_has(user, '@') || im->groups > GROUPS_MAX) {
            import_leave(im, l.at, user, "no \"login: address\"");
            continue;
        }
        size_t g = import_add_group(im, user, l.at);
        (void)import_add(im, g, CONFIG_FOR_USER, user, l.at);
        if (import_add(im, g, CONFIG_FROM, rest, l.at))
            (void)import_add(im, g, CONFIG_FROM_POLICY, slice_of("force"), l.at);
    }
}

static void
set_names(struct import *im, struct import_pairs *p)
{
    const struct import_source *s = import_open(im, "/etc/mailname");
    struct slice mailname = import_first_line(s);
    struct import_pair *post = import_pairs_find(p, "dc_postmaster");
    bool hides = import_pairs_has(p, "dc_readhost") && import_pairs_has(p, "dc_hide_mailname");

    if (mailname.len)
        import_set_domain(im, mailname, (struct import_at){ s->path, 1 });
    if (hides && import_is_yes(import_pairs_value(p, "dc_hide_mailname"))) {
        const struct import_pair *readhost = import_pairs_find(p, "dc_readhost");
        import_set_domain(im, slice_of(readhost->value), readhost->at);
    }
    if (post && strchr(post->value, '@'))
        (void)import_set(im, 0, CONFIG_ROOT, slice_of(post->value), post->at);
    else if (post && post->value[0])
        import_leave(im, post->at, slice_of("dc_postmaster"), "it has no domain; root wants an address");
}

/* ---------------------------------------------------------------- all of it */

bool
import_exim(struct import *im, struct error *err)
{
    struct import_pairs p = { 0 };
    struct import_pair *type, *local;

    read_text(im, &p);
    type = import_pairs_find(&p, "dc_eximconfig_configtype");
    local = import_pairs_find(&p, "dc_local_interfaces");
    if (import_pairs_has(&p, "dc_smarthost") && (!type || slice_is(slice_of(type->value), "smarthost") ||
                                                    slice_is(slice_of(type->value), "satellite"))) {
        set_hubs(im, import_pairs_find(&p, "dc_smarthost"));
    } else if (type && slice_is(slice_of(type->value), "internet")) {
        (void)import_set(im, 0, CONFIG_MAILHUB, slice_of("direct"), type->at);
        import_set_tls(im, 0, IMPORT_TLS_OPPORTUNISTIC, 25, type->at);
    }
    if (import_get(im, 0, CONFIG_MAILHUB)) {
        set_names(im, &p);
        read_addresses(im);
    }
    if (local && local->value[0])
        import_tell(im, "Exim took mail at %s; for programs that need that: Listen = ( \"127.0.0.1:25\" )",
            local->value);
    import_pairs_leave(im, &p, reasons);
    import_pairs_clear(&p);
    return import_finish(im, err);
}
