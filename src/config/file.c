/* file: see file.h. Reads; never writes, never looks at the network. */
#include "config/file.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libconfig.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/paths.h"
#include "base/text.h"
#include "config/guard.h"
#include "config/secret.h"

#define FILE_MAX_BYTES (1u << 20)

/* ---------------------------------------------------------------- which file */

/* $XDG_CONFIG_HOME/smtprelay/config, else ~/.config/smtprelay/config; NULL when there is none */
static char *
own_file(const struct config_request *req)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    struct passwd *pw;
    char *path;

    if (req->uid == 0)
        return NULL;
    if (base && *base == '/') {
        path = mem_format("%s/smtprelay/config", base);
    } else {
        if (!home || *home != '/') {
            pw = getpwuid(req->uid);
            home = pw ? pw->pw_dir : NULL;
        }
        if (!home)
            return NULL;
        path = mem_format("%s/.config/smtprelay/config", home);
    }
    if (access(path, F_OK) == 0)
        return path;
    free(path);
    return NULL;
}

/* ---------------------------------------------------------------- one setting of the tree */

struct loading {
    struct config *c;
    const char *path;
    const struct stat *st;
    struct error *err;
};

static bool
fail_at(struct loading *l, const config_setting_t *s)
{
    const char *file = config_setting_source_file(s);

    return error_context(l->err, "%s line %u", file ? file : l->path, config_setting_source_line(s));
}

/* A scalar as text, the way config_set wants it */
static bool
scalar_text(const config_setting_t *s, char *out, size_t size, const char **text)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_STRING:
        *text = config_setting_get_string(s);
        return true;
    case CONFIG_TYPE_INT:
        (void)snprintf(out, size, "%d", config_setting_get_int(s));
        break;
    case CONFIG_TYPE_INT64:
        (void)snprintf(out, size, "%lld", config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_BOOL:
        (void)snprintf(out, size, "%s", config_setting_get_bool(s) ? "true" : "false");
        break;
    default:
        return false;
    }
    *text = out;
    return true;
}

/* May this setting be of this libconfig type? A bool or number where a text belongs is a typing error, mostly. */
static bool
type_fits(enum config_key key, const config_setting_t *s)
{
    bool text = config_setting_type(s) == CONFIG_TYPE_STRING;
    bool truth = config_setting_type(s) == CONFIG_TYPE_BOOL;

    switch (config_info(key)->type) {
    case CONFIG_BOOL:
        return truth;
    case CONFIG_NUMBER:
        return config_setting_type(s) == CONFIG_TYPE_INT;
    case CONFIG_SIZE:
        return text || config_setting_type(s) == CONFIG_TYPE_INT ||
               config_setting_type(s) == CONFIG_TYPE_INT64;
    case CONFIG_TEXT:
        return text || (truth && key == CONFIG_USE_TLS);
    default:
        return text;
    }
}

static bool
set_one(struct loading *l, size_t account, enum config_key key, const config_setting_t *s, bool first)
{
    char number[40], origin[PATH_MAX + 40];
    const char *text;
    const char *file = config_setting_source_file(s);

    if (!type_fits(key, s) || !scalar_text(s, number, sizeof number, &text)) {
        error_set(l->err, ERROR_CONFIG, "%s: wrong type of value", config_info(key)->name);
        return fail_at(l, s);
    }
    (void)snprintf(origin, sizeof origin, "%s line %u", file ? file : l->path, config_setting_source_line(s));
    return config_set(l->c, account, key, slice_of(text), first, origin, l->err) || fail_at(l, s);
}

static bool
set_value(struct loading *l, size_t account, enum config_key key, const config_setting_t *s)
{
    bool is_list = config_setting_is_list(s) == CONFIG_TRUE || config_setting_is_array(s) == CONFIG_TRUE;

    if (!is_list)
        return set_one(l, account, key, s, true);
    if (config_info(key)->type != CONFIG_LIST) {
        error_set(l->err, ERROR_CONFIG, "%s: a list is not possible here", config_info(key)->name);
        return fail_at(l, s);
    }
    for (int i = 0; i < config_setting_length(s); i++)
        if (!set_one(l, account, key, config_setting_get_elem(s, (unsigned)i), i == 0))
            return false;
    return true;
}

