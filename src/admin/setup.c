/* SPDX-License-Identifier: ISC */
/*
 * setup: asks, tries, writes, tries again with a message. What is tried first is a file that only this process's user may read and that
 * is gone at the end, however it ends; what is written has its password apart.
 */
#include "admin/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "admin/import_text.h"
#include "admin/import_write.h"
#include "admin/setup_ask.h"
#include "admin/setup_text.h"
#include "admin/test.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/provider.h"
#include "config/value.h"

enum { TEXT_MAX = 1 << 16, SECRET_MAX = 4096, OLD_MAX = 1 << 21 };

struct setup {
    const struct config_request *req;
    struct setup_account a;
    const char *password_file;
    bool force, no_test, no_login;
    struct buf secret;
    char *hub, *hint; /* "srv:domain"; what a provider's password has to be */
    char *provider;
    char *target;
};

/* ---------------------------------------------------------------- the command line */

/* "--name=value" or "--name value" */
static bool
take_value(const char *const words[], size_t n, size_t *i, const char *name, const char **value)
{
    size_t len = strlen(name);

    if (strncmp(words[*i], name, len) != 0 || (words[*i][len] != '=' && words[*i][len] != '\0'))
        return false;
    if (words[*i][len] == '\0' && *i + 1 == n)
        fatal(EX_USAGE, "setup: a value for %s is missing", name);
    *value = words[*i][len] ? words[*i] + len + 1 : words[++*i];
    return true;
}

static bool
take_option(struct setup *s, const char *const words[], size_t n, size_t *i)
{
    struct setup_account *a = &s->a;

    return take_value(words, n, i, "--mailhub", &a->mailhub) ||
           take_value(words, n, i, "--provider", &a->provider) ||
           take_value(words, n, i, "--user", &a->user) || take_value(words, n, i, "--tls", &a->tls) ||
           take_value(words, n, i, "--ca-file", &a->ca_file) ||
           take_value(words, n, i, "--password-file", &s->password_file) ||
           take_value(words, n, i, "--password-command", &a->command);
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
    if (!s->a.address)
        fatal(
            EX_USAGE, "setup: the address mail is to be sent as is missing: smtprelay setup you@example.com");
    if (!value_is_address(slice_of(s->a.address)))
        fatal(EX_USAGE, "setup: %s: an address with a domain is wanted", s->a.address);
    if (s->a.mailhub && s->a.provider)
        fatal(EX_USAGE, "setup: --mailhub and --provider: one of them");
    if (s->password_file && s->a.command)
        fatal(EX_USAGE, "setup: --password-file and --password-command: one of them");
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

    if (s->a.mailhub)
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
    if (entry && !s->a.provider)
        s->a.provider = s->provider = mem_dup(provider_name(&t, entry));
    if (!entry)
        s->a.mailhub = s->hub = mem_format("srv:%.*s", SLICE_ARG(domain));
    provider_clear(&t);
    fprintf(stderr, "smtprelay: %s: %s %s\n", s->a.address,
        entry ? "provider" : "no preset; by its domain's records,", entry ? s->a.provider : s->a.mailhub);
    return true;
}

/* ---------------------------------------------------------------- the password */

static bool
first_line(int fd, const char *name, struct buf *out, struct error *err)
{
    bool ok = file_read_all(fd, out, name, err);
    size_t end = slice_find(buf_slice(out), '\n');

    if (!ok)
        return false;
    if (end < out->len)
        buf_truncate(out, end);
    if (out->len && out->data[out->len - 1] == '\r')
        buf_truncate(out, out->len - 1);
    return out->len > 0 || error_set(err, ERROR_USAGE, "%s: its first line is empty", name);
}

static bool
read_secret_file(struct setup *s, struct error *err)
{
    struct stat st;
    int fd = file_open_regular(s->password_file, &st, err);
    bool ok = fd >= 0 && first_line(fd, s->password_file, &s->secret, err);

    file_close(&fd);
    return ok;
}

