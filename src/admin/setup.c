/* SPDX-License-Identifier: ISC */
/*
 * setup: asks, tries, writes, tries again with a message. What is tried first is in memory only; what is written has its password
 * apart, and goes into the configuration that is there.
 */
#include "admin/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/import_text.h"
#include "admin/import_write.h"
#include "admin/setup_edit.h"
#include "admin/setup_state.h"
#include "admin/setup_text.h"
#include "admin/setup_try.h"
#include "admin/words.h"
#include "base/ask.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/provider.h"
#include "config/value.h"

enum { LOGINS_MAX = 3 };

/* ---------------------------------------------------------------- the command line */

static bool
take_option(struct setup *s, const char *const words[], size_t n, size_t *i)
{
    struct setup_account *a = &s->a;

    return words_take_value(words, n, i, "--mailhub", &a->mailhub) ||
           words_take_value(words, n, i, "--provider", &a->provider) ||
           words_take_value(words, n, i, "--user", &a->user) ||
           words_take_value(words, n, i, "--tls", &a->tls) ||
           words_take_value(words, n, i, "--ca-file", &a->ca_file) ||
           words_take_value(words, n, i, "--account", &a->account) ||
           words_take_value(words, n, i, "--password-file", &s->password_file) ||
           words_take_value(words, n, i, "--password-command", &a->command);
}

/* It is part of a file's name, too */
static bool
is_account_name(const char *name)
{
    return *name && *name != '.' && *name != '-' &&
           !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

static void
check_words(struct setup *s)
{
    struct setup_account *a = &s->a;

    if (!a->address)
        fatal(
            EX_USAGE, "setup: the address mail is to be sent as is missing: smtprelay setup you@example.com");
    if (!value_is_address(slice_of(a->address)) || !text_is_shown(slice_of(a->address)))
        fatal(EX_USAGE, "setup: %s: an address with a domain is wanted", a->address);
    if (a->mailhub && a->provider)
        fatal(EX_USAGE, "setup: --mailhub and --provider: one of them");
    if ((s->password_file != NULL) + (a->command != NULL) + s->no_login > 1)
        fatal(EX_USAGE, "setup: --password-file, --password-command and --no-login: one of them");
    if (s->no_login && a->user)
        fatal(EX_USAGE, "setup: --user and --no-login: one of them");
    if (a->account && !is_account_name(a->account))
        fatal(EX_USAGE, "setup: --account %s: letters, digits, '-', '_' and '.' make a name", a->account);
    if (a->account && strcmp(a->account, "default") == 0)
        a->account = NULL; /* that is what the configuration's own is called */
}

static void
parse_words(struct setup *s, const char *const words[], size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (take_option(s, words, n, &i))
            continue;
        if (strcmp(words[i], "--force") == 0)
            s->force = true;
        else if (strcmp(words[i], "--no-test") == 0)
            s->no_test = true;
        else if (strcmp(words[i], "--no-login") == 0)
            s->no_login = true;
        else if (words[i][0] == '-' || s->a.address)
            fatal(EX_USAGE, "setup: %s is not understood; see smtprelay --help", words[i]);
        else
            s->a.address = words[i];
    }
    check_words(s);
}

/* ---------------------------------------------------------------- what is there */

static bool
read_before(struct setup *s, struct error *err)
{
    struct stat st;
    int fd = file_open_regular(s->target, &st, err);
    bool ok;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        error_init(err);
        return !s->a.account || error_set(err, ERROR_CONFIG,
                                    "setup: %s: there is no configuration yet that account %s could go into; "
                                    "make one without --account first",
                                    s->target, s->a.account);
    }
    if (fd < 0 && errno == EACCES)
        return error_set(err, ERROR_TEMP, "setup: %s may not be read by you", s->target);
    if (fd < 0)
        return false;
    ok = file_read_all(fd, &s->found, s->target, err);
    buf_add_slice(&s->before, buf_slice(&s->found));
    s->is_there = true;
    file_close(&fd);
    return ok;
}

/* The same address again, and no other smarthost is named: it is about the password, or about nothing */
static void
keep_hub(struct setup *s)
{
    struct setup_account *a = &s->a;
    struct slice before = buf_slice(&s->before);
    struct buf text;

    buf_init(&text, SETUP_SECRET_MAX);
    if (!a->mailhub && !a->provider && setup_edit_find(before, a->account, "From", &text) &&
        slice_is_nocase(buf_slice(&text), a->address) &&
        (setup_edit_has(before, a->account, "mailhub") || setup_edit_has(before, a->account, "provider"))) {
        a->keeps_hub = true;
        if (!a->user && !s->no_login && setup_edit_find(before, a->account, "AuthUser", &text))
            a->user = s->user = mem_dup(buf_str(&text));
        fprintf(stderr, "smtprelay: %s: the smarthost stays as %s has it\n", a->address, s->target);
    }
    buf_clear(&text);
}

