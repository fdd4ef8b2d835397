/* SPDX-License-Identifier: ISC */
/* import_set: settings as they are found, each checked as our own configuration's reader would, and what all programs share. */
#include <stdlib.h>
#include <string.h>

#include "admin/import.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/value.h"

/* ---------------------------------------------------------------- items */

static char *
origin_of(struct import_at at)
{
    return at.line ? mem_format("%s line %u", at.path, at.line) : mem_dup(at.path);
}

static bool
is_usable(struct import *im, enum config_key key, struct slice value, struct import_at at)
{
    struct error err;
    int64_t number;

    error_init(&err);
    if (slice_has(value, '\0'))
        (void)error_set(&err, ERROR_CONFIG, "%s: there is a NUL byte in it", config_info(key)->name);
    else if (value_check(key, value, &number, &err))
        return true;
    import_leave(im, at, slice_of(NULL), err.text);
    return false;
}

void
import_unset(struct import *im, size_t group, enum config_key key)
{
    size_t n = 0;

    for (size_t i = 0; i < im->items; i++) {
        if (im->item[i].group == group && im->item[i].key == key) {
            mem_free_secret(im->item[i].text);
            free(im->item[i].origin);
        } else {
            im->item[n++] = im->item[i];
        }
    }
    im->items = n;
}

static void
add_item(struct import *im, size_t group, enum config_key key, struct slice value, struct import_at at)
{
    ensure(group < im->groups);
    im->item = mem_resize(im->item, im->items + 1, sizeof *im->item);
    im->item[im->items++] = (struct import_item){ key, group, slice_dup(value), origin_of(at) };
}

bool
import_add(struct import *im, size_t group, enum config_key key, struct slice value, struct import_at at)
{
    if (!is_usable(im, key, value, at))
        return false;
    add_item(im, group, key, value, at);
    return true;
}

bool
import_set(struct import *im, size_t group, enum config_key key, struct slice value, struct import_at at)
{
    bool none = value.len == 0 && config_info(key)->type == CONFIG_LIST;

    if (!none && !is_usable(im, key, value, at))
        return false;
    import_unset(im, group, key);
    add_item(im, group, key, value, at);
    return true;
}

const char *
import_get(const struct import *im, size_t group, enum config_key key)
{
    for (size_t i = 0; i < im->items; i++)
        if (im->item[i].group == group && im->item[i].key == key)
            return im->item[i].text;
    return NULL;
}

static bool
is_name_taken(const struct import *im, const char *name)
{
    if (strcmp(name, "default") == 0)
        return true;
    for (size_t g = 1; g < im->groups; g++) {
        const char *other = import_get(im, g, CONFIG_NAME);
        if (other && strcmp(other, name) == 0)
            return true;
    }
    return false;
}

/* What a file's name is made of, too */
static char *
plain_name(struct slice name)
{
    struct buf b;

    buf_init(&b, 64);
    for (size_t i = 0; i < name.len && b.len < 60; i++) {
        char c = name.p[i];
        if (c == '@' && b.len == 0)
            continue;
        buf_add_char(&b, ascii_is_alpha(c) || ascii_is_digit(c) || c == '-' || c == '.' ? c : '_');
    }
    return buf_steal(&b);
}

size_t
import_add_group(struct import *im, struct slice name, struct import_at at)
{
    char *plain = plain_name(name), *unique = mem_dup(plain);
    size_t group = im->groups++;

    for (unsigned n = 2; !*unique || is_name_taken(im, unique); n++) {
        free(unique);
        unique = mem_format("%s%s%u", plain, *plain ? "-" : "account", n);
    }
    (void)import_add(im, group, CONFIG_NAME, slice_of(unique), at); /* a plain name will do */
    free(unique);
    free(plain);
    return group;
}

/* ---------------------------------------------------------------- smarthosts */

