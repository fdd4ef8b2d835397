/* SPDX-License-Identifier: ISC */
/*
 * setup_put: the password first, then the configuration that names it. A configuration that changes gets a secret file of its own, so that
 * whoever ends this run in between leaves the former pair as it was; where only the password changes, one rename is all there is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/import_text.h"
#include "admin/import_write.h"
#include "admin/setup_ask.h"
#include "admin/setup_edit.h"
#include "admin/setup_state.h"
#include "base/file.h"
#include "base/mem.h"

enum { NAMES_MAX = 1000 };

struct files {
    struct import_write secret, config;
    char *secret_path;
    char *former;  /* the secret file of the configuration as it is, where that has one of these */
    bool in_place; /* the configuration stays, and the password goes where the former one is */
    struct buf secret_text, text;
};

/* ---------------------------------------------------------------- which files */

static char *
name_secret(const struct setup *s, unsigned n)
{
    return import_text_secret_name(s->target, n, s->a.account);
}

/* The one that the configuration has now, if that is one of these; else NULL */
static char *
find_present(const struct setup *s)
{
    struct buf text;
    char *name = NULL;

    buf_init(&text, SETUP_TEXT_MAX);
    for (unsigned n = 1;
         n < NAMES_MAX && setup_edit_find(buf_slice(&s->before), s->a.account, "AuthPassFile", &text); n++) {
        name = name_secret(s, n);
        if (slice_is(buf_slice(&text), name))
            break;
        free(name);
        name = NULL;
        buf_reset(&text);
    }
    buf_clear(&text);
    return name;
}

static void
make_config(const struct setup *s, struct files *f)
{
    struct setup_account a = s->a;

    a.secret_file = f->secret_path;
    buf_reset(&f->text);
    f->text.overflow = !setup_text_write(buf_slice(&s->before), &a, &f->text);
    f->config.text = buf_slice(&f->text);
}

/* Takes `path`. Is it to be this one? False with err.class ERROR_NONE: another one */
static bool
try_secret(const struct setup *s, struct files *f, char *path, bool is_present, struct error *err)
{
    error_init(err);
    free(f->secret_path);
    f->secret_path = path;
    f->secret.path = path;
    make_config(s, f);
    if (!import_write_look(&f->secret, err))
        return false;
    f->in_place =
        f->secret.state == IMPORT_WRITE_OTHER && is_present && slice_eq(f->config.text, buf_slice(&s->found));
    return f->in_place || f->secret.state != IMPORT_WRITE_OTHER;
}

static bool
choose_secret(const struct setup *s, struct files *f, struct error *err)
{
    f->former = find_present(s);
    if (f->former && try_secret(s, f, mem_dup(f->former), true, err))
        return true;
    for (unsigned n = 1; n < NAMES_MAX && err->class == ERROR_NONE; n++)
        if (try_secret(s, f, name_secret(s, n), false, err))
            return true;
    return err->class != ERROR_NONE ||
           error_set(err, ERROR_CONFIG, "setup: %s: there are too many of them", f->secret_path);
}

static bool
files_make(const struct setup *s, const char *target, struct files *f, struct error *err)
{
    memset(f, 0, sizeof *f);
    error_init(err);
    buf_init(&f->secret_text, SETUP_SECRET_MAX + 2);
    buf_init(&f->text, SETUP_TEXT_MAX);
    f->config.path = target;
    if (s->secret.len == 0) {
        make_config(s, f);
        return true;
    }
    buf_add_slice(&f->secret_text, buf_slice(&s->secret));
    buf_add_char(&f->secret_text, '\n');
    f->secret.text = buf_slice(&f->secret_text);
    return choose_secret(s, f, err);
}

static void
files_clear(struct files *f)
{
    buf_wipe(&f->secret_text);
    buf_wipe(&f->text);
    free(f->secret_path);
    free(f->former);
    free(f->secret.backup);
    free(f->config.backup);
}

/* ---------------------------------------------------------------- writing */

static bool
has_changed(const char *path, struct error *err)
{
    return error_set(err, ERROR_TEMP,
        "setup: %s: somebody changed it meanwhile, so nothing was written; run setup again", path);
}

static bool
put(struct import_write *w, struct error *err)
{
    if (!import_write_put(w, err))
        return false;
    printf("%s: %s", w->path, w->state == IMPORT_WRITE_SAME ? "it is the same already" : "written");
    printf(w->backup ? "; the former is %s\n" : "\n", w->backup ? w->backup : "");
    return true;
}

static bool
put_secret(struct files *f, struct error *err)
{
    if (!import_write_look(&f->secret, err))
        return false;
    if (f->secret.state == IMPORT_WRITE_OTHER && !f->in_place)
        return has_changed(f->secret.path, err);
    return put(&f->secret, err);
}