static bool
get_secret(struct setup *s, struct error *err)
{
    char *prompt;
    bool ok;

    if (s->no_login || s->a.command)
        return true;
    if (s->password_file)
        return read_secret_file(s, err);
    if (!isatty(STDIN_FILENO))
        return first_line(STDIN_FILENO, "standard input", &s->secret, err);
    if (s->hint)
        fprintf(stderr, "The password has to be %s\n", s->hint);
    prompt = mem_format("Password of %s (it is not shown): ", s->a.user);
    ok = setup_ask_secret(prompt, &s->secret, err);
    free(prompt);
    return ok;
}

/* ---------------------------------------------------------------- trying */

/* In a process of its own, so that Ctrl-C ends the test and not what has to be cleaned up. The exit code. */
static int
test_apart(const struct test_options *o)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before[3];
    static const int signals[3] = { SIGINT, SIGTERM, SIGHUP };
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    for (size_t i = 0; i < 3; i++)
        (void)sigaction(signals[i], &ignore, &before[i]);
    pid = fork();
    if (pid == 0) {
        for (size_t i = 0; i < 3; i++)
            (void)sigaction(signals[i], &before[i], NULL);
        int code = test_run(o);
        (void)fflush(NULL);
        _exit(code);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    for (size_t i = 0; i < 3; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

/* A file for this process's user alone; in memory, where there is such a folder, since the password is in it. Its path is fresh memory. */
static int
open_trial(char **path)
{
    const char *const dirs[] = { getenv("TMPDIR"), "/dev/shm", "/tmp" };
    int fd = -1;

    *path = NULL;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0] && fd < 0; i++) {
        if (!dirs[i] || *dirs[i] != '/')
            continue;
        free(*path);
        *path = mem_format("%s/smtprelay-setup.XXXXXX", dirs[i]);
        fd = mkostemp(*path, O_CLOEXEC);
    }
    return fd;
}

static char *
write_trial(struct setup *s, struct error *err)
{
    struct setup_account a = s->a;
    struct buf text;
    char *path;
    int fd = open_trial(&path);
    bool ok;

    buf_init(&text, TEXT_MAX);
    a.secret = s->secret.len ? buf_str(&s->secret) : NULL;
    a.secret_file = NULL;
    setup_text_write(&a, &text);
    ok = fd >= 0 && !text.overflow && file_write(fd, text.data, text.len);
    if (!ok) {
        error_sys(err, ERROR_IO, errno, "cannot write %s", path);
        if (fd >= 0)
            (void)unlink(path);
        free(path);
        path = NULL;
    }
    file_close(&fd);
    buf_wipe(&text);
    return path;
}

/* Up to the login, without a message. False with err.class and no text: the test has said what is wrong. */
static bool
try_it(struct setup *s, struct error *err)
{
    struct test_options o = { .request = *s->req };
    char *path = write_trial(s, err);
    int code;

    if (!path)
        return false;
    o.request.file = path;
    code = test_apart(&o);
    (void)unlink(path);
    free(path);
    if (code == 0)
        return true;
    error_set(err, (enum error_class)code, "setup: nothing was written, since the test failed; %s",
        s->hub ? "--mailhub HOST:PORT names the smarthost where the domain's records do not"
               : "--no-test writes it all the same");
    return false;
}

static int
send_test(struct setup *s)
{
    struct test_options o = { .request = *s->req, .address = s->a.address };

    printf("\nA message to %s:\n", s->a.address);
    return test_apart(&o);
}

/* ---------------------------------------------------------------- writing */

struct files {
    struct import_write secret, config;
    char *secret_path;
    struct buf secret_text, text;
};

static void
files_make(struct setup *s, const char *target, struct files *f)
{
    struct slice stem = slice_of(target);
    struct setup_account a = s->a;

    memset(f, 0, sizeof *f);
    if (slice_ends_nocase(stem, ".conf"))
        stem = slice_sub(stem, 0, stem.len - 5);
    f->secret_path = mem_format("%.*s.secret", SLICE_ARG(stem));
    buf_init(&f->secret_text, SECRET_MAX + 2);
    buf_init(&f->text, TEXT_MAX);
    if (s->secret.len) {
        buf_add_format(&f->secret_text, "%s\n", buf_str(&s->secret));
        a.secret_file = f->secret_path;
    }
    setup_text_write(&a, &f->text);
    f->secret = (struct import_write){ .path = f->secret_path, .text = buf_slice(&f->secret_text) };
    f->config = (struct import_write){ .path = target, .text = buf_slice(&f->text) };
}