/* ---------------------------------------------------------------- where to */

/* --provider, or whose addresses these are; else the domain's own SRV records */
static bool
find_hub(struct setup *s, struct error *err)
{
    struct slice address = slice_of(s->a.address), region;
    struct slice domain = slice_from(address, slice_find_last(address, '@') + 1);
    struct provider_table t;
    const char *nearest = NULL;
    size_t entry;

    if (s->a.mailhub || s->a.keeps_hub)
        return true;
    if (!provider_load(&t, err))
        return false;
    entry = s->a.provider ? provider_find(&t, s->a.provider, &region, &nearest)
                          : provider_find_domain(&t, domain);
    if (s->a.provider && !entry) {
        error_set(err, ERROR_USAGE, "setup: --provider %s: there is no preset of this name%s%s",
            s->a.provider, nearest ? "; the nearest is " : "", nearest ? nearest : "");
        provider_clear(&t);
        return false;
    }
    if (entry && provider_text(&t, entry, CONFIG_PRESET_SECRET))
        s->hint = mem_dup(provider_text(&t, entry, CONFIG_PRESET_SECRET));
    if (entry && provider_text(&t, entry, CONFIG_AUTH_USER))
        s->preset_user = mem_dup(provider_text(&t, entry, CONFIG_AUTH_USER));
    if (entry && !s->a.provider)
        s->a.provider = s->provider = mem_dup(provider_name(&t, entry));
    if (!entry)
        s->a.mailhub = s->hub = mem_format("srv:%.*s", SLICE_ARG(domain));
    provider_clear(&t);
    fprintf(stderr, "smtprelay: %s: %s %s\n", s->a.address,
        entry ? "provider" : "no preset; by its domain's records,", entry ? s->a.provider : s->a.mailhub);
    return true;
}

/* ---------------------------------------------------------------- trying */

/* As it will be, but with the password in it, where `trial` */
static bool
make_text(const struct setup *s, bool trial, struct buf *text, struct error *err)
{
    struct setup_account a = s->a;
    struct config c;
    char *secret = s->secret.len ? slice_dup(buf_slice(&s->secret)) : NULL;
    bool ok;

    a.secret = trial ? secret : NULL;
    a.secret_file = trial || !secret ? NULL : "/secret";
    ok = setup_text_write(buf_slice(&s->before), &a, text) ||
         error_set(err, ERROR_CONFIG, "setup: %s is not understood", s->target);
    mem_free_secret(secret);
    ok = ok && (import_text_check(buf_slice(text), s->target, &c, err) || error_context(err, "setup"));
    if (ok)
        config_end(&c);
    return ok;
}

/* What was said on the command line, before anybody is asked for a password */
static bool
check_answers(const struct setup *s, struct error *err)
{
    struct setup alone = *s;
    struct buf text;
    bool ok;

    if (s->a.account || s->a.keeps_hub)
        return true; /* it makes sense only with what is there */
    buf_init(&alone.before, SETUP_TEXT_MAX);
    buf_init(&alone.secret, SETUP_SECRET_MAX);
    if (!s->no_login && !s->a.command)
        buf_add_str(&alone.secret, "to be asked for");
    buf_init(&text, SETUP_TEXT_MAX);
    ok = make_text(&alone, true, &text, err);
    buf_clear(&text);
    buf_clear(&alone.secret);
    buf_clear(&alone.before);
    return ok;
}

/* How it is run again, by what failed */
static const char *
what_next(const struct setup *s, const struct test_outcome *o)
{
    static const char *const of_account[] = { "login", "secret" }, *const of_port[] = { "connection",
        "greeting", "ehlo", "starttls", "tls" };

    for (size_t i = 0; i < sizeof of_account / sizeof of_account[0]; i++)
        if (strcmp(o->step, of_account[i]) == 0 && strcmp(o->cause, "not-offered") != 0)
            return "run it again with the right password, or with --user LOGIN where the login is another "
                   "one";
    if (strcmp(o->cause, "certificate") == 0)
        return "run it again when that is mended, for a CA of your own with --ca-file FILE";
    if (s->hub)
        return "--mailhub HOST:PORT names the smarthost where the domain's records do not";
    for (size_t i = 0; i < sizeof of_port / sizeof of_port[0]; i++)
        if (strcmp(o->step, of_port[i]) == 0)
            return "run it again when that is mended; --mailhub HOST:465 or HOST:587 tries another port";
    return "run it again when that is mended; --no-test writes it all the same";
}