/* Names without case: two that differ in case only are the same setting given twice */
static bool
is_twice(const config_setting_t *group, int i)
{
    const char *name = config_setting_name(config_setting_get_elem(group, (unsigned)i));

    for (int k = 0; k < i; k++) {
        const char *other = config_setting_name(config_setting_get_elem(group, (unsigned)k));
        if (slice_is_nocase(slice_of(name), other))
            return true;
    }
    return false;
}

static bool load_accounts(struct loading *l, const config_setting_t *s);

static bool
load_group(struct loading *l, size_t account, const config_setting_t *group)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        const char *name = config_setting_name(s), *nearest;
        enum config_key key;

        if (is_twice(group, i)) {
            error_set(l->err, ERROR_CONFIG, "%s: given twice", name);
            return fail_at(l, s);
        }
        if (account == 0 && slice_is_nocase(slice_of(name), "accounts")) {
            if (!load_accounts(l, s))
                return false;
            continue;
        }
        key = config_find(name, account > 0, &nearest);
        if (key == CONFIG_KEYS) {
            if (nearest)
                error_set(l->err, ERROR_CONFIG, "%s: unknown setting; did you mean %s?", name, nearest);
            else
                error_set(l->err, ERROR_CONFIG, "%s: unknown setting", name);
            return fail_at(l, s);
        }
        if (!set_value(l, account, key, s))
            return false;
    }
    return true;
}

static bool
load_accounts(struct loading *l, const config_setting_t *s)
{
    if (config_setting_is_list(s) != CONFIG_TRUE) {
        error_set(l->err, ERROR_CONFIG, "accounts: a list of groups is wanted: ( { ... }, { ... } )");
        return fail_at(l, s);
    }
    for (int i = 0; i < config_setting_length(s); i++) {
        const config_setting_t *group = config_setting_get_elem(s, (unsigned)i);
        if (config_setting_is_group(group) != CONFIG_TRUE) {
            error_set(l->err, ERROR_CONFIG, "accounts: each account is a group { name = value; ... }");
            return fail_at(l, group);
        }
        size_t a = config_add_account(l->c);
        if (!load_group(l, a, group))
            return false;
    }
    return true;
}

/* ---------------------------------------------------------------- the file */

static bool
parse_text(struct loading *l, const char *text)
{
    config_t tree;
    bool ok;

    config_init(&tree);
    config_set_include_dir(&tree, ""); /* the guard lets only absolute paths through */
    if (config_read_string(&tree, text)) {
        ok = load_group(l, 0, config_root_setting(&tree));
    } else {
        const char *file = config_error_file(&tree);
        ok = error_set(l->err, ERROR_CONFIG, "%s line %d: %s", file ? file : l->path,
            config_error_line(&tree), config_error_text(&tree));
    }
    config_destroy(&tree);
    return ok;
}

/* Files that are not root's, or that were named by a caller: what could turn an injected -C into something */
static bool
check_foreign(const struct config_request *req, const struct stat *st, const struct config *c,
    const char *path, struct error *err)
{
    static const enum config_key forbidden[] = { CONFIG_AUTH_PASS_COMMAND, CONFIG_TROUBLE_COMMAND,
        CONFIG_METRICS_FILE, CONFIG_QUEUE_DIR, CONFIG_LOG_FILE };

    if (!req->by_caller || !req->file || st->st_uid == 0)
        return true;
    for (size_t a = 0; a < c->n; a++) {
        for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
            const char *v = config_text(c, a, forbidden[i]);
            if (v && !(forbidden[i] == CONFIG_LOG_FILE && strcmp(v, "-") == 0))
                return error_set(err, ERROR_CONFIG, "%s: %s is not allowed in a file that is not root's",
                    path, config_info(forbidden[i])->name);
        }
    }
    return true;
}