static void
files_clear(struct files *f)
{
    buf_wipe(&f->secret_text);
    buf_clear(&f->text);
    free(f->secret_path);
    free(f->secret.backup);
    free(f->config.backup);
}

static bool
put(struct import_write *w, struct error *err)
{
    if (!import_write_look(w, err) || !import_write_put(w, err))
        return false;
    printf("%s: %s", w->path, w->state == IMPORT_WRITE_SAME ? "it is the same already" : "written");
    printf(w->backup ? "; the former is %s\n" : "\n", w->backup ? w->backup : "");
    return true;
}

static bool
put_files(struct files *f, struct error *err)
{
    struct config c;

    if (f->text.overflow || !import_text_check(buf_slice(&f->text), f->config.path, &c, err))
        return error_context(err, "setup");
    config_end(&c);
    return (f->secret_text.len == 0 || put(&f->secret, err)) && put(&f->config, err);
}

/* What is there and would be replaced */
static bool
show_difference(const struct files *f, struct error *err)
{
    struct buf old, diff;
    struct stat st;
    int fd = file_open_regular(f->config.path, &st, err);
    bool ok;

    if (fd < 0)
        return false;
    buf_init(&old, OLD_MAX);
    buf_init(&diff, OLD_MAX * 4);
    ok = file_read_all(fd, &old, f->config.path, err);
    file_close(&fd);
    setup_text_compare(buf_slice(&old), f->config.text, &diff);
    if (ok)
        printf("%s is there already; this would change:\n%s", f->config.path, buf_str(&diff));
    buf_wipe(&old);
    buf_wipe(&diff);
    return ok;
}

static bool
may_replace(const struct setup *s, const char *path)
{
    char *question = mem_format("Replace it? The former is kept as %s.bak [y/N] ", path);
    bool yes;

    (void)fflush(stdout);
    yes = s->force || setup_ask_yes(question);
    free(question);
    return yes;
}

/* What is there stays, comments and all; the new one lies beside it */
static bool
put_beside(struct setup *s, struct error *err)
{
    char *beside = mem_format("%s.new", s->target);
    struct files f;
    bool ok;

    files_make(s, beside, &f);
    ok = put_files(&f, err);
    files_clear(&f);
    if (ok)
        ok = error_set(err, ERROR_CONFIG,
            "setup: %s is left as it is, the new one is %s: take over what you want of it, or use --force",
            s->target, beside);
    free(beside);
    return ok;
}

static bool
write_it(struct setup *s, struct error *err)
{
    struct files f;
    bool ok;

    files_make(s, s->target, &f);
    ok = import_write_look(&f.config, err);
    if (ok && f.config.state == IMPORT_WRITE_OTHER) {
        ok = show_difference(&f, err);
        if (ok && !may_replace(s, s->target)) {
            files_clear(&f);
            return put_beside(s, err);
        }
    }
    ok = ok && put_files(&f, err);
    files_clear(&f);
    return ok;
}

/* ---------------------------------------------------------------- all of it */

static bool
setup_all(struct setup *s, int *code, struct error *err)
{
    s->target = import_write_target(s->req);
    if (!s->target)
        return error_set(
            err, ERROR_CONFIG, "setup: there is no home for a configuration; name it with -C FILE");
    if (!find_hub(s, err))
        return false;
    if (!s->no_login && !s->a.user)
        s->a.user = s->a.address;
    if (!get_secret(s, err) || (!s->no_test && !try_it(s, err)) || !write_it(s, err))
        return false;
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
    buf_init(&s.secret, SECRET_MAX);
    parse_words(&s, words, n);
    ok = setup_all(&s, &code, &err);
    (void)fflush(stdout);
    if (!ok)
        fprintf(stderr, "smtprelay: %s\n", err.text);
    buf_wipe(&s.secret);
    free(s.hub);
    free(s.hint);
    free(s.provider);
    free(s.target);
    return ok ? code : (int)err.class;
}
