/* SPDX-License-Identifier: ISC */
/*
 * import_esmtp: esmtprc. Identities stand for themselves, they inherit nothing; the one that is "default", else what stands before
 * them, becomes our default account.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"

enum { IDENTITIES_MAX = 200 };

struct identity {
    char *address; /* NULL: what stands before all identities */
    bool standard;
    struct import_at at;
    struct import_pairs p;
};

static const struct import_reason reasons[] = {
    { "mda", "nothing is delivered locally" },
    { "force_mda", "nothing is delivered locally" },
    { "preconnect", "nothing is run before a connection; a tunnel has to be there" },
    { "certificate_passphrase", "keys have to be without a passphrase" },
    { "message_id", "a Message-ID is added where there is none" },
    { "hostname", "the default identity does not inherit it" },
    { "username", "without a hostname of its own it is not used" },
    { "password", "without a hostname of its own it is not used" },
    { "starttls", "without a hostname of its own it is not used" },
    { "helo", "the default identity does not inherit it" },
    { "qualifydomain", "the default identity does not inherit it" },
    { "force *", "the default identity does not inherit it" },
    { NULL, NULL },
};

/* ---------------------------------------------------------------- the text */

/* A word in quotes or up to a blank; keys may have several words ("force sender"), so the key ends at '=' or is the first word */
static void
split_line(struct slice line, struct slice *key, struct slice *value)
{
    size_t sign = slice_find(line, '='), quote = slice_find(line, '"');

    if (sign < quote && sign < line.len) {
        *key = slice_trim(slice_sub(line, 0, sign));
        *value = slice_trim(slice_from(line, sign + 1));
        return;
    }
    (void)import_word(&line, key);
    *value = line;
    if (slice_is_nocase(*key, "force")) {
        struct slice word;
        (void)import_word(value, &word);
        *key = slice_make(key->p, (size_t)(word.p - key->p) + word.len);
    }
}

/* Without quotes, and without a comment behind */
static void
clean_value(struct slice text, struct buf *out)
{
    if (slice_starts(text, "\"")) {
        (void)import_quoted_word(&text, out);
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] == '#' && (i == 0 || text.p[i - 1] == ' ' || text.p[i - 1] == '\t')) {
            text = slice_sub(text, 0, i);
            break;
        }
    buf_add_slice(out, slice_trim(text));
}

/* ADDRESS [default] */
static void
begin_identity(struct identity *id, struct slice text, struct import_at at)
{
    struct slice word;

    (void)import_word(&text, &word);
    *id = (struct identity){ .address = slice_dup(word), .standard = slice_is(text, "default"), .at = at };
}

static size_t
read_text(struct import *im, struct identity *id)
{
    struct slice key, value;
    struct import_lines l;
    struct buf b;
    size_t n = 1;

    buf_init(&b, IMPORT_TEXT_MAX);
    import_lines_begin(&l, im->source[0]);
    while (import_lines_next_content(&l)) {
        split_line(l.line, &key, &value);
        buf_wipe(&b);
        clean_value(value, &b);
        if (!slice_is_nocase(key, "identity"))
            import_pairs_add(&id[n - 1].p, key, buf_slice(&b), l.at);
        else if (n < IDENTITIES_MAX)
            begin_identity(&id[n++], buf_slice(&b), l.at);
        else
            import_leave(im, l.at, key, "there are too many");
    }
    buf_wipe(&b);
    return n;
}

/* ---------------------------------------------------------------- settings */

static void
set_tls(struct import *im, size_t g, struct import_pairs *p, uint16_t port)
{
    struct import_pair *start = import_pairs_find(p, "starttls");
    struct slice word = slice_of(start ? start->value : NULL);
    struct import_at at = start ? start->at : (struct import_at){ "esmtp's default", 0 };

    if (slice_is_nocase(word, "required") ||
        (slice_is_nocase(word, "enabled") && import_get(im, g, CONFIG_AUTH_USER)))
        import_set_tls(im, g, IMPORT_TLS_STARTTLS, port, at);
    else
        import_set_tls(
            im, g, slice_is_nocase(word, "enabled") ? IMPORT_TLS_OPPORTUNISTIC : IMPORT_TLS_NONE, port, at);
    if (slice_is_nocase(word, "enabled") && import_get(im, g, CONFIG_AUTH_USER))
        import_tell(im, "starttls = enabled: with a login TLS is required now");
}

