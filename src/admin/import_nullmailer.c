/* SPDX-License-Identifier: ISC */
/*
 * import_nullmailer: /etc/nullmailer, a file for each key. Several remotes become one list where they have the same login and TLS;
 * nullmailer tries them in order, and so do we.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"

enum { OPTIONS_MAX = 40 };

struct remote {
    char *host;
    char *option[OPTIONS_MAX];
    size_t n;
    struct import_at at;
};

/* ---------------------------------------------------------------- one line of remotes */

static void
remote_clear(struct remote *r)
{
    free(r->host);
    for (size_t i = 0; i < r->n; i++)
        mem_free_secret(r->option[i]);
}

static bool
parse_remote(struct import *im, struct slice line, struct import_at at, struct remote *r)
{
    struct buf word;

    *r = (struct remote){ .at = at };
    buf_init(&word, IMPORT_TEXT_MAX);
    while (import_quoted_word(&line, &word)) {
        if (!r->host)
            r->host = mem_dup(buf_str(&word));
        else if (r->n < OPTIONS_MAX)
            r->option[r->n++] = mem_dup(buf_str(&word));
        else
            import_leave(im, at, slice_of(NULL), "there are too many options");
        buf_wipe(&word);
    }
    buf_wipe(&word);
    if (line.len == 0 && r->host)
        return true;
    import_leave(im, at, slice_of(NULL), "a quote is not closed");
    return false;
}

/* --name=value or name; NULL: not there */
static const char *
option(const struct remote *r, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = r->n; i-- > 0;) {
        const char *o = r->option[i] + (strncmp(r->option[i], "--", 2) == 0 ? 2 : 0);
        if (strncmp(o, name, n) == 0 && (o[n] == '=' || o[n] == '\0'))
            return o[n] ? o + n + 1 : o + n;
    }
    return NULL;
}

static enum import_tls
find_tls(const struct remote *r)
{
    if (option(r, "starttls"))
        return IMPORT_TLS_STARTTLS;
    return option(r, "ssl") || option(r, "tls") ? IMPORT_TLS_IMPLICIT : IMPORT_TLS_NONE;
}

static uint16_t
find_port(const struct remote *r)
{
    const char *port = option(r, "port");
    uint16_t number = port ? import_port(slice_of(port)) : 0;

    return number ? number : find_tls(r) == IMPORT_TLS_IMPLICIT ? 465 : 25;
}

static const struct {
    const char *name, *why; /* NULL: it is carried */
} known[] = { { "port", NULL }, { "user", NULL }, { "pass", NULL }, { "source", NULL }, { "ssl", NULL },
    { "tls", NULL }, { "starttls", NULL }, { "x509certfile", NULL }, { "x509keyfile", NULL },
    { "x509cafile", NULL }, { "smtp", NULL }, { "auth-external", NULL },
    { "auth-login", "the strongest method that is offered is chosen by itself" },
    { "auth-plain", "the strongest method that is offered is chosen by itself" },
    { "insecure",
        "certificates are checked; TLSFingerprint or TLS_CA_File names one that no CA vouches for" },
    { "x509crlfile", "revocation lists are not looked at" }, { "x509fmtder", "files are in PEM here" },
    { "tls-anon-auth", "TLS without certificates is not possible here" },
    { "tls-auth-anon", "TLS without certificates is not possible here" },
    { "qmqp", "SMTP is the only protocol here" } };

static void
leave_options(struct import *im, const struct remote *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct slice o = slice_of(r->option[i]), name;
        const char *why = "not an option that is known here";
        if (slice_starts(o, "--"))
            o = slice_from(o, 2);
        name = import_cut(&o, '=');
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            if (slice_is(name, known[k].name))
                why = known[k].why;
        if (why)
            import_leave(im, r->at, name, why);
    }
}

/* ---------------------------------------------------------------- several */