static bool
check_owner(const struct config_request *req, const struct stat *st, const char *path, struct error *err)
{
    if (!req->by_caller || !req->file)
        return true;
    if (st->st_uid != 0 && st->st_uid != req->uid)
        return error_set(err, ERROR_CONFIG, "%s: belongs to another user", path);
    if (st->st_mode & 022)
        return error_set(err, ERROR_CONFIG, "%s: others may write to it; chmod go-w", path);
    return true;
}

static bool
check_inline_secret(const struct config *c, const struct stat *st, const char *path, struct error *err)
{
    for (size_t a = 0; a < c->n; a++)
        if (c->account[a].value[CONFIG_AUTH_PASS].set && (st->st_mode & 04))
            return error_set(
                err, ERROR_CONFIG, "%s: holds AuthPass, but others may read it; chmod o-r", path);
    return true;
}

static bool
load_file(const struct config_request *req, struct config *c, const char *path, struct error *err)
{
    struct stat st;
    struct buf text;
    struct loading l = { c, path, &st, err };
    bool ok;
    int fd = file_open_regular(path, &st, err);

    if (fd < 0)
        return false;
    buf_init(&text, FILE_MAX_BYTES);
    ok = check_owner(req, &st, path, err) && file_read_all(fd, &text, path, err) &&
         guard_check(buf_slice(&text), path, err) && parse_text(&l, buf_str(&text)) &&
         check_inline_secret(c, &st, path, err) && check_foreign(req, &st, c, path, err);
    file_close(&fd);
    buf_wipe(&text);
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
        return config_set(c, 0, key, slice_of(value), true, origin, err) || error_context(err, "%s", name);
    while (slice_cut(&rest, ',', &item)) {
        if (!config_set(c, 0, key, slice_trim(item), first, origin, err))
            return error_context(err, "%s", name);
        first = false;
    }
    return true;
}

static bool
load_environment(const struct config_request *req, struct config *c, struct error *err)
{
    static const char prefix[] = "SMTPRELAY_";

    for (char *const *e = req->environ_; e && *e; e++) {
        const char *eq = strchr(*e, '=');
        char name[100];
        enum config_key key;

        if (strncmp(*e, prefix, sizeof prefix - 1) != 0 || !eq || (size_t)(eq - *e) >= sizeof name)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)(eq - *e), *e);
        if (strcasecmp(name, "SMTPRELAY_AUTHPASS_FILE") == 0) {
            key = CONFIG_AUTH_PASS_FILE;
        } else {
            key = config_find(name + sizeof prefix - 1, false, NULL);
        }
        if (key == CONFIG_KEYS) {
            buf_add_format(&c->warnings, "%s: unknown setting in the environment\n", name);
            continue;
        }
        if (!set_from_environment(c, key, name, eq + 1, err))
            return false;
    }
    /* a secret from here takes the place of the file's */
    static const enum config_key ways[] = { CONFIG_AUTH_PASS, CONFIG_AUTH_PASS_FILE,
        CONFIG_AUTH_PASS_COMMAND };
    for (size_t i = 0; i < 3; i++) {
        struct config_value *v = &c->account[0].value[ways[i]];
        if (!v->set || strncmp(v->origin, "environment", 11) != 0)
            continue;
        for (size_t k = 0; k < 3; k++)
            if (k != i)
                c->account[0].value[ways[k]].set = false;
    }
    return true;
}

/* ---------------------------------------------------------------- the machine */

/* The machine's own name: with a dot as it is, else what /etc/hosts or the name service makes of it, else an address literal */
static char *
machine_name(void)
{
    char name[HOST_NAME_MAX + 1];
    struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM }, *res = NULL;
    char *full = NULL;

    if (gethostname(name, sizeof name) != 0)
        name[0] = '\0';
    name[sizeof name - 1] = '\0';
    if (strchr(name, '.'))
        return mem_dup(name);
    if (name[0] && getaddrinfo(name, NULL, &hints, &res) == 0 && res->ai_canonname &&
        strchr(res->ai_canonname, '.') && !slice_ends_nocase(slice_of(res->ai_canonname), ".localdomain"))
        full = mem_dup(res->ai_canonname);
    if (res)
        freeaddrinfo(res);
    return full ? full : mem_dup("[127.0.0.1]");
}

