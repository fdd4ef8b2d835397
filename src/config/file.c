/* SPDX-License-Identifier: ISC */
/* file: which configuration counts, and who may have written it. Reads; never writes. */
#include "config/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "config/guard.h"
#include "config/machine.h"
#include "config/provider.h"
#include "config/secret.h"
#include "config/tree.h"

#define PEM_MAX (1u << 20) /* three of them, encoded, have to fit into what a worker is given */

/* ---------------------------------------------------------------- a file that a caller named */

static bool
is_by_caller(const struct config_request *req)
{
    return req->by_caller && req->file && !req->own;
}

/*
 * Its owner, and that of what it includes; c->foreign when not all is root's. The caller's own file counts as named by the caller:
 * where HOME is a folder of everybody (/tmp), anybody could put commands there.
 */
static bool
check_owners(
    const struct config_request *req, const struct guard_text *g, struct config *c, struct error *err)
{
    bool by_caller = is_by_caller(req) || c->own_commands;
    mode_t others = by_caller ? 022 : 02;

    for (size_t i = 0; i < g->files; i++) {
        const struct stat *st = &g->file[i].st;
        if (by_caller && st->st_uid != 0 && st->st_uid != req->uid)
            return error_set(err, ERROR_CONFIG, "%s: belongs to another user", g->file[i].path);
        if (st->st_mode & others)
            return error_set(err, ERROR_CONFIG, "%s: others may write to it; chmod %s", g->file[i].path,
                by_caller ? "go-w" : "o-w");
        c->foreign = c->foreign || (is_by_caller(req) && st->st_uid != 0);
    }
    return true;
}

/* An alias is shown, and mail goes by it: what not everybody may read is no such file, unless it is the caller's alone */
static bool
check_foreign_aliases(const struct config *c, size_t account, struct error *err)
{
    const struct config_value *v = config_value(c, account, CONFIG_ALIASES);
    struct stat st;

    for (size_t i = 0; v->set && i < v->n; i++) {
        if (stat(v->item[i], &st) != 0 || (st.st_mode & 04) || (st.st_uid == c->uid && !(st.st_mode & 077)))
            continue;
        return error_set(err, ERROR_CONFIG,
            "%s: aliases: %s has to be readable by everybody, or to belong to you and be readable by nobody "
            "else",
            v->origin, v->item[i]);
    }
    return true;
}

/* What could turn an injected -C into something */
static bool
check_foreign(const struct config *c, struct error *err)
{
    static const enum config_key forbidden[] = { CONFIG_AUTH_PASS_COMMAND, CONFIG_TROUBLE_COMMAND,
        CONFIG_METRICS_FILE, CONFIG_QUEUE_DIR, CONFIG_LOG_FILE };

    for (size_t a = 0; c->foreign && a < c->n; a++) {
        if (!check_foreign_aliases(c, a, err))
            return false;
        for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
            const struct config_value *v = config_value(c, a, forbidden[i]);
            if (!v->set || (forbidden[i] == CONFIG_LOG_FILE && strcmp(v->item[0], "-") == 0))
                continue;
            return error_set(err, ERROR_CONFIG, "%s: %s is not allowed in a file that is not root's",
                v->origin, config_info(forbidden[i])->name);
        }
    }
    return true;
}

/* *e is why it could not be opened, or 0 */
static bool
load_file(const struct config_request *req, struct config *c, int *e, struct error *err)
{
    struct guard_text g;
    bool ok = req->name ? guard_read_at(&g, req->file, c->path, err) : guard_read(&g, c->path, err);

    *e = ok ? 0 : errno;
    ok = ok && check_owners(req, &g, c, err) && tree_load(c, &g, err) && check_foreign(c, err);
    guard_clear(&g);
    return ok;
}

/* ---------------------------------------------------------------- environment */

static bool
set_from_environment(
    struct config *c, enum config_key key, const char *name, const char *value, struct error *err)
{
    char origin[160];
    struct slice rest = slice_of(value), item;
    bool first = true;

    (void)snprintf(origin, sizeof origin, "environment %s", name);
    if (config_info(key)->type != CONFIG_LIST)
        return config_set(c, 0, key, slice_of(value), true, origin, err) || error_context(err, "%s", origin);
    while (slice_cut(&rest, ',', &item)) {
        if (!config_set(c, 0, key, slice_trim(item), first, origin, err))
            return error_context(err, "%s", origin);
        first = false;
    }
    return true;
}

static enum config_key
environment_key(const char *name)
{
    if (strcasecmp(name, "AUTHPASS_FILE") == 0)
        return CONFIG_AUTH_PASS_FILE;
    return config_find(name, false, NULL);
}