static bool
same_option(const struct remote *a, const struct remote *b, const char *name)
{
    const char *x = option(a, name), *y = option(b, name);

    return x && y ? strcmp(x, y) == 0 : x == y;
}

/* As UseTLS = true chooses by the port */
static bool
is_natural(const struct remote *r)
{
    return find_tls(r) != IMPORT_TLS_NONE && (find_tls(r) == IMPORT_TLS_IMPLICIT) == (find_port(r) == 465);
}

/* May both be in one list? */
static bool
fits(const struct remote *a, const struct remote *b)
{
    static const char *const names[] = { "user", "pass", "source", "x509cafile", "x509certfile",
        "x509keyfile", "auth-external" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!same_option(a, b, names[i]))
            return false;
    return find_tls(a) == find_tls(b) || (is_natural(a) && is_natural(b));
}

static void
set_remote(struct import *im, const struct remote *r)
{
    const char *user = option(r, "user"), *pass = option(r, "pass"), *source = option(r, "source");
    const char *ca = option(r, "x509cafile"), *cert = option(r, "x509certfile"),
               *key = option(r, "x509keyfile");

    import_set_tls(im, 0, find_tls(r), find_port(r), r->at);
    if (user)
        import_set_login(im, 0, slice_of(user), slice_of(pass), r->at, r->at);
    else if (pass)
        import_leave(im, r->at, slice_of("pass"), "without a user there is no login");
    if (option(r, "auth-external"))
        (void)import_set(im, 0, CONFIG_AUTH_METHOD, slice_of("external"), r->at);
    if (source)
        (void)import_set(im, 0, CONFIG_SOURCE_ADDRESS, slice_of(source), r->at);
    if (ca)
        import_set_ca(im, 0, slice_of(ca), r->at);
    if (cert)
        (void)import_set(im, 0, CONFIG_TLS_CERT, slice_of(cert), r->at);
    if (key && !cert)
        import_leave(im, r->at, slice_of("x509keyfile"), "without x509certfile it is not used");
    else if (key)
        (void)import_set(im, 0, CONFIG_TLS_KEY, slice_of(key), r->at);
    im->verified = !option(r, "insecure");
}

/* One more; the first that can be used sets login and TLS */
static void
take_remote(struct import *im, struct remote *r, struct remote *first)
{
    leave_options(im, r);
    if (option(r, "port") && !import_port(slice_of(option(r, "port"))))
        import_leave(im, r->at, slice_of("port"), "it is no port");
    if (option(r, "qmqp"))
        return;
    if (first->host && !fits(first, r)) {
        import_leave(im, r->at, slice_of(r->host),
            "its login or TLS is not that of the first; make it a group of accounts, and name it in a "
            "fallback");
        return;
    }
    if (!import_add_hub(im, 0, slice_of(r->host), find_port(r), r->at) || first->host)
        return;
    set_remote(im, r);
    *first = *r;
    *r = (struct remote){ 0 };
}

static void
read_remotes(struct import *im)
{
    struct remote first = { 0 }, r;
    struct import_lines l;

    import_lines_begin(&l, im->source[0]);
    while (import_lines_next_content(&l)) {
        if (parse_remote(im, l.line, l.at, &r))
            take_remote(im, &r, &first);
        remote_clear(&r);
    }
    remote_clear(&first);
}

/* ---------------------------------------------------------------- the other files */

static struct slice
file_value(struct import *im, const char *name, struct import_at *at)
{
    const struct import_source *s = import_beside(im, name);

    *at = (struct import_at){ s ? s->path : name, s ? 1 : 0 };
    return import_first_line(s);
}