static char *
mail_name(void)
{
    struct stat st;
    struct error err;
    struct buf b;
    struct slice line;
    char *name = NULL;
    int fd = file_open_regular("/etc/mailname", &st, &err);

    if (fd < 0)
        return NULL;
    buf_init(&b, 1000);
    if (file_read_all(fd, &b, "/etc/mailname", &err)) {
        line = buf_slice(&b);
        line = slice_trim(slice_sub(line, 0, slice_find(line, '\n')));
        if (line.len)
            name = slice_dup(line);
    }
    buf_clear(&b);
    file_close(&fd);
    return name;
}

static void
add_own_names(struct config *c)
{
    char name[HOST_NAME_MAX + 1] = "";
    struct error err;
    const char *const names[] = { config_text(c, 0, CONFIG_HOSTNAME), name, "localhost",
        "localhost.localdomain" };

    if (gethostname(name, sizeof name) != 0)
        name[0] = '\0';
    name[sizeof name - 1] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i] && *names[i])
            (void)config_set(
                c, 0, CONFIG_OWN_NAMES, slice_of(names[i]), false, "machine", &err); /* any text will do */
}

/* ---------------------------------------------------------------- all of it */

static bool
load_chosen(const struct config_request *req, struct config *c, struct error *err)
{
    char *own = req->file ? NULL : own_file(req);
    const char *path = req->file ? req->file : own ? own : path_config;
    bool from_env = !req->file, ok = true;

    c->path = mem_dup(path);
    c->own_file = req->file || own;
    free(own);
    path = c->path;
    if (access(path, R_OK) == 0 || errno == ENOTDIR) {
        ok = load_file(req, c, path, err);
    } else if (errno == EACCES) {
        ok = error_set(
            err, ERROR_TEMP, "smtprelayd: the daemon is not running, and %s may not be read by you", path);
    } else if (errno == ENOENT && from_env && getenv("SMTPRELAY_MAILHUB")) {
        free(c->path);
        c->path = NULL;
    } else {
        ok = error_sys(
            err, ERROR_CONFIG, errno, "%s: cannot be read; write it as smtprelay.conf(5) says", path);
    }
    return ok && (!from_env || load_environment(req, c, err));
}

bool
config_load(const struct config_request *req, struct config *c, struct error *err)
{
    char *machine, *mailname;
    bool ok;

    config_begin(c);
    ok = load_chosen(req, c, err);
    if (ok) {
        machine = config_text(c, 0, CONFIG_HOSTNAME) ? NULL : machine_name();
        mailname = mail_name();
        ok = config_complete(c, machine, mailname, err);
        if (!ok && c->path && err->class == ERROR_CONFIG && !strstr(err->text, c->path))
            error_context(err, "%s", c->path);
        free(machine);
        free(mailname);
    }
    if (ok)
        ok = secret_check(c, req->by_caller && req->file, req->uid, err);
    if (ok)
        add_own_names(c);
    else
        config_end(c);
    return ok;
}

static bool
fetch_file(struct config *c, size_t account, enum config_key from, enum config_key to, struct error *err)
{
    const char *path = config_text(c, account, from);
    struct stat st;
    struct buf b;
    bool ok;
    int fd;

    if (!path)
        return true;
    fd = file_open_regular(path, &st, err);
    if (fd < 0)
        return error_context(err, "%s", config_info(from)->name);
    buf_init(&b, 4u << 20);
    ok = file_read_all(fd, &b, path, err) && config_set(c, account, to, buf_slice(&b), true, path, err);
    file_close(&fd);
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
