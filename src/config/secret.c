/* SPDX-License-Identifier: ISC */
/* secret: reads secrets and hands them on; keeps nothing, wipes its buffers. */
#include "config/secret.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/run.h"

#define SECRET_MAX 65536
#define COMMAND_MS 60000
#define WORDS_MAX 4096 /* of what a command says on standard error */

/* ---------------------------------------------------------------- files */

/* A bare NAME is looked up in $CREDENTIALS_DIRECTORY (systemd.exec(5)); NULL when that is not set */
static char *
secret_path(const char *name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");

    if (strchr(name, '/'))
        return mem_dup(name);
    return dir && *dir == '/' ? mem_format("%s/%s", dir, name) : NULL;
}

static bool
is_below(const char *path, const char *dir)
{
    size_t n = dir ? strlen(dir) : 0;

    while (n > 0 && dir[n - 1] == '/')
        n--;
    return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Wherever links lead */
static bool
is_in_home(const char *path, uid_t uid)
{
    char real[PATH_MAX];
    struct passwd *pw = getpwuid(uid);

    if (!realpath(path, real))
        return false;
    return is_below(real, "/home") || is_below(real, "/root") || (pw && is_below(real, pw->pw_dir));
}

/* May this file hold a secret? `st` is of the file as it is opened, or as it stands there. */
static bool
check_file(struct config *c, const char *path, const struct stat *st, struct error *err)
{
    if (!S_ISREG(st->st_mode))
        return error_set(err, ERROR_CONFIG, "%s: not a regular file", path);
    if (c->foreign && (st->st_uid != c->uid || (st->st_mode & 077)))
        return error_set(
            err, ERROR_CONFIG, "%s: has to belong to you and be readable by nobody else (chmod 600)", path);
    if (!(st->st_mode & 04))
        return true;
    if (st->st_uid != 0 || is_in_home(path, c->uid))
        return error_set(err, ERROR_CONFIG, "%s: others may read it; chmod o-r", path);
    return true;
}

/* The daemon may be able to read what its caller may not; what itself may not read only its administrator can mend */
static bool
fail_file(const struct config *c, const char *path, int e, struct error *err)
{
    if ((e == EACCES || e == EPERM) && c->by_caller)
        return error_set(err, ERROR_TEMP, "the daemon is not running, and %s may not be read by you", path);
    if (e == EACCES || e == EPERM)
        return error_set(err, ERROR_CONFIG,
            "%s: user %ld, who smtprelayd was started as, may not read it; let his group read it, or use "
            "LoadCredential= of the unit",
            path, (long)geteuid());
    return error_sys(err, ERROR_CONFIG, e, "%s", path);
}

static bool
check_one(struct config *c, size_t account, struct error *err)
{
    const char *name = config_text(c, account, CONFIG_AUTH_PASS_FILE);
    char *path = name ? secret_path(name) : NULL;
    struct stat st;
    bool ok = true;

    if (name && !path)
        buf_add_format(&c->warnings,
            c->own_commands
                ? "AuthPassFile: %s: a file is named by its whole path; a bare name is a credential of "
                  "systemd's ($CREDENTIALS_DIRECTORY is not set here)\n"
                : "AuthPassFile: %s is a credential that systemd gives to the service alone "
                  "($CREDENTIALS_DIRECTORY is not set here): smtprelay test --daemon tries it\n",
            name);
    if (!path)
        return true;
    ok = stat(path, &st) == 0 ? check_file(c, path, &st, err) : fail_file(c, path, errno, err);
    if (ok && (st.st_mode & 04))
        buf_add_format(&c->warnings, "AuthPassFile: %s: others may read it\n", path);
    if (ok && st.st_size == 0)
        buf_add_format(
            &c->warnings, "AuthPassFile: %s: is empty; its first line has to be the password\n", path);
    if (!ok) {
        error_context(err, "AuthPassFile");
        error_context(err, "%s", config_value(c, account, CONFIG_AUTH_PASS_FILE)->origin);
    }
    free(path);
    return ok;
}

static void
warn_of_key(struct config *c, size_t account)
{
    const char *key = config_text(c, account, CONFIG_TLS_KEY);
    struct stat st;

    if (key && stat(key, &st) == 0 && (st.st_mode & 04))
        buf_add_format(&c->warnings, "TLSKey: %s: others may read it\n", key);
}

bool
secret_check(struct config *c, struct error *err)
{
    for (size_t a = 0; a < c->n; a++) {
        if (!check_one(c, a, err))
            return false;
        warn_of_key(c, a);
    }
    return true;
}

/* The first line, which is all that counts */
static bool
take_first_line(struct config *c, size_t account, struct buf *text, const char *origin, struct error *err)
{
    struct slice s = buf_slice(text);
    size_t end = slice_find(s, '\n');

    if (end == s.len && text->overflow)
        return error_set(err, ERROR_CONFIG, "%s: its first line is too long", origin);
    s = slice_sub(s, 0, end);
    if (s.len && s.p[s.len - 1] == '\r')
        s.len--;
    if (s.len == 0)
        return error_set(err, ERROR_CONFIG, "%s: its first line is empty", origin);
    return config_set(c, account, CONFIG_AUTH_PASS, s, true, origin, err) || error_context(err, "%s", origin);
}

static bool
read_secret(struct config *c, size_t account, const char *path, struct error *err)
{
    struct stat st;
    struct buf b;
    int fd = file_open_regular(path, &st, err);
    bool ok;

    if (fd < 0)
        return errno == EACCES ? fail_file(c, path, errno, err) : false;
    buf_init(&b, SECRET_MAX);
    ok = check_file(c, path, &st, err) && file_read_all(fd, &b, path, err) &&
         take_first_line(c, account, &b, path, err);
    file_close(&fd);
    buf_wipe(&b);
    return ok;
}

static bool
fetch_file(struct config *c, size_t account, const char *name, struct error *err)
{
    char *path = secret_path(name);
    bool ok = path ? read_secret(c, account, path, err)
                   : error_set(err, ERROR_CONFIG, "%s: $CREDENTIALS_DIRECTORY is not set", name);

    free(path);
    return ok || error_context(err, "AuthPassFile");
}

/* ---------------------------------------------------------------- commands */

/* The caller's own command gets all of the caller's environment, another the little that does no harm */
static char **
command_environment(const struct config *c)
{
    extern char **environ;
    size_t all = 0;
    char **env;

    if (!c->own_commands)
        return run_environment();
    while (environ && environ[all])
        all++;
    env = mem_array(all + 1, sizeof(char *));
    for (size_t i = 0; i < all; i++)
        env[i] = mem_dup(environ[i]);
    return env;
}

/* Its last words, which tell why */
static bool
add_words(struct slice said, struct error *err)
{
    struct slice line, last = slice_of("");
    char shown[200], what[ERROR_TEXT_MAX];

    while (slice_cut(&said, '\n', &line))
        last = slice_trim(line).len ? slice_trim(line) : last;
    if (last.len == 0)
        return false;
    text_escape(shown, sizeof shown, last);
    (void)snprintf(what, sizeof what, "%s", err->text);
    return error_set(err, err->class, "%s: %s", what, shown);
}

static bool
fetch_command(struct config *c, size_t account, const char *command, struct error *err)
{
    char **env = command_environment(c);
    struct buf b, said;
    bool ok;

    buf_init(&b, SECRET_MAX);
    buf_init(&said, WORDS_MAX);
    /* A caller gets one line; what a daemon's command says is for its log, not for all who ask why mail waits */
    ok = run_command(command, env, COMMAND_MS, &b, c->by_caller ? &said : NULL, err) ||
         add_words(buf_slice(&said), err);
    ok = ok && take_first_line(c, account, &b, "what the command printed", err);
    buf_wipe(&b);
    buf_wipe(&said);
    for (char **e = env; *e; e++)
        mem_free_secret(*e);
    free(env);
    if (ok)
        return true;
    err->class = ERROR_ADMIN;
    return error_context(err, "AuthPassCommand");
}

bool
secret_fetch(struct config *c, size_t account, struct error *err)
{
    const char *file = config_text(c, account, CONFIG_AUTH_PASS_FILE);
    const char *command = config_text(c, account, CONFIG_AUTH_PASS_COMMAND);

    if (file)
        return fetch_file(c, account, file, err);
    return command ? fetch_command(c, account, command, err) : true;
}