/* A secret from here takes the place of the file's */
static void
prefer_environment_secret(struct config *c, const bool from_env[CONFIG_KEYS])
{
    static const enum config_key ways[] = { CONFIG_AUTH_PASS, CONFIG_AUTH_PASS_FILE,
        CONFIG_AUTH_PASS_COMMAND };

    if (!from_env[ways[0]] && !from_env[ways[1]] && !from_env[ways[2]])
        return;
    for (size_t i = 0; i < 3; i++)
        if (!from_env[ways[i]])
            config_unset(c, 0, ways[i]);
}

/* *n counts the settings that were taken. An empty value is one that is not set: that is how compose files pass nothing. */
static bool
load_environment(const struct config_request *req, struct config *c, size_t *n, struct error *err)
{
    static const char prefix[] = "SMTPRELAY_";
    bool from_env[CONFIG_KEYS] = { false };

    for (char *const *e = req->environ_; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        char name[100];
        enum config_key key;

        if (strncmp(*e, prefix, sizeof prefix - 1) != 0 || !eq || (size_t)(eq - *e) >= sizeof name || !eq[1])
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)(eq - *e), *e);
        key = environment_key(name + sizeof prefix - 1);
        if (key == CONFIG_KEYS) {
            buf_add_format(&c->warnings, "%s: no such setting can come from the environment\n", name);
            continue;
        }
        if (from_env[key])
            return error_set(err, ERROR_CONFIG, "environment %s: the setting is there twice", name);
        if (!set_from_environment(c, key, name, eq + 1, err))
            return false;
        from_env[key] = true;
        ++*n;
    }
    prefer_environment_secret(c, from_env);
    return true;
}

/* ---------------------------------------------------------------- all of it */

/* A service whose unit hides the socket is no different from one without a daemon, but for its folder */
static const char *
hidden_hint(void)
{
    char *folder = mem_dup(path_socket), *slash = strrchr(folder, '/');
    bool hidden;

    if (slash)
        *slash = '\0';
    hidden = access(folder, F_OK) != 0;
    free(folder);
    return hidden ? "; if a unit hides the socket of one that runs, add the folder it is in to "
                    "BindReadOnlyPaths= of the unit"
                  : "";
}

/* Not found: the environment may be enough (containers). Not readable: the daemon could have read it, so try again later; for the
 * daemon itself it will not be another time. */
static bool
fail_open(const struct config_request *req, const struct config *c, int e, struct error *err)
{
    if ((e == EACCES || e == EPERM) && !req->by_caller)
        return error_set(err, ERROR_CONFIG,
            "%s: user %ld may not read it; for the service: chgrp smtprelay, chmod 640; others ask it: "
            "smtprelay status, smtprelay test",
            c->path, (long)geteuid());
    if (e == EACCES || e == EPERM)
        return error_set(err, ERROR_TEMP,
            "smtprelayd: the daemon is not running, and %s may not be read by you; root starts it (systemctl "
            "start smtprelay, or smtprelayd)%s",
            c->path, hidden_hint());
    if (e == ENOENT || e == ENOTDIR)
        return error_set(err, ERROR_CONFIG,
            "%s: there is no such file: 'smtprelay setup ADDRESS' makes one, or smtprelay.conf(5) says what "
            "to write",
            c->path);
    return false; /* said already */
}

static bool
load_chosen(const struct config_request *req, struct config *c, struct error *err)
{
    char *own = req->file ? NULL : ask_own_config(req->uid);
    size_t n = 0;
    int e;

    c->path = mem_dup(req->name ? req->name : req->file ? req->file : own ? own : path_config);
    c->own_file = req->file || own;
    c->own_commands = own || req->own;
    free(own);
    if (load_file(req, c, &e, err))
        return req->file || load_environment(req, c, &n, err);
    if ((e != ENOENT && e != ENOTDIR) || req->file)
        return fail_open(req, c, e, err);
    if (!load_environment(req, c, &n, err))
        return false;
    if (n == 0)
        return fail_open(req, c, e, err);
    free(c->path);
    c->path = NULL;
    return true;
}

static bool
complete(struct config *c, struct error *err)
{
    char *node = machine_node(), *full = machine_full(node), *mailname = machine_mailname();
    char *machine = config_text(c, 0, CONFIG_HOSTNAME) ? NULL : machine_name(node);
    const char *const names[] = { node, full };
    bool ok = provider_complete(c, machine, mailname, err);

    if (!ok && c->path && !strstr(err->text, c->path))
        error_context(err, "%s", c->path);
    if (ok)
        config_add_own_names(c, names, sizeof names / sizeof names[0]);
    if (ok && c->foreign)
        ok = config_set(c, 0, CONFIG_FOREIGN, slice_of("true"), true, "-C", err);
    free(machine);
    free(mailname);
    free(full);
    free(node);
    return ok;
}