/* Once: *code is the test's. False with err */
static bool
try_once(const struct setup *s, bool again, int *code, struct test_outcome *outcome, struct error *err)
{
    struct test_options o = {
        .request = *s->req, .account = s->a.account, .of_setup = true, .is_again = again
    };
    struct buf text;
    bool ok;

    buf_init(&text, SETUP_TEXT_MAX);
    o.request.name = s->target;
    o.request.own = s->own;
    ok = make_text(s, true, &text, err) && setup_try(&o, buf_slice(&text), code, outcome, err);
    buf_wipe(&text);
    return ok;
}

/*
 * Up to the login, without a message. False with err. A person may mistype a password; more than a few wrong ones in a row lock accounts
 * at many providers.
 */
static bool
try_it(struct setup *s, struct error *err)
{
    struct test_outcome outcome = { false };
    int code = 0;

    for (unsigned turn = 1;; turn++) {
        if (!try_once(s, turn > 1, &code, &outcome, err))
            return false;
        if (code == 0)
            return true;
        if (!outcome.is_login_refused || turn == LOGINS_MAX || !setup_secret_again(s))
            break;
    }
    return error_set(err, (enum error_class)code, "setup: nothing was written, since the test failed; %s",
        what_next(s, &outcome));
}

static int
send_test(struct setup *s)
{
    struct test_options o = { .request = *s->req,
        .account = s->a.account,
        .address = s->a.address,
        .of_setup = true,
        .is_again = true };

    printf("\nA message to %s:\n", s->a.address);
    return setup_try_file(&o);
}

/* ---------------------------------------------------------------- all of it */

/* What is there is gone on with where that makes a configuration; else all of it is written anew */
static bool
choose_before(struct setup *s, struct error *err)
{
    struct buf text;
    struct error why;
    bool ok;

    if (s->before.len == 0)
        return true;
    buf_init(&text, SETUP_TEXT_MAX);
    ok = make_text(s, false, &text, &why);
    buf_wipe(&text);
    if (!ok && s->a.account) {
        *err = why;
        return false;
    }
    if (!ok) {
        fprintf(stderr, "smtprelay: %s: nothing of it can be kept: %s\n", s->target, why.text);
        buf_wipe(&s->before);
    }
    return true;
}

/* A daemon that runs has what it read */
static void
tell_daemon(const struct setup *s)
{
    struct error ignored;
    int fd;

    if (s->own || strcmp(s->target, path_config) != 0)
        return;
    fd = ask_connect(path_socket, "smtprelay", 0, &ignored);
    if (fd >= 0)
        printf(
            "The daemon that runs goes by this when it is told to read it again: systemctl reload smtprelay, "
            "or SIGHUP.\n");
    else if (fd == ASK_NOBODY && s->req->uid == 0)
        printf("No daemon runs: 'systemctl enable --now smtprelay.socket smtprelay.service' gives all users "
               "mail and a queue (without systemd: smtprelayd).\n");
    file_close(&fd);
}

static bool
setup_all(struct setup *s, int *code, struct error *err)
{
    s->target = import_write_target(s->req);
    if (!s->target)
        return error_set(
            err, ERROR_CONFIG, "setup: there is no home for a configuration; name it with -C FILE");
    s->own = !s->req->file && s->req->uid != 0;
    if (!read_before(s, err))
        return false;
    keep_hub(s);
    if (!find_hub(s, err))
        return false;
    if (!s->no_login && !s->a.user && !s->preset_user)
        s->a.user = s->a.address;
    if (!check_answers(s, err))
        return false;
    if (!s->no_test && !s->a.keeps_hub && s->a.mailhub && strncmp(s->a.mailhub, "srv:", 4) == 0 &&
        !setup_find(s, err))
        return false;
    if (!setup_secret_get(s, err) || !choose_before(s, err) || (!s->no_test && !try_it(s, err)) ||
        !setup_put(s, err))
        return false;
    tell_daemon(s);
    if (!s->no_test)
        *code = send_test(s);
    return true;
}

int
setup_run(const struct config_request *req, const char *const words[], size_t n)
{
    struct setup s = { .req = req };
    struct error err;
    int code = 0;
    bool ok;

    error_init(&err);
    buf_init(&s.secret, SETUP_SECRET_MAX);
    buf_init(&s.found, SETUP_TEXT_MAX);
    buf_init(&s.before, SETUP_TEXT_MAX);
    parse_words(&s, words, n);
    ok = setup_all(&s, &code, &err);
    (void)fflush(stdout);
    if (!ok)
        fprintf(stderr, "smtprelay: %s\n", err.text);
    buf_wipe(&s.secret);
    buf_wipe(&s.found);
    buf_wipe(&s.before);
    free(s.hub);
    free(s.hint);
    free(s.provider);
    free(s.user);
    free(s.preset_user);
    free(s.target);
    return ok ? code : (int)err.class;
}