uint16_t
import_port(struct slice text)
{
    static const struct {
        const char *name;
        uint16_t port;
    } services[] = { { "smtp", 25 }, { "submission", 587 }, { "smtps", 465 }, { "submissions", 465 },
        { "ssmtp", 465 } };
    uint64_t port;

    if (slice_number(text, 65535, &port))
        return (uint16_t)port;
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
        if (slice_is_nocase(text, services[i].name))
            return services[i].port;
    return 0;
}

void
import_split_hub(struct slice text, struct slice *host, struct slice *port)
{
    size_t end;

    text = slice_trim(text);
    *port = slice_of(NULL);
    if (slice_starts(text, "[")) {
        end = slice_find(text, ']');
        *host = slice_sub(text, 1, end - 1);
        text = slice_from(text, end + 1);
        if (slice_starts(text, ":"))
            *port = slice_from(text, 1);
        return;
    }
    end = slice_find(text, ':');
    *host = text;
    if (end != slice_find_last(text, ':')) /* v6 without brackets */
        return;
    *host = slice_sub(text, 0, end);
    *port = slice_from(text, end + 1);
}

bool
import_add_hub(struct import *im, size_t group, struct slice host, uint16_t port, struct import_at at)
{
    bool v6 = slice_has(host, ':');
    char *hub = mem_format("%s%.*s%s:%u", v6 ? "[" : "", SLICE_ARG(host), v6 ? "]" : "", port);
    bool ok = import_add(im, group, CONFIG_MAILHUB, slice_of(hub), at);

    free(hub);
    return ok;
}

void
import_set_tls(struct import *im, size_t group, enum import_tls tls, uint16_t port, struct import_at at)
{
    const char *text = tls == IMPORT_TLS_NONE            ? "false"
                       : tls == IMPORT_TLS_OPPORTUNISTIC ? "opportunistic"
                       : (tls == IMPORT_TLS_IMPLICIT) == (port == 465)
                           ? "true"
                           : (tls == IMPORT_TLS_IMPLICIT ? "implicit" : "starttls");

    (void)import_set(im, group, CONFIG_USE_TLS, slice_of(text), at); /* each of them will do */
}

/* ---------------------------------------------------------------- logins */

void
import_set_login(struct import *im, size_t group, struct slice user, struct slice pass,
    struct import_at user_at, struct import_at pass_at)
{
    if (user.len == 0 || !import_set(im, group, CONFIG_AUTH_USER, user, user_at))
        return;
    if (pass.len && import_set(im, group, CONFIG_AUTH_PASS, pass, pass_at))
        return;
    import_unset(im, group, CONFIG_AUTH_PASS);
    (void)import_add(im, group, CONFIG_AUTH_PASS, slice_of(NULL), user_at);
    import_leave(im, user_at, slice_of("the password"),
        "it is not there; put it into the file of AuthPassFile, as its first line");
}

void
import_set_login_pairs(
    struct import *im, size_t group, struct import_pairs *p, const char *user_key, const char *pass_key)
{
    const struct import_pair *user = import_pairs_find(p, user_key), *pass = import_pairs_find(p, pass_key);

    if (user && user->value[0])
        import_set_login(im, group, slice_of(user->value), slice_of(pass ? pass->value : NULL), user->at,
            pass ? pass->at : user->at);
    else if (pass && pass->value[0])
        import_leave_pair(im, pass, "there is no login that needs it");
}

/* Our own reader takes words and quotes, no variables, tildes, pipes */
static bool
needs_shell(struct slice command)
{
    static const char special[] = "|&;<>()$`\\*?[]#~{}!=";

    for (size_t i = 0; i < command.len; i++)
        if (memchr(special, command.p[i], sizeof special - 1))
            return true;
    return false;
}

bool
import_set_command(struct import *im, size_t group, struct slice command, struct import_at at)
{
    struct buf b;
    bool ok;

    if (!needs_shell(command))
        return import_set(im, group, CONFIG_AUTH_PASS_COMMAND, command, at);
    buf_init(&b, IMPORT_TEXT_MAX * 8);
    buf_add_str(&b, "/bin/sh -c '");
    for (size_t i = 0; i < command.len; i++) {
        if (command.p[i] == '\'')
            buf_add_str(&b, "'\"'\"'");
        else
            buf_add_char(&b, command.p[i]);
    }
    buf_add_char(&b, '\'');
    ok = import_set(im, group, CONFIG_AUTH_PASS_COMMAND, buf_slice(&b), at);
    buf_clear(&b);
    return ok;
}