static void
set_names(struct import *im)
{
    struct import_at me_at, at;
    struct slice me = file_value(im, "me", &me_at), helo = file_value(im, "helohost", &at), host, domain;

    if (helo.len)
        (void)import_set(im, 0, CONFIG_HOSTNAME, helo, at);
    else if (me.len)
        (void)import_set(im, 0, CONFIG_HOSTNAME, me, me_at);
    domain = file_value(im, "defaultdomain", &at);
    host = file_value(im, "defaulthost", &at);
    if (host.len && domain.len && !slice_has(host, '.')) {
        char *both = mem_format("%.*s.%.*s", SLICE_ARG(host), SLICE_ARG(domain));
        import_set_domain(im, slice_of(both), at);
        free(both);
    } else if (host.len) {
        import_set_domain(im, host, at);
    } else if (me.len) {
        import_set_domain(im, me, me_at);
    }
    if (domain.len && !host.len) {
        (void)file_value(im, "defaultdomain", &at);
        import_leave(im, at, slice_of(NULL), "hosts without a dot are left as they are");
    }
}

/* All mail to anybody here goes to one address: that is root for accounts of every uid */
static void
set_admin(struct import *im)
{
    struct import_at at;
    struct slice list = file_value(im, "adminaddr", &at), one = slice_of(NULL);

    one = import_cut(&list, ',');
    one = slice_trim(one);
    if (one.len == 0 || !import_set(im, 0, CONFIG_ROOT, one, at))
        return;
    (void)import_set(im, 0, CONFIG_MIN_USER_ID, slice_of("2147483647"), at);
    import_tell(im, "adminaddr got all mail for local addresses; root gets that of the accounts of this "
                    "machine, and other names need an alias");
    if (list.len)
        import_leave(im, at, slice_trim(list), "root is one address; an alias can name more");
}

static void
set_times(struct import *im)
{
    static const struct {
        const char *name;
        enum config_key key;
    } times[] = { { "pausetime", CONFIG_RETRY_MIN }, { "maxpause", CONFIG_RETRY_MAX },
        { "queuelifetime", CONFIG_QUEUE_LIFETIME } };
    struct import_at at;

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct slice value = file_value(im, times[i].name, &at);
        if (slice_is(value, "0"))
            import_leave(im, at, slice_of(NULL), "0 has no meaning here");
        else if (value.len)
            import_set_seconds(im, times[i].key, value, times[i].name, at);
    }
    if (file_value(im, "sendtimeout", &at).len)
        import_leave(im, at, slice_of(NULL), "times are for each exchange here: Timeout, ConnectTimeout");
}

/* RetryMin may not be more than RetryMax, whichever of them is a default */
static void
order_times(struct import *im)
{
    const char *least = import_get(im, 0, CONFIG_RETRY_MIN), *most = import_get(im, 0, CONFIG_RETRY_MAX);
    uint64_t min = 30, max = 3600;

    if (least)
        (void)slice_number(slice_make(least, strlen(least) - 1), INT32_MAX, &min);
    if (most)
        (void)slice_number(slice_make(most, strlen(most) - 1), INT32_MAX, &max);
    if (min <= max)
        return;
    import_unset(im, 0, CONFIG_RETRY_MIN);
    import_unset(im, 0, CONFIG_RETRY_MAX);
    import_leave(im, (struct import_at){ "pausetime and maxpause", 0 }, slice_of(NULL),
        "the first is longer than the second");
}

bool
import_nullmailer(struct import *im, struct error *err)
{
    struct import_at at;
    struct slice from;

    read_remotes(im);
    set_names(im);
    set_admin(im);
    from = file_value(im, "allmailfrom", &at);
    if (from.len && import_set(im, 0, CONFIG_FROM, from, at))
        import_tell(im, "allmailfrom forced every envelope and no header; From replaces both where the "
                        "account may not use what is there, FromPolicy = \"force\" always");
    set_times(im);
    order_times(im);
    if (file_value(im, "idhost", &at).len)
        import_leave(im, at, slice_of(NULL), "the right side of a Message-ID is hostname");
    if (file_value(im, "doublebounceto", &at).len)
        import_leave(im, at, slice_of(NULL), "what cannot be returned stays in the queue's folder failed");
    im->spool = mem_dup("/var/spool/nullmailer");
    return import_finish(im, err);
}
