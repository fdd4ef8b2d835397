/* SPDX-License-Identifier: ISC */
/* options: one table for the command line, the head of a script, and `set`. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "hub/hub.h"

enum kind { KIND_TEXT, KIND_NUMBER, KIND_TIME, KIND_SWITCH, KIND_OFFER };

struct entry {
    const char *name;
    char letter;
    enum kind kind;
    size_t offset;
    const char *values; /* the words a text may be, NULL for any */
};

#define AT(field) offsetof(struct options, field)

static const struct entry entries[] = {
    { "script", 's', KIND_TEXT, AT(script), NULL },
    { "out", 'd', KIND_TEXT, AT(out), NULL },
    { "port", 'p', KIND_NUMBER, AT(port), NULL },
    { "address", 0, KIND_TEXT, AT(address), NULL },
    { "ipv6", '6', KIND_SWITCH, AT(ipv6), NULL },
    { "tls", 't', KIND_TEXT, AT(tls), "starttls implicit none" },
    { "certs", 'c', KIND_TEXT, AT(certs), NULL },
    { "cert", 0, KIND_TEXT, AT(cert), NULL },
    { "tls-min", 0, KIND_TEXT, AT(tls_min), "1.0 1.1 1.2 1.3" },
    { "tls-max", 0, KIND_TEXT, AT(tls_max), "1.0 1.1 1.2 1.3" },
    { "client-cert", 0, KIND_SWITCH, AT(client_cert), NULL },
    { "drip-handshake", 0, KIND_TIME, AT(drip_handshake_ms), NULL },
    { "auth", 'a', KIND_TEXT, AT(auth), NULL },
    { "user", 'u', KIND_TEXT, AT(user), NULL },
    { "password", 'w', KIND_TEXT, AT(password), NULL },
    { "require-auth", 0, KIND_SWITCH, AT(require_auth), NULL },
    { "auth-clear", 0, KIND_SWITCH, AT(auth_clear), NULL },
    { "iterations", 0, KIND_NUMBER, AT(iterations), NULL },
    { "offer", 'o', KIND_OFFER, 0, NULL },
    { "name", 'n', KIND_TEXT, AT(name), NULL },
    { "listen", 0, KIND_TEXT, AT(listen), "yes no blackhole" },
    { "accept", 0, KIND_NUMBER, AT(accept), NULL },
    { "sessions", 0, KIND_NUMBER, AT(sessions), NULL },
    { "buffer", 0, KIND_NUMBER, AT(buffer), NULL },
    { "delay", 0, KIND_TIME, AT(delay_ms), NULL },
    { "seed", 0, KIND_NUMBER, AT(seed), NULL },
    { "hurry", 0, KIND_NUMBER, AT(hurry), NULL },
    { "max-time", 0, KIND_TIME, AT(max_time_ms), NULL },
    { "once", 0, KIND_SWITCH, AT(once), NULL },
    { "make-certs", 0, KIND_TEXT, AT(make_certs), NULL },
    { "free-port", 0, KIND_SWITCH, AT(free_port), NULL },
    { "talk", 0, KIND_TEXT, AT(talk), NULL },
    { "in-turn", 0, KIND_SWITCH, AT(in_turn), NULL },
    { "help", 'h', KIND_SWITCH, AT(help), NULL },
};

static const char *const usual[] = { "PIPELINING", "SIZE 52428800", "8BITMIME", "SMTPUTF8", "DSN",
    "ENHANCEDSTATUSCODES", "CHUNKING", "BINARYMIME", "LIMITS RCPTMAX=1000 MAILMAX=1000" };

void
options_init(struct options *opt)
{
    *opt = (struct options){ .hurry = 1, .iterations = 4096, .max_time_ms = 600000 };
    opt->tls = mem_dup("none");
    opt->cert = mem_dup("valid");
    opt->user = mem_dup("user");
    opt->password = mem_dup("secret");
    opt->name = mem_dup("hub.example.net");
    opt->listen = mem_dup("yes");
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        opt->offer[opt->offers++] = mem_dup(usual[i]);
}

static void *
field(struct options *opt, const struct entry *e)
{
    return (char *)opt + e->offset;
}

void
options_clear(struct options *opt)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if (entries[i].kind == KIND_TEXT)
            free(*(char **)field(opt, &entries[i]));
    for (size_t i = 0; i < opt->offers; i++)
        free(opt->offer[i]);
    *opt = (struct options){ 0 };
}

bool
options_time(struct slice s, int64_t *ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "", 1000 } };
    size_t digits = 0;
    uint64_t n;

    while (digits < s.len && ascii_is_digit(s.p[digits]))
        digits++;
    if (!slice_number(slice_sub(s, 0, digits), 1000000000, &n))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (slice_is(slice_from(s, digits), units[i].unit)) {
            *ms = (int64_t)n * units[i].ms;
            return true;
        }
    return false;
}