static bool
put_files(struct files *f, struct error *err)
{
    struct config c;

    if (f->text.overflow)
        return error_set(err, ERROR_CONFIG, "setup: %s is not understood, or too large", f->config.path);
    if (!import_text_check(buf_slice(&f->text), f->config.path, &c, err))
        return error_context(err, "setup");
    config_end(&c);
    if (!import_write_look(&f->config, err) || (f->secret_text.len && !put_secret(f, err)))
        return false;
    if (put(&f->config, err)) {
        if (f->config.backup && f->former && strcmp(f->former, f->secret_path ? f->secret_path : "") != 0)
            printf("%s: left as it is, for %s\n", f->former, f->config.backup);
        return true;
    }
    if (f->secret_text.len && f->secret.state == IMPORT_WRITE_NEW && unlink(f->secret.path) == 0)
        printf("%s: removed again\n", f->secret.path);
    return false;
}

/* ---------------------------------------------------------------- what broken-off runs leave */

/* Does the file `path` speak of `name`? What cannot be read may. */
static bool
speaks_of(const char *path, const char *name)
{
    struct error unread;
    struct stat st;
    struct buf text;
    int fd = file_open_regular(path, &st, &unread);
    bool may = fd >= 0 || errno != ENOENT;

    if (fd < 0)
        return may;
    buf_init(&text, SETUP_TEXT_MAX);
    if (file_read_all(fd, &text, path, &unread))
        may = text.len && memmem(text.data, text.len, name, strlen(name));
    buf_wipe(&text);
    file_close(&fd);
    return may;
}

/* The configuration, its former ones, or the new one beside it */
static bool
is_named(const struct setup *s, const char *secret)
{
    char *beside = mem_format("%s.new", s->target);
    bool found = speaks_of(s->target, secret) || speaks_of(beside, secret);

    free(beside);
    for (unsigned n = 1; n < NAMES_MAX && !found; n++) {
        char number[16] = "", *former;
        if (n > 1)
            (void)snprintf(number, sizeof number, "%u", n);
        former = mem_format("%s.bak%s", s->target, number);
        bool last = access(former, F_OK) != 0;
        found = speaks_of(former, secret);
        free(former);
        if (last)
            break;
    }
    return found;
}

/* Removing one is a person's matter: a configuration somewhere else may name it, and a password does not come back */
static void
tell_leftovers(const struct setup *s)
{
    bool more = true;

    for (unsigned n = 2; n < NAMES_MAX && more; n++) {
        char *path = name_secret(s, n);
        more = access(path, F_OK) == 0;
        if (more && !is_named(s, path))
            printf("%s: a password that no configuration here names, as a run leaves it that is broken off; "
                   "remove it\n",
                path);
        free(path);
    }
}

/*
 * Is in `target` still what was read? A person may have taken long to answer. *lock (to be closed either way, perhaps -1) keeps other
 * runs of setup out until then; where there are no locks, only those that come at the same instant are not noticed.
 */
static bool
is_unchanged(const struct setup *s, int *lock, struct error *err)
{
    struct stat st, now;
    struct buf b;
    bool same;

    *lock = file_open_regular(s->target, &st, err);
    if (*lock < 0 && (errno == ENOENT || errno == ENOTDIR))
        return !s->is_there || has_changed(s->target, err);
    if (*lock < 0)
        return false;
    buf_init(&b, SETUP_TEXT_MAX);
    same = s->is_there && (flock(*lock, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) &&
           stat(s->target, &now) == 0 && now.st_ino == st.st_ino && now.st_dev == st.st_dev &&
           file_read_all(*lock, &b, s->target, err) && slice_eq(buf_slice(&b), buf_slice(&s->found));
    buf_wipe(&b);
    return same || has_changed(s->target, err);
}

static bool
put_in_place(const struct setup *s, struct files *f, struct error *err)
{
    int lock;
    bool ok = is_unchanged(s, &lock, err) && put_files(f, err);

    if (ok && f->secret_text.len)
        tell_leftovers(s);
    file_close(&lock);
    return ok;
}

/* What is there and would change */
static bool
show_difference(const struct files *f, struct error *err)
{
    struct buf old, diff;
    struct stat st;
    int fd = file_open_regular(f->config.path, &st, err);
    bool ok;

    if (fd < 0)
        return false;
    buf_init(&old, SETUP_TEXT_MAX);
    buf_init(&diff, SETUP_TEXT_MAX * 4);
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
    char *question = mem_format("Change it? The former is kept as %s.bak [y/N] ", path);
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

    ok = files_make(s, beside, &f, err) && put_files(&f, err);
    files_clear(&f);
    if (ok)
        ok = error_set(err, ERROR_CONFIG,
            "setup: %s is left as it is, the new one is %s: take over what you want of it, or use --force",
            s->target, beside);
    free(beside);
    return ok;
}

bool
setup_put(struct setup *s, struct error *err)
{
    struct files f;
    bool ok;

    ok = files_make(s, s->target, &f, err) && import_write_look(&f.config, err);
    if (ok && f.config.state == IMPORT_WRITE_OTHER) {
        ok = show_difference(&f, err);
        if (ok && !may_replace(s, s->target)) {
            files_clear(&f);
            return put_beside(s, err);
        }
    }
    ok = ok && put_in_place(s, &f, err);
    files_clear(&f);
    return ok;
}