bool
config_load(const struct config_request *req, struct config *c, struct error *err)
{
    config_begin(c);
    c->uid = req->uid;
    c->by_caller = req->by_caller;
    if (load_chosen(req, c, err) && complete(c, err) && secret_check(c, err))
        return true;
    config_end(c);
    return false;
}

/* ---------------------------------------------------------------- the files it names */

/* "-----BEGIN RSA PRIVATE KEY-----": is a part there whose name ends so, and has `not` nowhere in it? */
static bool
has_part(struct slice pem, const char *end, const char * not )
{
    struct slice line;

    while (slice_cut(&pem, '\n', &line)) {
        line = slice_trim(line);
        if (slice_starts(line, "-----BEGIN ") && slice_ends_nocase(line, end) &&
            !(not &&slice_starts(line, not )))
            return true;
    }
    return false;
}

/* Whether it is the right one a worker sees; a file of something else would only show when mail is sent */
static bool
check_parts(enum config_key key, struct slice pem, struct error *err)
{
    if (key == CONFIG_TLS_KEY)
        return has_part(pem, " PRIVATE KEY-----", "-----BEGIN ENCRYPTED ") ||
               error_set(err, ERROR_CONFIG, "no private key without passphrase in it (PEM is expected)");
    return has_part(pem, " CERTIFICATE-----", NULL) ||
           error_set(err, ERROR_CONFIG, "no certificate in it (PEM is expected)");
}

static bool
read_pem(const struct config *c, size_t account, enum config_key key, struct buf *out, struct error *err)
{
    const char *path = config_text(c, account, key);
    struct stat st;
    int fd = file_open_regular(path, &st, err);
    bool ok;

    if (fd >= 0) {
        ok = file_read_all(fd, out, path, err) &&
             (check_parts(key, buf_slice(out), err) || error_context(err, "%s", path));
        file_close(&fd);
        if (ok)
            return true;
    }
    if (key == CONFIG_TLS_KEY && strcmp(path, config_text(c, account, CONFIG_TLS_CERT)) == 0)
        key = CONFIG_TLS_CERT; /* which stands for both */
    error_context(err, "%s", config_info(key)->name);
    return error_context(err, "%s", config_value(c, account, key)->origin);
}

static bool
check_pem(const struct config *c, size_t account, enum config_key key, struct error *err)
{
    struct buf b;
    bool ok;

    buf_init(&b, PEM_MAX);
    ok = read_pem(c, account, key, &b, err);
    buf_wipe(&b);
    return ok;
}

static bool
check_folder(const struct config *c, size_t account, struct error *err)
{
    const char *path = config_text(c, account, CONFIG_TLS_CA_DIR);
    struct stat st;

    if (stat(path, &st) != 0)
        error_sys(err, ERROR_CONFIG, errno, "%s", path);
    else if (S_ISDIR(st.st_mode))
        return true;
    else
        error_set(err, ERROR_CONFIG, "%s: not a folder", path);
    error_context(err, "%s", config_info(CONFIG_TLS_CA_DIR)->name);
    return error_context(err, "%s", config_value(c, account, CONFIG_TLS_CA_DIR)->origin);
}

bool
config_check_files(const struct config *c, struct error *err)
{
    static const enum config_key keys[] = { CONFIG_TLS_CA_FILE, CONFIG_TLS_CERT, CONFIG_TLS_KEY };

    for (size_t a = 0; a < c->n; a++) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            if (config_text(c, a, keys[i]) && !check_pem(c, a, keys[i], err))
                return false;
        if (config_text(c, a, CONFIG_TLS_CA_DIR) && !check_folder(c, a, err))
            return false;
    }
    return true;
}

static bool
fetch_file(struct config *c, size_t account, enum config_key from, enum config_key to, struct error *err)
{
    const char *path = config_text(c, account, from);
    struct buf b;
    bool ok;

    if (!path)
        return true;
    buf_init(&b, PEM_MAX);
    ok = read_pem(c, account, from, &b, err) && config_set(c, account, to, buf_slice(&b), true, path, err);
    buf_wipe(&b);
    return ok;
}

bool
config_fetch(struct config *c, size_t account, struct error *err)
{
    return fetch_file(c, account, CONFIG_TLS_CA_FILE, CONFIG_CA_PEM, err) &&
           fetch_file(c, account, CONFIG_TLS_CERT, CONFIG_CERT_PEM, err) &&
           fetch_file(c, account, CONFIG_TLS_KEY, CONFIG_KEY_PEM, err) && secret_fetch(c, account, err);
}