/* The capability `word` begins with this keyword? */
static bool
is_keyword(const char *word, struct slice keyword)
{
    struct slice rest = slice_of(word), first;

    return slice_cut(&rest, ' ', &first) && slice_eq_nocase(first, keyword);
}

bool
options_offers(const struct options *opt, const char *keyword, struct slice *rest)
{
    struct slice key = slice_of(keyword);

    for (size_t i = 0; i < opt->offers; i++)
        if (is_keyword(opt->offer[i], key)) {
            if (rest)
                *rest = slice_trim(slice_from(slice_of(opt->offer[i]), key.len));
            return true;
        }
    return false;
}

static void
offer_remove(struct options *opt, struct slice keyword)
{
    size_t kept = 0;

    for (size_t i = 0; i < opt->offers; i++) {
        if (is_keyword(opt->offer[i], keyword))
            free(opt->offer[i]);
        else
            opt->offer[kept++] = opt->offer[i];
    }
    opt->offers = kept;
}

/* "none", "-KEYWORD -KEYWORD ...", or one capability with its parameters, in place of one of the same name */
static bool
offer_change(struct options *opt, const char *value)
{
    struct slice rest = slice_of(value), word;

    if (slice_is(rest, "none")) {
        while (opt->offers)
            free(opt->offer[--opt->offers]);
        return true;
    }
    if (value[0] == '-') {
        while (slice_cut(&rest, ' ', &word))
            offer_remove(opt, slice_from(word, 1));
        return true;
    }
    if (!slice_cut(&rest, ' ', &word) || opt->offers == OFFER_MAX)
        return false;
    offer_remove(opt, word);
    opt->offer[opt->offers++] = mem_dup(value);
    return true;
}

static bool
is_one_of(const char *values, const char *value)
{
    struct slice rest = slice_of(values), word;

    if (!values)
        return true;
    while (slice_cut(&rest, ' ', &word))
        if (slice_is(word, value))
            return true;
    return false;
}

static bool
set_switch(bool *out, const char *value)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return false;
    *out = value[0] == 'y';
    return true;
}

static bool
set_entry(struct options *opt, const struct entry *e, const char *value)
{
    uint64_t n;

    switch (e->kind) {
    case KIND_TEXT:
        if (!is_one_of(e->values, value))
            return false;
        free(*(char **)field(opt, e));
        *(char **)field(opt, e) = mem_dup(value);
        return true;
    case KIND_NUMBER:
        if (!slice_number(slice_of(value), INT32_MAX, &n))
            return false;
        *(int64_t *)field(opt, e) = (int64_t)n;
        return true;
    case KIND_TIME:
        return options_time(slice_of(value), field(opt, e));
    case KIND_SWITCH:
        return set_switch(field(opt, e), value);
    case KIND_OFFER:
        return offer_change(opt, value);
    }
    return false;
}

static const struct entry *
entry_find(const char *name, char letter)
{
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        if ((name && strcmp(entries[i].name, name) == 0) || (letter && entries[i].letter == letter))
            return &entries[i];
    return NULL;
}

bool
options_set(struct options *opt, const char *name, const char *value, struct error *err)
{
    const struct entry *e = entry_find(name, 0);

    if (!e)
        return error_set(err, ERROR_USAGE, "no option has the name '%s'", name);
    if (!set_entry(opt, e, value))
        return error_set(err, ERROR_USAGE, "'%s' cannot be '%s'", name, value);
    return true;
}

/* One option at argv[*i], its value attached (--name=value) or the next argument. */
static bool
parse_one(struct options *opt, int argc, char **argv, int *i, struct error *err)
{
    const char *arg = argv[*i], *equals = strchr(arg, '='), *value = NULL;
    const struct entry *e = NULL;
    char *name = NULL;
    bool ok;

    if (arg[0] == '-' && arg[1] == '-') {
        name = equals ? mem_dupn(arg + 2, (size_t)(equals - arg - 2)) : mem_dup(arg + 2);
        e = entry_find(name, 0);
        value = equals ? equals + 1 : NULL;
        free(name);
    } else if (arg[0] == '-' && arg[1] && !arg[2]) {
        e = entry_find(NULL, arg[1]);
    }
    if (!e)
        return error_set(err, ERROR_USAGE, "%s: no such option", arg);
    if (!value && e->kind == KIND_SWITCH)
        value = "yes";
    if (!value && ++*i < argc)
        value = argv[*i];
    if (!value)
        return error_set(err, ERROR_USAGE, "%s needs a value", arg);
    ok = set_entry(opt, e, value);
    return ok || error_set(err, ERROR_USAGE, "%s cannot be '%s'", arg, value);
}

bool
options_parse(struct options *opt, struct script *script, int argc, char **argv, struct error *err)
{
    for (int i = 1; i < argc; i++)
        if (!parse_one(opt, argc, argv, &i, err))
            return false;
    return !opt->script || script_load(script, opt->script, opt, err);
}