static void
set_hub(struct import *im, size_t g, struct import_pairs *p)
{
    struct import_pair *hub = import_pairs_find(p, "hostname");
    struct slice host, port;
    uint16_t number = 587;

    if (!hub)
        return;
    import_split_hub(slice_of(hub->value), &host, &port);
    if (port.len)
        number = import_port(port);
    if (number == 0) {
        import_leave(im, hub->at, port, "it is no port");
        number = 587;
    }
    if (!import_add_hub(im, g, host, number, hub->at))
        return;
    import_set_login_pairs(im, g, p, "username", "password");
    set_tls(im, g, p, number);
}

/* Without a name before it */
static struct slice
bare_address(struct slice text)
{
    size_t open = slice_find_last(text, '<'), close = slice_find_last(text, '>');

    return open < close && close < text.len ? slice_sub(text, open + 1, close - open - 1) : text;
}

/* "force reverse_path" is the envelope, "force sender" the header */
static void
set_sender(struct import *im, size_t g, struct import_pairs *p)
{
    struct import_pair *path = import_pairs_find(p, "force reverse_path"),
                       *from = import_pairs_find(p, "force sender");
    struct import_pair *pair = path ? path : from;
    struct slice address = bare_address(slice_of(pair ? pair->value : NULL));

    if (g == 0 && slice_starts(address, "%u@"))
        import_set_domain(im, slice_from(address, 3), pair->at);
    else if (pair && import_set(im, g, CONFIG_FROM, address, pair->at))
        (void)import_set(im, g, CONFIG_FROM_POLICY, slice_of("force"), pair->at);
    if (path && from && strcmp(path->value, from->value) != 0)
        import_leave(im, from->at, slice_of("force sender"), "header and envelope get the same address");
}

static void
set_identity(struct import *im, size_t g, struct identity *id)
{
    struct import_pair *helo = import_pairs_find(&id->p, "helo"),
                       *domain = import_pairs_find(&id->p, "qualifydomain");

    set_hub(im, g, &id->p);
    set_sender(im, g, &id->p);
    if (helo)
        (void)import_set(im, g, CONFIG_HOSTNAME, slice_of(helo->value), helo->at);
    if (domain && g == 0)
        import_set_domain(im, slice_of(domain->value), domain->at);
    else if (domain)
        (void)import_set(im, g, CONFIG_REWRITE_DOMAIN, slice_of(domain->value), domain->at);
    if (id->address && g == 0 && !import_get(im, 0, CONFIG_FROM))
        (void)import_set(im, 0, CONFIG_FROM, slice_of(id->address), id->at);
    import_pairs_leave(im, &id->p, reasons);
}

static void
set_group(struct import *im, struct identity *id)
{
    size_t g = import_add_group(im, slice_of(id->address), id->at);

    (void)import_add(im, g, CONFIG_SENDER, slice_of(id->address), id->at);
    set_identity(im, g, id);
    if (!import_get(im, g, CONFIG_AUTH_USER) && import_get(im, 0, CONFIG_AUTH_USER))
        (void)import_set(
            im, g, CONFIG_AUTH_USER, slice_of(NULL), (struct import_at){ "not set for this identity", 0 });
}

bool
import_esmtp(struct import *im, struct error *err)
{
    struct identity *id = mem_array(IDENTITIES_MAX, sizeof *id);
    size_t n = read_text(im, id), standard = 0;

    for (size_t i = 1; i < n; i++)
        if (id[i].standard)
            standard = i;
    if (standard == 0 && !import_pairs_find(&id[0].p, "hostname") && n > 1)
        standard = 1;
    set_identity(im, 0, &id[standard]);
    for (size_t i = 1; i < n && import_get(im, 0, CONFIG_MAILHUB); i++)
        if (i != standard)
            set_group(im, &id[i]);
    if (standard && id[0].p.n)
        import_pairs_leave(im, &id[0].p, reasons);
    for (size_t i = 0; i < n; i++) {
        import_pairs_clear(&id[i].p);
        free(id[i].address);
    }
    free(id);
    return import_finish(im, err);
}