/* ---------------------------------------------------------------- single settings */

void
import_set_ca(struct import *im, size_t group, struct slice text, struct import_at at)
{
    static const char *const systems[] = { "system", "/etc/ssl/certs/ca-certificates.crt",
        "/etc/ssl/certs/ca-bundle.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/tls/cert.pem",
        "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/usr/local/share/certs/ca-root-nss.crt" };
    char *path;

    for (size_t i = 0; i < sizeof systems / sizeof systems[0]; i++)
        if (slice_is(text, systems[i]))
            return; /* that is the default */
    path = import_path(im, text);
    if (path)
        (void)import_set(im, group, CONFIG_TLS_CA_FILE, slice_of(path), at);
    else
        import_leave(im, at, text, "it is no absolute path");
    free(path);
}

void
import_set_domain(struct import *im, struct slice domain, struct import_at at)
{
    size_t sign = slice_find_last(domain, '@');

    if (sign < domain.len)
        domain = slice_from(domain, sign + 1);
    (void)import_set(im, 0, CONFIG_REWRITE_DOMAIN, domain, at);
}

void
import_set_seconds(
    struct import *im, enum config_key key, struct slice seconds, const char *name, struct import_at at)
{
    uint64_t n;
    char *text;

    if (!slice_number(seconds, INT32_MAX, &n)) {
        import_leave(im, at, slice_of(name), "it is no number of seconds");
        return;
    }
    text = mem_format("%llus", (unsigned long long)n);
    (void)import_set(im, 0, key, slice_of(text), at);
    free(text);
}

/* ---------------------------------------------------------------- the end */

/* What group `g` says about `key`, or the settings outside */
static const char *
effective(const struct import *im, size_t g, enum config_key key)
{
    const char *own = import_get(im, g, key);

    return own ? own : import_get(im, 0, key);
}

static void
allow_plaintext(struct import *im, size_t g, const char *name)
{
    const char *tls = effective(im, g, CONFIG_USE_TLS), *user = effective(im, g, CONFIG_AUTH_USER);

    if (!tls || !user || !*user || strcmp(tls, "false") != 0)
        return;
    (void)import_set(
        im, g, CONFIG_ALLOW_PLAINTEXT_AUTH, slice_of("true"), (struct import_at){ "a login without TLS", 0 });
    import_tell(im,
        "%s: the password goes over the network unencrypted, as before; set UseTLS = true and take "
        "AllowPlaintextAuth away where the smarthost has TLS",
        name);
}

static bool
uses_tls(const struct import *im)
{
    for (size_t i = 0; i < im->items; i++)
        if (im->item[i].key == CONFIG_USE_TLS && strcmp(im->item[i].text, "false") != 0 &&
            strcmp(im->item[i].text, "opportunistic") != 0)
            return true;
    return false;
}

static void
tell_of_certificates(struct import *im)
{
    if (!uses_tls(im))
        return;
    (void)import_set(im, 0, CONFIG_TLS_VERIFY, slice_of("true"),
        (struct import_at){ im->verified ? "as before" : "it was not checked before", 0 });
    if (!im->verified)
        import_tell(im,
            "the smarthost's certificate is checked now; %s was not told to, or never does. A smarthost with "
            "one of its own needs TLS_CA_File or TLSFingerprint",
            im->program);
}

bool
import_finish(struct import *im, struct error *err)
{
    if (!import_get(im, 0, CONFIG_MAILHUB))
        return error_set(err, ERROR_CONFIG, "%s: no smarthost is configured there that could be taken over",
            im->source[0]->path);
    for (size_t g = 0; g < im->groups; g++)
        allow_plaintext(im, g, g ? import_get(im, g, CONFIG_NAME) : "default account");
    tell_of_certificates(im);
    return true;
}
